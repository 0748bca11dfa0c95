"""What supervision reads from the machine: GPUs, the output of exited processes, the kernel's counters."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backend.errors import EngineLost, OutOfMemory
from backend.notices import words
from backend.servers import gpus, oom, postmortem
from backend.servers.exit_reasons import why
from backend.servers.process import ProcessExit

TWO = (
    "GPU 0: NVIDIA GeForce RTX 4090 (UUID: GPU-11111111-2222)\n"
    "GPU 1: NVIDIA GeForce RTX 4090 (UUID: GPU-33333333-4444)\n"
)
SLICES = (
    "GPU 0: NVIDIA A100 (UUID: GPU-11111111-2222)\n"
    "  MIG 3g.20gb     Device  0: (UUID: MIG-aaaa)\n"
    "  MIG 3g.20gb     Device  1: (UUID: MIG-bbbb)\n"
)


@pytest.mark.parametrize(
    ("environ", "args", "listed", "found"),
    [
        ({}, (), "", ("",)),
        ({}, (), TWO, ("0", "1")),
        ({}, (), TWO.splitlines()[0], ("",)),
        ({}, (), SLICES, ("MIG-aaaa", "MIG-bbbb")),
        ({"RUNPOD_GPU_COUNT": "3"}, (), "", ("0", "1", "2")),
        ({"RUNPOD_GPU_COUNT": "3"}, (), TWO, ("0", "1")),
        ({"RUNPOD_GPU_COUNT": "1"}, (), "", ("",)),
        ({"RUNPOD_GPU_COUNT": "many"}, (), "", ("",)),
        ({"CUDA_VISIBLE_DEVICES": "2,3"}, (), TWO, ("2", "3")),
        ({"CUDA_VISIBLE_DEVICES": "GPU-1, GPU-2"}, (), TWO, ("GPU-1", "GPU-2")),
        ({"CUDA_VISIBLE_DEVICES": "3"}, (), TWO, ("",)),
        ({"CUDA_VISIBLE_DEVICES": "0,1,-1,2"}, (), TWO, ("0", "1")),
        ({"CUDA_VISIBLE_DEVICES": "1,1"}, (), TWO, ("",)),
        ({"CUDA_VISIBLE_DEVICES": ""}, (), TWO, ("",)),
        ({"CUDA_VISIBLE_DEVICES": "0,1"}, ("--cpu",), TWO, ("",)),
        ({}, ("--fast", "--cuda-device=1"), TWO, ("",)),
    ],
)
def test_which_gpus(
    environ: dict[str, str], args: tuple[str, ...], listed: str, found: tuple[str, ...]
) -> None:
    assert gpus.visible(environ, args, lambda: listed) == found


@pytest.mark.full
def test_a_machine_without_nvidia_smi(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus.smi() == ""
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'; exit 9\n")
    tool.chmod(0o755)
    assert gpus.smi() == ""


@pytest.mark.parametrize(
    ("argv", "environ", "used"),
    [
        (["main.py"], {}, "0"),
        (["main.py", "--cuda-device", "1"], {}, "1"),
        (["main.py", "--default-device=1"], {"CUDA_VISIBLE_DEVICES": "0,1"}, "1"),
        (["main.py"], {"CUDA_VISIBLE_DEVICES": "1"}, "1"),
        (["main.py"], {"CUDA_VISIBLE_DEVICES": "1,0"}, "1"),
        (["main.py"], {"CUDA_VISIBLE_DEVICES": "GPU-1"}, None),
        (["main.py"], {"CUDA_VISIBLE_DEVICES": ""}, None),
        (["main.py", "--cpu"], {}, None),
        (["main.py"], None, None),
    ],
)
def test_which_gpu_another_comfyui_uses(
    argv: list[str], environ: dict[str, str] | None, used: str | None
) -> None:
    assert gpus.used_by(argv, environ, ("0", "1")) == used


@pytest.mark.parametrize(
    ("cgroup", "file", "text"),
    [
        ("0::/pod/a\n", "pod/a/memory.events", "low 0\noom 4\noom_kill 2\noom_group_kill 0\n"),
        ("0::/\n", "memory.events", "oom_kill 2\n"),
        ("4:memory:/pod\n0::/\n", "memory/pod/memory.oom_control", "oom_kill_disable 0\noom_kill 2\n"),
        ("4:memory:/elsewhere\n", "memory/memory.oom_control", "under_oom 0\noom_kill 2\n"),
    ],
)
def test_oom_kills_from_cgroup_and_machine(tmp_path: Path, cgroup: str, file: str, text: str) -> None:
    process, root = tmp_path / "proc", tmp_path / "cgroup"
    (process / "self").mkdir(parents=True)
    (process / "self" / "cgroup").write_text(cgroup)
    (process / "vmstat").write_text("nr_free 1\noom_kill 7\n")
    assert oom.oom_kills(process, root) == 7, "the machine's counter without one of the cgroup"
    (root / file).parent.mkdir(parents=True)
    (root / file).write_text(text)
    assert oom.oom_kills(process, root) == 2
    assert oom.oom_kills(tmp_path / "nowhere", tmp_path / "nowhere") is None


def process_exit(status: int | None, *lines: str, oom: bool | None = False, **more: bool) -> ProcessExit:
    return ProcessExit(0.0, status, tuple((1.0, line) for line in lines), True, oom, **more)


@pytest.mark.parametrize(
    ("ended", "kind", "says"),
    [
        (process_exit(-9), EngineLost, "SIGKILL"),
        (process_exit(-9, oom=True), OutOfMemory, "RAM"),
        (process_exit(137, oom=True), OutOfMemory, "RAM"),
        (process_exit(None, oom=True), OutOfMemory, "RAM"),
        (process_exit(1, oom=True), EngineLost, "exit status 1"),
        (process_exit(-6, "std::bad_alloc"), OutOfMemory, "RAM"),
        (process_exit(-7, "RuntimeError: DefaultCPUAllocator: can't allocate memory"), OutOfMemory, "RAM"),
        (process_exit(137, "Killed"), OutOfMemory, "RAM"),
        (process_exit(1, "torch.OutOfMemoryError: Allocation on device"), OutOfMemory, "GPU"),
        (process_exit(1, "CUDA error: out of memory"), OutOfMemory, "GPU"),
        (
            process_exit(1, "RuntimeError: There is not enough GPU video memory available!"),
            OutOfMemory,
            "GPU",
        ),
        (
            process_exit(3, "OSError: \u9875\u9762\u6587\u4ef6\u592a\u5c0f (os error 1455)"),
            OutOfMemory,
            "RAM",
        ),
        (process_exit(-6, "CUDA error: an illegal memory access was encountered"), EngineLost, "GPU error"),
        (process_exit(-11), EngineLost, "SIGSEGV"),
        (process_exit(None), EngineLost, "unknown"),
        (process_exit(1, *["MemoryError"], *["step"] * 60), EngineLost, "exit status 1"),
    ],
)
def test_error_of_a_job_whose_server_exited(ended: ProcessExit, kind: type[EngineLost], says: str) -> None:
    error = postmortem.error(ended)
    assert type(error) is kind and says in f"{error.message} ({error.cause})"
    assert not re.search(r"SIG|status", error.message), "plain words; the cause is for a bug report"
    assert "the demo engine" in postmortem.error(ended, "The demo engine").message.lower()
    assert error.hint


def why_not_up(ended: ProcessExit, trouble: OSError | None, python: str) -> str:
    return words(postmortem.why_not_up(ended, trouble, python))


def test_reason_for_a_failed_start() -> None:
    assert "no NVIDIA GPU" in why_not_up(process_exit(1, "No CUDA GPUs are available"), None, "")
    assert "RAM" in why_not_up(process_exit(-9, oom=True), None, "")
    assert "its last output" in why_not_up(process_exit(3, "no such option"), None, "").lower()
    raised = process_exit(1, "Traceback", "ValueError: no such folder", "Warning: something is deprecated")
    assert "no such folder" in why_not_up(raised, None, "")
    assert "long time" in why_not_up(process_exit(-9, by_us=True), None, "")
    gone = why_not_up(process_exit(None), FileNotFoundError(2, "No such file"), "/x/python")
    assert "/x/python" in gone and "COMFYUI_PYTHON" in gone
    assert "Permission" in why_not_up(process_exit(None), PermissionError(13, "Permission denied"), "")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("ERROR: Port 8188 is already in use on address 127.0.0.1. Please close", "taken by another program"),
        ("main.py: error: argument --port: invalid int value: 'x'", "invalid int value"),
        ("ImportError: libGL.so.1: cannot open shared object file", "libGL.so.1"),
        ("ModuleNotFoundError: No module named 'torchsde'", "lacks a package"),
        ("Database is locked. Another ComfyUI process is already using this database.", "same database"),
        ("SyntaxError: invalid syntax", "Python 3.10"),
    ],
)
def test_known_exit_reasons(line: str, says: str) -> None:
    assert says in words(why([line]))
