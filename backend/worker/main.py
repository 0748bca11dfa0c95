"""`python app.py worker`: starts ComfyUI and runs the handler in the RunPod SDK's loop."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import platform
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
from backend.jobs.server_facts import found_by
from backend.jobs.used_files import UsedFiles
from backend.media.decoder import Decoder
from backend.models import file_hashes
from backend.models.choices import NAME, Choices
from backend.models.file_hashes import FileHashes
from backend.models.finder import Finder, roots_of
from backend.models.hasher import Hasher
from backend.servers.choice import choose
from backend.servers.fleet import Servers
from backend.worker.claims import Claims
from backend.worker.handler import Worker
from backend.worker.job_input import Limits
from backend.worker.results import DeliveryOptions, bucket_upload, remove_old_results
from workflows.notice import made

if TYPE_CHECKING:
    from backend.settings.model import Settings

log = logging.getLogger("wan.worker")

WATCH_SECONDS = 2.0  # between checks whether ComfyUI has ended
REPORT_SECONDS = 10.0  # maximum wait for unsent progress reports
FAILURE_SECONDS = 15.0  # for running jobs to report their failure after ComfyUI has ended
EXIT_SECONDS = 3.0  # for the SDK to send the last result


def add_worker(commands: Any) -> None:
    """Adds the `worker` command to the argument parser."""
    commands.add_parser(
        "worker",
        help="run as a worker of a RunPod Serverless endpoint",
        description="Processes the jobs of a RunPod Serverless endpoint. Options of the SDK are passed on:"
        " --rp_serve_api --rp_api_host HOST --rp_api_port PORT serves /runsync on this machine, for tests.",
    )


def worker_settings(settings: Settings) -> Settings:
    """The settings for a worker, which never uses RunPod as its engine.

    RunPod sets RUNPOD_ENDPOINT_ID inside its workers, so a worker with that engine would send its jobs to its
    own endpoint. Raises BadSettings without ComfyUI, unless the demo engine is configured.
    """
    engine = "auto" if settings.engine == "runpod" else settings.engine
    runpod = settings.runpod.model_copy(update={"endpoint_id": "", "api_key": ""})
    adjusted = settings.model_copy(update={"engine": engine, "runpod": runpod})
    if settings.engine != "demo" and KINDS[choose(adjusted).kind].simulated:
        raise BadSettings.of("worker_without_comfyui", port=settings.comfyui_port)
    return adjusted


def run_worker(settings: Settings, options: Sequence[str], environ: Mapping[str, str] = os.environ) -> int:
    """Processes jobs until the SDK's loop ends. Raises BadSettings, EngineUnreachable."""
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
                "no network volume at %s: workers cannot share their records, so a video may be made twice"
                " if its request is sent twice",
                settings.worker.volume,
            )
        remove_old_results(volume, time.time())
        hasher = Hasher(FileHashes((volume or folder) / "wan-studio" / file_hashes.NAME))
        stack.callback(hasher.close)
        claims = Claims((volume or folder) / "wan-studio" / "claims")
        worker = Worker(
            servers.engines, decoder, claims, folder, limits, delivery,
            minutes=settings.worker.minutes,
            report=_reporter(sdk, environ),
            flush_reports=_flush_reports,
            recover=servers.recover,
            facts_of=found_by(Finder(settings, Choices(settings.data_dir / NAME))),
            recipes=settings.recipes,
            used=UsedFiles(hasher, lambda: roots_of(settings)),
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
        sys.argv = [sys.argv[0], *options, *quiet]  # the SDK parses sys.argv

        async def handler(job: dict[str, Any]) -> dict[str, Any]:
            return await worker.handle(job)

        def concurrency(_: int) -> int:
            stop.install()
            return lanes

        sdk.start({"handler": handler, "concurrency_modifier": concurrency})
    return 0


def _sdk(folder: Path) -> Any:
    """Imports RunPod's SDK with `folder` as its state folder. Raises BadSettings if it is not installed.

    The SDK stores the running jobs in a file in the current folder at import. Entries of a killed worker
    would count as running forever, so each process needs its own folder.
    """
    before = Path.cwd()
    os.chdir(folder)
    try:
        _skip_cpu_probe()
        import runpod.serverless as sdk
        from runpod.serverless.modules import worker_state
    except ImportError as error:
        raise BadSettings.of("worker_without_sdk") from error
    finally:
        os.chdir(before)
    log.debug("the SDK stores its state in %s", worker_state.JobsProgress._STATE_DIR)
    return sdk


def _skip_cpu_probe() -> None:
    """Gives the SDK a processor name for its debug output without asking py-cpuinfo, which starts processes
    at import and polls them without a pause: 1.2 s of each cold start, up to minutes on a busy machine."""
    import cpuinfo

    cpuinfo.get_cpu_info = lambda: {"brand_raw": platform.machine()}


def _leave(*_: object) -> None:
    """Handles SIGTERM before the SDK's loop has started, and after its local server has ended."""
    raise SystemExit(0)


class _SigtermHandler:
    """Handles SIGTERM. The SDK's handler lets the running job end and then waits for its last request for
    jobs, which can take more than a minute. This handler ends the process as soon as no job is running."""

    def __init__(self, worker: Worker, servers: Servers) -> None:
        self._worker, self._servers = worker, servers
        self._sdk_handler: Any = None

    def install(self) -> None:
        """Installs this handler after the SDK's, which it calls. Called in the SDK's loop on the main
        thread."""
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
        for child in multiprocessing.active_children():  # the SDK's process that pings RunPod
            child.kill()
        os._exit(0)


def wait_until_up(servers: Servers, seconds: float) -> None:
    """Waits until a ComfyUI responds. Raises EngineUnreachable if none does, or if one ends."""
    until = time.monotonic() + seconds
    while not any(engine.refresh().state == "ok" for engine in servers.engines):
        if comfyui_ended(servers):
            trouble = next((server.trouble for server in servers.servers if server.trouble), None)
            raise EngineUnreachable.because(trouble or made("worker_comfyui_stopped", {}))
        if time.monotonic() > until:
            raise EngineUnreachable.of("worker_comfyui_late", seconds=seconds)
        time.sleep(0.25)


def comfyui_ended(servers: Servers) -> bool:
    """Whether a ComfyUI of this worker has ended; a worker does not restart it."""
    return any(process.over for process in servers.processes)


def writable(volume: Path) -> Path | None:
    """The network volume if it exists and is writable, else None."""
    return volume if volume.is_dir() and os.access(volume, os.W_OK | os.X_OK) else None


def _watch(servers: Servers, closing: threading.Event) -> None:
    """Ends the process after ComfyUI has ended, so that RunPod starts another worker. Running jobs get
    FAILURE_SECONDS to report their failure."""
    while not closing.wait(WATCH_SECONDS):
        if comfyui_ended(servers):
            log.critical("ComfyUI ended; the worker exits, so that RunPod starts another one")
            if not closing.wait(FAILURE_SECONDS):
                servers.close()
                os._exit(1)


def _reporter(sdk: Any, environ: Mapping[str, str]) -> Any:
    """The SDK's progress_update; a function that does nothing if RunPod's API is not configured."""
    if not environ.get("RUNPOD_WEBHOOK_POST_OUTPUT"):
        return lambda job, shown: None
    return lambda job, shown: sdk.progress_update(dict(job), dict(shown))


def _flush_reports() -> None:
    """Waits for the SDK's unsent progress reports, each of which is a thread. If one arrived after the
    result, the job would appear to be still running."""
    until = time.monotonic() + REPORT_SECONDS
    for thread in threading.enumerate():
        if "_thread_target" in thread.name:
            thread.join(max(0.0, until - time.monotonic()))
