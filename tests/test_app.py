"""app.py as a person or a script starts it: real processes, exit statuses, signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image

from app import main
from tests.support.app_process import app_process
from tests.support.ipv6 import has_ipv6
from tests.support.paths import ROOT
from tests.support.waiting import served as up

pytestmark = pytest.mark.full


def app(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "app.py", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120,
        env={**os.environ, **env},
    )  # fmt: skip


def test_compile_prints_a_graph_and_nothing_else(tmp_path: Path) -> None:
    Image.new("RGB", (900, 1600)).save(tmp_path / "tall.png")
    done = app(
        "compile", "image_to_video", f"image={tmp_path / 'tall.png'}", "speed=fast", "seed=5", "seconds=1"
    )
    assert done.returncode == 0 and done.stderr == ""
    graph = json.loads(done.stdout)
    size = next(n["inputs"] for n in graph.values() if n["class_type"] == "WanImageToVideo")
    assert (size["width"], size["height"], size["length"]) == (480, 832, 17), "the file was measured"
    assert any(n["inputs"].get("image") == "tall.png" for n in graph.values())


def test_compile_for_a_picture_that_is_not_there(tmp_path: Path) -> None:
    out = tmp_path / "graph.json"
    done = app(
        "compile", "fast_video", "image=later.png", "media_width=1000", "media_height=1000", "--out", str(out)
    )
    assert done.returncode == 0 and done.stdout == ""
    size = next(
        n["inputs"] for n in json.loads(out.read_text()).values() if n["class_type"] == "WanImageToVideo"
    )
    assert size["width"] == size["height"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["image_to_video"], "picture"),
        (["image_to_video", "image=x.png", "width=17", "height=64"], "Width"),
        (["image_to_video", "image=x.png", "seed=-2"], "seed"),
        (["image_to_video", "image=x.png", "nonsense=1"], "nonsense"),
        (["image_to_video", "image=x.png", "steps=many"], "steps"),
        (["image_to_video", "image=x.png", "motion"], "key=value"),
        (["hologram"], "hologram"),
    ],
)
def test_wrong_use_is_2_with_a_sentence(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status: object = main(["compile", *arguments])
    except SystemExit as ended:
        status = ended.code
    told = capsys.readouterr()
    assert status == 2 and told.out == "" and says in told.err


def test_what_cannot_be_done_is_1(tmp_path: Path) -> None:
    wrong = app("compile", "hologram")
    assert wrong.returncode == 2 and wrong.stdout == "" and "Traceback" not in wrong.stderr
    done = app("compile", "fast_video", "image=x.png", "--out", str(tmp_path / "no" / "folder.json"))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    bad = app(WAN_MAX_QUEUED="many")
    assert bad.returncode == 1 and "WAN_MAX_QUEUED" in bad.stderr and "Traceback" not in bad.stderr
    (tmp_path / "file").write_text("x")
    nowhere = app(WAN_DATA_DIR=str(tmp_path / "file" / "data"), WAN_ENGINE="demo")
    assert nowhere.returncode == 1 and "cannot be written" in nowhere.stderr
    assert "Traceback" not in nowhere.stderr


def test_help_everywhere() -> None:
    assert "compile" in app("--help").stdout
    assert "media_width" in app("compile", "--help").stdout


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    host = "::" if has_ipv6() else "127.0.0.1"
    with app_process(tmp_path, WAN_ENGINE="demo", GRADIO_SERVER_NAME=host) as (process, url):
        up(f"{url}/healthz", process, lambda: process.stderr)
        yield process, url


def children(pid: int) -> list[int]:
    return sorted(child.pid for child in psutil.Process(pid).children())


def test_it_serves_and_leaves_nothing_behind(served: tuple[subprocess.Popen[str], str]) -> None:
    process, url = served
    with urllib.request.urlopen(f"{url}/healthz") as answer:
        health = json.load(answer)
    assert health["engine"] == "demo" and health["queue"] == {"waiting": 0, "running": 0}
    with urllib.request.urlopen(url) as answer:
        assert "Wan Studio" in answer.read().decode()
    if has_ipv6():  # `::` is every address, IPv4 too
        with urllib.request.urlopen(url.replace("127.0.0.1", "[::1]")) as answer:
            assert "Wan Studio" in answer.read().decode()
    mine = children(process.pid)
    assert mine, "the demo engine is a process of its own"
    taken = app(GRADIO_SERVER_PORT=url.rsplit(":", 1)[1], WAN_ENGINE="demo")
    assert taken.returncode == 1 and "is taken" in taken.stderr and "Traceback" not in taken.stderr
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "results are marked DEMO" in out and url in out
    assert not [pid for pid in mine if Path(f"/proc/{pid}").exists()]
