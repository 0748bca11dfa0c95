"""The servers that this studio uses: configured, found running, or started here, one ComfyUI for each GPU.

A ComfyUI that already runs on COMFYUI_PORT is used and never stopped or restarted. Further ones are started
on the other GPUs only if COMFYUI_DIR is set or the folder belongs to a machine image, and if it is known
which GPU the running one uses. RunPod's own start script starts one ComfyUI on the first GPU; nothing is
started from its folder before that has happened, because the script may still be upgrading the folder.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from backend.engines.base import Engine
from backend.engines.kinds import DEMO
from backend.engines.runpod import engine as runpod
from backend.errors import EngineLost, StudioError
from backend.models import paths
from backend.servers import gpus, launch, ports, postmortem
from backend.servers.choice import choose, local_url
from backend.servers.orphans import Mark, Orphan, orphans
from backend.servers.process import ProcessExit, SupervisedProcess, terminate
from backend.servers.run_folder import RunFolder
from backend.servers.server import LIMITS, Limits, Server, answers
from backend.settings.folders import RUNPOD_COMFYUI

if TYPE_CHECKING:
    from backend.settings.model import Settings

log = logging.getLogger("wan.servers")

SECRETS = (
    "WAN_AUTH", "WAN_COMFYUI_LOGIN", "COMFYUI_URL", "RUNPOD_API_KEY", "BUCKET_ACCESS_KEY_ID",
    "BUCKET_SECRET_ACCESS_KEY",
)  # fmt: skip
"""Environment variables that are not passed on to servers, whose custom nodes could read them."""
PROJECT = Path(__file__).resolve().parents[2]
IMAGES = (Path("/opt/ComfyUI"),)
"""The ComfyUI folders of machine images besides RunPod's."""


class Servers:
    """The engines of a studio and the processes behind those that we started."""

    def __init__(
        self,
        settings: Settings,
        *,
        restart: bool = True,
        on_exit: Callable[[StudioError], None] = lambda error: None,
        limits: Limits = LIMITS,
        runpod_folder: Path = RUNPOD_COMFYUI,
    ) -> None:
        """`restart`: False where the whole container is to end with ComfyUI. `on_exit`: called with the error
        when a server that the studio started exits, on that server's thread, before the restart.
        `runpod_folder`: the ComfyUI that RunPod's own start script starts."""
        self.settings = settings
        self._restart, self._on_exit = restart, on_exit
        self._limits, self._runpod_folder = limits, runpod_folder
        self._closing = threading.Event()
        self._options: frozenset[str] | None = None
        self._options_lock = threading.Lock()
        self._run_folder = RunFolder(settings.data_dir)
        left = orphans(settings.data_dir) if self._run_folder.first else []
        self._orphans: dict[str, Orphan] = {}
        for orphan in left:
            if orphan.mark.key in self._orphans:
                terminate(orphan, limits.process)
            else:
                self._orphans[orphan.mark.key] = orphan
        ours = {f"http://127.0.0.1:{orphan.mark.port}" for orphan in self._orphans.values()}
        self.choice = choose(settings, lambda url: url not in ours and answers(url))
        self.servers: list[Server] = []
        self._remote: tuple[Engine, ...] = ()
        if self.choice.row.simulated:
            self._demo()
        elif not self.choice.row.runs_locally:
            self._remote = runpod.engines(settings.runpod)
        elif self.choice.start:
            self._comfyui()
        else:
            self.servers += [Server(url, settings, limits=limits) for url in self.choice.urls]
            if not settings.comfyui_urls:
                self._start_beside_running()
        self._end_orphans()
        self.choice = replace(self.choice, urls=tuple(server.engine.http.address for server in self.servers))
        for server in self.servers:
            threading.Thread(target=self._watch, args=(server,), name="server-watch", daemon=True).start()

    @property
    def engines(self) -> tuple[Engine, ...]:
        return (*(server.engine for server in self.servers), *self._remote)

    @property
    def processes(self) -> list[SupervisedProcess]:
        found = [server.process for server in self.servers]  # read once: another thread may clear it
        return [process for process in found if process is not None]

    # -- starting --------------------------------------------------------------------

    def _demo(self) -> None:
        name = launch.key("demo", self.settings.demo_step_seconds)
        left = self._orphans.pop(name, None)
        self._end_orphans()
        # Outside the data folder: results are copied out of it.
        folder = Path(left.mark.folder) if left is not None else self._run_folder.folder / "demo"
        if left is None:
            shutil.rmtree(folder, ignore_errors=True)
        port = left.mark.port if left is not None else ports.free_port()
        url = f"http://127.0.0.1:{port}"
        server = Server(url, self.settings, DEMO.id, folder / "input", self._limits)
        command = launch.demo_command(port, self.settings.demo_step_seconds, folder)
        mark = self._mark(name, port, "demo", folder)
        self._supervise(server, "demo engine", command, mark, left, cwd=PROJECT).start()
        self.servers.append(server)

    def _comfyui(self) -> None:
        """One for each GPU; from RunPod's folder only after its own start script has had time to start
        one."""
        first = self.settings.comfyui_port
        waits = self.settings.comfyui_dir == self._runpod_folder and not any(
            orphan.mark.port == first for orphan in self._orphans.values()
        )
        made = self._one_per_gpu(self._gpus(), first=first if waits else 0)
        for process in made:
            if not waits or process.taken_over is not None:
                process.start()
        if waits:
            threading.Thread(target=self._start_unless_running, args=(made,), daemon=True).start()

    def _start_beside_running(self) -> None:
        folder = self.settings.comfyui_dir
        if folder is None or not (
            self.settings.comfyui_dir_given or folder in (self._runpod_folder, *IMAGES)
        ):
            return
        found = self._gpus()
        if len(found) < 2:
            return
        used = gpus.used_by(*_command_line(self.settings.comfyui_port), found)
        if used is None:
            log.warning(
                "it is unknown which GPU the ComfyUI on port %d uses: none is started beside it",
                self.settings.comfyui_port,
            )
            return
        for process in self._one_per_gpu([gpu for gpu in found if gpu != used], beside=True):
            process.start()

    def _gpus(self) -> tuple[str, ...]:
        return gpus.visible(os.environ, self.settings.comfyui_args)

    def _one_per_gpu(
        self, found: Sequence[str], *, first: int = 0, beside: bool = False
    ) -> list[SupervisedProcess]:
        """`first`: the port of the first one, even if it is in use now. `beside`: another ComfyUI runs from
        the same folder."""
        same = (self.settings.comfyui_dir, self._python(), self.settings.comfyui_args)
        names = [launch.key(gpu, *same, self.settings.comfyui_listen) for gpu in found]
        left = [self._orphans.pop(name, None) for name in names]
        self._end_orphans()
        taken = {orphan.mark.port for orphan in left if orphan is not None} | {first}
        made = []
        for number, (gpu, name, orphan) in enumerate(zip(found, names, left, strict=True)):
            if orphan is not None:
                port = orphan.mark.port
            elif first and not number:
                port = first
            else:
                port = next(
                    port
                    for port in range(self.settings.comfyui_port, 65_536)
                    if port not in taken and ports.port_is_free(port, self.settings.comfyui_listen)
                )
            taken.add(port)
            made.append(self._comfyui_process(gpu, port, name, orphan, alone=not number and not beside))
        return made

    def _end_orphans(self) -> None:
        """Stops the servers of an earlier run that do not fit the current settings."""
        for orphan in self._orphans.values():
            terminate(orphan, self._limits.process)
        self._orphans.clear()

    def _comfyui_process(
        self, gpu: str, port: int, name: str, left: Orphan | None, *, alone: bool
    ) -> SupervisedProcess:
        folder = self.settings.comfyui_dir
        assert folder is not None  # noqa: S101 - only called for one
        args, python = self.settings.comfyui_args, self._python()

        def command() -> list[str]:
            extra = [*args, *self._model_paths()]
            if not alone:
                own = self._run_folder.folder / str(port)
                own.mkdir(mode=0o700, exist_ok=True)
                extra += launch.own_folders(own, self._known_options(), args)
            return launch.comfyui_command(python, self.settings.comfyui_listen, port, extra)

        moved = any(launch.has_option(args, o) for o in ("--input-directory", "--base-directory"))
        inputs = None if moved else folder / "input"
        server = Server(self._address(port), self.settings, folder=inputs, limits=self._limits)
        mark = self._mark(name, port, f"comfyui-{port}")
        more = {"CUDA_VISIBLE_DEVICES": gpu} if gpu else {}
        process = self._supervise(
            server, f"ComfyUI {port}", command, mark, left, cwd=folder, python=python, **more
        )
        self.servers.append(server)
        return process

    def _supervise(
        self,
        server: Server,
        name: str,
        command: Sequence[str] | Callable[[], Sequence[str]],
        mark: Mark,
        left: Orphan | None,
        *,
        cwd: Path,
        python: str = "",
        **more: str,
    ) -> SupervisedProcess:
        def on_exit(ended: ProcessExit) -> None:
            server.handle_exit(ended)
            self._on_exit(
                postmortem.error(ended, server.name)
                if ended.was_up or server.trouble is None
                else EngineLost.because(server.trouble)
            )

        environment = {name: value for name, value in os.environ.items() if name not in SECRETS}
        process = SupervisedProcess(
            name,
            command,
            Path(mark.log),
            cwd=cwd,
            env={**environment, "PYTHONUNBUFFERED": "1", **more, **mark.environment()},
            taken_over=left,
            restart=self._restart,
            on_exit=on_exit,
            times=self._limits.process,
        )
        server.attach(process, python)
        return process

    def _mark(self, name: str, port: int, log_name: str, folder: Path | None = None) -> Mark:
        output = self._run_folder.folder / f"{log_name}.log"
        return Mark(self._run_folder.name, name, port, str(output), str(folder or ""))

    def _python(self) -> str:
        folder = self.settings.comfyui_dir or Path()
        return launch.comfyui_python(folder, self.settings.comfyui_python)

    def _known_options(self) -> frozenset[str]:
        with self._options_lock:
            if self._options is None:
                self._options = launch.options(self._python(), self.settings.comfyui_dir or Path())
            return self._options

    def _address(self, port: int) -> str:
        """Where a ComfyUI that we start is reached: the address it listens on, loopback for all of them."""
        listen = self.settings.comfyui_listen.partition(",")[0].strip()
        if listen in ("127.0.0.1", "localhost", "0.0.0.0", "::", ""):  # noqa: S104
            return f"http://127.0.0.1:{port}"
        return f"http://{f'[{listen}]' if ':' in listen else listen}:{port}"

    def _model_paths(self) -> list[str]:
        """The option that points ComfyUI to the model store; none when the file cannot be written."""
        if launch.has_option(self.settings.comfyui_args, "--extra-model-paths-config"):
            return []
        target = self.settings.data_dir / "extra_model_paths.yaml"
        try:
            paths.write(self.settings.models_dir, target)
        except StudioError as error:
            log.warning("ComfyUI is started without the model store: %s", error.message)
            return []
        return ["--extra-model-paths-config", str(target)]

    def _start_unless_running(self, made: list[SupervisedProcess]) -> None:
        """Waits until RunPod's image has started this ComfyUI, some minutes after the container, since a
        second one would need the same port; then starts those of the other GPUs. Starts all of them if the
        image does not start one in time."""
        until = time.monotonic() + self.settings.comfyui_wait_seconds
        while time.monotonic() < until and not self._closing.wait(self._limits.search):
            if answers(local_url(self.settings)):
                log.info("ComfyUI is up; the machine's own start script started it")
                self.servers[0].process = None
                made = made[1:]
                break
        if not self._closing.is_set():
            for process in made:
                process.start()

    # -- monitoring ---------------------------------------------------------------------

    def _watch(self, server: Server) -> None:
        """Polls a server, also while its lane is busy; kills one that we started if it hangs."""
        hung, look = self.settings.hung_seconds, self._limits.look
        if server.process is None:  # what is wrong with its address is known when the page is served
            server.engine.refresh()
        while not self._closing.wait(min(look, hung / 4)):
            try:
                self._run_folder.touch()
                if time.monotonic() - server.engine.asked >= look:
                    server.engine.refresh()
                server.check()
            except Exception:  # an unexpected answer must not end the thread
                log.exception("watching %s: unexpected error", server.engine.http.address)

    def recover(self, engine: Engine, error: StudioError) -> StudioError:
        """Replaces the error of a job that lost its server by one that states the cause; kills a hung server.

        For EngineLost, EngineHung and EngineUnreachable of a job on this engine, on the lane's thread. For a
        server that we did not start, returns the error unchanged.
        """
        server = next((server for server in self.servers if server.engine is engine), None)
        return error if server is None or self._closing.is_set() else server.recover(error)

    def close(self) -> None:
        """Stops the servers that we started, and no others."""
        self._closing.set()
        for process in self.processes:
            process.ask_to_stop()
        until = time.monotonic() + self._limits.process.stop  # for all of them together
        for process in self.processes:
            process.stop(until - time.monotonic())
        self._run_folder.release(keep_logs=self.choice.row.keeps_logs)


def _command_line(port: int) -> tuple[list[str], dict[str, str] | None]:
    """The arguments and the environment of the ComfyUI on this port; None when the latter cannot be read."""
    try:
        with requests.Session() as session:
            session.trust_env = False
            argv = session.get(f"http://127.0.0.1:{port}/system_stats", timeout=5).json()["system"]["argv"]
    except (requests.RequestException, ValueError, KeyError, TypeError):
        return [], None
    return [str(word) for word in argv] if isinstance(argv, list) else [], ports.listener_environment(port)
