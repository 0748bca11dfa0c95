"""Which servers this studio drives: found, given, or started here."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests

from backend.engines import runpod
from backend.engines.base import Engine
from backend.engines.comfy import ComfyEngine
from backend.errors import BadSettings, StudioError
from backend.models import paths
from backend.settings import COMFYUI_PORT, RUNPOD_COMFYUI, Settings
from backend.supervisor import Process, comfyui_command, comfyui_python, demo_command

log = logging.getLogger("wan.servers")

LOCAL = f"http://127.0.0.1:{COMFYUI_PORT}"
PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Plan:
    """What to drive. kind: comfyui, runpod, demo. `start`: we start the process ourselves."""

    kind: str
    urls: tuple[str, ...]
    start: bool


def answers(url: str, seconds: float = 1.0) -> bool:
    """Whether a ComfyUI answers at this address."""
    try:
        with requests.Session() as session:
            session.trust_env = False
            return session.get(f"{url}/system_stats", timeout=seconds).ok
    except requests.RequestException:
        return False


def choose(settings: Settings, probe: Callable[[str], bool] = answers) -> Plan:
    """WAN_ENGINE=auto: given addresses, a server on 8188, a ComfyUI folder, a RunPod endpoint, else the demo.

    Raises BadSettings when WAN_ENGINE=comfyui and none of the first three is there, or runpod without one.
    """
    if settings.engine == "demo":
        return Plan("demo", (), start=True)
    if settings.engine == "runpod":
        if not settings.runpod.given:
            raise BadSettings(
                "WAN_ENGINE is runpod, but RUNPOD_ENDPOINT_ID or RUNPOD_API_KEY is missing.",
                "Set both: the endpoint's id and a key of the same RunPod account.",
            )
        return Plan("runpod", (), start=False)
    if settings.comfyui_urls:
        return Plan("comfyui", settings.comfyui_urls, start=False)
    if probe(LOCAL):
        return Plan("comfyui", (LOCAL,), start=False)
    if settings.comfyui_dir is not None:
        return Plan("comfyui", (LOCAL,), start=True)
    if settings.engine == "comfyui":
        raise BadSettings(
            "WAN_ENGINE is comfyui, but there is no ComfyUI: no COMFYUI_URL, none on port 8188, no folder.",
            "Set COMFYUI_URL to a running one, or COMFYUI_DIR to its folder.",
        )
    if settings.runpod.given:
        return Plan("runpod", (), start=False)
    return Plan("demo", (), start=True)


class Servers:
    """The engines of a studio and the processes behind those that we started."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.plan = choose(settings)
        self.processes: list[Process] = []
        self._closing = threading.Event()
        self._demo_folder: tempfile.TemporaryDirectory[str] | None = None
        if self.plan.kind == "demo":
            self.engines: tuple[Engine, ...] = (self._demo(),)
        elif self.plan.kind == "runpod":
            self.engines = runpod.engines(settings.runpod)
        else:
            self.engines = tuple(ComfyEngine(self._address(url)) for url in self.plan.urls)
            if self.plan.start:
                self._comfyui()

    def _address(self, url: str) -> str:
        """Where a ComfyUI that we start is reached: the address it listens on, loopback for all of them."""
        listen = self.settings.comfyui_listen
        if not self.plan.start or listen in ("127.0.0.1", "localhost", "0.0.0.0", "::", ""):  # noqa: S104
            return url
        return f"http://{f'[{listen}]' if ':' in listen else listen}:{COMFYUI_PORT}"

    def _demo(self) -> Engine:
        port = free_port()
        # A folder of its own below the system's temporary one: results are copied out of it.
        self._demo_folder = tempfile.TemporaryDirectory(prefix="wan-demo-", ignore_cleanup_errors=True)
        folder = Path(self._demo_folder.name)
        command = demo_command(port, self.settings.demo_step_seconds, folder)
        process = Process("demo engine", command, cwd=PROJECT)
        self.processes.append(process)
        process.start()
        return ComfyEngine(f"http://127.0.0.1:{port}", input_dir=folder / "input", kind="demo")

    def _comfyui(self) -> None:
        folder = self.settings.comfyui_dir
        if folder is None:
            return
        extra = [*self.settings.comfyui_args, *self._model_paths()]
        command = comfyui_command(
            folder,
            comfyui_python(folder, self.settings.comfyui_python),
            self.settings.comfyui_listen,
            COMFYUI_PORT,
            extra,
        )
        process = Process("ComfyUI", command, cwd=folder, env={**os.environ, "PYTHONUNBUFFERED": "1"})
        self.processes.append(process)
        if folder == RUNPOD_COMFYUI:
            threading.Thread(target=self._start_if_nobody_does, args=(process,), daemon=True).start()
        else:
            process.start()

    def _model_paths(self) -> list[str]:
        """The option that shows ComfyUI the model store; none when the file cannot be written."""
        if "--extra-model-paths-config" in self.settings.comfyui_args:
            return []
        target = self.settings.data_dir / "extra_model_paths.yaml"
        try:
            paths.write(self.settings.models_dir, target)
        except StudioError as error:
            log.warning("ComfyUI is started without the model store: %s", error.message)
            return []
        return ["--extra-model-paths-config", str(target)]

    def _start_if_nobody_does(self, process: Process) -> None:
        """RunPod's image starts this ComfyUI by itself, some minutes after the container: a second one
        would fight over the port, so we wait and adopt."""
        until = time.monotonic() + self.settings.comfyui_wait_seconds
        while time.monotonic() < until and not self._closing.wait(2.0):
            if answers(LOCAL):
                log.info("ComfyUI is up; it was started by the machine's own start script")
                return
        if not self._closing.is_set():
            process.start()

    def close(self) -> None:
        """Stops what we started, and nothing else."""
        self._closing.set()
        for process in self.processes:
            process.stop()
        if self._demo_folder is not None:
            with contextlib.suppress(OSError):
                self._demo_folder.cleanup()


def free_port() -> int:
    """A TCP port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
