"""`python app.py worker`: ComfyUI and the RunPod SDK's loop around the handler."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.engines.kinds import KINDS
from backend.errors import BadSettings, EngineUnreachable
from backend.media.decoder import Decoder
from backend.servers.fleet import Servers
from backend.servers.plan import choose
from backend.settings.model import Settings
from backend.worker.claims import Claims
from backend.worker.handler import Worker
from backend.worker.job_input import Limits
from backend.worker.results import DeliveryOptions, bucket_upload, remove_old_results

if TYPE_CHECKING:
    from backend.settings.model import Settings

log = logging.getLogger("wan.worker")

WATCH_SECONDS = 2.0
REPORT_SECONDS = 10.0
FAILURE_SECONDS = 15.0
EXIT_SECONDS = 3.0


def add_worker(commands: Any) -> None:
    """The `worker` command."""
    commands.add_parser(
        "worker",
        help="be a worker of a RunPod Serverless endpoint",
        description="Takes the jobs of a RunPod Serverless endpoint. Options of the SDK are passed on:"
        " --rp_serve_api --rp_api_host HOST --rp_api_port PORT serves /runsync here, for trying out.",
    )


def worker_settings(settings: Settings) -> Settings:
    """The settings of a worker: RunPod sets RUNPOD_ENDPOINT_ID inside its workers, and one that sent its
    jobs to that endpoint would call, and pay for, itself.

    Raises BadSettings when there is no ComfyUI; the demo engine runs only when it is asked for.
    """
    engine = "auto" if settings.engine == "runpod" else settings.engine
    runpod = settings.runpod.model_copy(update={"endpoint_id": "", "api_key": ""})
    adjusted = settings.model_copy(update={"engine": engine, "runpod": runpod})
    if settings.engine != "demo" and KINDS[choose(adjusted).kind].simulated:
        raise BadSettings(
            f"The worker has no ComfyUI: none on port {settings.comfyui_port}, and no folder that it can"
            " start.",
            "Use the gpu image, or set COMFYUI_DIR; WAN_ENGINE=demo tries the worker out without WAN.",
        )
    return adjusted


def run_worker(settings: Settings, options: Sequence[str], environ: Mapping[str, str] = os.environ) -> int:
    """Serves until the SDK ends. Raises BadSettings, EngineUnreachable."""
    settings = worker_settings(settings)
    signal.signal(signal.SIGTERM, _leave)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wan-worker-")))
        sdk = _sdk(folder)
        servers = Servers(settings, restart=False)
        stack.callback(servers.close)
        decoder = stack.enter_context(Decoder(max_file_mb=settings.max_upload_mb))
        wait_until_up(servers, settings.worker.start_seconds)
        closing = threading.Event()
        stack.callback(closing.set)
        threading.Thread(target=_watch, args=(servers, closing), name="comfyui-watch", daemon=True).start()
        volume = writable(settings.worker.volume)
        limits = Limits(settings.max_upload_mb * 1_000_000, settings.worker.volume)
        delivery = DeliveryOptions(round(settings.worker.result_mb * 1e6), volume, bucket_upload(environ))
        if volume is None:
            log.warning(
                "there is no network volume at %s: what other workers do is not known, and a video whose"
                " request was sent twice may be made twice",
                settings.worker.volume,
            )
        remove_old_results(volume, time.time())
        claims = Claims((volume or folder) / "wan-studio" / "claims")
        worker = Worker(
            servers.engines, decoder, claims, folder, limits, delivery,
            minutes=settings.worker.minutes,
            report=_reporter(sdk, environ),
            flush_reports=_flush_reports,
            recover=servers.recover,
        )  # fmt: skip
        if delivery.upload:
            destination = "go to the bucket"
        else:
            destination = (
                f"of up to {delivery.file_bytes / 1e6:.1f} MB go into the response,"
                f" larger ones {'to the volume' if volume else 'are refused'}"
            )
        log.info("worker: %s; results %s", servers.engines[0].info().address, destination)
        stop = _SigtermHandler(worker, servers)
        lanes = len(servers.engines)
        quiet = () if any("rp_log_level" in option for option in options) else ("--rp_log_level", "INFO")
        sys.argv = [sys.argv[0], *options, *quiet]  # the SDK reads its options there

        async def handler(job: dict[str, Any]) -> dict[str, Any]:
            return await worker.handle(job)

        def concurrency(_: int) -> int:
            stop.install()
            return lanes

        sdk.start({"handler": handler, "concurrency_modifier": concurrency})
    return 0


def _sdk(folder: Path) -> Any:
    """RunPod's SDK. Where it is imported, it keeps the inputs of jobs in hand in a file, and counts those as
    in hand for ever that a killed worker left: so that is a folder of this process alone.

    Raises BadSettings.
    """
    before = Path.cwd()
    os.chdir(folder)
    try:
        import runpod.serverless as sdk
        from runpod.serverless.modules import worker_state
    except ImportError as error:
        raise BadSettings(
            "The RunPod SDK is not installed.", "Run: .venv/bin/pip install -r requirements-worker.txt"
        ) from error
    finally:
        os.chdir(before)
    log.debug("the SDK keeps its state in %s", worker_state.JobsProgress._STATE_DIR)
    return sdk


def _leave(*_: object) -> None:
    """SIGTERM until the SDK has its loop, and after its local server has ended."""
    raise SystemExit(0)


class _SigtermHandler:
    """SIGTERM. The SDK's own handler lets the job in hand end, and then waits for its last question for
    jobs, a minute or more: without a job the process ends before."""

    def __init__(self, worker: Worker, servers: Servers) -> None:
        self._worker, self._servers = worker, servers
        self._sdk_handler: Any = None

    def install(self) -> None:
        """Puts us behind the SDK's handler; called in its loop, on the main thread."""
        now = signal.getsignal(signal.SIGTERM)
        if now not in (self._handle, _leave):
            self._sdk_handler = now
            signal.signal(signal.SIGTERM, self._handle)

    def _handle(self, number: int, frame: Any) -> None:
        self._sdk_handler(number, frame)
        threading.Thread(target=self._leave, name="leaving", daemon=True).start()

    def _leave(self) -> None:
        while self._worker.busy:
            time.sleep(0.2)
        time.sleep(EXIT_SECONDS)  # for the SDK to send the last result
        self._servers.close()
        for child in multiprocessing.active_children():  # the SDK's, which tells RunPod that we are alive
            child.kill()
        os._exit(0)


def wait_until_up(servers: Servers, seconds: float) -> None:
    """Takes no job before ComfyUI can work on it. Raises EngineUnreachable."""
    until = time.monotonic() + seconds
    while not any(engine.refresh().state == "ok" for engine in servers.engines):
        if comfyui_ended(servers):
            words = next((server.trouble for server in servers.servers if server.trouble), "ComfyUI stopped.")
            raise EngineUnreachable(words, "See the log for ComfyUI's last output.")
        if time.monotonic() > until:
            raise EngineUnreachable(
                f"ComfyUI did not start within {seconds:g} s.",
                "WAN_WORKER_START_SECONDS allows more; the log has what ComfyUI said.",
            )
        time.sleep(0.25)


def comfyui_ended(servers: Servers) -> bool:
    """Whether a ComfyUI of ours has ended; a worker's is not started again."""
    return any(process.over for process in servers.processes)


def writable(volume: Path) -> Path | None:
    """The network volume, when there is one that can be written to."""
    return volume if volume.is_dir() and os.access(volume, os.W_OK | os.X_OK) else None


def _watch(servers: Servers, closing: threading.Event) -> None:
    """Ends the process when ComfyUI is gone: RunPod then starts another worker. A job in hand has a moment to
    say that it failed."""
    while not closing.wait(WATCH_SECONDS):
        if comfyui_ended(servers):
            log.critical("ComfyUI ended; the worker ends too, so that RunPod starts another one")
            if not closing.wait(FAILURE_SECONDS):
                servers.close()
                os._exit(1)


def _reporter(sdk: Any, environ: Mapping[str, str]) -> Any:
    """The SDK's progress_update; nothing where nobody would take it."""
    if not environ.get("RUNPOD_WEBHOOK_POST_OUTPUT"):
        return lambda job, shown: None
    return lambda job, shown: sdk.progress_update(dict(job), dict(shown))


def _flush_reports() -> None:
    """Waits for the SDK's reports that are on their way (a thread each): one that came after the result
    would say that the job still runs."""
    until = time.monotonic() + REPORT_SECONDS
    for thread in threading.enumerate():
        if "_thread_target" in thread.name:
            thread.join(max(0.0, until - time.monotonic()))
