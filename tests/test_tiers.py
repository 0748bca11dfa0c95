"""A test that is not marked starts nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.full

TESTS = """
import os, socket, subprocess, sys, threading
import pytest

def start():
    subprocess.run([sys.executable, "-c", ""], check=True)

@pytest.fixture
def started():
    start()

@pytest.fixture
def make():
    start()

def test_plain(): pass
def test_process(): start()
def test_fixture(started): pass
def test_fork():
    if (pid := os.fork()) == 0:
        os._exit(0)
    os.waitpid(pid, 0)
def test_server():
    with socket.create_server(("127.0.0.1", 0)): pass
def test_thread():
    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
def test_studio(make): pass
@pytest.mark.full
def test_full(): start()
@pytest.mark.full
@pytest.mark.deep
def test_deep(): start()
def test_fails(): raise KeyError
"""


def run(folder: Path, *arguments: str) -> str:
    (folder / "conftest.py").write_text('pytest_plugins = ["tests.support.tiers"]')
    (folder / "test_it.py").write_text(TESTS)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    fast\n    full\n    deep\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "--tb=short", "-p", "no:cacheprovider", *arguments],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return done.stdout


def named(out: str, word: str) -> set[str]:
    lines = [line for line in out.splitlines() if line.startswith(f"{word} test_it.py::")]
    return {line.split("::")[1].split(" ")[0].removeprefix("test_") for line in lines}


def test_what_is_started_without_a_mark_is_a_failure(tmp_path: Path) -> None:
    out = run(tmp_path)
    assert named(out, "ERROR") == {"process", "fixture", "fork", "server", "thread"}, out
    assert "mark it full" in out and "subprocess.Popen" in out and "a socket bound to" in out
    assert {"plain", "studio", "full", "deep"} <= named(out, "PASSED")
    assert named(out, "FAILED") == {"fails"}


def test_tiers_are_selected_by_their_marks(tmp_path: Path) -> None:
    assert named(run(tmp_path, "-m", "full and not deep"), "PASSED") == {"studio", "full"}
    assert named(run(tmp_path, "-m", "deep"), "PASSED") == {"deep"}
    assert not {"studio", "full", "deep"} & named(run(tmp_path, "-m", "fast"), "PASSED")
