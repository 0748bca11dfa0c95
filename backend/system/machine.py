"""The state of this machine: its engines, models, queue, database and disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from backend.engines.base import Engine, EngineInfo
from backend.errors import BadInput
from backend.models.choices import NAME, Choice, Choices
from backend.models.state import ModelScan
from backend.notices import words
from backend.settings.model import Settings
from backend.system import diagnostics, health
from backend.system.model_servers import choice_on
from workflows.catalog import load_catalog
from workflows.notice import Notice


class Queue(Protocol):
    """What the scheduler reports."""

    @property
    def trouble(self) -> str:
        """Why no job can be started although the engines work, in a sentence; "" while one can."""

    @property
    def full_disks(self) -> list[str]:
        """A sentence for each full disk that holds videos up."""

    def counts(self) -> tuple[int, int]:
        """(running, waiting)."""


class Machine:
    """Methods may be called from any thread."""

    def __init__(
        self,
        settings: Settings,
        engines: Sequence[Engine],
        queue: Queue,
        check_database: Callable[[], Notice | None],
        exits: Callable[[], list[Notice | None]],
    ) -> None:
        """`check_database`: what is wrong with it. `exits`: why servers that the studio started ended."""
        self._settings, self._engines, self._queue = settings, engines, queue
        self._check_database, self._exits = check_database, exits

    def engines(self) -> list[EngineInfo]:
        """One per lane (memory)."""
        return [engine.info() for engine in self._engines]

    def model_scan(self) -> ModelScan:
        """The catalogue as this machine and its server have it; reads names, sizes and headers of files."""
        return health.scan(self._settings, self.engines())

    def choose_model(self, role: str, file: str, distilled: bool | None) -> None:
        """Stores the file for a role, "" for no choice. Raises BadInput, ModelStoreError, NoRoom."""
        if role not in {each.role for each in load_catalog().files}:
            raise BadInput.of("model_role_unknown", role=role)
        choices = Choices(self._settings.data_dir / NAME)
        if not file:
            choices.use(role, None)
            return
        chosen, _ = choice_on(self._settings, role, Choice(file, distilled), self.engines())
        choices.use(role, chosen)

    def status(self) -> str:
        """starting, ok or degraded (memory)."""
        return health.status(self.engines(), self._queue.trouble)

    def health(self, scan: ModelScan | None = None) -> dict[str, Any]:
        """The facts of the System tab: each server, the queue, the database, the disk.

        `scan`: a model scan that the caller has already; without one, a new scan is made.
        """
        engines, trouble = self.engines(), self._queue.trouble
        running, waiting = self._queue.counts()
        up = health.status(engines) == "ok"
        exits = [] if up else self._exits()
        return {
            "status": self.status(),
            "trouble": trouble,
            "engine": engines[0].kind,
            "queue": {"waiting": waiting, "running": running},
            "servers": health.servers(engines),
            "database": words(self._check_database()) or "ok",
            "disk": health.disk(self._settings.data_dir),
            "notes": [
                *filter(None, [trouble]),
                *self._queue.full_disks,
                *diagnostics.in_system(self._settings, engines, (scan or self.model_scan()).files, exits),
            ],
        }
