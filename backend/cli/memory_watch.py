"""The peak memory of a ComfyUI, read several times a second while it works."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import psutil
import requests

EVERY_SECONDS = 0.5
ANSWER_SECONDS = 5.0


@dataclass(frozen=True)
class Peaks:
    """Bytes, 0 if unknown. `gpu`: in use on the whole GPU; `torch`: reserved by PyTorch; `ram`: resident in
    ComfyUI's processes; `ram_left`: the least that the machine had left."""

    gpu: int = 0
    torch: int = 0
    ram: int = 0
    ram_left: int = 0


def gpu_memory(stats: Mapping[str, Any]) -> tuple[int, int]:
    """(in use, reserved by PyTorch) of the first device of /system_stats; zeros for a CPU."""
    device = (stats.get("devices") or [{}])[0]
    if device.get("type") in (None, "cpu"):
        return 0, 0
    total, free = int(device.get("vram_total") or 0), int(device.get("vram_free") or 0)
    return max(0, total - free), int(device.get("torch_vram_total") or 0)


class MemoryWatch:
    """Reads until it is closed. `pid`: of ComfyUI's process, None while it is not running."""

    def __init__(self, address: str, pid: Callable[[], int | None], every: float = EVERY_SECONDS) -> None:
        self._address, self._pid, self._every = address, pid, every
        self._peaks = Peaks()
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._session = requests.Session()
        self._session.trust_env = False
        self._thread = threading.Thread(target=self._run, name="memory-watch", daemon=True)
        self._thread.start()

    def restart(self) -> None:
        """Forgets what was measured."""
        with self._lock:
            self._peaks = Peaks()

    def peaks(self) -> Peaks:
        """The peaks since the last restart, with the present state."""
        self._look()
        with self._lock:
            return self._peaks

    def close(self) -> None:
        self._end.set()
        self._thread.join(2 * ANSWER_SECONDS)
        self._session.close()

    def _run(self) -> None:
        while not self._end.wait(self._every):
            self._look()

    def _look(self) -> None:
        try:
            answer = self._session.get(f"{self._address}/system_stats", timeout=ANSWER_SECONDS).json()
            gpu, reserved = gpu_memory(answer)
        except (requests.RequestException, ValueError, TypeError, AttributeError, LookupError):
            gpu, reserved = 0, 0
        ram, left = resident(self._pid()), int(psutil.virtual_memory().available)
        with self._lock:
            old = self._peaks
            self._peaks = Peaks(
                max(old.gpu, gpu), max(old.torch, reserved), max(old.ram, ram),
                min(old.ram_left or left, left),
            )  # fmt: skip


def resident(pid: int | None) -> int:
    """Bytes of memory of a process and its children; 0 when it is gone."""
    if pid is None:
        return 0
    total = 0
    try:
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            total += int(one.memory_info().rss)
    except psutil.Error:
        return total
    return total
