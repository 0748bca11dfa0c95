"""A session on the page below a path of a proxy, under the proxy's own address."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from playwright.sync_api import Page, expect

from tests.e2e.actions import card, generate
from tests.e2e.conftest import PATIENCE, Site
from tests.support.prefix_proxy import PrefixProxy
from tests.support.waiting import until

expect.set_options(timeout=PATIENCE)
Visit = Callable[..., Page]


def test_a_session_behind_a_proxy(visit: Visit, photo: Path, tmp_path: Path) -> None:
    """`visit` fails for a request that leaves the prefix."""
    with PrefixProxy("/studio") as proxy:
        site = Site(tmp_path, GRADIO_ROOT_PATH=proxy.url + "/", WAN_DEMO_STEP_SECONDS="0")
        proxy.target = site.url
        site.start()
        try:
            link = until(lambda: re.search(r"http\S+\?admin=\S+", site.log()), says=site.log)[0]
            _session(visit, SimpleNamespace(url=proxy.url), photo, link)
        finally:
            site.stop()
        assert "/studio/page/fonts/schibsted-grotesk-variable.woff2" in proxy.paths


def _session(visit: Visit, proxy: SimpleNamespace, photo: Path, admin: str) -> None:
    assert admin.startswith(f"{proxy.url}/?admin=")
    page = visit(on=proxy, path=admin.removeprefix(proxy.url))
    expect(page.locator("body")).to_contain_text("signed in as the admin")
    assert page.url == f"{proxy.url}/"
    starter = page.locator(".starter img").first
    expect(starter).to_be_visible()
    assert starter.evaluate("image => image.naturalWidth > 0 && image.src").startswith(f"{proxy.url}/page/")
    generate(page, photo)
    card(page, "done")
    assert page.locator("#ws-card video").evaluate("v => v.currentSrc").startswith(f"{proxy.url}/media/")
    with page.expect_download() as download:
        page.locator("#ws-card a[download]").first.click()
    assert download.value.url.startswith(f"{proxy.url}/media/")
    assert Path(download.value.path()).read_bytes()[4:8] == b"ftyp"
    page.evaluate("() => { navigator.clipboard.writeText = async (text) => { window.copied = text; }; }")
    page.locator("#ws-card [data-link]").click()
    link = page.wait_for_function("() => window.copied").json_value()
    assert link.startswith(f"{proxy.url}/?job=")
    other = visit(on=proxy, path=link.removeprefix(proxy.url))
    card(other, "done")
