"""start.sh as the image starts it for `docker run --user 54321 -e PORT=... -v data:/data`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support import other_user
from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.waiting import served

pytestmark = [
    pytest.mark.full,
    pytest.mark.deep,
    pytest.mark.skipif(os.getuid() != 0, reason="takes root to become another user"),
]
USER = 54_321
IDENTITY = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]


def test_any_user_with_named_volumes() -> None:
    python, packages = other_user.python_for_all(USER)
    with other_user.open_folder("wan-container-") as top:
        code, data, uploads, temporary = (top / name for name in ("app", "data", "uploads", "tmp"))
        (code / "scripts").mkdir(parents=True)
        for name in ("app.py", "start.sh", "requirements.txt", "requirements.lock"):
            shutil.copy(ROOT / name, code)
        for name in ("environment.sh", "installed.py", "healthcheck.py"):
            shutil.copy(ROOT / "scripts" / name, code / "scripts")
        for name in ("backend", "ui", "workflows"):
            shutil.copytree(ROOT / name, code / name, ignore=shutil.ignore_patterns("__pycache__"))
        for volume in (data, uploads, temporary):
            volume.mkdir()
            volume.chmod(0o1777)
        environment = {
            "PATH": os.environ["PATH"], "HOME": "/", "PYTHON": python, "PYTHONPATH": packages,
            "TMPDIR": str(temporary), "STUDIO_IMAGE": "page", "GRADIO_SERVER_NAME": "0.0.0.0",
            "PORT": str(free_port()), "WAN_DATA_DIR": str(data), "GRADIO_TEMP_DIR": str(uploads),
            "WAN_DEMO_STEP_SECONDS": "0",
            "XDG_CACHE_HOME": "/root/.cache", "HF_HOME": "/root/hf", "MPLCONFIGDIR": "/root/mpl",
        }  # fmt: skip
        start(code, environment, top / "log", python)
        said = (top / "log").read_text()
        assert "Traceback" not in said, said
        assert f"The home folder / cannot be written to: caches go into {temporary}/home-{USER}." in said
        for name in ("XDG_CACHE_HOME", "HF_HOME", "MPLCONFIGDIR"):
            assert f"{name} is /root/" in said, said
        assert (data / "studio.db").stat().st_uid == USER
        assert [path.name for path in uploads.iterdir()] != []


def start(code: Path, environment: dict[str, str], log: Path, python: str) -> None:
    """Starts, checks the health as the image does, and stops."""
    with log.open("w") as out:
        process = subprocess.Popen(
            [*IDENTITY, str(code / "start.sh"), "serve"], cwd="/", env=environment, stdout=out,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        served(f"http://127.0.0.1:{environment['PORT']}/healthz", process, log.read_text)
        health = [*IDENTITY, python, "scripts/healthcheck.py"]
        healthy = subprocess.run(health, cwd=code, env=environment, capture_output=True, text=True)
        assert healthy.returncode == 0 and healthy.stdout.strip() in ("ok", "starting"), healthy.stderr
        elsewhere = {**environment, "PORT": str(free_port())}
        assert subprocess.run(health, cwd=code, env=elsewhere, capture_output=True).returncode == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
