"""Fetches a set of model files in the background: one download at a time, which can be cancelled."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from backend.errors import BadInput, StudioError
from backend.models.errors import ModelDownloadCancelled
from backend.models.inventory import FileState
from backend.models.meter import Flow, LastSpeed, Meter
from backend.models.needs import states
from backend.models.progress import Progress, Verified
from backend.models.set_options import Hardware, Wish
from backend.models.set_plan import SetPlan, plan, states_of
from backend.models.sets import choose
from workflows.catalog import Catalog, load_catalog

if TYPE_CHECKING:
    from backend.models.hub import Hub
    from backend.settings.model import Settings

log = logging.getLogger("wan.models.fetcher")

JOIN_SECONDS = 10.0
"""How long closing waits for the download to stop."""
NO_FLOW = Flow()
Stage = Literal["idle", "running", "stopping", "done", "failed", "cancelled"]


@dataclass(frozen=True)
class FetchState:
    """The last download, or the one that runs. errors: why it failed, or which files could not be fetched."""

    stage: Stage = "idle"
    wish: Wish | None = None
    gigabytes: int = 0  # of the GPU that the set is for
    flow: Flow = NO_FLOW
    errors: tuple[StudioError, ...] = ()

    @property
    def busy(self) -> bool:
        return self.stage in ("running", "stopping")


def default_hub() -> Hub:
    """The hub that the environment names; importing its library takes a second."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when the library is imported
    from backend.models.hub import Hub

    return Hub()


class Fetcher:
    """Downloads into the model store of this machine. Any thread may ask; `state` is memory."""

    def __init__(
        self,
        settings: Settings,
        hub: Callable[[], Hub] = default_hub,
        catalog: Catalog | None = None,
        verified: Verified = lambda path, sha256: None,
    ) -> None:
        """verified: called with each file that has arrived, and its sha256."""
        self._verified = verified
        self._settings, self._hub = settings, hub
        self._catalog = catalog or load_catalog()
        self._lock = threading.Lock()
        self._state = FetchState()
        self._meter = Meter()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._closed = False
        self.speed = LastSpeed(settings.data_dir)

    def plan(self, wish: Wish, machine: Hardware) -> SetPlan:
        """The set with its sizes. Asks the hub. Raises BadInput."""
        return self._planned(wish, machine)[0]

    def state(self) -> FetchState:
        """The download as of now (memory)."""
        with self._lock:
            known = self._state
        flow = self._meter.flow() if known.busy else known.flow
        return FetchState(known.stage, known.wish, known.gigabytes, flow, known.errors)

    def start(self, wish: Wish, machine: Hardware) -> None:
        """Starts a download in the background. Raises BadInput while one runs, and for an unusable wish."""
        choose(wish, machine, self._catalog, self._found(machine))
        with self._lock:
            if self._state.busy or self._closed:
                raise BadInput.of("fetch_running")
            self._stop = threading.Event()
            self._meter = Meter()
            self._state = FetchState("running", wish, machine.gigabytes)
            self._thread = threading.Thread(
                target=self._run, args=(wish, machine), name="model download", daemon=True
            )
            self._thread.start()
        log.info("download of the models of %s for %d GB: started", wish.mode, machine.gigabytes)

    def cancel(self) -> None:
        """Ends the download that runs, if one does; what has arrived is kept."""
        with self._lock:
            if self._state.stage == "running":
                self._state = FetchState("stopping", self._state.wish, self._state.gigabytes)
                self._stop.set()

    def close(self) -> None:
        """Cancels and waits a little."""
        with self._lock:
            self._closed, thread = True, self._thread
        self.cancel()
        if thread is not None:
            thread.join(JOIN_SECONDS)

    def _found(self, machine: Hardware) -> Mapping[str, FileState]:
        return {
            state.file.role: state
            for state in states(self._settings, None, self._catalog, vram=machine.vram).files
        }

    def _planned(self, wish: Wish, machine: Hardware) -> tuple[SetPlan, Mapping[str, FileState]]:
        found = self._found(machine)
        chosen = choose(wish, machine, self._catalog, found)
        return plan(chosen, self._settings.models_dir, self._hub(), self.speed.read()), found

    def _check(self) -> None:
        if self._stop.is_set():
            raise ModelDownloadCancelled.of("fetch_cancelled")

    def _watch(self, name: str, total: int, done: int, checking: bool) -> Callable[[int], None]:
        count = self._meter.watch(name, total, done, checking)

        def came(number: int) -> None:
            count(number)
            self._check()

        return came

    def _wait(self, seconds: float) -> None:
        self._stop.wait(seconds)
        self._check()

    def _run(self, wish: Wish, machine: Hardware) -> None:
        errors: tuple[StudioError, ...] = ()
        stage: Stage = "done"
        try:
            hub = self._hub()
            from backend.models.download import download  # imports the hub's library

            found = self._found(machine)
            files = choose(wish, machine, self._catalog, found).to_fetch
            progress = Progress(
                lambda line: log.info("%s", line.strip()), watch=self._watch, verified=self._verified
            )
            refused = download(
                files, states_of(files, found, self._settings), self._settings.models_dir, hub,
                progress, self._wait, self._meter, self._check,
            )  # fmt: skip
            errors, stage = tuple(refused), "failed" if refused else "done"
        except ModelDownloadCancelled:
            stage = "cancelled"
        except StudioError as error:
            errors, stage = (error,), "failed"
        except Exception:
            log.exception("the download of models failed")
            errors, stage = (StudioError.of("fetch_failed"),), "failed"
        self.speed.write(self._meter.average())
        with self._lock:
            self._state = FetchState(stage, wish, machine.gigabytes, self._meter.flow(), errors)
        log.info("download of models: %s", stage)
