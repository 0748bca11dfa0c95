"""Results of other jobs as the files of a call, over HTTP, by gradio_client and as an MCP tool."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client
from PIL import Image

from backend.jobs.job import DONE, QUEUED
from tests.support.fake_engine import FakeEngine
from tests.support.scripted import OWNER, Make, ended
from tests.support.served_site import ServedSite
from tests.support.tool_client import record, texts, use_tools
from tests.support.waiting import until

pytestmark = pytest.mark.full

SIDES = {"width": 64, "height": 64, "seconds": 0.5, "wait": False}


@pytest.fixture
def site(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServedSite]:
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    for name, value in (("GRADIO_TEMP_DIR", str(uploads)), ("GRADIO_ANALYTICS_ENABLED", "False")):
        monkeypatch.setenv(name, value)
    found = ServedSite(make(), uploads)
    yield found
    found.close()


def posted(site: ServedSite, endpoint: str, given: dict[str, Any], owner: str = OWNER) -> Any:
    """The answer of a plain HTTP call with named values: the record, or the sentence of the refusal."""
    with httpx.Client(base_url=site.url, headers={"X-Wan-Owner": owner}, timeout=60, trust_env=False) as http:
        answer = http.post(f"/gradio_api/call/v2/{endpoint}", json=given)
        assert answer.status_code == 200, answer.text
        stream = http.get(f"/gradio_api/call/{endpoint}/{answer.json()['event_id']}").text
    kind, data = stream.strip().split("\n\n")[-1].split("\n", 1)
    found = json.loads(data.removeprefix("data: "))
    return found["error"] if kind == "event: error" else found[1]


def test_a_result_is_named_by_http_and_as_a_tool(
    site: ServedSite, engine: FakeEngine, tmp_path: Path
) -> None:
    studio, small = site.studio, {"width": 64, "height": 64, "seconds": 0.5}
    picture = tmp_path / "boat.png"
    Image.new("RGB", (64, 64), "teal").save(picture)
    engine.hold.clear()
    first = studio.submit(OWNER, "image_to_video", small, {"image": picture})
    assert engine.drawing.wait(60)
    who = {"id": first.id, "key": first.key}

    by_http = posted(site, "image_to_video", {**SIDES, "results": {"image": {**who, "frame": 2}}})
    assert by_http["status"] == QUEUED and by_http["results"] == {"image": {"id": first.id, "frame": 2}}

    async def use(session: Any) -> list[Any]:
        tools = {tool.name: tool for tool in (await session.list_tools()).tools}
        named = {**SIDES, "results": json.dumps({"image": who, "video": who})}
        silent = {"width": 64, "height": 64, "wait": False, "results": {"audio": who}}
        call = session.call_tool
        return [tools, await call("animate", named), await call("sound_to_video", silent)]

    tools, animated, refused = use_tools(site.url, "http", {"X-Wan-Owner": OWNER}, use)
    schema = tools["image_to_video"].inputSchema
    assert "image" not in schema.get("required", [])
    assert "for any of image, end_image" in schema["properties"]["results"]["description"]
    assert "results" not in tools["text_to_video"].inputSchema["properties"]
    by_tool = record(animated)
    assert {name: of["id"] for name, of in by_tool["results"].items()} == {
        "image": first.id,
        "video": first.id,
    }
    assert refused.isError and "has no sound" in texts(refused)[0]

    headers = {"X-Wan-Owner": OWNER}
    client = Client(site.url, headers=headers, verbose=False, analytics_enabled=False)
    last = {"image": {"id": by_http["id"], "key": by_http["key"]}}
    _, by_client = client.predict(**SIDES, results=json.dumps(last), api_name="/image_to_video")
    client.close()
    assert by_client["results"] == {"image": {"id": by_http["id"], "frame": -1}}

    before = len(studio.jobs(OWNER))
    foreign = posted(site, "image_to_video", {**SIDES, "results": {"image": who}}, "owner-token-of-another-1")
    assert "result for image cannot be used: Only the owner" in foreign
    wrong = posted(site, "image_to_video", {**SIDES, "results": {"image": {**who, "key": "x"}}})
    assert wrong == "The result for image cannot be used: There is no such video, or the link is incomplete."
    assert posted(site, "image_to_video", {**SIDES}).startswith("Choose a picture first.")
    assert len(studio.jobs(OWNER)) == before

    engine.hold.set()
    for made in (by_http, by_tool, by_client):
        job = until(lambda made=made: (now := studio.job(made["id"], made["key"])).finished and now)
        assert job.status == DONE, job.error
    assert ended(studio, first).status == DONE
