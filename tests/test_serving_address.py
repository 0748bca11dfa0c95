"""app.py as a process at each form of a loopback address, asked by the address that it prints."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from scripts import healthcheck
from tests.support.ipv6 import has_ipv6
from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.waiting import served

pytestmark = [pytest.mark.full, pytest.mark.deep]


@pytest.mark.parametrize(
    ("host", "name", "opened"),
    [
        ("::1", "GRADIO_SERVER_PORT", ("[::1]",)),
        ("[::1]", "PORT", ("[::1]",)),
        ("0:0:0:0:0:0:0:1", "PORT", ("[::1]",)),
        ("[::]", "GRADIO_SERVER_PORT", ("[::1]", "127.0.0.1", "localhost")),
        ("localhost", "PORT", ("127.0.0.1", "localhost")),
        ("127.0.0.2", "PORT", ("127.0.0.2",)),
        ("::ffff:127.0.0.1", "GRADIO_SERVER_PORT", ("127.0.0.1",)),
    ],
)
def test_the_page_answers_where_it_says(
    tmp_path: Path, host: str, name: str, opened: tuple[str, ...]
) -> None:
    if ":" in host and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    port, log = free_port(), tmp_path / "log"
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("WAN_", "GRADIO_", "RUNPOD_", "PORT"))}
    ours = {"GRADIO_SERVER_NAME": host, name: str(port)}
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, stdout=out, stderr=subprocess.STDOUT,
            env={**kept, **ours, "WAN_DATA_DIR": str(tmp_path / "data"), "WAN_ENGINE": "demo",
                 "GRADIO_TEMP_DIR": str(tmp_path / "uploads")},
        )  # fmt: skip
    try:
        where = healthcheck.address(tmp_path, dict(ours))
        served(where, process, log.read_text)
        served(where.removesuffix("healthz"), process, log.read_text)
        for each in opened:
            with urllib.request.urlopen(f"http://{each}:{port}/", timeout=60) as answer:
                assert "Wan Studio" in answer.read().decode()
        process.terminate()
        assert process.wait(60) == 0
        printed = log.read_text()
        assert f"Wan Studio is at {where.removesuffix('healthz')}" in printed and "Traceback" not in printed
        assert "network" not in printed or host == "[::]"
    finally:
        process.kill()
        process.wait()
