"""Jobs from unusual files, in the real child process, with what is lost in the job's warnings."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.errors import BadMedia
from backend.media.decoder import Decoder
from tests.support.media_files import numbered, samples_of, write_video
from tests.support.odd_media import encrypted_video, one_channel, wav
from tests.support.scripted import OWNER, Make, ended
from workflows.notice import notice

pytestmark = pytest.mark.full

SMALL = {"width": 64, "height": 64, "speed": "fast", "steps": 1, "seed": 5}


def test_a_driving_video_in_avi_with_eight_channels(make: Make, picture: Path, tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "dance.mp4", numbered(25), 25, "mpeg4", sound=one_channel(8, 4, 1.0, 48_000),
        sound_codec="pcm_s16le", sound_rate=48_000, form="avi",
    )  # fmt: skip
    studio = make()
    done = ended(studio, studio.submit(OWNER, "animate", SMALL, {"video": path, "image": picture}))
    assert (done.status, done.frames, done.error) == ("done", 16, None)
    assert notice("to_stereo", channels=8) in done.warnings
    with Decoder() as decoder:
        samples, _ = samples_of(decoder.cut_sound(path, tmp_path / "cut.wav").path)
    assert len(samples) == 2 and samples[0].any() and not samples[1].any()


def test_a_lost_sound_is_said(make: Make, picture: Path, tmp_path: Path) -> None:
    path = write_video(tmp_path / "dance.mp4", numbered(25), 25, sound=one_channel(2, 0, 1.0, 48_000))
    path.write_bytes(path.read_bytes().replace(b"mp4a", b"ac-4").replace(b"esds", b"free"))
    studio = make()
    done = ended(studio, studio.submit(OWNER, "animate", SMALL, {"video": path, "image": picture}))
    assert done.status == "done"
    assert notice("sound_lost", field="video") in done.warnings


def test_a_sound_of_many_channels(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "field.wav"
    path.write_bytes(wav(one_channel(24, 20, 1.0)))
    studio = make()
    done = ended(studio, studio.submit(OWNER, "sound_to_video", SMALL, {"audio": path}))
    assert (done.status, done.warnings) == ("done", (notice("to_stereo", channels=24),))


def test_an_encrypted_driving_video(make: Make, picture: Path, tmp_path: Path) -> None:
    path = encrypted_video(tmp_path / "film.mp4", numbered(25))
    with pytest.raises(BadMedia, match=r"film\.mp4 is encrypted") as caught:
        make().submit(OWNER, "animate", SMALL, {"video": path, "image": picture})
    assert caught.value.field == "video"
