"""Pictures that are odd in one respect are shown as browsers show them, or refused for what they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from backend.errors import BadMedia
from backend.media import pictures
from tests.support.odd_media import corner_names
from tests.support.sibling_pictures import LETTERS, REFUSED, SHOWN


@pytest.mark.parametrize("which", SHOWN)
def test_shown(which: str, tmp_path: Path) -> None:
    path, out = tmp_path / "holiday", tmp_path / "out.png"
    path.write_bytes(SHOWN[which]())
    facts = pictures.look(str(path), "holiday")
    assert (facts.width, facts.height) == (160, 96)
    assert pictures.rewrite(str(path), str(out), "holiday") == (160, 96)
    with Image.open(out) as image:
        assert corner_names(image) == LETTERS.get(which, "RGBW")


@pytest.mark.parametrize("which", REFUSED)
def test_refused(which: str, tmp_path: Path) -> None:
    make, said = REFUSED[which]
    path = tmp_path / "holiday"
    path.write_bytes(make())
    for read in (
        lambda: pictures.look(str(path), "holiday"),
        lambda: pictures.rewrite(str(path), str(tmp_path / "out.png"), "holiday"),
    ):
        with pytest.raises(BadMedia) as caught:
            read()
        assert said in caught.value.message and caught.value.hint.endswith(".")
