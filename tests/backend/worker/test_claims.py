"""Claims on prompts: one job at a time, on any number of workers, whatever their clocks say."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.worker import records
from backend.worker.claims import HEARTBEAT_SECONDS, KEPT_SECONDS, STALE_SECONDS, Claims
from tests.support.paths import ROOT

pytestmark = pytest.mark.full

PROMPT = "6a1f8c1e-0000-4000-8000-000000000002"
OTHER = "6a1f8c1e-0000-4000-8000-000000000003"
OLD_RECORD = '{"job": "a", "state": "running"}'


class Clock:
    """A machine's own seconds."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def beating(claims: Claims, clocks: list[Clock], seconds: float, *jobs: tuple[str, str]) -> list[str]:
    """Lets the clocks run for so long; the jobs beat every second. What the beats said."""
    said = []
    for _ in range(round(seconds)):
        for clock in clocks:
            clock.now += 1
        said += [claims.heartbeat(prompt, job) for prompt, job in jobs]
    return said


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_first_job_has_the_prompt_on_every_worker(tmp_path: Path) -> None:
    one, other = Claims(tmp_path / "c"), Claims(tmp_path / "c")
    assert one.take(PROMPT, "a") == ""
    assert other.take(PROMPT, "b") == "a"
    assert other.take(PROMPT, "a") == "", "RunPod may give the same job to another worker"
    one.done(PROMPT, "a")
    assert other.take(PROMPT, "b") == "a"
    one.release(PROMPT, "a")
    assert other.take(PROMPT, "b") == ""
    assert files(tmp_path / "c") == [f"{PROMPT}.json"]


def test_a_worker_that_died_does_not_keep_its_prompt(tmp_path: Path) -> None:
    clock = Clock()
    claims = Claims(tmp_path, clock=clock)
    assert claims.take(PROMPT, "a") == ""
    clock.now += STALE_SECONDS - 1
    assert claims.take(PROMPT, "b") == "a"
    claims.heartbeat(PROMPT, "a")
    clock.now += STALE_SECONDS - 1
    assert claims.take(PROMPT, "b") == "a", "it has beaten"
    clock.now += 2
    assert claims.take(PROMPT, "b") == ""
    assert claims.take(PROMPT, "a") == "b"


def test_each_prompt_has_its_own_heartbeats(tmp_path: Path) -> None:
    clock = Clock()
    worker, other = Claims(tmp_path, clock=clock), Claims(tmp_path, clock=clock)
    prompts = [f"6a1f8c1e-0000-4000-8000-00000000010{n}" for n in range(4)]
    for number, prompt in enumerate(prompts):
        assert worker.take(prompt, f"job-{number}") == ""
        assert other.take(prompt, "x") == f"job-{number}"
    jobs = [(prompt, f"job-{number}") for number, prompt in enumerate(prompts)]
    for _ in range(4):
        assert set(beating(worker, [clock], STALE_SECONDS / 2, *jobs)) == {""}
        assert [other.take(prompt, "x") for prompt in prompts] == [job for _, job in jobs]


@pytest.mark.parametrize("skew", [-10 * KEPT_SECONDS, -STALE_SECONDS - 1, 3600.0, 10 * KEPT_SECONDS])
def test_different_clocks_do_not_take_over_a_live_claim(tmp_path: Path, skew: float) -> None:
    clock, theirs = Clock(), Clock(1_000_000.0 + skew)
    worker = Claims(tmp_path, clock=clock)
    assert worker.take(PROMPT, "a") == ""
    other = Claims(tmp_path, clock=theirs)  # its clean-up leaves the record alone, too
    for _ in range(5):
        assert other.take(PROMPT, "b") == "a"
        beating(worker, [clock, theirs], STALE_SECONDS - HEARTBEAT_SECONDS, (PROMPT, "a"))
    clock.now += STALE_SECONDS + 1  # the worker dies
    theirs.now += STALE_SECONDS + 1
    assert other.take(PROMPT, "b") == "a", "a worker may have beaten a moment ago"
    theirs.now += STALE_SECONDS + 1
    assert other.take(PROMPT, "b") == ""


def test_a_record_of_an_earlier_version_is_understood(tmp_path: Path) -> None:
    clock = Clock()
    record = tmp_path / f"{PROMPT}.json"
    record.write_text(OLD_RECORD)
    claims = Claims(tmp_path, clock=clock)
    assert claims.take(PROMPT, "b") == "a"
    for second in range(3):
        clock.now += STALE_SECONDS - 1
        os.utime(record, (second, 2_000_000_000 + second))  # the only beat that it knows
        assert claims.take(PROMPT, "b") == "a"
    clock.now += STALE_SECONDS + 1
    assert claims.take(PROMPT, "b") == ""
    record.write_text(OLD_RECORD.replace("running", "done"))
    clock.now += 10 * STALE_SECONDS
    assert claims.take(PROMPT, "c") == "a", "it has its result"
    record.write_text(OLD_RECORD)
    assert claims.take(PROMPT, "a") == ""
    claims.done(PROMPT, "a")
    assert json.loads(record.read_text())["state"] == "done"


def lost_to(other_job: str, folder: Path) -> tuple[Claims, Claims, Clock]:
    """A worker whose claim for job "a" was taken over by another worker, for `other_job`."""
    clock = Clock()
    worker, other = Claims(folder, clock=clock), Claims(folder, clock=clock)
    assert worker.take(PROMPT, "a") == ""
    assert other.take(PROMPT, other_job) == "a"
    clock.now += STALE_SECONDS + 1
    assert other.take(PROMPT, other_job) == ""
    return worker, other, clock


@pytest.mark.parametrize("end", ["release", "done"])
def test_a_worker_that_lost_its_claim_leaves_that_of_the_new_one_alone(tmp_path: Path, end: str) -> None:
    worker, other, _ = lost_to("b", tmp_path)
    getattr(worker, end)(PROMPT, "a")
    assert Claims(tmp_path).take(PROMPT, "c") == "b"
    assert json.loads((tmp_path / f"{PROMPT}.json").read_text())["state"] == "running"
    other.done(PROMPT, "b")
    getattr(worker, end)(PROMPT, "a")
    assert json.loads((tmp_path / f"{PROMPT}.json").read_text())["state"] == "done"


def test_a_worker_that_lost_its_claim_sends_no_heartbeat_for_the_new_one(tmp_path: Path) -> None:
    worker, _, clock = lost_to("b", tmp_path)
    third = Claims(tmp_path, clock=clock)
    assert third.take(PROMPT, "c") == "b"
    assert "b" in beating(worker, [clock], STALE_SECONDS + 2, (PROMPT, "a"))
    assert third.take(PROMPT, "c") == "", "the second worker has not beaten"


def test_no_heartbeat_after_the_end(tmp_path: Path) -> None:
    clock = Clock()
    worker = Claims(tmp_path, clock=clock)
    assert worker.take(PROMPT, "a") == ""
    worker.release(PROMPT, "a")
    clock.now += HEARTBEAT_SECONDS
    assert worker.heartbeat(PROMPT, "a") == ""
    assert files(tmp_path) == []


@pytest.mark.parametrize("change", ["heartbeat", "done", "release"])
def test_a_record_that_is_replaced_in_the_middle_of_a_change_stays(
    tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other worker takes over between the look at the record and the change."""
    clock = Clock()
    worker = Claims(tmp_path, clock=clock)
    assert worker.take(PROMPT, "a") == ""
    clock.now += HEARTBEAT_SECONDS
    record = tmp_path / f"{PROMPT}.json"
    theirs = OLD_RECORD.replace('"a"', '"b"')
    replaced = []

    def replacing(call: Callable[..., object]) -> Callable[..., object]:
        def first(*args: object, **more: object) -> object:
            if not replaced:
                replaced.append(record)
                record.unlink()
                record.write_text(theirs)
            return call(*args, **more)

        return first

    monkeypatch.setattr(records.os, "pwrite", replacing(os.pwrite))
    monkeypatch.setattr(records.Path, "rename", replacing(Path.rename))
    getattr(worker, change)(PROMPT, "a")
    assert replaced and record.read_text() == theirs
    assert files(tmp_path) == [record.name]


def test_a_record_that_is_gone_is_written_again(tmp_path: Path) -> None:
    clock = Clock()
    worker = Claims(tmp_path / "c", clock=clock)
    assert worker.take(PROMPT, "a") == ""
    shutil.rmtree(tmp_path / "c")
    clock.now += HEARTBEAT_SECONDS
    assert worker.heartbeat(PROMPT, "a") == ""
    assert Claims(tmp_path / "c").take(PROMPT, "b") == "a"
    shutil.rmtree(tmp_path / "c")
    worker.done(PROMPT, "a")
    assert Claims(tmp_path / "c").take(PROMPT, "b") == "a"
    shutil.rmtree(tmp_path / "c")
    worker.release(PROMPT, "a")
    assert Claims(tmp_path / "c").take(PROMPT, "b") == ""


@pytest.mark.parametrize(
    "content", ["", '{"job": "a", "sta', "[]", "null", '{"job": "a"}', "[" * 5000, "\0" * 60]
)
def test_a_half_written_record_does_not_block_for_long(tmp_path: Path, content: str) -> None:
    record = tmp_path / f"{PROMPT}.json"
    record.write_text(content)
    claims = Claims(tmp_path)
    assert claims.take(PROMPT, "b") == ""
    assert Claims(tmp_path).take(PROMPT, "c") == "b"
    claims.done(PROMPT, "b")
    assert Claims(tmp_path).take(PROMPT, "c") == "b"
    assert files(tmp_path) == [record.name]


def test_a_record_that_is_being_written_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a file system without hard links, where a record is not there whole at once."""
    record = tmp_path / f"{PROMPT}.json"
    record.write_text('{"job": "a", "sta')
    monkeypatch.setattr(records.time, "sleep", lambda seconds: record.write_text(OLD_RECORD))
    assert Claims(tmp_path).take(PROMPT, "b") == "a"


def without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **more: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(records.os, "link", refuse)


@pytest.mark.parametrize("links", [True, False])
def test_only_one_of_many_takes_a_prompt(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        without_links(monkeypatch)
    assert len(contenders([Claims(tmp_path) for _ in range(8)])) == 1
    assert files(tmp_path) == [f"{PROMPT}.json"]


@pytest.mark.parametrize("links", [True, False])
def test_only_one_of_many_takes_over_a_stale_prompt(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        without_links(monkeypatch)
    for attempt in range(20):
        folder = tmp_path / str(attempt)
        clock = Clock()
        claims = [Claims(folder, clock=clock) for _ in range(6)]
        assert claims[0].take(PROMPT, "dead") == ""
        assert {one.take(PROMPT, "x") for one in claims} == {"dead"}
        clock.now += STALE_SECONDS + 1
        has_it = contenders(claims)
        clock.now += HEARTBEAT_SECONDS
        kept = [name for name in has_it if not claims[int(name)].heartbeat(PROMPT, name)]
        assert kept == [json.loads((folder / f"{PROMPT}.json").read_text())["job"]]
        assert files(folder) == [f"{PROMPT}.json"]


def contenders(claims: list[Claims]) -> list[str]:
    """The names of those that got the prompt when all try at once; a name is the number in the list."""
    taken: list[str] = []
    start = threading.Barrier(len(claims))

    def take(number: int) -> None:
        start.wait()
        if not claims[number].take(PROMPT, str(number)):
            taken.append(str(number))

    threads = [threading.Thread(target=take, args=(number,)) for number in range(len(claims))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


PROCESS = """
import sys
from pathlib import Path
from backend.worker.claims import HEARTBEAT_SECONDS, STALE_SECONDS, Claims
folder, prompt, name, skew = Path(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4])
now = [skew]
claims = Claims(folder, clock=lambda: now[0])
assert claims.take(prompt, name) == "dead"
now[0] += STALE_SECONDS + 1
print("ready", flush=True)
sys.stdin.readline()
other = claims.take(prompt, name)
print(other or name, flush=True)
sys.stdin.readline()
now[0] += HEARTBEAT_SECONDS
print(claims.heartbeat(prompt, name) if not other else "-", flush=True)
"""


def test_of_several_processes_one_takes_over(tmp_path: Path) -> None:
    Claims(tmp_path).take(PROMPT, "dead")
    command = [sys.executable, "-c", PROCESS, str(tmp_path), PROMPT]
    running = [
        subprocess.Popen(
            [*command, f"job-{n}", str(n * 1e6)], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for n in range(4)
    ]  # fmt: skip

    def said(process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        return process.stdout.readline().strip()

    def go() -> None:
        for process in running:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()

    assert [said(process) for process in running] == ["ready"] * 4
    go()
    owners = [said(process) for process in running]
    (record,) = tmp_path.iterdir()
    owner = json.loads(record.read_text())["job"]
    assert owner in owners
    go()
    beats = [said(process) for process in running]
    assert beats.count("") == 1 and owners[beats.index("")] == owner
    for process in running:
        process.communicate(timeout=60)


def test_a_random_history_has_one_owner_at_a_time(tmp_path: Path) -> None:
    """Workers claim, send heartbeats, end, die and lose the folder in random order: a worker whose heartbeat
    reports no other job is the one in the record."""
    for seed in range(40):
        chance = random.Random(seed)
        clock = Clock()
        folder = tmp_path / str(seed)
        workers = {name: Claims(folder, clock=clock) for name in "abcd"}
        holding: set[str] = set()
        for _ in range(60):
            clock.now += chance.choice([1, HEARTBEAT_SECONDS, STALE_SECONDS / 2, STALE_SECONDS + 1])
            name = chance.choice("abcd")
            if name not in holding:
                if not workers[name].take(PROMPT, name):
                    holding.add(name)
                continue
            what = chance.choice(["beat", "beat", "beat", "beat", "release", "gone"])
            if what == "gone":
                shutil.rmtree(folder, ignore_errors=True)
            elif what == "release":
                workers[name].release(PROMPT, name)
                holding.discard(name)
            clock.now += HEARTBEAT_SECONDS
            lost = {one for one in sorted(holding) if workers[one].heartbeat(PROMPT, one)}
            for one in lost:
                workers[one].release(PROMPT, one)
            holding -= lost
            assert len(holding) <= 1, seed
            for one in holding:
                assert json.loads((folder / f"{PROMPT}.json").read_text())["job"] == one, seed


def test_jobs_run_without_writable_records(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    clock = Clock()
    claims = Claims(tmp_path / "file", clock=clock)
    assert claims.take(PROMPT, "a") == ""
    clock.now += HEARTBEAT_SECONDS
    assert claims.heartbeat(PROMPT, "a") == ""
    claims.done(PROMPT, "a")
    claims.release(PROMPT, "a")
    assert Claims(tmp_path).take("../../etc/passwd", "a") == ""
    assert files(tmp_path) == ["file"]


def test_a_full_disk_does_not_end_a_claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    worker, other = Claims(tmp_path, clock=clock), Claims(tmp_path, clock=clock)
    assert worker.take(PROMPT, "a") == ""

    def full(*args: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(records.os, "pwrite", full)
    stamp = iter(range(1, 1000))
    real = os.utime
    monkeypatch.setattr(  # each beat at a time of its own, however fast the test runs
        records.os, "utime", lambda descriptor: real(descriptor, (1, next(stamp)))
    )
    for _ in range(4):
        assert other.take(PROMPT, "b") == "a"
        beating(worker, [clock], STALE_SECONDS / 2, (PROMPT, "a"))


def test_old_records_are_removed(tmp_path: Path) -> None:
    claims = Claims(tmp_path)
    claims.take(PROMPT, "a")
    claims.take(OTHER, "b")
    for name in (f"{PROMPT}.json", "leftover.json.0123.tmp"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1, 1))
    Claims(tmp_path)
    assert files(tmp_path) == [f"{OTHER}.json"]


def test_a_live_record_is_not_taken_for_an_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its beat comes between the look at its age and its removal."""
    clock = Clock()
    worker = Claims(tmp_path, clock=clock)
    worker.take(PROMPT, "a")
    record = tmp_path / f"{PROMPT}.json"
    os.utime(record, (1, 1))
    clock.now += HEARTBEAT_SECONDS
    rename = Path.rename

    def late(path: Path, target: Path) -> Path:
        worker.heartbeat(PROMPT, "a")
        return rename(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(records.Path, "rename", late)
        Claims(tmp_path)
    assert files(tmp_path) == [record.name]
    assert Claims(tmp_path).take(PROMPT, "b") == "a"
