"""Prompts for ComfyEngine, and runs of them in a thread that record the events."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from backend.engines.base import Prompt
from backend.engines.comfy.engine import ComfyEngine
from backend.engines.comfy.timing import Timing
from backend.events import Connection, Event, Output, Preview, Progress, Started
from tests.support.fake_comfy import FakeComfy
from tests.support.transcripts import Transcript, named
from tests.support.waiting import SECONDS, until
from workflows.catalog import load_catalog
from workflows.compile import compile
from workflows.modes.image_to_video import ImageToVideo
from workflows.params.media import Media

COLD = named("success_i2v_cold")
NAME = "wan-studio/demo-test.png"
OFTEN = Timing(
    receive=0.02,
    first_poll=0.01,
    queue_poll=0.03,
    idle_poll=0.1,
    offline_poll=0.02,
    interrupt_interval=0.03,
)
"""Short times between two requests, so that a test waits little."""
FAST = replace(OFTEN, reopen_after=60.0, refused_limit=60.0, error_limit=60.0, connect=60.0)
"""No limit that a slow machine could reach."""
REFUSED = replace(FAST, refused_limit=0.2)
REAL = Output("i2v4_00010_.mp4", "rig", "output")
_seeds = iter(range(1, 1000))


def prompt(transcript: Transcript = COLD, files: dict[str, Path] | None = None, **more: Any) -> Prompt:
    labels = transcript.labels(transcript.posted()[0])
    graph: dict[str, Any] = {"5": {"class_type": "LoadImage", "inputs": {"image": "wan-studio/a.png"}}}
    steps = sum(label.steps for label in labels.values())
    return Prompt(**{"id": str(uuid.uuid4()), "graph": graph, "labels": labels, "sampling_steps": steps,
                     "files": files or {}, **more})  # fmt: skip


def adjustable(timing: Timing) -> Any:
    """A copy whose values can be changed while a prompt is monitored: generous limits until the test has what
    it waits for, a short one for the limit that it is about."""
    return SimpleNamespace(**vars(timing))


class Run:
    """A run in its own thread, with the events it reported."""

    def __init__(self, engine: ComfyEngine, job: Prompt, method: str = "run") -> None:
        self.job = job
        self.events: list[Event] = []
        self._changed = threading.Condition()
        self._pool = ThreadPoolExecutor(1)
        self._future: Future[tuple[Output, ...]] = self._pool.submit(getattr(engine, method), job, self._on)
        self._pool.shutdown(wait=False)

    def _on(self, event: Event) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def until(self, test: Callable[[list[Event]], bool], seconds: float = SECONDS) -> None:
        with self._changed:
            self._changed.wait_for(lambda: test(self.events) or self._future.done(), seconds)
            told = [event for event in self.events if not isinstance(event, Preview)]
            assert test(self.events), (told, self._future.exception() if self._future.done() else "runs")

    def result(self, seconds: float = SECONDS) -> tuple[Output, ...]:
        return self._future.result(seconds)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def has(kind: type[Any], **fields: Any) -> Callable[[list[Event]], bool]:
    return lambda events: any(
        isinstance(event, kind) and all(getattr(event, key) == value for key, value in fields.items())
        for event in events
    )


def in_order(run: Run) -> None:
    steps = [event.step for event in run.of(Progress)]
    assert steps == sorted(set(steps))
    assert len(run.of(Started)) <= 1


def compiled_prompt(engine: ComfyEngine, picture: Path, seed: int = 0) -> Prompt:
    params = ImageToVideo(
        image=Media(NAME, 96, 64),
        seed=seed or next(_seeds),
        prompt="Wind",
        speed="fast",
        width=96,
        height=64,
        seconds=1.0,
    )
    job = compile(params, load_catalog(), engine.facts(), f"test-{uuid.uuid4().hex[:6]}")
    return Prompt(str(uuid.uuid4()), job.graphs[0], job.labels[0], job.sampling_steps, {NAME: picture})


def split(transcript: Transcript, text: str) -> tuple[list[Any], list[Any]]:
    """The frames up to and with the first that contains the text, and the rest."""
    frames = list(transcript.frames())
    index = next(n for n, frame in enumerate(frames) if isinstance(frame, str) and text in frame)
    return frames[: index + 1], frames[index + 1 :]


def reconnected(server: FakeComfy, run: Run) -> None:
    """Waits until the socket is back and the server was asked what happened meanwhile."""
    run.until(has(Connection, connected=True))
    asked = server.count("GET", "/queue")
    until(lambda: server.count("GET", "/queue") > asked)
