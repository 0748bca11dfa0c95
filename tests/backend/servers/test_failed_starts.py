"""Servers that do not come up."""

from __future__ import annotations

import json

import pytest

from backend.notices import words
from tests.support.fleet import Build, exits
from tests.support.waiting import let_pass, until

pytestmark = pytest.mark.full


@pytest.mark.parametrize(
    ("printed", "says"),
    [
        (
            "RuntimeError: The NVIDIA driver on your system is too old (found version 12020).",
            "driver is too old",
        ),
        ("RuntimeError: Found no NVIDIA driver on your system.", "no NVIDIA GPU"),
        ("ModuleNotFoundError: No module named 'torchsde'", "torchsde"),
        ("ERROR Port 8188 is already in use on address 127.0.0.1.", "taken by another program"),
        ("main.py: error: unrecognized arguments: --normalvram", "--normalvram"),
        ("something else", "something else"),
    ],
)
def test_the_reason_for_a_failed_start_is_shown(build: Build, printed: str, says: str) -> None:
    exits.clear()
    one = build("0", restart=False, COMFYUI_ARGS=f"--fail {json.dumps(printed)}")
    until(lambda: exits, 60)
    info = one.engines[0].refresh()
    assert info.state == "lost" and says in words(info.error) and "Traceback" not in words(info.error)
    assert says in exits[0].message
    let_pass(0.3)
    assert one.processes[0].restarts == 0, "it is not started again where the container is to end"


def test_a_missing_python(build: Build) -> None:
    one = build("0", COMFYUI_PYTHON="/nowhere/python")
    until(lambda: "/nowhere/python" in words(one.engines[0].refresh().error), 60)
    assert "COMFYUI_PYTHON" in words(one.engines[0].info().error)
    assert one.engines[0].info().state == "starting", "it is tried again"


def test_an_option_that_comfyui_does_not_have(build: Build) -> None:
    one = build("0", COMFYUI_ARGS="--normalvram")
    until(lambda: "--normalvram" in words(one.engines[0].refresh().error), 60)
