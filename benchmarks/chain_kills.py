"""The kill table: app, engine or both are killed at each step of a batch of four and of a three-part video.

.venv/bin/python -m benchmarks.chain_kills [--scenario variations ...] [--target app ...] [--moment posted]
[--engines 1] [--engine-kills 2] [--runpod] [--supervised] [--step-seconds 0.05] [--details]

In a row of the app every job of the scenario is struck once at the step, in the other rows the first two. The
app is started again after each kill, and sends again what was not answered; an engine is started again by
this program, or by the app (--supervised).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from tests.support.chain_account import Account, account
from tests.support.killed_chain import APP, BOTH, ENGINE, MOMENTS, OF_RUNPOD, Order, Run, forked
from tests.support.runpod_double import runpod_workers
from tests.support.storm import Server

COLUMNS = (
    "scenario", "step", "killed", "kills", "jobs", "done", "drawn again", "twice", "lost", "wrong", "left",
    "s",
)  # fmt: skip
APP_KILLS = 8
"""More than the jobs of a scenario; those whose submit is killed have another id each time."""
MOST_RUNS = 40


@dataclass
class Engines:
    """Demo engines that are started again when they end. `notes`: folders with the notes of others; `folder`:
    of the run that uses them."""

    servers: list[Server]
    notes: list[Path] = field(default_factory=list)
    folder: Path | None = None
    closing: bool = False
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        for server in self.servers:
            server.start()
            thread = threading.Thread(target=self._keep, args=(server,), daemon=True)
            thread.start()
            self.threads.append(thread)

    def _keep(self, server: Server) -> None:
        while not self.closing:
            assert server.process is not None
            server.process.wait()
            if not self.closing:
                server.start()
                self.note()

    def note(self) -> None:
        """Writes the processes for the run."""
        if self.folder is not None:
            pids = {server.url: server.process.pid for server in self.servers if server.process is not None}
            part = self.folder / "engines.part"
            part.write_text(json.dumps(pids))
            part.replace(self.folder / "engines.json")

    def used_by(self, folder: Path) -> None:
        self.folder = folder
        for each in self.folders:
            (each / "notes").write_text("")
            for output in (each / "comfy" / "output").rglob("*.*"):
                output.unlink()
        self.note()

    def close(self) -> None:
        self.closing = True
        for server in self.servers:
            if server.process is not None:
                server.process.kill()
        for thread in self.threads:
            thread.join()

    @property
    def folders(self) -> list[Path]:
        return [*self.notes, *(server.folder for server in self.servers)]


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    scenario: str
    moment: str
    target: str
    found: Account
    seconds: float

    def cells(self) -> tuple[object, ...]:
        found = self.found
        return (
            self.scenario, self.moment, self.target, found.strikes, found.jobs, found.done, found.again,
            len(found.twice), len(found.lost), len(found.wrong), len(found.left), f"{self.seconds:.1f}",
        )  # fmt: skip


def struck(
    run: Run, engines: Engines, settings: dict[str, str], scenario: str, moment: str, target: str, most: int
) -> Row:
    """One row: the scenario until it ends by itself."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="wan-kills-") as name:
        folder = Path(name)
        Image.effect_noise((64, 64), 60).convert("RGB").save(folder / "picture.png")
        engines.used_by(folder)
        order = Order(str(folder), scenario, moment, target, settings, most)
        for _ in range(MOST_RUNS):
            status = run(order)
            if status != -signal.SIGKILL:
                break
        if status:
            log = (folder / "log").read_text()[-3000:]
            raise RuntimeError(f"{scenario}, {moment}, {target}: the app ended with {status}: {log}")
        found = account(folder, engines.folders, scenario == "delete")
        engines.folder = None
        return Row(scenario, moment, target, found, time.monotonic() - began)


@contextlib.contextmanager
def engines_of(options: argparse.Namespace) -> Iterator[tuple[Engines, dict[str, str]]]:
    """The engines, and the settings of an app that uses them."""
    with tempfile.TemporaryDirectory(prefix="wan-kills-engines-") as name:
        if options.runpod:
            with runpod_workers() as (workers, settings):
                yield Engines([], notes=[workers.folder]), settings
            return
        if options.supervised:
            yield Engines([]), {"WAN_ENGINE": "demo", "WAN_DEMO_STEP_SECONDS": str(options.step_seconds)}
            return
        servers = [
            Server(Path(name) / f"engine-{n}", options.step_seconds, shared=True)
            for n in range(options.engines)
        ]
        engines = Engines(servers)
        engines.start()
        try:
            yield engines, {"WAN_ENGINE": "comfyui", "COMFYUI_URL": ",".join(s.url for s in servers)}
        finally:
            engines.close()


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """The rows, as they are measured."""
    with engines_of(options) as (engines, settings), forked() as run:
        for scenario in options.scenario:
            for moment in (*MOMENTS[scenario], *(OF_RUNPOD if options.runpod else ())):
                for target in options.target if not options.moment or moment in options.moment else ():
                    most = APP_KILLS if target == APP else options.engine_kills
                    yield struck(run, engines, settings, scenario, moment, target, most)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--scenario", nargs="+", choices=tuple(MOMENTS), default=list(MOMENTS))
    parser.add_argument("--target", nargs="+", choices=(APP, ENGINE, BOTH), default=[APP, ENGINE, BOTH])
    parser.add_argument("--moment", nargs="+", default=[])
    parser.add_argument("--engines", type=int, default=1)
    parser.add_argument("--engine-kills", type=int, default=2, help="the most in a row")
    parser.add_argument("--runpod", action="store_true", help="the children are made at a double of RunPod")
    parser.add_argument("--supervised", action="store_true", help="the app starts its engine itself")
    parser.add_argument("--step-seconds", type=float, default=0.05)
    parser.add_argument("--details", action="store_true", help="say what is not as it should be")
    options = parser.parse_args(arguments)
    print(f"| {' | '.join(COLUMNS)} |")
    print("|---" * len(COLUMNS) + "|", flush=True)
    bad = 0
    for row in rows(options):
        print("| " + " | ".join(str(cell) for cell in row.cells()) + " |", flush=True)
        bad += row.found.bad
        if options.details and row.found.bad:
            print(row.found, file=sys.stderr, flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
