"""A studio without a page on demo engines, where the app, its engine or both are killed at a named moment.

with forked() as run:
    status = run(Order(...))

Each run is a fork of one process that has everything imported. It sends the requests of a scenario, as a page
does: one that was not answered is sent again under the same id. Each job is killed once at that moment, so
the caller repeats the run until it is no longer killed. FOLDER/engines.json has the processes of the engines,
FOLDER/moments a line for each moment that was reached, FOLDER/requests.json what was answered.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from backend.errors import NotFound
from tests.support.paths import ROOT

OF_CHILD = (
    "before it is on disk", "submitted", "before the post", "posted", "mid-steps", "result", "fetched",
    "recipe is written", "before its end is saved", "its end is saved",
)  # fmt: skip
OF_RUNPOD = ("sent",)
"""RunPod has the job, and its id of it is not on disk yet."""
OF_SHEET = ("sheet is made", "before the parent's end is saved", "the parent's end is saved")
OF_JOIN = ("a part is linked", "parts are joined", *OF_SHEET[1:])
OF_LINK = ("before the link", "half linked", "linked", "inputs are made")
OF_AGAIN = ("a result is taken over", "before it is on disk", "submitted", "posted", "sheet is made")
OF_REMOVAL = ("hidden", "folder is renamed", "files are removed", "record is removed")
MOMENTS = {
    "variations": (*OF_CHILD, *OF_SHEET),
    "extend": (*OF_CHILD, *OF_JOIN),
    "results": OF_LINK,
    "again": OF_AGAIN,
    "keep": OF_REMOVAL,
    "delete": OF_REMOVAL,
}
"""Scenario -> its moments, in their order."""
APP, ENGINE, BOTH = "app", "engine", "both"
SMALL = {"width": 64, "height": 64, "seconds": 0.5, "speed": "fast"}
UNDO_SECONDS = 0.2
END_SECONDS = 300.0
OWNER = "owner-token-of-mine-0001"


@dataclass(frozen=True)
class Order:
    """One run. `moment`: "" for none; `target`: what is killed; `settings`: of the app; `most`: kills."""

    folder: str
    scenario: str
    moment: str
    target: str
    settings: dict[str, str] = field(default_factory=dict)
    most: int = 1_000


Run = Callable[[Order], int]


@contextlib.contextmanager
def forked() -> Iterator[Run]:
    """A function that makes one run, and returns its exit status."""
    command = [sys.executable, "-m", "tests.support.killed_chain"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdin is not None and parent.stdout is not None
        given, answers = parent.stdin, parent.stdout

        def run(order: Order) -> int:
            given.write(json.dumps(asdict(order)) + "\n")
            given.flush()
            return int(answers.readline())

        yield run
        given.close()


def moments(folder: Path) -> list[dict[str, Any]]:
    """The moments that were reached, in their order: name, job, time, and whether something was killed."""
    path = folder / "moments"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


class Strikes:
    """Notes each moment of a job, and kills at the ordered one, once for each job."""

    def __init__(self, order: Order) -> None:
        self.order, self.folder = order, Path(order.folder)
        self.done = {note["job"] for note in moments(self.folder) if note["struck"]}
        self.lock = threading.Lock()
        self.supervised: Callable[[], int | None] = lambda: None  # the process of an engine of the app
        self.address = threading.local()  # of the engine that this thread's lane drives

    def at(self, moment: str, job: str) -> None:
        with self.lock:
            left = len(self.done) < self.order.most
            strikes = left and moment == self.order.moment and job not in self.done
            note = {"moment": moment, "job": job, "at": time.time(), "struck": strikes}
            with (self.folder / "moments").open("a") as file:
                file.write(json.dumps(note) + "\n")
            if not strikes:
                return
            self.done.add(job)
            if self.order.target in (ENGINE, BOTH):
                self._kill_engine()
            if self.order.target in (APP, BOTH):
                os.kill(os.getpid(), signal.SIGKILL)

    def _kill_engine(self) -> None:
        running = json.loads((self.folder / "engines.json").read_text())
        address = getattr(self.address, "now", "") or next(iter(running), "")
        pid = running.get(address) or self.supervised()
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with (self.folder / "killed").open("a") as file:
            file.write(json.dumps({"address": address, "pid": pid, "at": time.time()}) + "\n")


class Requests:
    """What a page asks for, until each has been answered. `answers`: name -> (id, key) of the job."""

    def __init__(self, folder: Path, studio: Any) -> None:
        self.path, self.studio = folder / "requests.json", studio
        self.answers: dict[str, list[str]] = json.loads(self.path.read_text()) if self.path.is_file() else {}

    def sent(self, name: str, ask: Callable[[], Any]) -> tuple[str, str]:
        """The job that a request made, now or in an earlier run."""
        from backend import requester

        if name not in self.answers:
            with requester.attempt(f"request-{name}"):
                job = ask()
            self.answers[name] = [job.id, job.key]
            part = self.path.with_name("requests.part")
            part.write_text(json.dumps(self.answers))
            part.replace(self.path)
        job_id, key = self.answers[name]
        return job_id, key

    def made(self, name: str, ask: Callable[[], Any]) -> tuple[str, str]:
        """As `sent`, when the job has ended."""
        from backend.jobs.job import TERMINAL
        from tests.support.waiting import until

        job_id, key = self.sent(name, ask)
        until(lambda: self.studio.job(job_id, key).status in TERMINAL, END_SECONDS, name)
        return job_id, key


def variations(requests: Requests, picture: Path) -> None:
    """A batch of four."""
    requests.made("set", lambda: _four(requests, picture))


def extend(requests: Requests, picture: Path) -> None:
    """A video of three parts, and its second part drawn again."""
    studio = requests.studio
    values = {**SMALL, "prompt": "A boat drifts", "seed": 5}
    source = requests.made("clip", lambda: studio.submit(OWNER, "image_to_video", values, {"image": picture}))
    for name in ("second part", "third part"):
        before = source
        source = requests.made(name, lambda before=before: studio.extend(OWNER, *before, seconds=0.5))  # type: ignore[misc]
    requests.made("second part again", lambda: studio.reroll(OWNER, *source, part=2))


def results(requests: Requests, picture: Path) -> None:
    """Three clips, each of which starts from the last frame of the one before."""
    from backend.jobs.family import Family, Part
    from backend.jobs.job import VARIATIONS, PartResult

    parts = [
        Part(
            "image_to_video",
            {**SMALL, "prompt": "A boat drifts", "seed": number},
            {"image": PartResult(number - 1) if number > 1 else picture},
        )
        for number in (1, 2, 3)
    ]
    family = Family(OWNER, VARIATIONS, parts)
    requests.made("chain", lambda: requests.studio.submit_family(family))


def again(requests: Requests, picture: Path) -> None:
    """A batch of four that lost two of them and is made again."""
    studio = requests.studio
    whole = _two(requests, picture)
    values = {**SMALL, "prompt": "A boat drifts", "seed": 11}
    requests.made(
        "again",
        lambda: studio.submit(
            OWNER, "image_to_video", values, {"image": picture}, studio.job(*whole), variations=4
        ),
    )


def keep(requests: Requests, picture: Path) -> None:
    """A batch of four of which two are kept."""
    _two(requests, picture)


def _two(requests: Requests, picture: Path) -> tuple[str, str]:
    studio = requests.studio
    whole = requests.made("set", lambda: _four(requests, picture))

    def hide() -> Any:
        for child in [child for child in studio.job(*whole).children if child.seed not in (11, 13)]:
            studio.delete(OWNER, child.id, child.key, undo=True)
        return studio.job(*whole)

    requests.sent("keep", hide)
    _gone(requests, whole, 2)
    return whole


def delete(requests: Requests, picture: Path) -> None:
    """A batch of four that is deleted. A deletion that was not answered may be done after the start."""
    studio = requests.studio
    with contextlib.suppress(NotFound):
        whole = requests.made("set", lambda: _four(requests, picture))
        requests.sent("delete", lambda: studio.delete(OWNER, *whole, undo=True))
    job_id, key = requests.answers["set"]
    _gone(requests, (job_id, key), 0)


SCENARIOS: dict[str, Callable[[Requests, Path], None]] = {
    "variations": variations, "extend": extend, "results": results, "again": again, "keep": keep,
    "delete": delete,
}  # fmt: skip


def _four(requests: Requests, picture: Path) -> Any:
    values = {**SMALL, "prompt": "A boat drifts", "seed": 11}
    return requests.studio.submit(OWNER, "image_to_video", values, {"image": picture}, variations=4)


def _gone(requests: Requests, whole: tuple[str, str], left: int) -> None:
    """Waits until so many children of a set have a record."""
    from tests.support.waiting import until

    studio = requests.studio

    def over() -> bool:
        studio._services.deletions.run_due()
        members = studio.store.family(whole[0])
        return sum(job.id != whole[0] for job in members) == left and (left > 0 or not members)

    until(over, END_SECONDS)


def _serve() -> None:
    for line in sys.stdin:
        order = Order(**json.loads(line))
        if not (pid := os.fork()):
            status = 2
            try:
                status = _logged(order)
            finally:
                os._exit(status)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _logged(order: Order) -> int:
    """Runs the studio with its log in FOLDER/log."""
    log = os.open(Path(order.folder) / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, sys.stderr.fileno())
    try:
        return _studio(order)
    except Exception:
        traceback.print_exc()
        return 1


def _studio(order: Order) -> int:
    from backend.jobs.limits import Limits
    from backend.settings.model import Settings
    from backend.studio import Studio
    from tests.support.chain_moments import watch
    from tests.support.waiting import until

    folder = Path(order.folder)
    strikes = Strikes(order)
    settings = Settings.from_env({"WAN_DATA_DIR": str(folder / "data"), **order.settings}, folder)
    studio = Studio(settings, limits=Limits(undo=UNDO_SECONDS, fetch=(0.1, 0.1, 0.1)))
    processes = studio.servers.processes
    strikes.supervised = lambda: processes[0].pid if processes else None
    watch(studio, strikes)
    studio.start()
    requests = Requests(folder, studio)
    SCENARIOS[order.scenario](requests, folder / "picture.png")
    until(lambda: not studio.store.unfinished(), END_SECONDS)
    engines = studio.scheduler.engines  # their folders are known once they have answered
    until(lambda: all(one.info().state == "ok" for one in engines), END_SECONDS)
    retention = studio.retention
    retention.run_once()
    steady = retention._steady
    retention._steady = lambda: steady() + 7200  # folders without a record are removed an hour later
    retention.run_once()
    retention.remove_ended_outputs()
    studio.close()
    return 0


if __name__ == "__main__":
    import backend.studio  # noqa: F401  # what the forks have in common
    import tests.support.chain_moments  # noqa: F401

    _serve()
