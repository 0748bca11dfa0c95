"""Why a server process ended or does not start up, as a notice, from its exit status and output. Pure."""

from __future__ import annotations

import re
import signal

from backend.engines.base import ExitCause
from backend.errors import EngineLost, OutOfMemory, StudioError
from backend.servers.exit_reasons import why
from backend.servers.process import ProcessExit
from workflows.notice import Notice, made

_RAM = re.compile(
    r"std::bad_alloc|\bMemoryError\b|DefaultCPUAllocator|can(?:no|')t allocate memory|os error 1455|"
    r"WinError 1455|paging file is too small|^\s*Killed\s*$|oom-kill|Unable to allocate",
    re.IGNORECASE,
)
_GPU_MEMORY = re.compile(
    r"OutOfMemoryError|(?:CUDA|HIP|NVML|MPS)\b.{0,40}out of memory|out of memory.{0,40}(?:CUDA|HIP)|"
    r"not enough GPU video memory|CU(?:BLAS|DNN)_STATUS_ALLOC_FAILED|Allocation on device",
    re.IGNORECASE,
)
_GPU = re.compile(
    r"(?:CUDA|HIP) (?:driver )?error|cuDNN error|CU(?:BLAS|DNN)_STATUS_|\bXid\b|illegal memory access|"
    r"device-side assert|GPU has fallen off the bus",
    re.IGNORECASE,
)
_RAISED = re.compile(r"(?:[\w.]+\.)?\w*(?:Error|Exception)\b")  # start of the last line of a Python traceback
_LAST = 40  # lines
_OUTSIDE = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
NO_EXIT: ExitCause = ""


def why_not_up(ended: ProcessExit, trouble: OSError | None, python: str) -> Notice:
    """Why it does not start up, for the System tab."""
    if isinstance(trouble, FileNotFoundError):
        return made("no_python", {"python": python})
    if trouble is not None:
        return made("cannot_start", {"reason": trouble.strerror or str(trouble)})
    if ended.by_us:
        return made("silent_at_start", {})
    known = why(ended.lines[-_LAST:])
    if known is not None:
        return known
    memory = _memory(ended)
    if memory is not None:
        return memory.notice
    lines = [line for line in reversed(ended.lines) if line.strip()]
    last = next((line for line in lines if _RAISED.match(line)), lines[0] if lines else "")
    return made("stopped_at_start_with", {"last": last[:200]}) if last else made("stopped_at_start", {})


def cause(ended: ProcessExit) -> ExitCause:
    """Why it ended, for the System tab."""
    if ended.by_us:
        return "hung"
    if _memory(ended) is not None:
        return "memory"
    if any(_GPU.search(line) for line in ended.lines[-_LAST:]):
        return "gpu"
    number = _signal(ended.status)
    if number in _OUTSIDE:
        return "killed"
    return "crashed" if number else "ended"


def error(ended: ProcessExit, name: str = "ComfyUI") -> StudioError:
    """The error of its job: OutOfMemory if exit status, kernel or output say so, else EngineLost. `name`: of
    the server, at the start of a sentence."""
    memory = _memory(ended, name)
    if memory is not None:
        return memory
    ending = _ending(ended.status)
    detail = "\n".join(ended.lines[-_LAST:])
    if any(_GPU.search(line) for line in ended.lines[-_LAST:]):
        return EngineLost.of("server_gpu_error", server=name, detail=detail, cause=ending)
    return EngineLost.of("server_crashed", server=name, detail=detail, cause=ending)


def _memory(ended: ProcessExit, name: str = "ComfyUI") -> OutOfMemory | None:
    lines = ended.lines[-_LAST:]
    detail = "\n".join(lines)
    killed = ended.status in (-signal.SIGKILL, 128 + signal.SIGKILL, None)
    if (ended.oom and killed) or any(_RAM.search(line) for line in lines):
        return OutOfMemory.of("killed_for_memory", engine=_inside(name), detail=detail)
    if any(_GPU_MEMORY.search(line) for line in lines):
        return OutOfMemory.of("stopped_for_gpu_memory", engine=_inside(name), detail=detail)
    return None


def _inside(name: str) -> str:
    """The name within a sentence: `the demo engine`."""
    return name[0].lower() + name[1:] if name.startswith("The ") else name


def _signal(status: int | None) -> signal.Signals | None:
    """The signal that ended a process; a shell adds 128 to its number."""
    if status is None:
        return None
    number = -status if status < 0 else status - 128
    try:
        return signal.Signals(number) if number > 0 else None
    except ValueError:
        return None


def _ending(status: int | None) -> str:
    number = _signal(status)
    if number is not None:
        return f"signal {number.name}"
    return "exit status unknown" if status is None else f"exit status {status}"
