"""Which GPUs this machine has, and which of them a ComfyUI that the studio did not start uses."""

from __future__ import annotations

import logging
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence

log = logging.getLogger("wan.servers")

SMI_SECONDS = 20.0  # the driver is slow to load without persistence mode
NAMED_BY_ARGS = ("--cuda-device", "--cpu", "--directml", "--oneapi-device-selector")
"""ComfyUI's own options for choosing the device: if one is given, only one process is started."""


def smi() -> str:
    """The output of `nvidia-smi -L`; empty without the program or the driver."""
    try:
        done = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=SMI_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.debug("nvidia-smi: %s", error)
        return ""
    return done.stdout if done.returncode == 0 else ""


def visible(
    environ: Mapping[str, str], args: Sequence[str] = (), ask: Callable[[], str] = smi
) -> tuple[str, ...]:
    """The value of CUDA_VISIBLE_DEVICES for each process to start; "" leaves the variable unchanged.

    Determined by CUDA_VISIBLE_DEVICES, else nvidia-smi, else RUNPOD_GPU_COUNT, else one process. `args`:
    COMFYUI_ARGS.
    """
    if any(arg.partition("=")[0] in NAMED_BY_ARGS for arg in args):
        return ("",)
    if "CUDA_VISIBLE_DEVICES" in environ:
        given = _listed(environ["CUDA_VISIBLE_DEVICES"])
        return given if len(given) > 1 else ("",)
    text = ask()
    parts = re.findall(r"\(UUID: (MIG-[^)]+)\)", text)
    if len(parts) > 1:
        return tuple(parts)
    count = len(re.findall(r"^GPU \d+:", text, re.MULTILINE))
    if not count:
        given_count = environ.get("RUNPOD_GPU_COUNT", "").strip()
        count = int(given_count) if given_count.isdecimal() else 0
    return tuple(str(number) for number in range(count)) if count > 1 else ("",)


def used_by(argv: Sequence[str], environ: Mapping[str, str] | None, gpus: Sequence[str]) -> str | None:
    """Which of these GPUs a ComfyUI with this command line and environment uses; None when unknown."""
    if environ is None or any(word.partition("=")[0] in NAMED_BY_ARGS[1:] for word in argv):
        return None
    chosen = _option(argv, "--cuda-device") or _option(argv, "--default-device")
    if not chosen:
        chosen = environ.get("CUDA_VISIBLE_DEVICES", "")
    if not chosen and "CUDA_VISIBLE_DEVICES" not in environ:
        chosen = gpus[0] if gpus else ""
    first = (_listed(chosen) or ("",))[0]
    return first if first in gpus else None


def _option(argv: Sequence[str], name: str) -> str:
    for index, word in enumerate(argv):
        head, equals, value = word.partition("=")
        if head == name:
            return value if equals else (argv[index + 1] if index + 1 < len(argv) else "")
    return ""


def _listed(text: str) -> tuple[str, ...]:
    """The devices in a list; as in CUDA, the first invalid entry ends it."""
    found: list[str] = []
    for part in (part.strip() for part in text.split(",")):
        if not part or part.startswith("-") or part in found:
            break
        found.append(part)
    return tuple(found)
