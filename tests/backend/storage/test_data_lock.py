"""The data lock: one studio at a time per data folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from backend.errors import BadSettings
from backend.storage.data_lock import DataLock
from tests.support.scripted import until

BEAT = 0.1


def lock(folder: Path, machine: str, **more: object) -> DataLock:
    return DataLock(folder, machine, beat=BEAT, **more)  # type: ignore[arg-type]


def other_machine(folder: Path, machine: str) -> threading.Event:
    """Writes the lock file as another machine does that shares only the volume."""
    (folder / "lock").write_text(json.dumps({"machine": machine, "pid": 7, "token": "theirs"}))
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(BEAT):
            os.utime(folder / "lock")

    threading.Thread(target=beat, daemon=True).start()
    return stop


def test_a_second_studio_on_this_machine_is_refused_with_the_holders_name(tmp_path: Path) -> None:
    first = lock(tmp_path, "pod-1")
    first.acquire()
    with pytest.raises(BadSettings, match=f"pod-1, process {os.getpid()}"):
        lock(tmp_path, "pod-1").acquire()
    first.release()
    second = lock(tmp_path, "pod-1")
    second.acquire()
    second.release()


def test_a_folder_of_a_running_machine_is_refused(tmp_path: Path) -> None:
    stop = other_machine(tmp_path, "pod-2")
    with pytest.raises(BadSettings, match="pod-2 uses the data folder"):
        lock(tmp_path, "pod-1").acquire()
    stop.set()


def test_a_folder_is_taken_over_when_the_heartbeat_has_stopped(tmp_path: Path) -> None:
    other_machine(tmp_path, "pod-2").set()
    mine = lock(tmp_path, "pod-1")
    mine.acquire()
    assert json.loads((tmp_path / "lock").read_text())["machine"] == "pod-1"
    mine.release()
    assert (tmp_path / "lock").read_text() == ""


def test_losing_the_lock_is_reported_and_the_file_is_not_changed(tmp_path: Path) -> None:
    told = threading.Event()
    mine = lock(tmp_path, "pod-1", lost=told.set)
    mine.acquire()
    other_machine(tmp_path, "pod-2").set()
    assert told.wait(60)
    mine.release()
    assert json.loads((tmp_path / "lock").read_text())["machine"] == "pod-2"


@pytest.mark.full
def test_a_killed_holder_does_not_block_the_folder(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from backend.storage.data_lock import DataLock;"
        "DataLock(Path(sys.argv[1]), 'pod-1').acquire(); print('held', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "held\n"
    with pytest.raises(BadSettings):
        lock(tmp_path, "pod-1").acquire()
    child.send_signal(signal.SIGKILL)
    child.wait()
    mine = lock(tmp_path, "pod-1")
    mine.acquire()
    mine.release()


def test_an_invalid_lock_file_names_no_holder(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("[1, 2")
    mine = lock(tmp_path, "pod-1")
    mine.acquire()
    mine.release()


def test_the_heartbeat_updates_the_file(tmp_path: Path) -> None:
    mine = lock(tmp_path, "pod-1")
    mine.acquire()
    os.utime(tmp_path / "lock", (1, 1))
    until(lambda: (tmp_path / "lock").stat().st_mtime > 1)
    mine.release()


def test_one_of_two_machines_that_take_over_at_once_gets_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DataLock, "_lock_here", lambda self, file: None)  # as between two machines
    other_machine(tmp_path, "pod-0").set()
    together, refused = threading.Barrier(2), []
    both = [lock(tmp_path, f"pod-{number}") for number in (1, 2)]
    write = DataLock._write

    def at_once(self: DataLock) -> None:
        together.wait(60)
        write(self)
        together.wait(60)

    monkeypatch.setattr(DataLock, "_write", at_once)

    def take(one: DataLock) -> None:
        try:
            one.acquire()
        except BadSettings as error:
            refused.append(error.message)

    threads = [threading.Thread(target=take, args=(one,)) for one in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(refused) == 1 and "uses the data folder" in refused[0]
    for one in both:
        one.release()
