"""A Python that another user may start, and a folder that they may enter: tests often run in root's home."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def python_for_all(user: int) -> tuple[str, str]:
    """(interpreter, folder of our packages) of this version that this user may start; skips without one.

    The interpreter of the tests may be in root's home: then the system's, with the packages of this one.
    """
    packages = sysconfig.get_path("purelib")
    for python in (sys.executable, f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}"):
        command = ["env", f"PYTHONPATH={packages}", python, "-c", "import gradio_client"]
        try:
            done = subprocess.run(
                command, user=user, group=user, extra_groups=[], capture_output=True, cwd="/"
            )
        except OSError:
            continue
        if done.returncode == 0:
            return python, packages
    pytest.skip("no Python here that another user may start")


@contextmanager
def open_folder(prefix: str) -> Iterator[Path]:
    """A folder that another user may enter; pytest closes its own whenever it starts."""
    with tempfile.TemporaryDirectory(prefix=prefix) as name:
        Path(name).chmod(0o755)
        yield Path(name)
