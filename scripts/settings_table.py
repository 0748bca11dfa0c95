"""Writes the tables of settings in docs/settings.md and the README: `python -m scripts.settings_table`."""

from __future__ import annotations

from pathlib import Path

from backend.settings.model import VARIABLES

ROOT = Path(__file__).resolve().parents[1]
PAGE, README = ROOT / "docs" / "settings.md", ROOT / "README.md"
HEAD = "| name | default | takes | meaning |\n|---|---|---|---|\n"
DEFAULTS_HEAD = "| setting | default |\n|---|---|\n"


def rows() -> str:
    """One line for each variable, in the order of the model; links lead from the page in docs."""
    lines = "".join(
        f"| `{one.name}` | {one.default}{' ' if one.default else ''}| {one.takes} | {one.meaning} |\n"
        for one in VARIABLES.values()
    )
    return lines.replace("](docs/", "](")


def defaults() -> str:
    """One line of the README for each variable."""
    return "".join(
        f"| `{one.name}` | {one.default}{' ' if one.default else ''}|\n" for one in VARIABLES.values()
    )


def updated(text: str) -> str:
    """docs/settings.md with the rows of today."""
    return _replaced(text, HEAD, rows())


def updated_readme(text: str) -> str:
    """The README with the rows of today."""
    return _replaced(text, DEFAULTS_HEAD, defaults())


def _replaced(text: str, head: str, lines: str) -> str:
    """Rows of Gradio's own variables follow them and stay."""
    before, _, rest = text.partition(head)
    return before + head + lines + rest[rest.index("| `GRADIO_") :]


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    README.write_text(updated_readme(README.read_text(encoding="utf-8")), encoding="utf-8")
