"""A socket that our code leaves open is found; that of a library or a test is not held against us."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.full

TESTS = """
import gc, socket
from pathlib import Path

def opened(path, close):
    code = "import socket\\ndef open_one():\\n    return socket.create_server(('127.0.0.1', 0))\\n"
    space = {}
    exec(compile(code, path, "exec"), space)
    one = space["open_one"]()
    if close:
        one.close()

def leave(path, close=False):
    opened(path, close)
    gc.collect()

def test_library(): leave("/usr/lib/python3/library/http.py")
def test_after_library(): pass
def test_closed(): leave(OURS, close=True)
def test_after_closed(): pass
def test_open(): leave(OURS)
def test_after_open(): pass
def test_later(): pass
"""


def test_only_our_own_open_sockets_fail(tmp_path: Path) -> None:
    ours = str(ROOT / "backend" / "made_up.py")
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["tests.support.sockets"]')
    (tmp_path / "test_it.py").write_text(f"OURS = {ours!r}\n{TESTS}")
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nfilterwarnings = default:unclosed <socket:ResourceWarning\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "--tb=short", "-p", "no:cacheprovider"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith(("ERROR ", "FAILED "))]
    assert len(lines) == 1 and "test_after_open" in lines[0], done.stdout
    assert "2 sockets of libraries or tests were left open" in done.stdout
    assert "ResourceWarning" not in done.stdout
    assert f"{ours}:3 opens a socket and does not close it" in done.stdout
