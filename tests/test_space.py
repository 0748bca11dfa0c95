"""What a Hugging Face Space reads of this repository, and app.py started as a Space starts it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support import other_user
from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.waiting import served

pytestmark = pytest.mark.full

USER = 1000


@pytest.fixture
def open_folder() -> Iterator[Path]:
    with other_user.open_folder("wan-space-") as folder:
        yield folder


def front_matter() -> dict[str, str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.startswith("---\n"), "a Space reads it at the very top"
    return yaml.safe_load(text.split("---\n")[1])


def test_the_front_matter_is_what_runs_here() -> None:
    said = front_matter()
    pins = (ROOT / "requirements.txt").read_text()
    assert said["sdk"] == "gradio" and f"gradio[mcp]=={said['sdk_version']} " in pins
    assert (ROOT / said["app_file"]).is_file()
    assert said["python_version"] in ("3.11", "3.12", "3.13"), "a text, not a number"
    assert len(said["short_description"]) <= 60


@pytest.mark.skipif(os.getuid() != 0, reason="takes root to become another user")
def test_a_space_starts_with_the_demo_by_itself(open_folder: Path) -> None:
    """User 1000, code that may not be written to, no ffmpeg on the path, PORT, a home folder of its own."""
    python, packages = other_user.python_for_all(USER)
    code, home = open_folder / "app", open_folder / "home"
    code.mkdir()
    shutil.copy(ROOT / "app.py", code)
    for top in ("backend", "ui", "workflows"):
        shutil.copytree(ROOT / top, code / top, ignore=shutil.ignore_patterns("*.pyc.*"))
    home.mkdir()
    os.chown(home, USER, USER)
    before = sorted(path.relative_to(code) for path in code.rglob("*"))
    port = free_port()
    log = (open_folder / "log").open("w+")
    environment = {
        "PATH": "/nowhere", "HOME": str(home), "PORT": str(port),
        "GRADIO_SERVER_NAME": "0.0.0.0", "SPACE_ID": "somebody/wan-studio", "SYSTEM": "spaces",
        "WAN_DEMO_STEP_SECONDS": "0", "PYTHONPATH": packages,
    }  # fmt: skip
    process = subprocess.Popen(
        [python, "app.py"], cwd=code, env=environment, user=USER, group=USER, extra_groups=[],
        stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}/healthz"
        health = json.loads(served(url, process, (open_folder / "log").read_text))
        said = (open_folder / "log").read_text()
        assert health["engine"] == "demo"
        data = home / ".local/share/wan-studio"
        assert (data / "studio.db").is_file()
        assert f"{code / 'data'} cannot be written to: jobs and videos are kept in {data} instead." in said
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        said = (open_folder / "log").read_text()
        assert "Traceback" not in said, said
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        log.close()
    assert sorted(path.relative_to(code) for path in code.rglob("*")) == before, "nothing beside app.py"
