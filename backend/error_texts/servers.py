"""Why a ComfyUI of this machine cannot be started, does not start up or has ended."""

from __future__ import annotations

from collections.abc import Mapping

from backend.error_texts.text import ErrorText

_SMALLER = "Try a smaller size or a shorter video."
_MORE_MEMORY = (
    "Try a smaller size or a shorter video, close what else uses memory, or take a machine with more RAM."
)

TEXTS: Mapping[str, ErrorText] = {
    # choosing the servers
    "runpod_not_set": ErrorText(
        "WAN_ENGINE is runpod, but RUNPOD_ENDPOINT_ID or RUNPOD_API_KEY is missing.",
        "Set both: the endpoint's id and a key of the same RunPod account.",
    ),
    "no_comfyui": ErrorText(
        "WAN_ENGINE is comfyui, but there is no ComfyUI: no COMFYUI_URL, none on port {port}, no folder.",
        "Set COMFYUI_URL to a running one, or COMFYUI_DIR to its folder.",
    ),
    "run_folder_locked": ErrorText("The folder {folder} cannot be locked.", "Set TMPDIR to another one."),
    "run_folder_unusable": ErrorText("The folder {folder} cannot be used: {reason}."),
    "run_folder_foreign": ErrorText(
        "The folder {folder} belongs to another user.", "Set TMPDIR to one of your own."
    ),
    # a process that has ended
    "server_stopped": ErrorText("{server} stopped."),
    "server_crashed": ErrorText("{server} stopped unexpectedly."),
    "server_gpu_error": ErrorText(
        "{server} stopped after a GPU error.", "If it happens again, restart the machine."
    ),
    "server_hung": ErrorText(
        "{server} stood still while it worked on this video, and was restarted.",
        "If it happens again, try a smaller size or a shorter video.",
    ),
    "killed_for_memory": ErrorText(
        "The machine ran out of memory (RAM), and {engine} was killed.", _MORE_MEMORY
    ),
    "stopped_for_gpu_memory": ErrorText("The GPU ran out of memory, and {engine} stopped.", _SMALLER),
    # a process that does not start up
    "no_python": ErrorText(
        "The Python for ComfyUI, {python}, does not exist.", "Set another one in COMFYUI_PYTHON."
    ),
    "cannot_start": ErrorText("ComfyUI cannot be started: {reason}."),
    "silent_at_start": ErrorText("ComfyUI did not answer for a long time and was stopped."),
    "stopped_at_start": ErrorText("ComfyUI stopped while it was starting."),
    "stopped_at_start_with": ErrorText("ComfyUI stopped while it was starting. Its last output: {last}"),
    "driver_older_than_cuda": ErrorText(
        "The graphics driver is too old: it knows CUDA {major}.{minor}, and this PyTorch is built for a newer"
        " one.",
        "Choose a machine with a newer driver (570 or newer for CUDA 12.8, 580 for 13.0).",
    ),
    "driver_too_old": ErrorText(
        "The graphics driver is too old for this PyTorch.",
        "Choose a machine with a newer driver (570 or newer for CUDA 12.8, 580 for 13.0).",
    ),
    "no_gpu": ErrorText(
        "ComfyUI finds no NVIDIA GPU on this machine.",
        "Choose a machine with one (in a container: --gpus all), or set WAN_ENGINE=demo to try the page.",
    ),
    "gpu_not_supported": ErrorText(
        "This PyTorch is not built for this GPU: one is much newer than the other.",
        "Choose another GPU or another build (build argument CUDA).",
    ),
    "unknown_option": ErrorText(
        "This ComfyUI does not know the option {said}.", "Take it out of COMFYUI_ARGS."
    ),
    "package_missing": ErrorText(
        "ComfyUI's Python lacks a package ({said}).",
        "Install ComfyUI's requirements.txt into it, or set COMFYUI_PYTHON to the Python that has them.",
    ),
    "bad_options": ErrorText("ComfyUI cannot use its options ({said}).", "Correct COMFYUI_ARGS."),
    "package_broken": ErrorText(
        "ComfyUI's Python cannot load one of its packages ({said}).",
        "Install ComfyUI's requirements.txt again, or set COMFYUI_PYTHON to another Python.",
    ),
    "database_taken": ErrorText(
        "Another ComfyUI uses the same database.", "Stop it, or put --database-url into COMFYUI_ARGS."
    ),
    "python_too_old": ErrorText(
        "ComfyUI's Python is too old for it, or its files are damaged.",
        "It needs Python 3.10 or newer: set COMFYUI_PYTHON to one.",
    ),
    "port_taken": ErrorText(
        "The port of ComfyUI is taken by another program.",
        "Stop that, or set COMFYUI_URL if it is a ComfyUI.",
    ),
    "disk_full_at_start": ErrorText(
        "The disk is full.", "Free some space; ComfyUI is started again by itself."
    ),
    "killed_at_start": ErrorText(
        "ComfyUI was killed, most likely because the machine's memory ran out: WAN's two experts and its text"
        " encoder want 48 GB.",
        "COMFYUI_ARGS=--cache-none needs less, or take a larger machine.",
    ),
}
