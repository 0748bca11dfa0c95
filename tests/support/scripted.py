"""A whole studio over scripted engines, and waiting for what it does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from backend.errors import StudioError
from backend.jobs import TERMINAL
from backend.servers import Plan as ServerPlan
from backend.studio import Studio
from backend.views import JobView
from tests.support.fake_engine import FakeEngine

Make = Callable[..., Studio]
OWNER = "owner-token-of-mine-0001"


class Servers:
    """The studio's servers, replaced by scripted engines."""

    def __init__(self, *engines: FakeEngine) -> None:
        self.engines = engines
        self.plan = ServerPlan("comfyui", ("http://fake",), start=False)
        self.processes: list[Any] = []

    def recover(self, engine: FakeEngine, error: StudioError) -> StudioError:
        return error

    def close(self) -> None:
        pass


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.01)
    raise AssertionError("it did not come to pass")


def ended(studio: Studio, job: JobView, seconds: float = 20.0) -> JobView:
    """The job when it has ended, on disk and then for those who watch it."""
    until(lambda: studio.progress(job.id, job.key).status in TERMINAL, seconds)
    return until(lambda: (now := studio.job(job.id, job.key)).status in TERMINAL and now, seconds)
