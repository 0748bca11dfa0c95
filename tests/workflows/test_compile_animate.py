"""Animate: chunks and segments, the four routes, masks, the official template."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from backend.notices import brief, words
from tests.support.compile_cases import (
    DANCE,
    HELPERS,
    MASK,
    ROUTE_CASES,
    animated,
    compiled,
    newer,
    route_server,
)
from tests.support.template_diff import behind, differences, seen_through, template
from workflows.catalog import load_catalog
from workflows.compile import Compiled, ServerFacts
from workflows.graph.node_contract import check, facts, recorded
from workflows.modes.animate import build as animate
from workflows.modes.animate.build import CHUNKS
from workflows.modes.animate.routes import Route, route
from workflows.params.media import Media
from workflows.params.values import InvalidParam

SEGMENTS = 4


def nodes_of(graph: dict[str, Any], class_type: str) -> list[dict[str, Any]]:
    return [node["inputs"] for node in graph.values() if node["class_type"] == class_type]


def on(name: str, without: frozenset[str] = frozenset(), **options: object) -> Compiled:
    return compiled(animated(**options), server=route_server(name, without))


def lasting(frames: int, most: int = SEGMENTS, **options: object) -> Compiled:
    video = Media("wan-studio/v.mp4", 640, 480, seconds=frames / 16)
    params = animated(video=video, **options)
    return animate.build(params, load_catalog(), ServerFacts(frozenset()), "job", most)


# chunks and segments


@pytest.mark.parametrize(("frames", "chunks", "graphs"), [
    (4, 1, 1), (77, 1, 1), (78, 2, 1), (149, 2, 1), (150, 3, 1), (293, 4, 1), (294, 5, 2), (400, 6, 2),
    (4800, 67, 17),
])  # fmt: skip
def test_chunks(frames: int, chunks: int, graphs: int) -> None:
    assert CHUNKS.count(frames) == chunks
    result = lasting(frames)
    drawn = [len(nodes_of(graph, "WanAnimateToVideo")) for graph in result.graphs]
    assert (len(drawn), sum(drawn)) == (graphs, chunks) and max(drawn) <= SEGMENTS
    assert sum(result.kept) == result.frames == frames
    assert sum(cut["length"] for graph in result.graphs for cut in result_cuts(graph)) == frames


def result_cuts(graph: dict[str, Any]) -> list[dict[str, Any]]:
    """The ImageFromBatch of every chunk: those that cut where the node says."""
    return [n for n in nodes_of(graph, "ImageFromBatch") if isinstance(n["batch_index"], list)]


def test_one_graph_and_many_are_equally_long() -> None:
    for frames in range(4, 700, 23):
        for most in (1, 2, 3, 4):
            result = lasting(frames, most)
            assert sum(result.kept) == frames and min(result.kept) >= 1


def test_chunks_hand_on_inside_a_graph() -> None:
    (graph,) = lasting(200).graphs
    chunks = [(key, n["inputs"]) for key, n in graph.items() if n["class_type"] == "WanAnimateToVideo"]
    offsets = [chunk["video_frame_offset"] for _, chunk in chunks]
    assert offsets == [0, [chunks[0][0], 5], [chunks[1][0], 5]]
    assert all((c["length"], c["continue_motion_max_frames"]) == (77, 5) for _, c in chunks)
    assert "continue_motion" not in chunks[0][1]
    for (key, _), cut in zip(chunks, result_cuts(graph), strict=True):
        assert cut["batch_index"] == [key, 4]
    cuts = {key for key, n in graph.items() if n["inputs"] in result_cuts(graph)}
    assert {chunk["continue_motion"][0] for _, chunk in chunks[1:]} < cuts
    assert [cut["length"] for cut in result_cuts(graph)] == [77, 72, 51]
    for trim, (key, _) in zip(nodes_of(graph, "TrimVideoLatent"), chunks, strict=True):
        assert trim["trim_amount"] == [key, 3]


def test_a_second_graph_goes_on_from_five_frames() -> None:
    result = lasting(400)
    first, second = result.graphs
    assert result.kept == (221, 179)
    (clip,), (again, tail) = result.derived
    assert (clip.first_frame, clip.frames, clip.fps) == (0, 221, 16.0)
    assert (again.first_frame, again.frames) == (221 - 5, 179 + 5)
    assert (tail.kind, tail.frames, tail.name) == ("tail", 5, "wan-studio/job-1-tail.mkv")
    (saved,) = nodes_of(first, "SaveImage")
    assert first[saved["images"][0]]["inputs"]["batch_index"] == 72 - 5
    assert saved["filename_prefix"] == "wan-studio/animate-job-1-tail"
    start = nodes_of(second, "WanAnimateToVideo")[0]
    assert start["video_frame_offset"] == 5  # the node steps back by the five frames that it continues
    assert second[start["continue_motion"][0]]["class_type"] == "GetVideoComponents"
    assert result.sound is not None and result.sound.seconds == 25.0
    assert all("audio" not in nodes_of(graph, "CreateVideo")[0] for graph in result.graphs)
    assert result.segment_names == ("parts 1 to 3 of 6", "parts 4 to 6 of 6")


def test_in_several_graphs_every_chunk_draws_what_it_would_in_one() -> None:
    def draws(result: Compiled) -> list[tuple]:
        return [
            (node["inputs"]["seed"], labels[key].text, labels[key].first_step)
            for graph, labels in zip(result.graphs, result.labels, strict=True)
            for key, node in graph.items()
            if node["class_type"] == "KSampler"
        ]

    assert draws(lasting(250)) == draws(lasting(250, 1))
    assert draws(lasting(250))[2] == (44, "Generating, part 3 of 4", 40)


# sound, sizes, settings


def test_the_driving_videos_sound_is_kept() -> None:
    result = compiled(animated(start=1.0, seconds=3.0))
    sound = result.derived[0][-1]
    assert (sound.kind, sound.source, sound.start, sound.seconds) == ("sound", DANCE.name, 1.0, 3.0)
    (create,) = nodes_of(result.graphs[0], "CreateVideo")
    assert result.graphs[0][create["audio"][0]]["inputs"] == {"audio": sound.name}
    mute = compiled(animated(video=replace(DANCE, sound=False)))
    assert "LoadAudio" not in {n["class_type"] for n in mute.graphs[0].values()} and mute.sound is None


def test_the_rate_is_given_to_clip_and_file_alike() -> None:
    result = compiled(animated(fps=30.0, seconds=2.0))
    assert (result.frames, result.fps, result.derived[0][0].fps) == (60, 30.0, 30.0)
    assert nodes_of(result.graphs[0], "CreateVideo")[0]["fps"] == 30.0


@pytest.mark.parametrize(("video", "size", "clip"), [
    ((3840, 2160), (832, 480), (854, 480)), ((1280, 720), (640, 640), (1138, 640)),
    ((320, 240), (832, 480), (320, 240)), ((719, 1281), (480, 832), (480, 856)), ((0, 0), (64, 64), (64, 64)),
])  # fmt: skip
def test_clips_just_cover_the_result(video: tuple, size: tuple, clip: tuple) -> None:
    media = Media("v.mp4", *video, seconds=2.0)
    ((part, *_),) = compiled(animated(video=media, width=size[0], height=size[1])).derived
    assert (part.width, part.height) == clip
    assert part.width % 2 == part.height % 2 == 0


def test_size_follows_the_picture_or_in_mix_the_video() -> None:
    portrait = Media("p.png", 900, 1600)
    assert animated(image=portrait).size == (480, 832)
    assert animated(image=portrait, method="mix", mask=MASK).size == (832, 480)


@pytest.mark.parametrize(("options", "expected"), [
    ({}, (20, 1.0, 8.0, [("WanAnimate_relight_lora_fp16.safetensors", 0.8)])),
    ({"speed": "fast", "relight": 1.0}, (6, 1.0, 8.0, [
        ("lightx2v_I2V_14B_480p_cfg_step_distill_rank64_bf16.safetensors", 1.0),
        ("WanAnimate_relight_lora_fp16.safetensors", 1.0)])),
    ({"relight": 0.0, "steps": 8, "cfg": 2.0, "shift": 5.0}, (8, 2.0, 5.0, [])),
])  # fmt: skip
def test_settings(options: dict[str, Any], expected: tuple) -> None:
    result = compiled(animated(**options))
    (graph,) = result.graphs
    for sampler in nodes_of(graph, "KSampler"):
        assert (sampler["steps"], sampler["cfg"]) == expected[:2]
        assert (sampler["sampler_name"], sampler["scheduler"]) == ("euler", "simple")
    assert nodes_of(graph, "ModelSamplingSD3")[0]["shift"] == expected[2]
    loras = [(n["lora_name"], n["strength_model"]) for n in nodes_of(graph, "LoraLoaderModelOnly")]
    assert loras == expected[3]
    assert result.evaluations == 4 * expected[0] * (2 if expected[1] > 1 else 1)
    assert len(nodes_of(graph, "CLIPVisionEncode")) == len(nodes_of(graph, "UNETLoader")) == 1


def test_the_second_model_file_is_preferred_where_it_is_listed() -> None:
    v1 = "Wan2_2-Animate-14B_fp8_e4m3fn_scaled_KJ.safetensors"
    v2 = "Wan2_2-Animate-14B_fp8_scaled_e4m3fn_KJ_v2.safetensors"
    base = facts(recorded())
    for listed, expected in (((v1, v2), v2), ((v2,), v2), ((v1,), v1), ((), v1)):
        server = ServerFacts(base.nodes, {**base.options, ("UNETLoader", "unet_name"): listed})
        assert compiled(animated(), server=server).models[0] == expected
    assert compiled(animated()).models[0] == v1


def test_a_new_seed_prepares_nothing_again() -> None:
    server = route_server("native")
    before, after = (compiled(animated(seed=s, method="mix"), j, server) for s, j in ((1, "a"), (2, "b")))
    old, new = before.graphs[0], after.graphs[0]
    assert {old[k]["class_type"] for k in old if old[k] != new[k]} == {
        "KSampler",
        "SaveVideo",
        "SaveAnimatedWEBP",
    }


# routes


def test_route_of_a_server() -> None:
    assert route(route_server("native")) == Route("native", "sam3", face=True, blockify=True)
    onnx = ("vitpose_h_wholebody_model.onnx", "yolov10m.onnx")
    assert route(route_server("preprocess")) == Route("preprocess", "sam2", True, True, *onnx, eyes=True)
    assert route(route_server("native")).name == "native+sam3"
    assert route(route_server("preprocess")).name == "preprocess+sam2"
    assert route(route_server("template")).name == "template+sam2"
    assert route(route_server("none")).name == "none+none"
    assert route(facts(recorded())).name == "none+none"
    assert route(ServerFacts(frozenset())).name == "none+none"
    assert route(route_server("none")).text == (
        "No pose detector is installed. No person segmenter for Replace is installed."
    )
    assert "WanAnimatePreprocess" in route(route_server("preprocess")).text


@pytest.mark.parametrize(("without", "expected"), [
    ("sdpose_wholebody_fp16.safetensors", "preprocess+sam3"),
    ("SDPoseKeypointExtractor", "preprocess+sam3"),
    ("sam3.1_multiplex_fp16.safetensors", "native+sam2"),
    ("SAM3_TrackToMask", "native+sam2"),
])  # fmt: skip
def test_node_and_file_must_both_be_there(without: str, expected: str) -> None:
    assert route(route_server("native", frozenset({without}))).name == expected


def test_a_pose_finder_without_its_files_is_none() -> None:
    for gone in ("vitpose_h_wholebody_model.onnx", "yolov10m.onnx"):
        assert route(route_server("preprocess", frozenset({gone}))).name == "template+sam2"
    none = frozenset({"DWPreprocessor", "yolov10m.onnx"})
    assert route(route_server("preprocess", none)).name == "none+sam2"


@pytest.mark.parametrize("name", ROUTE_CASES)
def test_every_route_keeps_the_newer_contract(name: str) -> None:
    params, which = ROUTE_CASES[name]
    result = compiled(params, server=route_server(which))
    for graph in result.graphs:
        problems = check(graph, newer())
        assert [p for p in problems if p.class_type != "OnnxDetectionModelLoader"] == []
        assert {p.kind for p in problems} <= {"not_in_list"}  # the record has no files of that server
    assert result.warnings == () or which == "template"
    assert result.route.startswith(which)


def test_native_mix() -> None:
    (graph,) = on("native", method="mix").graphs
    (chunk, *_) = nodes_of(graph, "WanAnimateToVideo")
    assert behind(graph, chunk["character_mask"]) == "BlockifyMask"
    assert behind(graph, chunk["background_video"]) == "ImageCompositeMasked"
    assert behind(graph, chunk["face_video"]) == "RebatchImages"
    track = nodes_of(graph, "SAM3_VideoTrack")[0]
    assert graph[track["conditioning"][0]]["inputs"]["text"] == "person" and track["max_objects"] == 1
    for crop in nodes_of(graph, "CropByBBoxes"):
        assert (crop["output_width"], crop["output_height"]) == (512, 512)
    loaders = [node["ckpt_name"] for node in nodes_of(graph, "CheckpointLoaderSimple")]
    assert loaders == ["sdpose_wholebody_fp16.safetensors", "sam3.1_multiplex_fp16.safetensors"]


@pytest.mark.parametrize("name", ["native", "template"])
def test_faces_are_detected_frame_by_frame(name: str) -> None:
    (graph,) = on(name, seconds=10.0).graphs
    (single,) = [key for key, n in graph.items() if n["inputs"].get("batch_size") == 1
                 and n["class_type"] == "RebatchImages"]  # fmt: skip
    detector = "SDPoseKeypointExtractor" if name == "native" else "DWPreprocessor"
    assert [single, 0] in [node["image"] for node in nodes_of(graph, detector)]
    assert len(nodes_of(graph, "CropByBBoxes")) == 1
    (chunk, *_) = nodes_of(graph, "WanAnimateToVideo")
    assert behind(graph, chunk["face_video"]) == "RebatchImages"
    assert behind(graph, chunk["pose_video"]) == ("RebatchImages" if name == "native" else detector)


def test_pose_alone_is_detected_in_batches() -> None:
    (graph,) = on("native", face_video=HELPERS["face"]).graphs
    (extractor,) = nodes_of(graph, "SDPoseKeypointExtractor")
    assert behind(graph, extractor["image"]) == "ImageScale" and not nodes_of(graph, "RebatchImages")


def test_preprocess_mix_gives_points_and_box_to_sam2() -> None:
    (graph,) = on("preprocess", method="mix").graphs
    (found,) = [key for key, n in graph.items() if n["class_type"] == "PoseAndFaceDetection"]
    (segment,) = nodes_of(graph, "Sam2Segmentation")
    assert (segment["coordinates_positive"], segment["bboxes"]) == ([found, 2], [found, 3])
    (chunk, *_) = nodes_of(graph, "WanAnimateToVideo")
    assert chunk["face_video"] == [found, 1] and behind(graph, chunk["pose_video"]) == "DrawViTPose"


def test_template_mix_looks_in_the_middle_and_says_so() -> None:
    result = on("template", method="mix")
    (segment,) = nodes_of(result.graphs[0], "Sam2Segmentation")
    assert segment["coordinates_positive"] == '[{"x": 416, "y": 240}]'
    (warning,) = result.warnings
    assert warning.code == "person_in_middle"


def test_template_without_core_crops_leaves_the_face_alone() -> None:
    result = on("template", frozenset({"CropByBBoxes"}))
    assert all("face_video" not in chunk for chunk in nodes_of(result.graphs[0], "WanAnimateToVideo"))
    assert result.warnings[0].code == "no_face_video"


def test_no_route_moves_from_the_driving_video_and_says_so() -> None:
    result = on("none")
    assert result.route == "driving"
    (warning,) = result.warnings
    assert brief(warning) == "Results will be poor" and "sdpose_wholebody_fp16.safetensors" in words(warning)
    for chunk in nodes_of(result.graphs[0], "WanAnimateToVideo"):
        assert behind(result.graphs[0], chunk["pose_video"]) == "ImageScale"
        assert "face_video" not in chunk  # never the whole frame


@pytest.mark.parametrize("name", ["native", "preprocess", "template", "none"])
def test_own_files_come_before_what_is_found(name: str) -> None:
    result = on(name, method="mix", pose_video=HELPERS["pose"], face_video=HELPERS["face"], mask=MASK)
    (graph,) = result.graphs
    used = {node["class_type"] for node in graph.values()}
    assert not used & {"SDPoseKeypointExtractor", "PoseAndFaceDetection", "DWPreprocessor", "SAM3_VideoTrack"}
    sources = {derived.source for derived in result.derived[0]}
    assert sources == {DANCE.name, HELPERS["pose"].name, HELPERS["face"].name, MASK.name}
    assert result.warnings == () and result.route == "given+given"
    (face,) = [d for d in result.derived[0] if d.source == HELPERS["face"].name]
    assert min(face.width, face.height) == 512


def test_move_with_own_pose_and_face_does_not_read_the_driving_video() -> None:
    result = compiled(animated(pose_video=HELPERS["pose"], face_video=HELPERS["face"]))
    kinds = {derived.kind for derived in result.derived[0] if derived.source == DANCE.name}
    assert kinds == {"sound"}


def test_mix_without_a_mask_is_refused_where_nothing_finds_the_person() -> None:
    with pytest.raises(InvalidParam) as caught:
        on("none", method="mix")
    assert caught.value.field == "mask"
    assert "Move" in caught.value.hint and "sam3.1" in caught.value.hint
    assert caught.value.message.endswith(".") and caught.value.hint.endswith(".")
    on("none", method="mix", mask=MASK)


def test_the_mask_is_made_coarse_where_that_is_possible() -> None:
    for name, blocks in (("native", [32]), ("none", [32])):
        (graph,) = on(name, method="mix", mask=MASK).graphs
        assert [n["expand"] for n in nodes_of(graph, "GrowMask")] == [10]
        assert [n["block_size"] for n in nodes_of(graph, "BlockifyMask")] == blocks
    (graph,) = on("none", frozenset({"BlockifyMask"}), method="mix", mask=MASK).graphs
    (chunk, *_) = nodes_of(graph, "WanAnimateToVideo")
    assert behind(graph, chunk["character_mask"]) == "GrowMask"


def test_a_very_different_shape_is_pointed_out() -> None:
    portrait = Media("p.png", 600, 1600)
    result = on("native", image=portrait)
    assert any(
        "of the driving video is cropped (left and right)" in words(warning) for warning in result.warnings
    )
    result = on("native", image=portrait, method="mix")
    assert any("of the picture is cropped (top and bottom)" in words(one) for one in result.warnings)
    assert on("native", image=portrait, method="mix", fit="pad").warnings == ()
    assert all("frame the person the same way in both" in words(one) for one in result.warnings)


def test_a_helper_much_longer_than_the_driving_video_is_pointed_out() -> None:
    """A shorter one is refused; a longer one may have been made of a longer take."""
    long = Media("wan-studio/mask.mp4", 1280, 720, 960, 16.0, 60.0)
    (warning,) = on("native", method="mix", mask=long).warnings
    assert words(warning).startswith("The mask lasts 60 s, the driving video 15 s: check that they match")
    assert on("native", method="move", mask=long).warnings == ()
    assert on("native", method="mix", mask=MASK).warnings == ()


# the official template

STOPS = frozenset({
    ("DWPreprocessor", "resolution"), ("Sam2Segmentation", "coordinates_positive"),
    ("Sam2Segmentation", "individual_objects"), ("WanAnimateToVideo", "face_video"),
    ("WanAnimateToVideo", "background_video"), ("WanAnimateToVideo", "continue_motion"),
    ("CreateVideo", "audio"),
})  # fmt: skip
EXPECTED = {
    ("CLIPTextEncode", "text"): "the creator's words",
    ("LoadImage", "image"): "the creator's picture",
    ("LoadVideo", "file"): "the creator's video, cut and scaled down",
    ("KSampler", "seed"): "the creator's seed, one more with every chunk",
    ("ImageFromBatch", "length"): "each chunk cut to what it adds, the last to the driving video's length",
    ("SaveVideo", "filename_prefix"): "the job's own file",
    ("SaveVideo", "format"): "auto is mp4",
    ("SaveVideo", "codec"): "auto is h264",
    ("DWPreprocessor", "resolution"): "reckoned here, theirs asks a node",
    ("Sam2Segmentation", "coordinates_positive"): "the middle, theirs a point set by hand",
    ("Sam2Segmentation", "individual_objects"): "off is its default",
    (
        "WanAnimateToVideo",
        "face_video",
    ): "the face cut out, theirs a drawing of it in the whole frame",
    ("WanAnimateToVideo", "background_video"): "blacked out by a node that every ComfyUI has",
    (
        "WanAnimateToVideo",
        "continue_motion",
    ): "the chunk before, theirs all so far; 5 frames are used",
    ("CreateVideo", "audio"): "our clips have no sound: it is a file of its own",
}


@pytest.mark.parametrize(("kind", "frames"), [("fast", 149), ("quality", 221)])
def test_official_template(kind: str, frames: int) -> None:
    """Two chunks and three: the same nodes, wired the same, with the same settings but for what is named."""
    video = Media("v.mp4", 640, 640, seconds=frames / 16)
    params = animated(video=video, method="mix", speed="fast", relight=1.0, width=640, height=640)
    (graph,) = compiled(params, server=route_server("template")).graphs
    first = next(key for key, n in graph.items() if n["inputs"] == result_cuts(graph)[0])
    ours = seen_through(graph, {first})  # theirs takes the first chunk whole
    found = differences(template("animate")[kind], ours, STOPS)
    assert set(found) == set(EXPECTED)
    assert found["DWPreprocessor", "resolution"] == [("PixelPerfectResolution", 640)]
    assert {theirs for theirs, _ in found["WanAnimateToVideo", "face_video"]} == {"DWPreprocessor"}
    assert found["WanAnimateToVideo", "background_video"][0] == ("DrawMaskOnImage", "ImageCompositeMasked")
    assert found["CreateVideo", "audio"] == [("GetVideoComponents", "LoadAudio")]
    assert {theirs for theirs, _ in found["ImageFromBatch", "length"]} == {4096}
