"""Jobs from files that are odd in one respect, from the submission to the finished video."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.errors import BadMedia
from tests.support.scripted import OWNER, Make, ended
from tests.support.sibling_pictures import SHOWN as PICTURES
from tests.support.sibling_pictures import dng
from tests.support.sibling_videos import SHOWN as VIDEOS
from tests.support.sibling_videos import encrypted_webm

pytestmark = pytest.mark.full

SMALL = {"width": 64, "height": 64, "speed": "fast", "steps": 1, "seed": 5}


def test_a_transparent_webm_moves_a_picture_of_lab(make: Make, tmp_path: Path) -> None:
    video, image = tmp_path / "dance.webm", tmp_path / "print.tif"
    video.write_bytes(VIDEOS["VP9 with alpha"].make(tmp_path))
    image.write_bytes(PICTURES["TIFF, LAB"]())
    studio = make()
    done = ended(studio, studio.submit(OWNER, "animate", SMALL, {"video": video, "image": image}))
    assert (done.status, done.frames, done.error) == ("done", 16, None)


def test_refusals_name_the_file_and_its_field(make: Make, picture: Path, tmp_path: Path) -> None:
    video, image = tmp_path / "film.webm", tmp_path / "holiday.dng"
    video.write_bytes(encrypted_webm(tmp_path, 12))
    image.write_bytes(dng())
    studio = make(start=False)
    with pytest.raises(BadMedia, match=r"^film\.webm is encrypted") as caught:
        studio.submit(OWNER, "animate", SMALL, {"video": video, "image": picture})
    assert caught.value.field == "video"
    with pytest.raises(BadMedia, match=r"^holiday\.dng is a camera raw picture") as caught:
        studio.submit(OWNER, "image_to_video", SMALL, {"image": image})
    assert caught.value.field == "image" and studio.jobs(OWNER) == []
