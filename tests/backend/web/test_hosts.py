"""At which names the page is served."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from backend.errors import BadSettings
from backend.notices import brief
from backend.settings.model import Settings
from backend.web.hosts import SHOWN, Hosts, host_of, known, unknown
from tests.support.guarded_site import HOST, JOIN, UPLOAD, Site

EVERYWHERE = "0.0.0.0"


@pytest.mark.parametrize(
    "header",
    [
        "", "localhost", "localhost:7860", "LocalHost:7860", "localhost.", "wan.localhost:80",
        "127.0.0.1:7860",
        "[::1]:7860", "[::1]", "192.168.1.20:7860", "203.0.113.9", "[2001:db8::1]:443", "[::ffff:127.0.0.1]",
    ],
)  # fmt: skip
def test_addresses_and_this_machine_are_served_without_a_setting(header: str) -> None:
    assert Hosts().allows(header)


@pytest.mark.parametrize(
    "header",
    [
        "evil.example", "evil.example:7860", "localhost.evil.example", "127.0.0.1.evil.example", "127.1",
        "0x7f000001", "2130706433", "localhost@evil.example", "evil.example@localhost", "localhost/evil",
        "[evil.example]", "[::1].evil.example", "::1", "127.0.0.1, evil.example", "evil.example\t", " ",
        ":80",
        "films.example.evil.example", "xfilms.example", "[fe80::1%25eth0]", "\u0131localhost", "a" * 70_000,
    ],
)  # fmt: skip
def test_other_names_are_not(header: str) -> None:
    assert not Hosts(["films.example"]).allows(header)


def test_names_of_the_settings() -> None:
    hosts = Hosts(["films.example", "*.studio.example"])
    for header in ("films.example", "FILMS.example:8443", "a.studio.example", "a.b.studio.example"):
        assert hosts.allows(header)
    for header in ("studio.example", "a.films.example", "astudio.example"):
        assert not hosts.allows(header)
    assert Hosts(["*"]).allows("anything.example") and not Hosts(["*"]).allows("a b")


def test_names_that_follow_from_where_the_page_is_served() -> None:
    def served(name: str, listens_on: str = EVERYWHERE, **environ: str) -> bool:
        return known(environ, listens_on).allows(name)

    own = socket.gethostname()
    assert served("films.example", GRADIO_ROOT_PATH="https://films.example:8443/studio/")
    assert not served("films.example", GRADIO_ROOT_PATH="/films.example")
    assert served("me-wan.hf.space", SPACE_HOST="me-wan.hf.space") and not served("you-wan.hf.space")
    assert served("abc123-7860.proxy.runpod.net", RUNPOD_POD_ID="abc123")
    for other in ("abc123-x.proxy.runpod.net", "xabc123-7860.proxy.runpod.net", "y-7860.proxy.runpod.net"):
        assert not served(other, RUNPOD_POD_ID="abc123"), other
    assert served(own) and served(f"{own}.local:7860") and served("gpu.lan", listens_on="gpu.lan")
    if own != "localhost":
        assert not served(own, listens_on="127.0.0.1")
    hosts = known({}, "127.0.0.1", ("films.example",))
    assert hosts.allows("films.example") and not hosts.allows("abc.gradio.live")
    hosts.add("https://abc.gradio.live")
    assert hosts.allows("abc.gradio.live") and not hosts.allows("gradio.live")


def test_the_answer_names_the_setting_and_repeats_little() -> None:
    assert "served at evil.example." in brief(unknown("evil.example:80"))
    assert "WAN_ALLOWED_HOSTS" in brief(unknown("x")) and "this name" in brief(unknown("a b"))
    assert len(brief(unknown("a" * 10_000))) < SHOWN + 200
    assert host_of("[::1]:80") == "::1" and host_of("A.b.:1") == "a.b" and host_of("a b") is None


def test_every_route_is_refused_at_another_name(tmp_path: Path) -> None:
    paths = (
        ("GET", "/"), ("GET", "/config"), ("GET", "/healthz"), ("POST", JOIN), ("POST", UPLOAD),
        ("GET", "/x"),
        ("GET", "/media/a/result.mp4"), ("POST", "/gradio_api/mcp/"), ("GET", "/gradio_api/mcp/sse"),
        ("GET", "/gradio_api/queue/data"), ("OPTIONS", JOIN), ("POST", "/login"), ("GET", "/studio"),
    )  # fmt: skip

    async def test() -> None:
        site = Site(tmp_path, prefix="/studio")
        websocket = {"connection": "Upgrade", "upgrade": "websocket", "host": "evil.example"}
        async with site.client() as http, site.client(host="evil.example:7860") as rebound:
            for method, path in paths:
                answer = await rebound.request(method, path)
                assert answer.status_code == 421, (method, path)
                assert "WAN_ALLOWED_HOSTS" in answer.json()["detail"]
                assert "frame-ancestors" in answer.headers["content-security-policy"]
            assert (await http.get("/", headers=websocket)).status_code == 421
            assert site.seen == [] and (await http.get("/")).status_code == 200

    asyncio.run(test())


def test_forwarded_names(tmp_path: Path) -> None:
    """A trusted proxy's has to be a known one; from others an unknown one does not reach the app."""

    async def test() -> None:
        site = Site(tmp_path)
        evil, good = {"x-forwarded-host": "evil.example"}, {"x-forwarded-host": HOST}
        twice = [("x-forwarded-host", HOST), ("x-forwarded-host", "evil.example")]
        async with site.client("10.0.0.7") as other, site.client("127.0.0.1") as proxy:
            for headers in (evil, twice, {"x-forwarded-host": f"{HOST}, evil.example"}):
                assert (await other.post(JOIN, json={}, headers=headers)).status_code == 200
                assert "x-forwarded-host" not in site.seen[-1][1]
                assert (await proxy.post(JOIN, json={}, headers=headers)).status_code == 421
            for http in (other, proxy):
                assert (await http.post(JOIN, json={}, headers=good)).status_code == 200
                assert site.seen[-1][1]["x-forwarded-host"] == HOST
                await http.post(JOIN, json={}, headers={"x-gradio-server": "http://evil.example"})
                assert "x-gradio-server" not in site.seen[-1][1]

    asyncio.run(test())


def test_the_setting() -> None:
    def allowed(text: str) -> tuple[str, ...]:
        return Settings.from_env({"WAN_ALLOWED_HOSTS": text, "WAN_DATA_DIR": "data"}).allowed_hosts

    given = " Films.example, https://b.example:8443/x ,*.c.example,d:80,, 10.0.0.1 "
    assert allowed(given) == ("films.example", "b.example", "*.c.example", "d", "10.0.0.1")
    assert allowed("*") == ("*",) and allowed("") == ()
    for wrong in ("a b", "a.*.example", "*x", "<b>", "http://"):
        with pytest.raises(BadSettings, match="WAN_ALLOWED_HOSTS"):
            allowed(wrong)


@pytest.mark.parametrize(
    ("given", "https"),
    [("https", True), ("HTTPS", True), ("https, http", True), (" https ,http", True), ("http, https", False),
     ("", True), ("wss", True), ("https://x", True)],
)  # fmt: skip
def test_the_scheme_is_that_of_the_browser_s_connection(tmp_path: Path, given: str, https: bool) -> None:
    """Of several proxies the first one has it; what is no scheme leaves that of the connection."""

    async def test() -> None:
        site = Site(tmp_path)
        async with site.client("127.0.0.1") as proxy:
            headers = {"x-forwarded-proto": given, "x-forwarded-for": "203.0.113.9"}
            answer = await proxy.get("/", headers=headers)
            assert ("secure" in answer.headers["set-cookie"].lower()) == https

    asyncio.run(test())
