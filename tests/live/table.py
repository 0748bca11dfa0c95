"""What a real ComfyUI made, as a table in tests/output: a row for each job, kept across runs."""

from __future__ import annotations

from pathlib import Path

HEAD = ("job", "prompts", "size", "frames", "fps", "video s", "sound s", "seam", "took s")


class Table:
    """Rows by their first cell; every change is written at once, so that a run that ends early has them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[str, str] = {}
        if path.is_file():
            for line in path.read_text().splitlines()[2:]:
                self._rows[line.split("|")[1].strip()] = line

    def add(self, *cells: str) -> None:
        self._rows[cells[0]] = f"| {' | '.join(cells)} |"
        lines = (f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|", *self._rows.values())
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text("\n".join(lines) + "\n")
