"""A driving video without a face: the finished job says so, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from backend.errors import BadMedia
from backend.events import Output
from backend.jobs.segments import Segments
from backend.media.decoder import Decoder
from backend.media.lit import any_light
from backend.notices import words
from tests.support.compile_cases import HELPERS, animated, compiled, route_server
from workflows.compiled import Compiled
from workflows.notice import notice

FOUND, NONE = [0, 255, 0], [0, 0, 0]


def pixels(path: Path, levels: list[int]) -> Path:
    """The picture that SaveAnimatedWEBP writes: one pixel for each frame."""
    first, *others = [Image.new("RGB", (1, 1), (level,) * 3) for level in levels]
    first.save(path, "WEBP", save_all=True, append_images=others, lossless=True, duration=62)
    return path


class Drawn:
    """An engine with a segment's video and, unless `levels` is None, its faces."""

    def __init__(self, folder: Path, levels: list[int] | None) -> None:
        folder.mkdir()
        (folder / "animate-job_00001_.mp4").write_bytes(b"video")
        if levels is not None:
            pixels(folder / "animate-job-faces_00001_.webp", levels)
        self.outputs = tuple(Output(path.name) for path in sorted(folder.iterdir()))
        self._folder = folder

    def fetch(self, output: Output, path: Path) -> None:
        path.write_bytes((self._folder / output.filename).read_bytes())


class Looking:
    """Does what the media process does, in this one."""

    def lit(self, path: Path) -> bool:
        try:
            return any_light(str(path))
        except OSError as error:
            raise BadMedia("It is damaged.") from error


def said(folder: Path, job: Compiled, found: list[list[int] | None]) -> list[str]:
    segments = Segments(Looking(), folder, {}, job, "job")  # type: ignore[arg-type]
    segments.reuse(0)
    for index, levels in enumerate(found):
        drawn: Any = Drawn(folder / f"graph-{index}", levels)
        segments.collect(drawn, drawn.outputs, index)
    return [one.code for one in segments.notices]


@pytest.mark.parametrize(("levels", "codes"), [(FOUND, []), (NONE, ["no_face_found"]), (None, [])])
def test_one_segment(tmp_path: Path, levels: list[int] | None, codes: list[str]) -> None:
    job = compiled(animated(seconds=4.0), server=route_server("native"))
    assert len(job.graphs) == 1
    assert said(tmp_path, job, [levels]) == codes


@pytest.mark.parametrize(("found", "codes"), [
    ([NONE, FOUND], []), ([FOUND, NONE], []), ([NONE, NONE], ["no_face_found"]), ([NONE, None], []),
])  # fmt: skip
def test_a_face_in_any_segment_is_enough(
    tmp_path: Path, found: list[list[int] | None], codes: list[str]
) -> None:
    job = compiled(animated(fps=30.0), server=route_server("native"))
    assert len(job.graphs) == 2
    assert said(tmp_path, job, found) == codes


def test_a_check_that_cannot_be_read_does_not_spoil_the_video(tmp_path: Path) -> None:
    job = compiled(animated(seconds=4.0), server=route_server("native"))
    segments = Segments(Looking(), tmp_path, {}, job, "job")  # type: ignore[arg-type]
    segments.reuse(0)
    drawn: Any = Drawn(tmp_path / "graph", NONE)
    (tmp_path / "graph" / "animate-job-faces_00001_.webp").write_bytes(b"no picture")
    segments.collect(drawn, drawn.outputs, 0)
    assert segments.notices == ()


@pytest.mark.parametrize(("name", "options", "checked"), [
    ("native", {}, True), ("template", {}, True), ("native", {"method": "mix"}, True),
    ("native", {"face_video": HELPERS["face"]}, False), ("none", {}, False), ("preprocess", {}, True),
])  # fmt: skip
def test_which_graphs_say_where_faces_are(name: str, options: dict[str, Any], checked: bool) -> None:
    for graph in compiled(animated(**options), server=route_server(name)).graphs:
        saved = [n["inputs"] for n in graph.values() if n["class_type"] == "SaveAnimatedWEBP"]
        assert bool(saved) == checked
        assert all(one["filename_prefix"].endswith("-faces") for one in saved)


def test_the_notice_says_what_to_do() -> None:
    sentence = words(notice("no_face_found"))
    assert "No face was found in the driving video" in sentence and "face video" in sentence


@pytest.mark.full
def test_the_media_process_sees_light(decoder: Decoder, tmp_path: Path) -> None:
    assert decoder.lit(pixels(tmp_path / "found", FOUND)) and not decoder.lit(pixels(tmp_path / "none", NONE))
    (tmp_path / "broken").write_bytes(b"no picture")
    with pytest.raises(BadMedia):
        decoder.lit(tmp_path / "broken")
