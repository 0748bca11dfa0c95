"""Downloads of model sets on the System tab: for which GPU, and whether they reach the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from backend.engines.base import EngineInfo
from backend.engines.kinds import kind_of
from backend.errors import BadInput
from backend.models.fetcher import Fetcher
from backend.models.formats import GIB
from backend.models.needs import room
from backend.models.set_options import DEFAULT_GIGABYTES, FORMATS, GPU_LIMITS, SPEEDS, Hardware, Wish
from backend.models.set_plan import PlannedFile
from backend.models.state import FetchProgress, SetEntry, SetOffer, SetRequest
from backend.notices import words
from backend.system.health import on_this_machine


class ModelFetch:
    """Methods may be called from any thread."""

    def __init__(self, fetcher: Fetcher, store: Path, engines: Callable[[], Sequence[EngineInfo]]) -> None:
        self._fetcher, self._store, self._engines = fetcher, store, engines
        self._request: SetRequest | None = None

    def plan(self, request: SetRequest) -> SetOffer:
        """The set for a mode on a GPU, with its sizes. Asks the hub. Raises BadInput."""
        machine = self.hardware(request.gigabytes)
        planned = self._fetcher.plan(_wish(request), machine)
        return SetOffer(
            request, machine.gigabytes, machine.gpu, machine.assumed,
            tuple(_entry(each) for each in planned.files),
            planned.left, planned.have, planned.unknown, planned.free, planned.fits,
            planned.rate, planned.seconds,
            tuple(words(note) for note in planned.chosen.notes),
            tuple(error.message for error in planned.trouble),
        )  # fmt: skip

    def start(self, request: SetRequest) -> None:
        """Starts to download it. Raises BadInput."""
        self._fetcher.start(_wish(request), self.hardware(request.gigabytes))
        self._request = request

    def cancel(self) -> None:
        """Ends the running download."""
        self._fetcher.cancel()

    def progress(self) -> FetchProgress:
        """The download as of now (memory)."""
        state = self._fetcher.state()
        flow = state.flow
        request = self._request if state.wish is not None else None
        return FetchProgress(
            state.stage, request, flow.file, flow.done, flow.size, flow.checking, flow.fetched, flow.total,
            flow.rate, flow.seconds, tuple(error.message for error in state.errors),
        )  # fmt: skip

    def available(self) -> bool:
        """Whether files in this machine's store are files of the engine (memory)."""
        infos = self._engines()
        return not infos or any(
            not kind_of(info).has_workers and on_this_machine(info.address) for info in infos
        )

    def hardware(self, gigabytes: int = 0) -> Hardware:
        """The machine that runs the models, or one with a GPU of so many gigabytes. Raises BadInput."""
        if not self.available():
            raise BadInput.of("fetch_elsewhere")
        if gigabytes and not GPU_LIMITS[0] <= gigabytes <= GPU_LIMITS[1]:
            raise BadInput.of("set_gpu_wrong", given=str(gigabytes))
        infos = [one for one in self._engines() if not kind_of(one).simulated]
        return hardware(next((one for one in infos if one.vram_total), None), gigabytes, self._store)


def hardware(info: EngineInfo | None, gigabytes: int, store: Path, gguf: bool | None = None) -> Hardware:
    """The machine of a server, None while none answers; gigabytes: of the GPU, 0 for the server's own.
    gguf: what is known of its loader nodes without the server."""
    if info is not None and info.models:
        gguf = "unet_gguf" in info.models
    free = room(store)[0]
    if gigabytes:
        return Hardware(gigabytes * GIB, 0, gguf, free)
    if info is None or not info.vram_total:
        return Hardware(DEFAULT_GIGABYTES * GIB, 0, gguf, free, assumed=True)
    return Hardware(info.vram_total, info.ram_total, gguf, free, info.gpu)


def _wish(request: SetRequest) -> Wish:
    """The request as the rules take it. Raises BadInput for values that they do not know."""
    speed = next((one for one in SPEEDS if one == request.speed), None)
    form = next((one for one in FORMATS if one == request.format), None)
    if speed is None:
        raise BadInput.of("set_value_wrong", given=request.speed, names=SPEEDS[1:])
    if form is None:
        raise BadInput.of("set_value_wrong", given=request.format, names=FORMATS)
    return Wish(request.mode, speed, form, request.distilled, request.setting)


def _entry(each: PlannedFile) -> SetEntry:
    return SetEntry(each.file.title, each.file.name, each.file.folder, each.size, each.have, each.used)
