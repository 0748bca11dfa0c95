"""A signal ends the app whichever thread receives it, and whatever the main thread does just then."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.ports import free_port

pytestmark = pytest.mark.full

EVERY_LINE = """
import signal, sys, threading
from backend.stopping import StopSignal

MODULES = ("stopping.py", "threading.py")

def at(wanted):
    '''Raises the signal at this line of the wait; returns whether there was one.'''
    left = [wanted]
    def trace(frame, event, argument):
        if frame.f_code.co_filename.endswith(MODULES):
            if event == "line":
                left[0] -= 1
                if left[0] == 0:
                    signal.raise_signal(signal.SIGTERM)
            return trace
    stop = StopSignal()
    stop.install()
    sys.settrace(trace)
    timer = None
    try:
        if wanted > LINES:
            signal.raise_signal(signal.SIGTERM)
        stop.wait(0.001)
    finally:
        sys.settrace(None)
    return left[0] <= 0

LINES = 12
print([at(line) for line in range(1, LINES + 1)])
"""

ELSEWHERE = """
import os, threading
from backend.stopping import StopSignal
from tests.support.signalled_app import deliver

stop = StopSignal()
stop.install()
if WHEN == "before":
    deliver()
else:
    threading.Timer(0.2, deliver).start()
stop.wait()
deliver()
print("ended", flush=True)
os._exit(0)  # without the end of the interpreter, which takes the handler away
"""


def run(script: str) -> str:
    """What the script prints; a wait that never ends fails."""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


def test_a_signal_between_any_two_lines_of_the_wait() -> None:
    assert run(EVERY_LINE) == str([True] * 12)


@pytest.mark.parametrize("when", ["before", "while"])
def test_a_signal_of_another_thread(when: str) -> None:
    """Before the wait, and in it; a second one afterwards."""
    assert run(ELSEWHERE.replace("WHEN", repr(when))) == "ended"


@pytest.mark.deep
@pytest.mark.parametrize("phase", ["start", "run", "twice"])
def test_the_app_ends(phase: str, tmp_path: Path) -> None:
    env = {
        **os.environ, "WAN_DATA_DIR": str(tmp_path / "data"), "WAN_ENGINE": "demo",
        "GRADIO_TEMP_DIR": str(tmp_path / "uploads"), "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_SERVER_PORT": str(free_port()),
    }  # fmt: skip
    ended = subprocess.run(
        [sys.executable, "-m", "tests.support.signalled_app", phase],
        cwd=ROOT, env=env, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert ended.returncode == 0 and "Traceback" not in ended.stderr, ended.stderr
    assert not list((tmp_path / "data").glob("*.lock.tmp"))
