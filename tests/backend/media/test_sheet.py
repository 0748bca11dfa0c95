"""Contact sheets: several results side by side."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from backend.errors import BadMedia
from backend.media import sheet
from backend.media.grid import GAP, MAX_SIDE, cell, grid, places, size


def write(path: Path, grey: int, frames: int, shape: tuple[int, int] = (64, 48), fps: int = 16) -> str:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = *shape, "yuv420p"
        for _ in range(frames):
            picture = np.full((shape[1], shape[0], 3), grey, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return str(path)


def frames_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]


@pytest.mark.parametrize(
    ("count", "shape", "expected"),
    [
        (1, (832, 480), (1, 1)),
        (2, (832, 480), (2, 1)),
        (4, (832, 480), (2, 2)),
        (9, (832, 480), (3, 3)),
        (4, (480, 832), (4, 1)),
        (3, (480, 832), (3, 1)),
        (6, (480, 480), (3, 2)),
    ],
)
def test_the_grid_comes_near_to_a_page(count: int, shape: tuple[int, int], expected: tuple[int, int]) -> None:
    assert grid(count, *shape) == expected


@pytest.mark.parametrize("count", range(1, 10))
@pytest.mark.parametrize("shape", [(832, 480), (480, 832), (1280, 720), (64, 1920), (1920, 64), (16, 16)])
def test_cells_lie_in_the_sheet_and_apart(count: int, shape: tuple[int, int]) -> None:
    whole, spots = places(count, *shape)
    wide, high = cell(count, *shape)
    assert whole == size(count, *shape) and max(whole) <= MAX_SIDE and not (whole[0] % 2 or whole[1] % 2)
    assert len(set(spots)) == count and not (wide % 2 or high % 2)
    for left, top in spots:
        assert 0 <= left <= whole[0] - wide and 0 <= top <= whole[1] - high and not (left % 2 or top % 2)
    for one, (left, top) in enumerate(spots):
        for other in spots[one + 1 :]:
            assert abs(left - other[0]) >= wide + GAP or abs(top - other[1]) >= high + GAP


def test_videos_play_together_and_keep_their_last_frame(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{grey}", grey, frames) for grey, frames in ((60, 5), (120, 9), (200, 3))]
    out = tmp_path / "sheet.mp4"
    width, height, frames, fps = sheet.videos(paths, str(out), "sheet")
    assert (width, height) == size(3, 64, 48) and (frames, fps) == (9, 16.0)
    shown = frames_of(out)
    assert len(shown) == 9
    _, spots = places(3, 64, 48)
    for picture in (shown[0], shown[-1]):
        for (left, top), grey in zip(spots, (60, 120, 200), strict=True):
            middle = picture[top + 20 : top + 28, left + 28 : left + 36]
            assert abs(float(middle.mean()) - grey) < 8


def test_one_of_another_shape_is_fitted_into_its_cell(tmp_path: Path) -> None:
    paths = [write(tmp_path / "a", 60, 2), write(tmp_path / "b", 200, 2, (32, 96))]
    out = tmp_path / "sheet.mp4"
    sheet.videos(paths, str(out), "sheet")
    (_, (left, top)), (wide, high) = places(2, 64, 48)[1], cell(2, 64, 48)
    picture = frames_of(out)[0]
    assert abs(float(picture[top + high // 2, left + wide // 2]) - 200) < 8
    assert picture[top + high // 2, left + 1] < 30, "black beside the narrow one"


def test_pictures(tmp_path: Path) -> None:
    paths = []
    for grey in (10, 250):
        Image.new("RGB", (64, 48), (grey, grey, grey)).save(tmp_path / f"{grey}", format="PNG")
        paths.append(str(tmp_path / f"{grey}"))
    out = tmp_path / "sheet"
    assert sheet.pictures(paths, str(out), "sheet") == size(2, 64, 48)
    with Image.open(out) as picture:
        shown = np.asarray(picture.convert("L"))
    assert [int(shown[top + 20, left + 20]) for left, top in places(2, 64, 48)[1]] == [10, 250]


def test_a_damaged_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken").write_bytes(b"no video")
    with pytest.raises(BadMedia):
        sheet.videos([write(tmp_path / "a", 60, 2), str(tmp_path / "broken")], str(tmp_path / "out"), "sheet")
