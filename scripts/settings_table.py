"""Writes the table of docs/settings.md from the settings model: `python -m scripts.settings_table`."""

from __future__ import annotations

from pathlib import Path

from backend.settings.model import VARIABLES

PAGE = Path(__file__).resolve().parents[1] / "docs" / "settings.md"
HEAD = "| name | default | takes | meaning |\n|---|---|---|---|\n"


def rows() -> str:
    """One line for each variable, in the order of the model; links lead from the page in docs."""
    lines = "".join(
        f"| `{one.name}` | {one.default}{' ' if one.default else ''}| {one.takes} | {one.meaning} |\n"
        for one in VARIABLES.values()
    )
    return lines.replace("](docs/", "](")


def updated(text: str) -> str:
    """The page with the rows of today. Rows of Gradio's own variables follow them and stay."""
    before, _, rest = text.partition(HEAD)
    after = rest[rest.index("| `GRADIO_") :]
    return before + HEAD + rows() + after


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
