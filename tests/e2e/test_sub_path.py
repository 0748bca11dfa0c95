"""A session on the page below a path of a proxy, under the proxy's own address."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.actions import card, generate, more
from tests.e2e.conftest import PATIENCE, Site
from tests.support.prefix_proxy import PrefixProxy
from tests.support.waiting import until

expect.set_options(timeout=PATIENCE)
Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The app behind a proxy: the proxy's address of it, its log, the proxy."""
    with PrefixProxy("/studio") as proxy:
        folder = tmp_path_factory.mktemp("proxied")
        site = Site(folder, GRADIO_ROOT_PATH=proxy.url + "/", WAN_DEMO_STEP_SECONDS="0")
        proxy.target = site.url
        site.start()
        yield SimpleNamespace(url=proxy.url, log=site.log, paths=proxy.paths)
        site.stop()


@pytest.mark.deep
def test_a_session_behind_a_proxy(visit: Visit, proxied: SimpleNamespace, photo: Path) -> None:
    """`visit` fails for a request that leaves the prefix."""
    admin = until(lambda: re.search(r"http\S+\?admin=\S+", proxied.log()), says=proxied.log)
    assert admin and admin[0].startswith(f"{proxied.url}/?admin=")
    page = visit(on=proxied, path=admin[0].removeprefix(proxied.url))
    expect(page.locator("body")).to_contain_text("signed in as the admin")
    assert page.url == f"{proxied.url}/"
    starter = page.locator(".starter img").first
    expect(starter).to_be_visible()
    assert starter.evaluate("image => image.naturalWidth > 0 && image.src").startswith(f"{proxied.url}/page/")
    generate(page, photo)
    card(page, "done")
    assert page.locator("#ws-card video").evaluate("v => v.currentSrc").startswith(f"{proxied.url}/media/")
    with page.expect_download() as download:
        page.locator("#ws-card a[download]").first.click()
    assert download.value.url.startswith(f"{proxied.url}/media/")
    assert Path(download.value.path()).read_bytes()[4:8] == b"ftyp"
    page.evaluate("() => { navigator.clipboard.writeText = async (text) => { window.copied = text; }; }")
    more(page, "Copy link")
    link = page.wait_for_function("() => window.copied").json_value()
    assert link.startswith(f"{proxied.url}/?job=")
    page.goto(link)
    card(page, "done")
    assert page.url == link
    assert "/studio/page/fonts/schibsted-grotesk-variable.woff2" in proxied.paths
