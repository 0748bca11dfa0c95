"""Choosing and fetching a set of model files: backend/models/sets.py, set_plan.py and fetcher.py."""

from __future__ import annotations

from collections.abc import Mapping

from backend.error_texts.text import ErrorText

_NODES = "Install the ComfyUI-GGUF nodes (github.com/city96/ComfyUI-GGUF) and restart ComfyUI."

TEXTS: Mapping[str, ErrorText] = {
    # refused
    "set_without_gguf": ErrorText("This ComfyUI cannot load GGUF files.", _NODES),
    "set_no_such_model": ErrorText("There is no choice {given!r}.", "It is one of {names}."),
    "set_one_model": ErrorText("{title} has one model, so {given!r} is no choice.", "Leave the option out."),
    "set_distilled_quality": ErrorText("Distilled models run in few steps only, not in Quality."),
    "set_distilled_gguf": ErrorText(
        "The catalogue has no GGUF files of the distilled models.", "Leave out one of the two options."
    ),
    "set_options_with_file": ErrorText(
        "{file} is one file, and {options} choose among several.", "Name a mode, or leave the options out."
    ),
    "set_gpu_wrong": ErrorText("{given} is not the memory of a GPU.", "Give whole gigabytes from 4 to 1024."),
    "set_value_wrong": ErrorText("{given!r} is not one of {names}."),
    "fetch_running": ErrorText("A download is running.", "Cancel it first, or wait for it."),
    "fetch_elsewhere": ErrorText(
        "ComfyUI runs on another machine, which this one cannot write to.",
        "Run `python app.py models download` there.",
    ),
    "fetch_failed": ErrorText("The download failed unexpectedly.", "The log has the details."),
    "fetch_cancelled": ErrorText("The download was cancelled."),
    # notes
    "set_always_fast": ErrorText("{title} always runs in few steps."),
    "set_no_distilled": ErrorText("There is no distilled model for {title}: its usual files are fetched."),
    "set_distilled_rest": ErrorText(
        "With distilled models {title} runs in its usual variants; anti-slow-motion and 480p need the full"
        " models and LoRAs."
    ),
    "set_not_first": ErrorText(
        "{other} is there as well and may be used first; `python app.py models use {role} {file}` chooses the"
        " new file."
    ),
    "set_gguf_missing": ErrorText(
        "This ComfyUI cannot load GGUF files, which would fit the GPU better, so none is proposed.", _NODES
    ),
    "set_gguf_unknown": ErrorText(
        "GGUF files would fit the GPU better. They need the ComfyUI-GGUF nodes, and it is not known whether"
        " ComfyUI has them: --format gguf chooses them."
    ),
    "set_other_size": ErrorText("There is no {asked} of these models; the nearest size is {form}."),
    "set_offloaded": ErrorText(
        "A GPU with {gigabytes} GB does not hold a whole expert: about {rest} GB of it stay in system memory."
        " That works and is slower."
    ),
    "set_too_large": ErrorText(
        "The GPU ({gigabytes} GB) and the system memory ({ram} GB) together may be too small for it."
    ),
}
