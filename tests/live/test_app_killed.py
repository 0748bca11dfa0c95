"""The app is killed while a real ComfyUI draws: the next start finds the prompt and posts it only once."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file
from PIL import Image

from tests.support.storm import App

STEPS = 40


def ask(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


def prompts_of(address: str, job_id: str) -> list[str]:
    """All prompts that the server has, or has had, of a job."""
    queue, history = ask(f"{address}/queue"), ask(f"{address}/history")
    items = [item for rows in queue.values() for item in rows]
    items += [entry["prompt"] for entry in history.values()]
    return [item[1] for item in items if job_id in json.dumps(item[2])]


@pytest.mark.parametrize("away", [0.0, 60.0], ids=["it-still-draws", "it-has-ended-meanwhile"])
def test_a_killed_app_finds_its_prompt_again(address: str, tmp_path: Path, away: float) -> None:
    picture = tmp_path / "picture.png"
    Image.effect_noise((160, 96), 60).convert("RGB").save(picture)
    app = App(tmp_path / "app", [address])
    app.start()
    try:
        client = Client(app.url, verbose=False)
        _, job = client.predict(
            image=handle_file(str(picture)), prompt="A kill", seconds=1.0, width=160, height=96, steps=STEPS,
            speed="quality", seed=int(time.time()), wait=False, api_name="/image_to_video",
        )  # fmt: skip
        until = time.monotonic() + 120
        while not prompts_of(address, job["id"]) and time.monotonic() < until:
            time.sleep(0.1)
        time.sleep(2.0)
        assert ask(f"{address}/queue")["queue_running"], "it draws"
        app.kill()
        stop = time.monotonic() + away
        while time.monotonic() < stop and ask(f"{address}/queue")["queue_running"]:
            time.sleep(0.5)
        app.start()
        until = time.monotonic() + 900
        while (row := app.rows()[job["id"]])["status"] not in ("done", "failed") and time.monotonic() < until:
            time.sleep(0.3)
        assert row["status"] == "done", row["error"]
        assert len(prompts_of(address, job["id"])) == 1, "posted once"
        assert json.loads(row["warnings"]) == []
        assert (app.data / "jobs" / job["id"] / "result.mp4").is_file()
    finally:
        app.stop()
