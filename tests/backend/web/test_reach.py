"""Who can reach the page, by what came of the share link that was asked for; app.py as a real process."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.security.tokens import new_token
from backend.web.request_rates import STRICT
from tests.support.security_site import Site

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Asked for a share link, on a machine that cannot make one."""
    nowhere = "http://127.0.0.1:9"
    folder: Path = tmp_path_factory.mktemp("share")
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), nowhere)
    started = Site(
        folder, GRADIO_SHARE="true", WAN_DEMO_STEP_SECONDS="60", no_proxy="127.0.0.1,localhost",
        HOME=str(folder), HF_HOME=str(folder / "hf"),
        WAN_ALLOWED_HOSTS="x-7860.proxy.runpod.net", **proxies,
    )  # fmt: skip
    end = time.monotonic() + 120
    while "Wan Studio is at" not in started.log():  # it is served before Gradio gives the link up
        assert time.monotonic() < end, started.log()
        time.sleep(0.1)
    yield started
    started.close()


def test_without_a_share_link_the_page_is_not_public(site: Site) -> None:
    assert "No share link could be made" in site.log() and "Anybody with the address" not in site.log()
    assert "Anybody with the address" not in json.dumps(site.config)
    with httpx.Client(base_url=site.url, timeout=60, trust_env=False) as http:
        assert "Anybody with the address" not in http.get("/").text


def test_the_strict_rates_end_without_the_share_link(site: Site) -> None:
    host = {"host": "x-7860.proxy.runpod.net"}
    with httpx.Client(base_url=site.url, timeout=60, trust_env=False, headers=host) as http:
        codes = [
            http.post(
                "/gradio_api/reset", json={"event_id": "x"}, headers={"x-wan-owner": new_token()}
            ).status_code
            for _ in range(round(STRICT.newcomers[0]) + 20)
        ]
    assert 429 not in codes


def test_the_public_warning_follows_the_state_when_the_page_is_opened() -> None:
    from tests.support.fake_studio import FakeStudio
    from ui import page as layout

    def said(page: Any) -> tuple[bool, bool]:
        line = next(c["props"] for c in page.config["components"] if c["props"].get("elem_id") == "ws-public")
        return line["visible"], "Anybody can come in." in line["value"]

    studio: Any = FakeStudio()
    studio.warning = "Anybody can come in."
    page = layout.build(studio)
    assert said(page) == (True, True)
    studio.warning = ""
    layout.update_public_warning(page, studio)
    assert said(page) == (False, False)
    studio.warning = "Anybody can come in."
    layout.update_public_warning(page, studio)
    assert said(page) == (True, True)
