"""Faces of a driving video: one for each frame, in step, whatever frames have none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.support import face_nodes
from tests.support.compile_cases import HELPERS, animated, compiled, route_server
from workflows.params.media import Media

COUNT = 20
LEVELS = [0.1 + 0.03 * number for number in range(COUNT)]
"""The grey of each frame, by which its face is known again."""
VIDEO = Media("wan-studio/dance.mp4", 96, 64, COUNT, 16.0, COUNT / 16)


def driving(without: set[int]) -> Any:
    """Frames of a grey each, with a bright outline of a face except in `without`."""
    frames = np.zeros((COUNT, 64, 96, 3))
    for number, frame in enumerate(frames):
        frame[:] = LEVELS[number]
        if number not in without:
            frame[10, 20] = frame[10, 40] = frame[30, 20] = frame[30, 40] = 1.0
    return frames


def faces(name: str, without: set[int]) -> Any:
    """The face video of a graph that is run on these frames."""
    params = animated(video=VIDEO, width=96, height=64)
    (graph,) = compiled(params, server=route_server(name)).graphs
    kinds = {key: node["class_type"] for key, node in graph.items()}
    links = {key: node["inputs"]["image"][0] for key, node in graph.items() if "image" in node["inputs"]}
    scale = next(key for key in links if kinds[key] == "ImageScale" and "GetVideo" in kinds[links[key]])
    chunk = next(node["inputs"] for node in graph.values() if node["class_type"] == "WanAnimateToVideo")
    (batch,) = face_nodes.run(graph, chunk["face_video"], {scale: [driving(without)]})
    return batch


@pytest.mark.full
@pytest.mark.parametrize("name", ["native", "template"])
@pytest.mark.parametrize("without", [
    set(), {0}, {COUNT - 1}, {4, 5, 6}, {0, 1, 7, 12, 19}, set(range(10)), set(range(COUNT)) - {13},
], ids=str)  # fmt: skip
def test_every_frame_has_its_own_face_or_a_black_one(name: str, without: set[int]) -> None:
    found = faces(name, without)
    assert found.shape == (COUNT, 512, 512, 3)
    for number, face in enumerate(found):
        expected = 0.0 if number in without else LEVELS[number]
        assert np.median(face) == pytest.approx(expected), number


@pytest.mark.parametrize("name", ["native", "template"])
def test_without_any_face_all_are_black(name: str) -> None:
    """CropByBBoxes alone would give the whole frames."""
    found = faces(name, set(range(COUNT)))
    assert found.shape == (COUNT, 512, 512, 3) and not found.any()


def test_the_nodes_here_leave_out_frames_without_a_face() -> None:
    frames = driving({1, 2})
    boxes = face_nodes.boxes(face_nodes.keypoints(frames))
    assert len(face_nodes.crop(frames, boxes, 512)) == COUNT - 2
    alone = frames[1:2]
    assert face_nodes.crop(alone, [[]], 512) is alone


BODY = {"neck", "shoulder", "hip", "knee", "ankle"}


@pytest.mark.parametrize(("frames", "seen"), [
    ([BODY] * 3, [0, 0, 0]), ([set(), set(), set()], [0, 0, 0]),
    ([BODY, BODY | {"nose", "left_eye"}, BODY], [0, 1, 0]), ([BODY | {"right_eye"}] * 3, [1, 1, 1]),
    ([BODY | {"right_ear", "left_ear"}] * 3, [0, 0, 0]),
], ids=["no face", "no person", "one frame", "from the side", "from behind"])  # fmt: skip
def test_the_preprocess_nodes_show_whether_a_frame_has_a_face(
    frames: list[set[str]], seen: list[int]
) -> None:
    """They give a crop for every frame, with a face or not: the drawn eyes tell."""
    params = animated(video=VIDEO, width=96, height=64)
    (graph,) = compiled(params, server=route_server("preprocess")).graphs
    (save,) = [n["inputs"] for n in graph.values() if n["class_type"] == "SaveAnimatedWEBP"]
    (found,) = [key for key, n in graph.items() if n["class_type"] == "PoseAndFaceDetection"]
    assert save["filename_prefix"].endswith("-faces")
    (pixels,) = face_nodes.run(graph, save["images"], {found: [frames]})
    assert pixels.shape == (3, 1, 1, 3) and [round(float(p.max())) for p in pixels] == seen


def test_an_own_face_video_needs_no_check() -> None:
    params = animated(video=VIDEO, face_video=HELPERS["face"])
    (graph,) = compiled(params, server=route_server("preprocess")).graphs
    assert "SaveAnimatedWEBP" not in {node["class_type"] for node in graph.values()}
