"""A complete studio with scripted engines, and functions that wait for its jobs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from backend.engines.base import Prompt
from backend.errors import StudioError
from backend.events import Event
from backend.jobs.job import TERMINAL
from backend.jobs.views import JobView
from backend.servers.choice import Choice
from backend.servers.process import SupervisedProcess
from backend.studio import Studio
from tests.support.fake_engine import FakeEngine
from tests.support.waiting import SECONDS, until

Make = Callable[..., Studio]
OWNER = "owner-token-of-mine-0001"
SMALL = {"width": 64, "height": 64, "seconds": 0.5}
SOUND = {"width": 64, "height": 64, "seed": 7}


class Servers:
    """The studio's servers, replaced by scripted engines."""

    def __init__(self, *engines: FakeEngine) -> None:
        self.engines = engines
        self.choice = Choice("comfyui", ("http://fake",), start=False)
        self.processes: list[SupervisedProcess] = []

    def recover(self, engine: FakeEngine, error: StudioError) -> StudioError:
        return error

    def close(self) -> None:
        pass


def ended(studio: Studio, job: JobView, seconds: float = SECONDS) -> JobView:
    """Waits until the job has ended in the store and in its view, and returns it."""
    until(lambda: studio.progress(job.id, job.key).status in TERMINAL, seconds)
    return until(lambda: (now := studio.job(job.id, job.key, OWNER)).status in TERMINAL and now, seconds)


def speak(studio: Studio, tone: Path, earlier: JobView | None = None) -> JobView:
    return studio.submit(OWNER, "sound_to_video", SOUND, {"audio": tone}, earlier)


def stop_at(index: int, error: Exception) -> Callable[[Prompt, Callable[[Event], None]], None]:
    """A script that fails once, at the graph with this index."""
    left = [error]

    def script(prompt: Prompt, _: Callable[[Event], None]) -> None:
        if prompt.index == index and left:
            raise left.pop()

    return script
