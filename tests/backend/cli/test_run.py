"""`python app.py run` with real processes: a studio that runs, and one that is started for it."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image

from backend.cli import run_options
from backend.cli.run import wanted
from backend.cli.run_client import Client, Made
from backend.cli.run_results import opened
from backend.media.decoder import Decoder
from backend.settings.model import Settings
from backend.stopping import StopSignal
from tests.support.app_process import app_process
from tests.support.paths import ROOT
from tests.support.waiting import served as up

pytestmark = pytest.mark.full

DRAFT = ("seconds=1", "resolution=draft", "speed=fast")
LOGIN = "ann:a-long-password"


def run(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "app.py"), "run", *arguments], cwd=folder, capture_output=True, text=True,
        timeout=180, env={**os.environ, "WAN_ENGINE": "demo", "WAN_DEMO_STEP_SECONDS": "0.02", **env},
    )  # fmt: skip


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address and the data folder of a studio with a login."""
    folder = tmp_path_factory.mktemp("studio")
    env = {"WAN_ENGINE": "demo", "WAN_DEMO_STEP_SECONDS": "0.02", "WAN_AUTH": LOGIN}
    with app_process(folder, **env) as (process, url):
        up(f"{url}/healthz", process, lambda: process.stderr)
        yield url, folder / "data"


def test_the_studio_that_holds_the_data_folder_makes_it(
    studio: tuple[str, Path], tmp_path: Path, decoder: Decoder
) -> None:
    _, data = studio
    (tmp_path / "out").mkdir()
    done = run(
        tmp_path, "text_to_video", "prompt=A boat", *DRAFT, "--variations", "2", "--out", "out", "--json",
        WAN_DATA_DIR=str(data), WAN_AUTH=LOGIN,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["status"] == "done" and len(record["children"]) == 2
    sheet, *clips = (tmp_path / name for name in record["files"])
    assert sheet.parent.name == "out" and len(clips) == 2
    assert [decoder.video_facts(clip).width for clip in clips] == [512, 512]
    assert decoder.video_facts(sheet).height > 500
    assert " % " in done.stderr


def test_by_its_address_it_asks_for_the_login_and_queues(studio: tuple[str, Path], tmp_path: Path) -> None:
    url, _ = studio
    wrong = run(tmp_path, "text_to_video", "prompt=A boat", "--url", url)
    assert wrong.returncode == 1 and "--login" in wrong.stderr and wrong.stdout == ""
    queued = run(
        tmp_path,
        "text_to_video",
        "prompt=A boat",
        *DRAFT,
        "--url",
        url,
        "--login",
        LOGIN,
        "--no-wait",
        "--json",
    )
    record = json.loads(queued.stdout)
    assert (
        queued.returncode == 0 and record["id"] and record["key"] and record["owner"] and not record["files"]
    )


def test_a_clip_is_extended_and_finished(
    studio: tuple[str, Path], tmp_path: Path, decoder: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `run` calls the endpoints, without a process for each call."""
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (64, 64), "teal").save("end.png")
    parser = argparse.ArgumentParser()
    run_options.add_run(parser.add_subparsers())
    user, _, password = LOGIN.partition(":")
    settings = Settings.from_env({"WAN_DATA_DIR": str(studio[1])}, tmp_path)

    def made(*arguments: str) -> Made:
        call = opened(wanted(parser.parse_args(["run", *arguments])).call, settings)
        with Client(studio[0], "owner-of-a-command-01", (user, password), StopSignal()) as client:
            found = client.make(call, lambda percent, said: None)
            return Made(found.record, client.save(found.file, tmp_path / found.name), found.name)

    size = ("width=64", "height=64", "seconds=0.5", "speed=fast")
    clip = made("text_to_video", "prompt=A boat", *size).record
    which = (f"id={clip['id']}", f"key={clip['key']}")
    end = ("end_image=end.png", "seconds=0.5", "frame=3", "speed=fast", "seed=7")
    longer = made("extend", *which, "prompt=It turns", *end)
    assert decoder.video_facts(longer.file).frames == longer.record["frames"] == 12
    assert longer.record["source"] == clip["id"] and longer.record["parts"][1]["seed"] == 7
    final = made("finish", which[0], "resolution=same")
    assert final.record["source"] == clip["id"] and final.record["steps"] > clip["steps"]
    assert decoder.video_facts(final.file).frames == clip["frames"]
    again = made("image_to_video", f"image=job:{clip['id']}@3", f"end_image=job:{clip['id']}", *size)
    frames = {"image": {"id": clip["id"], "frame": 3}, "end_image": {"id": clip["id"], "frame": -1}}
    assert again.record["results"] == frames and again.record["status"] == "done"


def test_without_a_studio_one_is_started_and_stopped(tmp_path: Path, decoder: Decoder) -> None:
    data = tmp_path / "data"
    done = run(
        tmp_path,
        "text_to_image",
        "prompt=A boat",
        "width=64",
        "height=64",
        "--out",
        "a.png",
        WAN_DATA_DIR=str(data),
    )
    assert done.returncode == 0 and done.stdout.strip() == "a.png", done.stderr
    assert decoder.picture(tmp_path / "a.png").width == 64
    ours = [
        one
        for one in psutil.process_iter(["environ"])
        if (one.info["environ"] or {}).get("WAN_DATA_DIR") == str(data)
    ]
    assert not ours, "neither the studio nor its engine is left"
    assert (data / "lock").read_text() == ""


def test_an_address_where_nothing_answers_is_said(tmp_path: Path) -> None:
    done = run(tmp_path, "text_to_video", "prompt=A boat", "--url", "http://127.0.0.1:9")
    assert done.returncode == 1 and "does not answer" in done.stderr and "Traceback" not in done.stderr
