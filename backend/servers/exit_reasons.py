"""Why a ComfyUI that the studio started has ended, as a sentence, from its last lines of output. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

DRIVER_OLD = "NVIDIA driver on your system is too old"
_KNOWN: tuple[tuple[str, str], ...] = (
    (
        rf"{DRIVER_OLD} \(found version (\d+?)0?(\d)0\)",
        "The graphics driver is too old: it knows CUDA {0}.{1}, and this PyTorch is built for a newer one."
        " Choose a machine with a newer driver (570 or newer for CUDA 12.8, 580 for 13.0).",
    ),
    (
        DRIVER_OLD,
        "The graphics driver is too old for this PyTorch. Choose a machine with a newer driver"
        " (570 or newer for CUDA 12.8, 580 for 13.0).",
    ),
    (
        r"Found no NVIDIA driver|No CUDA GPUs are available|no CUDA-capable device is detected"
        r"|Torch not compiled with CUDA enabled",
        "ComfyUI finds no NVIDIA GPU on this machine. Choose a machine with one (in a container:"
        " --gpus all), or set WAN_ENGINE=demo to try the page.",
    ),
    (
        r"no kernel image is available|is not compatible with the current PyTorch installation",
        "This PyTorch is not built for this GPU: one is much newer than the other. Choose another GPU or"
        " another build (build argument CUDA).",
    ),
    (
        r"error: unrecognized arguments: (.+)",
        "This ComfyUI does not know the option {0}. Take it out of COMFYUI_ARGS.",
    ),
    (
        r"(?:Module|Import)\w*Error: (No module named '[\w.]+'.*)",
        "ComfyUI's Python lacks a package ({0}). Install ComfyUI's requirements.txt into it, or set"
        " COMFYUI_PYTHON to the Python that has them.",
    ),
    (
        r"main\.py: error: (.+)",
        "ComfyUI cannot use its options ({0}). Correct COMFYUI_ARGS.",
    ),
    (
        r"ImportError: (.+)",
        "ComfyUI's Python cannot load one of its packages ({0}). Install ComfyUI's requirements.txt again, or"
        " set COMFYUI_PYTHON to another Python.",
    ),
    (
        r"Database is locked",
        "Another ComfyUI uses the same database. Stop it, or put --database-url into COMFYUI_ARGS.",
    ),
    (
        r"SyntaxError: ",
        "ComfyUI's Python is too old for it, or its files are damaged. It needs Python 3.10 or newer: set"
        " COMFYUI_PYTHON to one.",
    ),
    (
        r"address already in use|Port \d+ is already in use",
        "The port of ComfyUI is taken by another program. Stop that, or set COMFYUI_URL if it is a ComfyUI.",
    ),
    (
        r"No space left on device|Disk quota exceeded",
        "The disk is full. Free some space; ComfyUI is started again by itself.",
    ),
)


def why(lines: Sequence[str], status: int | None = None) -> str:
    """The sentence for the last line with a known cause; "" when there is none.

    status: the exit status; -9 (or 137, from a shell) is that of a process killed for lack of memory.
    """
    for line in reversed(lines):
        for pattern, sentence in _KNOWN:
            found = re.search(pattern, line, re.I)
            if found:
                return sentence.format(*found.groups())
    if status in (-9, 137):
        return (
            "ComfyUI was killed, most likely because the machine's memory ran out: WAN's two experts and"
            " its text encoder want 48 GB. COMFYUI_ARGS=--cache-none needs less, or take a larger machine."
        )
    return ""
