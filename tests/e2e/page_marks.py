"""Scripts that measure a page: each returns a list of findings, what it looks for is in its first lines."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
TEXTS = (FOLDER / "texts.js").read_text(encoding="utf-8")
RINGS = (FOLDER / "rings.js").read_text(encoding="utf-8")
SMALL = (FOLDER / "small.js").read_text(encoding="utf-8")
