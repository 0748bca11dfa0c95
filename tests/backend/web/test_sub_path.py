"""The page below a path of a proxy: everything answers, and every address carries prefix and host."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from gradio_client import Client, handle_file

from tests.support.heif_file import Item, heic
from tests.support.prefix_proxy import PrefixProxy
from tests.support.scripted import OWNER, Make, ended
from tests.support.served_site import ServedSite
from tests.support.tiers import deep
from tests.support.tool_client import use_tools

pytestmark = pytest.mark.full

VALUES = {"prompt": "A boat drifts", "seconds": 0.5, "width": 64, "height": 64}
Serve = Callable[[str, bool, str], tuple[PrefixProxy, ServedSite]]


@pytest.fixture
def serve(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """(prefix, whether the proxy strips it, root path) -> the proxy and the site behind it; {host} in the
    root path is the proxy's."""
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    for name, value in (("GRADIO_TEMP_DIR", str(uploads)), ("GRADIO_ANALYTICS_ENABLED", "False")):
        monkeypatch.setenv(name, value)
    opened: list[Any] = []

    def build(prefix: str, strips: bool, root: str) -> tuple[PrefixProxy, ServedSite]:
        proxy = PrefixProxy(prefix, strips).__enter__()
        opened.append(proxy.__exit__)
        site = ServedSite(make(), uploads, root_path=root.format(host=proxy.host))
        opened.append(site.close)
        proxy.target = site.url
        return proxy, site

    yield build
    for close in reversed(opened):
        close()


@pytest.mark.parametrize(
    ("strips", "root"),
    [
        (True, "/studio"),
        (False, "{host}/studio"),
        deep(False, "/studio"),
        deep(True, "{host}/studio"),
    ],
)
def test_everything_answers_below_the_path(
    serve: Serve, picture: Path, tmp_path: Path, strips: bool, root: str
) -> None:
    proxy, site = serve("/studio", strips, root)
    job = ended(site.studio, site.studio.submit(OWNER, "image_to_video", VALUES, {"image": picture}))
    with httpx.Client(base_url=proxy.url + "/", timeout=60, trust_env=False) as http:
        bare = http.get(proxy.url, params={"job": job.id})
        assert bare.is_redirect
        assert urlsplit(str(bare.next_request.url)).path == "/studio/"  # type: ignore[union-attr]
        assert bare.next_request.url.query == f"job={job.id}".encode()  # type: ignore[union-attr]
        page = http.get("")
        assert page.status_code == 200 and "gradio" in page.text
        assert f'"root":"{proxy.url}"' in page.text.replace(" ", "")
        assert http.get("config").json()["root"] == proxy.url
        assert http.get("healthz").json()["status"] == "ok"
        for asset in ("page/starters/dunes.jpg", "page/fonts/geist-mono.woff2", "favicon.ico"):
            assert http.get(asset).status_code == 200, asset
        script = re.search(r'"\.?/?(assets/[^"]+\.js)"', page.text)
        assert script and http.get(script[1]).status_code == 200
        address = site.studio.media_url(job, "result.mp4", download=True).lstrip("/")
        part = http.get(address, headers={"Range": "bytes=0-9"})
        assert part.status_code == 206 and len(part.content) == 10
        sent = http.post("gradio_api/upload", files={"files": ("beach.heic", photo(), "")}).json()[0]
        assert http.get(f"gradio_api/file={sent}").content == photo()
        assert http.get("preview", params={"path": sent}).headers["content-type"] == "image/jpeg"
        refused = http.post("gradio_api/queue/join", json={}, headers={"Origin": "https://other.example"})
        assert refused.status_code == 403
    down = tmp_path / "down"
    client = Client(proxy.url + "/", verbose=False, download_files=down, analytics_enabled=False)
    small = {"seconds": 0.5, "width": 64, "height": 64}
    made, record = client.predict(handle_file(picture), **small, api_name="/image_to_video")
    assert record["status"] == "done" and Path(made).is_relative_to(down)
    assert all(path.startswith("/studio") for path in proxy.paths)
    found = asyncio.run(tool_call(f"{proxy.url}/gradio_api/mcp/", picture))
    result = re.search(r"http://[^\s']+\.mp4", found)
    assert result and result[0].startswith(proxy.url + "/"), found
    assert httpx.get(result[0], trust_env=False).status_code == 200
    tools = use_tools(proxy.url, "sse", {}, lambda session: session.list_tools())
    assert "job" in {tool.name for tool in tools.tools}, "messages go below the path, too"
    client.close()


def photo() -> bytes:
    from PIL import Image

    return heic(Item(Image.new("RGB", (64, 64), "red")))


async def tool_call(address: str, picture: Path) -> str:
    """The answer of the MCP tool /image_to_video."""
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    image = "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()
    async with (
        streamablehttp_client(address, headers={"X-Wan-Owner": OWNER}) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        wanted = {"image": image, "seconds": 0.5, "width": 64, "height": 64}
        answer = await session.call_tool("image_to_video", wanted)
    assert not answer.isError, answer
    return " ".join(part.text for part in answer.content if part.type == "text")
