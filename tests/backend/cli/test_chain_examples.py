"""The chains of docs/api.md, in Python, in a shell and with the command, on a studio with the demo engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client

from backend.cli import run_studio
from backend.settings.model import Settings
from tests.support.app_process import app_process
from tests.support.paths import ROOT
from tests.support.waiting import served, until

pytestmark = pytest.mark.deep

BLOCK = re.compile(r"(?:^ {4}.*\n|^\n)+", re.M)
ADDRESS = "http://127.0.0.1:7860"
OWNER = "a-token-of-your-choice"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address and the folder of a studio."""
    folder = tmp_path_factory.mktemp("studio")
    with app_process(folder, WAN_ENGINE="demo", WAN_DEMO_STEP_SECONDS="0.01") as (process, url):
        served(f"{url}/healthz", process, lambda: process.stderr)
        yield url, folder


def example(words: str) -> str:
    """The one example of docs/api.md that has these words."""
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    (found,) = [block for block in BLOCK.findall(text) if words in block]
    return textwrap.dedent(found)


def finished(url: str, owner: str, job: dict[str, Any]) -> dict[str, Any]:
    """The record at its end of a job and of what it was made from."""
    client = Client(url, headers={"X-Wan-Owner": owner}, verbose=False, analytics_enabled=False)
    who = {"id": job["id"], "key": job["key"]}
    try:
        return until(
            lambda: (
                (now := client.predict(**who, api_name="/job"))["status"] not in ("queued", "running") and now
            ),
            300,
        )
    finally:
        client.close()


def check(url: str, owner: str, job: dict[str, Any]) -> None:
    done = finished(url, owner, job)
    assert done["status"] == "done", done.get("error")
    assert [part["status"] for part in done["parts"]] == ["done", "done"]
    assert done["results"]["image"]["id"]


def test_in_python(studio: tuple[str, Path]) -> None:
    url, _ = studio
    names: dict[str, Any] = {"Client": Client}
    exec(example("queued(endpoint").replace(ADDRESS, url), names)
    check(url, OWNER, names["longer"])


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="needs curl and jq")
def test_in_a_shell(studio: tuple[str, Path]) -> None:
    url, _ = studio
    script = "set -euo pipefail\n" + example("curl -sN").replace(ADDRESS, url)
    done = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, "OWNER": OWNER},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    check(url, OWNER, json.loads(done.stdout))


@pytest.mark.skipif(not shutil.which("jq"), reason="needs jq")
def test_with_the_command(studio: tuple[str, Path]) -> None:
    url, folder = studio
    script = "set -euo pipefail\n" + example("image=job:$PICTURE").replace(".venv/bin/python", "python")
    python = Path(shutil.which("python") or "python").parent
    data = str(folder / "data")
    environ = {
        **os.environ,
        "WAN_DATA_DIR": data,
        "PATH": f"{ROOT / '.venv' / 'bin'}:{python}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    found = re.search(r"id=(\S+) key=(\S+)", done.stdout)
    assert found, done.stdout
    owner = run_studio.owner(Settings.from_env({"WAN_DATA_DIR": data}, folder))
    check(url, owner, {"id": found[1], "key": found[2]})
