"""Errors of a RunPod worker: its ComfyUI, its jobs and the delivery of their results."""

from __future__ import annotations

from collections.abc import Mapping

from backend.error_texts.text import ErrorText

TEXTS: Mapping[str, ErrorText] = {
    "worker_comfyui_stopped": ErrorText("ComfyUI stopped.", "See the log for ComfyUI's last output."),
    "worker_comfyui_late": ErrorText(
        "ComfyUI did not start within {seconds:g} s.",
        "Raise WAN_WORKER_START_SECONDS; the log contains ComfyUI's output.",
    ),
    "worker_comfyui_silent": ErrorText("The worker's ComfyUI does not answer.", "Try again."),
    "worker_without_comfyui": ErrorText(
        "The worker has no ComfyUI: none on port {port}, and no folder that it can start.",
        "Use the gpu image, or set COMFYUI_DIR. To test the worker without WAN, set WAN_ENGINE=demo.",
    ),
    "worker_without_sdk": ErrorText(
        "The RunPod SDK is not installed.", "Run: .venv/bin/pip install -r requirements-worker.txt"
    ),
    "worker_ran_too_long": ErrorText(
        "The video was not done within {minutes:g} minutes.",
        "Raise WAN_WORKER_MINUTES on the endpoint, or make a smaller or shorter video.",
    ),
    "worker_unexpected": ErrorText("An internal error occurred in the worker."),
    "worker_wrote_nothing": ErrorText("The workflow ran, but wrote no file.", "Add a Save node to it."),
    "result_expected_too_large": ErrorText(
        "The result would be about {megabytes:.0f} MB, and RunPod's limit is {most:.1f} MB."
    ),
    "result_over_limit": ErrorText("The result is {megabytes:.1f} MB, and RunPod's limit is {most:.1f} MB."),
    "bad_read": ErrorText("Reading a result requires path, offset and bytes."),
    "result_not_on_volume": ErrorText("The result is no longer on the endpoint's volume.", "Make it again."),
}
