"""A COMFYUI_URL that cannot be used: said in the plan, to a submitter, in System, and at start."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.errors import EngineUnreachable
from backend.jobs.limits import Limits
from backend.notices import words
from backend.settings.model import Settings
from backend.studio import Studio
from tests.support.app_process import app_process
from tests.support.fake_comfy import FakeComfy, page
from tests.support.ports import free_port
from tests.support.scripted import OWNER, SMALL
from tests.support.waiting import served, until
from ui.views import machine_panel

SAID = "A login page stands in front of the ComfyUI at"
LOGIN = page(200, "<html><input type=password></html>")


@pytest.mark.full
def test_a_studio_says_why_its_server_cannot_be_used(tmp_path: Path, picture: Path) -> None:
    with FakeComfy() as fake:
        fake.answer("GET", "/system_stats", *[LOGIN] * 1000)
        url = fake.url.replace("http://", "http://ann:s3cr3t-word@")
        values = {"WAN_DATA_DIR": str(tmp_path / "data"), "COMFYUI_URL": url}
        studio = Studio(Settings.from_env(values, tmp_path), limits=Limits(silent=-1.0))
        try:
            studio.start()
            until(lambda: studio.engines()[0].fault)
            health = studio.health()
            assert SAID in health["servers"][0]["error"] and studio.status() == "starting"
            plan = studio.plan("text_to_video", {"prompt": "a boat"}, {})
            assert plan.obstacle is not None and SAID in words(plan.obstacle)
            with pytest.raises(EngineUnreachable, match=SAID):
                studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
            shown = machine_panel.machine(studio.engines(), studio.queue(), health, {})
            report = machine_panel.report(studio.engines(), health)
            assert SAID in shown and SAID in report and "does not answer" not in shown + report
            assert "s3cr3t" not in f"{health} {shown} {report} {plan}"
            fake._answers.clear()
            until(lambda: studio.status() == "ok")
            assert studio.engines()[0].fault is None
        finally:
            studio.close()


@pytest.mark.deep
def test_the_start_prints_it_without_the_password(tmp_path: Path) -> None:
    closed = free_port()
    address = f"http://ann:s3cr3t-word@127.0.0.1:{closed}"
    with app_process(tmp_path, COMFYUI_URL=address) as (process, url):
        health = served(f"{url}/healthz", process, lambda: process.stderr)
        assert json.loads(health)["status"] == "starting"
        process.terminate()
        out, log = process.communicate(timeout=60)
    said = f"Nothing listens at http://127.0.0.1:{closed}: the connection is refused."
    assert f"Warning: {said}" in out and said in log and "s3cr3t" not in out + log
