"""Before a job is queued on a server: what it lacks, in a creator's words, with what to do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend.engines.base import EngineInfo
from backend.errors import GraphRejected, MissingModel, MissingNode
from backend.jobs.preflight import preflight
from tests.support.compile_cases import animated, compiled, image, sound
from workflows.compile import Compiled
from workflows.graph.node_contract import Contract, recorded
from workflows.params.media import Media


def info(version: str = "0.3.64") -> EngineInfo:
    return EngineInfo("comfyui", "http://gpu:8188", state="ok", version=version)


def without(*classes: str) -> Contract:
    whole = recorded()
    return replace(whole, nodes={name: node for name, node in whole.nodes.items() if name not in classes})


def listing(class_type: str, field: str, *files: str) -> Contract:
    """A server whose loader offers these files and no other."""
    whole = recorded()
    node = whole.nodes[class_type]
    entry = replace(node.inputs[field], options=files)
    return replace(
        whole, nodes={**whole.nodes, class_type: replace(node, inputs={**node.inputs, field: entry})}
    )


def animation() -> Compiled:
    return compiled(animated(pose_video=Media("wan-studio/pose.mp4", 1280, 720, 240, 16.0, 15.0)))


@pytest.mark.parametrize("job", [compiled(image()), compiled(sound()), animation()])
def test_a_server_that_has_everything(job: Compiled) -> None:
    preflight("image_to_video", job, recorded(), info())


def test_an_old_comfyui() -> None:
    with pytest.raises(MissingNode) as caught:
        preflight("animate", animation(), without("WanAnimateToVideo"), info("0.3.40"))
    assert caught.value.message == "Animate needs ComfyUI 0.3.64 or newer; this one is 0.3.40."
    assert caught.value.hint == "Update ComfyUI at http://gpu:8188."
    assert "WanAnimateToVideo" in caught.value.detail


def test_a_node_that_a_new_one_lacks() -> None:
    lacking = without("WanSoundImageToVideo", "AudioEncoderEncode")
    with pytest.raises(MissingNode) as caught:
        preflight("sound_to_video", compiled(sound()), lacking, info("0.33.0"))
    assert caught.value.message == (
        "Sound-to-Video needs nodes that the ComfyUI at http://gpu:8188 does not have: "
        "AudioEncoderEncode, WanSoundImageToVideo."
    )
    assert "Update ComfyUI" in caught.value.hint


def test_a_file_that_is_not_there_comes_first_with_folder_size_and_command() -> None:
    bare = listing("CLIPLoader", "clip_name", "other.safetensors")
    with pytest.raises(MissingModel) as caught:
        preflight("image_to_video", compiled(image()), bare, info())
    assert caught.value.message == (
        "Image-to-Video needs umt5_xxl_fp8_e4m3fn_scaled.safetensors in text_encoders (6.7 GB). "
        "The ComfyUI at http://gpu:8188 does not have it."
    )
    assert "`python app.py models download image_to_video`" in caught.value.hint


def test_what_is_sent_later_is_no_fault() -> None:
    job = compiled(image())
    empty = listing("LoadImage", "image", "somebody-elses.png")
    preflight("image_to_video", job, empty, info())
    with pytest.raises(GraphRejected):
        preflight("image_to_video", replace(job, inputs=()), empty, info())


def test_anything_else_is_refused_with_its_details() -> None:
    job = compiled(image())
    graph = {key: {**node, "inputs": dict(node["inputs"])} for key, node in job.graphs[0].items()}
    sampler = next(node for node in graph.values() if node["class_type"] == "KSamplerAdvanced")
    sampler["inputs"]["sampler_name"] = "dice"
    with pytest.raises(GraphRejected, match="would not take the workflow") as caught:
        preflight("image_to_video", replace(job, graphs=(graph,)), recorded(), info())
    assert "sampler_name" in caught.value.detail and "dice" not in caught.value.message
