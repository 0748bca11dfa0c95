"""A studio without a page that is killed at a named moment of its newest job; its server outlives it.

with forked() as run:
    status = run(folder, "posted")

Each run is a fork of one process that has everything imported: it waits until the jobs of earlier runs have
ended, submits another one and waits for it, or is killed. What the server was sent is in FOLDER/posted, one
line per prompt: its id and the job's.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.support.paths import ROOT

MOMENTS = ("before the post", "posted", "result", "fetched", "before the end is saved", "the end is saved")
Run = Callable[[Path, str], int]


@contextlib.contextmanager
def forked() -> Iterator[Run]:
    """A function that runs a studio in a folder up to a moment, "" for none, and returns its exit status."""
    command = [sys.executable, "-m", "tests.support.killed_studio"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdin is not None and parent.stdout is not None
        given, answers = parent.stdin, parent.stdout

        def run(folder: Path, moment: str) -> int:
            given.write(json.dumps([str(folder), moment]) + "\n")
            given.flush()
            return int(answers.readline())

        yield run
        given.close()


def posted(folder: Path) -> list[str]:
    """The job of each prompt that the server was sent."""
    return [line.split()[1] for line in (folder / "posted").read_text().splitlines()]


def _serve() -> None:
    for line in sys.stdin:
        folder, moment = json.loads(line)
        if not (pid := os.fork()):
            status = 2
            try:
                status = _studio(Path(folder), moment)
            finally:
                os._exit(status)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _studio(folder: Path, moment: str) -> int:
    from backend import services
    from backend.jobs.job import TERMINAL
    from backend.settings.model import Settings
    from backend.studio import Studio
    from tests.support.fake_engine import FakeEngine
    from tests.support.scripted import OWNER, SMALL, Servers
    from tests.support.waiting import until

    armed = [""]

    def at(name: str) -> None:
        if armed[0] == name:
            os.kill(os.getpid(), signal.SIGKILL)

    class LastingEngine(FakeEngine):
        """Runs the prompts it has received while no studio is running."""

        def run(self, prompt: Any, on_event: Any) -> Any:
            at("before the post")
            name = next(n["inputs"]["filename_prefix"] for n in prompt.graph.values() if _saves(n))
            with (folder / "posted").open("a") as file:
                file.write(f"{prompt.id} {name.rpartition('-')[2]}\n")
            at("posted")
            return self._follow(prompt, on_event)

        def resume(self, prompt: Any, on_event: Any) -> Any:
            sent = [line.split()[0] for line in (folder / "posted").read_text().splitlines()]
            self.known.update(sent)
            if prompt.id not in self.known:
                return super().resume(prompt, on_event)
            return self._follow(prompt, on_event)

        def _follow(self, prompt: Any, on_event: Any) -> Any:
            outputs = super().run(prompt, on_event)
            at("result")
            return outputs

        def fetch(self, output: Any, destination: Path) -> None:
            super().fetch(output, destination)
            at("fetched")

    (folder / "posted").touch()
    services.Servers = lambda _: Servers(LastingEngine())  # type: ignore[assignment, misc]
    studio = Studio(Settings.from_env({"WAN_DATA_DIR": str(folder / "data")}, folder))
    saved = [False]

    def statement(sql: str) -> None:
        if saved[0]:
            at("the end is saved")
        if sql.startswith("UPDATE job") and "'done'" in sql:
            at("before the end is saved")
            saved[0] = armed[0] == "the end is saved"

    studio.store._db.set_trace_callback(statement)
    studio.start()
    until(lambda: not studio.store.unfinished())
    armed[0] = moment
    job = studio.submit(OWNER, "text_to_video", {**SMALL, "prompt": f"Waves, {moment}"}, {})
    until(lambda: studio.job(job.id, job.key).status in TERMINAL and not studio.store.unfinished())
    studio.close()
    return 0


def _saves(node: dict[str, Any]) -> bool:
    return "filename_prefix" in node["inputs"]


if __name__ == "__main__":
    import tests.support.scripted  # noqa: F401  # what the forks have in common: the studio and its doubles

    _serve()
