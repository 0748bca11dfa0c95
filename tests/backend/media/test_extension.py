"""Joining the parts of a joined video: frames, brightness and colour, sound, and the seams measured."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from backend.errors import BadMedia
from backend.media import colour_match, excerpt, extension, frame, seam
from backend.media.extension import Piece
from tests.support.extensions import moving
from tests.support.media_files import coded, decoded, numbered, pictures_of, tone, write_video

SIZE = (128, 96)
FINE = {"preset": "ultrafast", "crf": "4"}


def clip(path: Path, pictures: list[np.ndarray], rate: float = 16, **more: object) -> str:
    return str(write_video(path.with_suffix(".mp4"), pictures, rate, options=FINE, **more))  # type: ignore[arg-type]


def joined(tmp_path: Path, *pieces: Piece) -> tuple[tuple[int, int, list[int], float], Path]:
    out = tmp_path / "joined.mp4"
    return extension.join(list(pieces), str(out), "clip"), out


def means(path: Path) -> np.ndarray:
    return np.array([picture.mean() for picture in pictures_of(path)])


def test_the_frame_that_both_have_is_in_it_once(tmp_path: Path) -> None:
    one = clip(tmp_path / "one", [coded(number) for number in range(9)])
    other = clip(tmp_path / "other", [coded(number) for number in range(8, 17)])
    made, out = joined(tmp_path, Piece(one, 0, 9), Piece(other, 1, 8))
    assert made == (64, 48, [9, 8], 16.0)
    assert [decoded(picture) for picture in pictures_of(out)] == list(range(17))


def test_frames_after_the_chosen_one_are_left_out(tmp_path: Path) -> None:
    one = clip(tmp_path / "one", [coded(number) for number in range(9)])
    other = clip(tmp_path / "other", [coded(number) for number in range(4, 13)])
    _, out = joined(tmp_path, Piece(one, 0, 5), Piece(other, 1, 8))
    assert [decoded(picture) for picture in pictures_of(out)] == list(range(13))


def test_brightness_goes_on_without_a_step_and_returns(tmp_path: Path) -> None:
    one = clip(tmp_path / "one", moving(17))
    other = clip(tmp_path / "other", moving(97, first=16, light=20, tint=(8, 0, -8)))
    _, out = joined(tmp_path, Piece(one, 0, 17), Piece(other, 1, 96))
    light = means(out)
    assert np.abs(np.diff(light)).max() < 1.2, "no visible step anywhere"
    assert abs(light[17] - light[16]) < 1 and light[-1] - light[16] > 17, "eased out to its own"
    (found,) = seam.seams(str(out), "clip", [17])
    assert found.brightness < 1.2 and found.colour < 1.5 and not found.doubled and 0.5 < found.motion < 1.6
    unmatched = tmp_path / "unmatched.mp4"
    write_video(unmatched, [*moving(17), *moving(20, first=17, light=20)], 16)
    assert seam.seams(str(unmatched), "clip", [17])[0].brightness > 15, "the figure sees a step"


def test_several_frames_are_compared_where_a_part_shows_several_again(tmp_path: Path) -> None:
    one = clip(tmp_path / "one", moving(17))
    other = clip(tmp_path / "other", moving(37, first=13, light=-12))
    _, out = joined(tmp_path, Piece(one, 0, 17), Piece(other, 4, 33))
    light = means(out)
    assert len(light) == 50 and np.abs(np.diff(light)).max() < 1.2


def test_nothing_is_matched_at_a_cut(tmp_path: Path) -> None:
    one = clip(tmp_path / "one", moving(9))
    still = [
        np.ascontiguousarray(np.flipud(np.roll(picture, 31, axis=1)).T[::-1].T) // 4 for picture in moving(9)
    ]
    other = clip(tmp_path / "other", still)
    _, out = joined(tmp_path, Piece(one, 0, 9), Piece(other, 1, 8))
    light, own = means(out), means(Path(other))
    assert np.abs(light[9:] - own[1:]).max() < 2


def test_equal_parts_are_left_as_they_are() -> None:
    planes = tuple(np.full((8, 8), level, np.uint8) for level in (100, 120, 130))
    assert colour_match.match([planes], [planes]) is None  # type: ignore[list-item]
    assert colour_match.match([], []) is None


def test_a_part_of_another_size_and_rate(tmp_path: Path) -> None:
    one = clip(tmp_path / "one", [coded(number, (64, 48)) for number in range(9)], 24)
    other = clip(tmp_path / "other", [coded(number, (128, 96)) for number in range(8, 17)], 16)
    made, out = joined(tmp_path, Piece(one, 0, 9), Piece(other, 1, 12))
    assert made == (64, 48, [9, 12], 24.0)
    numbers = [decoded(picture) for picture in pictures_of(out)]
    assert numbers[:9] == list(range(9)) and numbers[9] == 9 and numbers[-1] == 16
    assert numbers == sorted(numbers)


@pytest.mark.parametrize("size", [(98, 66), (66, 98), (64, 66), (2, 2)])
def test_sizes_that_are_no_multiples_of_four(tmp_path: Path, size: tuple[int, int]) -> None:
    one = clip(tmp_path / "one", moving(4, size))
    other = clip(tmp_path / "other", moving(4, size, first=3, light=12))
    made, out = joined(tmp_path, Piece(one, 0, 4), Piece(other, 1, 3))
    assert made == (*size, [4, 3], 16.0) and pictures_of(out)[6].shape == (size[1], size[0], 3)


def test_a_clip_of_one_frame_is_joined(tmp_path: Path) -> None:
    one = clip(tmp_path / "one", [coded(0)])
    other = clip(tmp_path / "other", [coded(number) for number in range(9)])
    made, out = joined(tmp_path, Piece(one, 0, 1), Piece(other, 1, 8))
    assert made[2] == [1, 8] and [decoded(picture) for picture in pictures_of(out)] == list(range(9))
    (found,) = seam.seams(str(out), "clip", [1])
    assert not found.doubled


def test_a_part_that_ends_early_holds_its_last_frame(tmp_path: Path) -> None:
    one = clip(tmp_path / "one", [coded(number) for number in range(3)])
    made, out = joined(tmp_path, Piece(one, 0, 3), Piece(one, 1, 5))
    assert made[2] == [3, 5] and [decoded(picture) for picture in pictures_of(out)] == [
        0,
        1,
        2,
        1,
        2,
        2,
        2,
        2,
    ]
    with pytest.raises(BadMedia):
        joined(tmp_path, Piece(one, 0, 3), Piece(one, 3, 5))


def test_a_frame_shown_twice_is_found(tmp_path: Path) -> None:
    pictures = moving(20)
    twice = clip(tmp_path / "twice", [*pictures[:10], pictures[9], *pictures[10:]])
    found = seam.seams(twice, "clip", [10, 5])
    assert found[0].doubled and found[0].motion < 0.2 and not found[1].doubled
    with pytest.raises(BadMedia):
        seam.seams(twice, "clip", [400])


def test_the_sound_is_copied_and_in_step(tmp_path: Path) -> None:
    beep = np.concatenate([np.zeros((1, 22_050), np.float32), tone(0.5)], axis=1)
    one = clip(tmp_path / "one", moving(16), sound=beep)
    other = clip(tmp_path / "other", moving(17, first=15))
    _, out = joined(tmp_path, Piece(one, 0, 16), Piece(other, 1, 16))
    whole = tmp_path / "whole.mp4"
    assert extension.with_sound(str(out), str(whole), "clip", one, 1.0) == (128, 96, 32, 16.0)
    assert beginning(whole) == pytest.approx(beginning(Path(one)), abs=0.002)
    assert packets(whole) == packets(Path(one)), "not encoded again"
    cut = tmp_path / "cut.mp4"
    extension.with_sound(str(out), str(cut), "clip", one, 0.25)
    assert 0 < len(packets(cut)) < len(packets(whole)) / 3


def test_a_sound_that_cannot_be_copied_is_refused(tmp_path: Path) -> None:
    one = str(write_video(tmp_path / "one.mkv", moving(16), 16, sound=tone(1.0), sound_codec="flac"))
    with pytest.raises(BadMedia):
        extension.with_sound(one, str(tmp_path / "whole.mp4"), "clip", one, 1.0)


def test_frames_for_the_engine_have_no_loss(tmp_path: Path) -> None:
    source = clip(tmp_path / "one", moving(17))
    picture = tmp_path / "picture.png"
    assert frame.write(source, str(picture), "clip", "video", frame.LAST) == SIZE
    from PIL import Image

    last = np.asarray(Image.open(picture), np.int16)
    assert np.abs(last - pictures_of(Path(source))[-1]).max() <= 2
    tail = tmp_path / "tail.mkv"
    assert excerpt.last_frames(source, str(tail), "clip", 12, 5, SIZE) == (128, 96, 5, 16.0)
    kept = pictures_of(tail)
    assert len(kept) == 5
    frame.write(source, str(picture), "clip", "video", 12)
    assert np.array_equal(kept[-1], np.asarray(Image.open(picture))), "both read colours in the same way"
    assert np.abs(kept[-1].astype(int) - pictures_of(Path(source))[12]).max() <= 2
    for number, count in ((40, 1), (2, 5)):
        with pytest.raises(BadMedia):
            excerpt.last_frames(source, str(tail), "clip", number, count, SIZE)


def beginning(path: Path) -> float:
    """When the sound begins, in seconds."""
    with av.open(str(path)) as container:
        for piece in container.decode(audio=0):
            loud = np.flatnonzero(np.abs(piece.to_ndarray()).max(axis=0) > 0.05)
            if len(loud) and piece.pts is not None:
                return float(piece.pts * piece.time_base) + loud[0] / piece.sample_rate
    return 0.0


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def test_flat_frames_are_matched_in_brightness_alone(tmp_path: Path) -> None:
    """Flat frames have no contrast: only their brightness is matched."""
    one = clip(tmp_path / "one", numbered(5, step=1))
    other = clip(tmp_path / "other", [picture + 10 for picture in numbered(40, step=0)])
    _, out = joined(tmp_path, Piece(one, 0, 5), Piece(other, 1, 39))
    light = means(out)
    assert np.abs(np.diff(light)).max() < 2.1 and abs(light[5] - light[4]) < 1.1
