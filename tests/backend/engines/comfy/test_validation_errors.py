from __future__ import annotations

import re
from typing import Any

import pytest

from backend.engines.comfy.execution_errors import execution_error
from backend.engines.comfy.validation_errors import validation_error
from backend.errors import StudioError
from tests.support.recorded_answers import BODIES

REFUSED = {name: case for name, case in BODIES.items() if case["status"] != 200}
NOT_ACCEPTED = "ComfyUI did not accept the workflow: it expects other settings."

# recorded body -> code, field, sentence
EXPECTED = {
    "missing_model": (
        "missing_model",
        "",
        "wan2.2_not_installed_14B.safetensors is not in diffusion_models on this ComfyUI.",
    ),
    "missing_two_models_and_vae": (
        "missing_model",
        "",
        "3 model files are not on this ComfyUI: nope_high.safetensors (diffusion_models), "
        "nope_low.safetensors (diffusion_models) and nope_vae.safetensors (vae).",
    ),
    "missing_lora": ("missing_model", "", "nope.safetensors is not in loras on this ComfyUI."),
    "bad_combo_sampler": (
        "graph_rejected",
        "",
        'This ComfyUI does not offer "no_such_sampler" as sampler.',
    ),
    "missing_required_input": ("graph_rejected", "", NOT_ACCEPTED),
    "missing_required_link": ("graph_rejected", "", NOT_ACCEPTED),
    "bad_type_string_for_int": ("graph_rejected", "steps", 'ComfyUI cannot use "many" as number of steps.'),
    "null_for_int": ("graph_rejected", "steps", "ComfyUI cannot use null as number of steps."),
    "too_small": ("graph_rejected", "width", "The width is 8; this ComfyUI takes 16 or more."),
    "too_big": (
        "graph_rejected",
        "steps",
        "The number of steps is 100000; this ComfyUI takes 10000 or less.",
    ),
    "seed_too_big": (
        "graph_rejected",
        "seed",
        "The seed is 18446744073709551616; this ComfyUI takes 18446744073709551615 or less.",
    ),
    "seed_negative": ("graph_rejected", "seed", "The seed is -1; this ComfyUI takes 0 or more."),
    "link_type_mismatch": ("graph_rejected", "", NOT_ACCEPTED),
    "link_to_missing_node": ("graph_rejected", "", NOT_ACCEPTED),
    "link_slot_out_of_range": ("graph_rejected", "", NOT_ACCEPTED),
    "link_wrong_length": ("graph_rejected", "", NOT_ACCEPTED),
    "missing_input_image": (
        "engine_bad_input",
        "",
        "ComfyUI does not find the picture that was sent to it.",
    ),
    "missing_input_audio": ("engine_bad_input", "", "ComfyUI does not find the sound that was sent to it."),
    "missing_input_video": ("engine_bad_input", "", "ComfyUI does not find the video that was sent to it."),
    "unknown_node_class": ("missing_node", "", "This ComfyUI lacks a node that this video needs."),
    "no_class_type": ("graph_rejected", "", "ComfyUI did not accept the workflow."),
    "no_output_node": ("graph_rejected", "", "ComfyUI found nothing to make in the workflow."),
    "empty_prompt": ("graph_rejected", "", "ComfyUI found nothing to make in the workflow."),
    "no_prompt_key": ("graph_rejected", "", "ComfyUI found nothing to make in the workflow."),
    "not_json": ("engine_failed", "", "ComfyUI could not read what was sent to it."),
}


def for_people(error: StudioError) -> None:
    text = f"{error.message} {error.hint}"
    assert error.message.endswith(".")
    assert error.hint.endswith(".")
    assert "!" not in text
    assert not re.search(r"Loader|KSampler|VAEDecode|LoadImage|CreateVideo|Traceback|Errno|File \"", text), (
        text
    )


def test_every_recorded_refusal_is_in_the_table() -> None:
    assert set(REFUSED) == set(EXPECTED)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_recorded_refusal(name: str) -> None:
    error = validation_error(REFUSED[name]["body"], REFUSED[name]["status"])
    assert (error.code, error.field, error.message) == EXPECTED[name]
    for_people(error)
    assert error.detail, "the log says more"


def body(*errors: tuple[str, str, str, Any, dict[str, Any]]) -> dict[str, Any]:
    """node_errors of one's own: (class, type, input, received value, limits)."""
    return {
        "error": {"type": "prompt_outputs_failed_validation", "message": "", "details": ""},
        "node_errors": {
            str(index): {
                "class_type": class_type,
                "errors": [
                    {
                        "type": kind,
                        "details": f"{name}: {value}",
                        "extra_info": {
                            "input_name": name,
                            "received_value": value,
                            "input_config": ["X", limits],
                        },
                    }
                ],
            }
            for index, (class_type, kind, name, value, limits) in enumerate(errors)
        },
    }


def test_a_missing_file_comes_before_other_problems_and_is_named_once() -> None:
    error = validation_error(
        body(
            ("KSampler", "value_bigger_than_max", "steps", 99999, {"max": 10000}),
            ("CLIPLoader", "value_not_in_list", "clip_name", "umt5.safetensors", {}),
            ("CLIPLoader", "value_not_in_list", "clip_name", "umt5.safetensors", {}),
        )
    )
    assert error.message == "umt5.safetensors is not in text_encoders on this ComfyUI."


def test_a_missing_file_of_an_unknown_loader_is_still_a_missing_file() -> None:
    error = validation_error(body(("PoseLoader", "value_not_in_list", "weights", "vitpose.onnx", {})))
    assert (error.code, error.message) == ("missing_model", "vitpose.onnx is not on this ComfyUI.")


def test_several_values_become_several_sentences() -> None:
    error = validation_error(
        body(
            ("A", "value_bigger_than_max", "steps", 99999, {"max": 10000}),
            ("A", "value_smaller_than_min", "width", 8, {"min": 16}),
        )
    )
    assert error.message == (
        "The number of steps is 99999; this ComfyUI takes 10000 or less. "
        "The width is 8; this ComfyUI takes 16 or more."
    )
    assert error.field == ""


def test_many_values_are_counted() -> None:
    error = validation_error(
        body(*(("A", "value_smaller_than_min", f"input_{n}", 8, {"min": 16}) for n in range(5)))
    )
    assert error.message.endswith("And 2 more.")


def test_a_prompt_is_never_repeated() -> None:
    error = validation_error(body(("CLIPTextEncode", "invalid_input_type", "text", "my secret wish", {})))
    assert "secret" not in f"{error.message}{error.hint}{error.detail}"


@pytest.mark.parametrize(
    "odd",
    [
        None,
        "",
        [],
        {},
        {"error": "text"},
        {"error": None},
        {"node_errors": 3},
        {"error": {}, "node_errors": []},
    ]
    + [{"error": {}, "node_errors": {"1": value}} for value in (None, [], {}, {"errors": 3})]
    + [
        {"error": {}, "node_errors": {"1": {"errors": [value]}}} for value in (None, 1, {}, {"extra_info": 1})
    ],
)
def test_unexpected_bodies_are_errors(odd: Any) -> None:
    for_people(validation_error(odd, 400))


# -- execution errors (the recorded ones are in test_wire) --------------------------------------


@pytest.mark.parametrize(
    ("kind", "message", "node", "code", "sentence"),
    [
        (
            "torch.OutOfMemoryError",
            "Allocation on device 0 would exceed allowed memory. (out of memory)",
            "KSamplerAdvanced",
            "out_of_memory",
            "The GPU ran out of memory.",
        ),
        (
            "torch.cuda.OutOfMemoryError",
            "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 23.65 GiB",
            "VAEDecode",
            "out_of_memory",
            "The GPU ran out of memory: 2.50 GiB more was needed.",
        ),
        (
            "torch.OutOfMemoryError",
            "Allocation on device ",
            "KSampler",
            "out_of_memory",
            "The GPU ran out of memory.",
        ),
        (
            "RuntimeError",
            "CUDA error: out of memory",
            "VAEDecode",
            "out_of_memory",
            "The GPU ran out of memory.",
        ),
        (
            "MemoryError",
            "",
            "UNETLoader",
            "out_of_memory",
            "The machine that runs ComfyUI ran out of memory (RAM).",
        ),
        (
            "RuntimeError",
            "CUDA error: an illegal memory access was encountered",
            "KSampler",
            "engine_failed",
            "The GPU of the ComfyUI machine reported an error.",
        ),
        (
            "OSError",
            "[Errno 28] No space left on device",
            "SaveVideo",
            "engine_disk_full",
            "The disk of the machine that runs ComfyUI is full.",
        ),
        (
            "FileNotFoundError",
            'No such file or directory: "/m/vae/wan_2.1_vae.safetensors"',
            "VAELoader",
            "missing_model",
            "wan_2.1_vae.safetensors is not on this ComfyUI.",
        ),
        (
            "RuntimeError",
            "ERROR: Could not detect model type of: /m/diffusion_models/x.safetensors",
            "UNETLoader",
            "bad_model_file",
            "The model file x.safetensors is in a format that this ComfyUI does not load.",
        ),
        (
            "PIL.UnidentifiedImageError",
            "cannot identify image file '/in/a.png'",
            "LoadImage",
            "engine_bad_input",
            "ComfyUI could not read the picture: it is damaged.",
        ),
        (
            "ValueError",
            "No audio stream found in the file.",
            "LoadAudio",
            "engine_bad_input",
            "The file has no sound in it.",
        ),
        (
            "RuntimeError",
            "Calculated padded input size per channel: (1). Kernel size: (2). "
            "Kernel size can't be greater than actual input size",
            "AudioEncoderEncode",
            "engine_bad_input",
            "The sound is too short to work with.",
        ),
        (
            "FileNotFoundError",
            "[Errno 2] No such file or directory: '/in/a.png'",
            "LoadImage",
            "engine_bad_input",
            "ComfyUI does not find the picture that was sent to it.",
        ),
        (
            "RuntimeError",
            "The size of tensor a (5) must match the size of tensor b (4)",
            "KSampler",
            "wrong_model",
            "The model files do not fit together: one is of another model family or size.",
        ),
    ],
)
def test_execution_error(kind: str, message: str, node: str, code: str, sentence: str) -> None:
    data = {
        "exception_type": kind,
        "exception_message": message,
        "node_type": node,
        "traceback": ['  File "x"\n'],
    }
    error = execution_error(data, "draw")
    assert (error.code, error.message) == (code, sentence)
    for_people(error)
    assert node in error.detail


def test_a_sampler_is_not_a_short_sound() -> None:
    data = {
        "exception_type": "RuntimeError",
        "exception_message": "Kernel size can't be greater than actual input size",
        "node_type": "KSampler",
    }
    assert execution_error(data).code == "engine_failed"


def test_inputs_of_the_node_never_reach_the_log() -> None:
    data = {
        "exception_type": "KeyError",
        "exception_message": "'x'",
        "node_type": "CLIPTextEncode",
        "current_inputs": {"text": ["my secret wish"]},
    }
    assert "secret" not in execution_error(data).detail


def test_an_empty_report_is_an_error_too() -> None:
    for_people(execution_error({}))
