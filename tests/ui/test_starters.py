from __future__ import annotations

import json

from PIL import Image

from tests.support.paths import ROOT

FOLDER = ROOT / "ui" / "assets" / "starters"
PICTURES = {"character.jpg"} | {path.name for path in FOLDER.glob("*-tile.jpg")}
"""Pictures that belong to samples."""


def test_every_starter_is_listed_fits_the_page_and_has_a_prompt() -> None:
    listing = json.loads((FOLDER / "starters.json").read_text())
    files = {entry["file"] for entry in listing}
    assert files == {path.name for path in FOLDER.glob("*.jpg")} - PICTURES
    assert len(listing) == 6
    for entry in listing:
        path = FOLDER / entry["file"]
        assert path.stat().st_size <= 120_000
        with Image.open(path) as image:
            assert image.size == (1280, 720) and image.format == "JPEG" and not image.getexif()
        assert 4 <= len(entry["title"].split()) * 2 <= 8
        assert "camera" in entry["prompt"] and entry["prompt"].endswith(".") and len(entry["prompt"]) < 300
