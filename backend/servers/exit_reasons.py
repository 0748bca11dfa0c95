"""Why a ComfyUI that the studio started has ended, as a notice, from its last lines of output. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from workflows.notice import Notice, made

DRIVER_OLD = "NVIDIA driver on your system is too old"
_KNOWN: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (rf"{DRIVER_OLD} \(found version (\d+?)0?(\d)0\)", "driver_older_than_cuda", ("major", "minor")),
    (DRIVER_OLD, "driver_too_old", ()),
    (
        r"Found no NVIDIA driver|No CUDA GPUs are available|no CUDA-capable device is detected"
        r"|Torch not compiled with CUDA enabled",
        "no_gpu",
        (),
    ),
    (
        r"no kernel image is available|is not compatible with the current PyTorch installation",
        "gpu_not_supported",
        (),
    ),
    (r"error: unrecognized arguments: (.+)", "unknown_option", ("said",)),
    (r"(?:Module|Import)\w*Error: (No module named '[\w.]+'.*)", "package_missing", ("said",)),
    (r"main\.py: error: (.+)", "bad_options", ("said",)),
    (r"ImportError: (.+)", "package_broken", ("said",)),
    (r"Database is locked", "database_taken", ()),
    (r"SyntaxError: ", "python_too_old", ()),
    (r"address already in use|Port \d+ is already in use", "port_taken", ()),
    (r"No space left on device|Disk quota exceeded", "disk_full_at_start", ()),
)
"""Pattern, code of the reason, and the arguments that the groups of the pattern are."""


def why(lines: Sequence[str], status: int | None = None) -> Notice | None:
    """The reason in the last line with a known cause; None when there is none.

    status: the exit status; -9 (or 137, from a shell) is that of a process killed for lack of memory.
    """
    for line in reversed(lines):
        for pattern, code, names in _KNOWN:
            found = re.search(pattern, line, re.I)
            if found:
                return made(code, dict(zip(names, found.groups(), strict=True)))
    return made("killed_at_start", {}) if status in (-9, 137) else None
