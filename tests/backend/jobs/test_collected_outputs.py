"""Which of the files that ComfyUI names is the result of a segment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backend.errors import NoOutput
from backend.events import Output
from backend.jobs.segments import Segments
from tests.support.compile_cases import compiled, image

SAVED, SHOWN = Output("wan_00001_.mp4", "video"), Output("preview_00001_.mp4", "", "temp")


class Fetched:
    """An engine that writes the name of each file that is fetched in its place."""

    def fetch(self, output: Output, path: Path) -> None:
        path.write_text(f"{output.kind}/{output.subfolder}/{output.filename}")


def collected(folder: Path, *outputs: Output) -> str:
    segments = Segments(None, folder, {}, compiled(image()), "job")  # type: ignore[arg-type]
    segments.reuse(0)
    engine: Any = Fetched()
    segments.collect(engine, outputs, 0)
    return (folder / "work" / "part-0").read_text()


@pytest.mark.parametrize(
    ("outputs", "taken"),
    [
        ([SAVED], SAVED), ([SAVED, SHOWN], SAVED), ([SHOWN, SAVED], SAVED), ([SHOWN], SHOWN),
        ([SAVED, Output("drive.mp4", "", "input")], SAVED),
        ([SAVED, Output("first_00001_.png"), Output("sound_00001_.flac", "audio")], SAVED),
        ([Output("wan_00001_.MP4"), SHOWN], Output("wan_00001_.MP4")),
        ([Output("wan.mp4.png"), SAVED], SAVED),
        ([Output("a..b.mp4", "..x/y..")], Output("a..b.mp4", "..x/y..")),
        ([Output("寸法 ä.mp4", "x\\y"), SHOWN], Output("寸法 ä.mp4", "x\\y")),
        ([Output("wan.mp4", "https://bucket/x", "s3_url")], Output("wan.mp4", "https://bucket/x", "s3_url")),
    ],
)  # fmt: skip
def test_what_is_saved_comes_before_what_is_shown(
    tmp_path: Path, outputs: list[Output], taken: Output
) -> None:
    assert collected(tmp_path, *outputs) == f"{taken.kind}/{taken.subfolder}/{taken.filename}"
    assert {path.name for path in (tmp_path / "work").iterdir()} == {"part-0", "plan"}


@pytest.mark.parametrize("outputs", [[], [Output("a.png")], [Output("a.webm"), Output("mp4")]])
def test_without_a_video_there_is_no_result(tmp_path: Path, outputs: list[Output]) -> None:
    with pytest.raises(NoOutput):
        collected(tmp_path, *outputs)
