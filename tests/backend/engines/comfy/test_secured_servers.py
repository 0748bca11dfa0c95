"""Real servers with TLS, a login, or a path, and those that are something else."""

from __future__ import annotations

import logging
import socket
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.engines.base import Prompt
from backend.engines.comfy.engine import ComfyEngine
from backend.engines.comfy.timing import Timing
from backend.errors import EngineUnreachable, StudioError
from backend.notices import words
from backend.servers.server import Server
from backend.settings.model import Settings
from tests.support.certificates import Authority
from tests.support.fake_comfy import Answer, FakeComfy, page, play, status
from tests.support.ports import free_port
from tests.support.tiers import deep
from tests.support.transcripts import named

pytestmark = pytest.mark.full

COLD = named("success_i2v_cold")
TIMING = Timing(receive=0.02, first_poll=0.01, idle_poll=0.1, offline_poll=0.02)
SECRET = "pa:ss w/örd@1"
LOGIN = f"me:{SECRET}"
QUOTED = "me:pa%3Ass%20w%2F%C3%B6rd%401"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def server(authority: Authority) -> Iterator[FakeComfy]:
    with FakeComfy(play(COLD), COLD, tls=authority.sign().server, login=LOGIN, path="/comfy") as fake:
        yield fake


def run(engine: ComfyEngine) -> None:
    labels = COLD.labels(COLD.posted()[0])
    engine.run(Prompt(str(uuid.uuid4()), {}, labels, 4, {}), lambda event: None)


def reason(engine: ComfyEngine) -> str:
    info = engine.refresh()
    engine.close()
    assert info.state == "starting"
    assert info.fault in (None, info.error)
    return words(info.error)


def test_a_job_over_tls_with_a_login_behind_a_path(server: FakeComfy, authority: Authority) -> None:
    engine = ComfyEngine(server.url + "/", timing=TIMING, login=LOGIN, ca=authority.file)
    assert engine.refresh().state == "ok" and engine.info().fault is None
    run(engine)
    assert server.opened, "the websocket, too"
    assert engine.info().address == server.url


def test_credentials_in_the_address_are_said_nowhere(
    server: FakeComfy, authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = server.url.replace("https://", f"https://{QUOTED}@")
    given = {"COMFYUI_URL": url, "WAN_COMFYUI_CA": str(authority.file), "WAN_COMFYUI_LOGIN": "other:login"}
    settings = Settings.from_env({"WAN_DATA_DIR": str(tmp_path), **given}, tmp_path)
    with caplog.at_level(logging.DEBUG):
        engine = Server(settings.comfyui_urls[0], settings).engine
        assert engine.refresh().state == "ok"
        server.login = "me:changed"
        info = engine.refresh()
        assert "does not accept the user and password" in words(info.error)
        with pytest.raises(StudioError) as caught:
            engine.http.get("/queue")
    said = f"{info} {caught.value.to_dict()} {caught.value.detail} {settings!r} {caplog.text}"
    assert "ss w" not in said and "pa%3A" not in said and "other:login" not in said
    engine.close()


def test_the_login_of_the_settings_is_for_the_configured_servers(tmp_path: Path) -> None:
    with FakeComfy(login="ann:word") as fake:
        given = {"WAN_DATA_DIR": str(tmp_path), "COMFYUI_URL": fake.url, "WAN_COMFYUI_LOGIN": "ann:word"}
        settings = Settings.from_env(given, tmp_path)
        engine = Server(fake.url, settings).engine
        assert engine.refresh().state == "ok"
        other = Server(fake.url, settings.model_copy(update={"comfyui_urls": ()})).engine
        assert "asks for a password" in words(other.refresh().error)
        for one in (engine, other):
            one.close()


def test_certificates(authority: Authority) -> None:
    own = authority.self_signed()
    for signed, ca, said in (
        (authority.sign(), None, "is not trusted"),
        (own, None, "is not trusted"),
        (own, authority.file, "is not trusted"),
        (authority.sign("other.test"), authority.file, "is for another name"),
        (authority.sign(days=-3), authority.file, "is out of date"),
        (own, own.file, ""),
        (authority.sign(), authority.file, ""),
    ):
        with FakeComfy(play(COLD), COLD, tls=signed.server) as fake:
            engine = ComfyEngine(fake.url, timing=TIMING, ca=ca)
            if said:
                assert said in reason(engine)
            else:
                assert engine.refresh().state == "ok"
                run(engine)
                assert fake.opened, "the websocket has the same certificates"
                engine.close()


def test_a_server_s_own_certificate_can_be_the_file(authority: Authority) -> None:
    """Its authority is not in the file."""
    signed = authority.sign()
    with FakeComfy(tls=signed.server) as fake:
        engine = ComfyEngine(fake.url, ca=signed.file)
        assert engine.refresh().state == "ok"
        engine.close()


def test_http_for_https_and_https_for_http(authority: Authority) -> None:
    with FakeComfy(tls=authority.sign().server) as fake:
        said = reason(ComfyEngine(fake.url.replace("https", "http")))
        assert "takes https only" in said and "Write https://" in said
    with FakeComfy() as fake:
        said = reason(ComfyEngine(fake.url.replace("http", "https")))
        assert "does not use https" in said and "Write http://" in said


LOGIN_PAGE = page(200, "<html><form><input type=password></form>")
CASES: dict[str, tuple[Answer, str]] = {
    "401": (status(401), "asks for a password"),
    "403": (status(403), "refuses access"),
    "login page": (LOGIN_PAGE, "A login page stands in front"),
    "redirect": (status(302, Location="/login?next=x"), "A login page stands in front"),
    "web page": (page(), "it sends a web page"),
    "404": (status(404), "there is no ComfyUI at this address"),
    "404 page": (page(404), "there is no ComfyUI at this address"),
    "502": (status(502), "but not the ComfyUI behind it"),
    "other JSON": (status(200, '{"status": "healthy"}'), "but not as ComfyUI does"),
    "text": (status(200, "OK"), "but not as ComfyUI does"),
}


@pytest.mark.parametrize("name", ["redirect", *map(deep, [name for name in CASES if name != "redirect"])])
def test_what_stands_in_front_or_is_something_else(name: str) -> None:
    answer, said = CASES[name]
    with FakeComfy() as fake:
        fake.answer("GET", "/system_stats", answer, answer)
        assert said in reason(ComfyEngine(fake.url))
        assert fake.count("GET", "/login") == 0, "a redirect is not followed"


def test_nothing_and_no_http() -> None:
    assert "the connection is refused" in reason(ComfyEngine(f"http://127.0.0.1:{free_port()}"))
    assert "There is no host no-such-host.invalid" in reason(ComfyEngine("http://no-such-host.invalid:8188"))
    assert "There is no host" in reason(ComfyEngine(f"http://{'a' * 80}.test"))
    with socket.create_server(("127.0.0.1", 0)) as other:

        def greet() -> None:
            one, _ = other.accept()
            with one:
                one.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")
                one.recv(10_000)

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        said = reason(ComfyEngine(f"http://127.0.0.1:{other.getsockname()[1]}"))
    assert "is not a web server" in said


def test_a_reason_is_logged_when_it_changes(caplog: pytest.LogCaptureFixture) -> None:
    with FakeComfy() as fake, caplog.at_level(logging.WARNING, "wan.engines.comfy"):
        fake.answer("GET", "/system_stats", status(401), status(401), status(403))
        engine = ComfyEngine(fake.url)
        for _ in range(3):
            engine.refresh()
        assert engine.refresh().state == "ok"
        engine.close()
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(said) == 2 and "asks for a password" in said[0] and "refuses access" in said[1]


def test_a_websocket_never_follows_a_redirect(authority: Authority) -> None:
    """It would send the credentials to another server."""
    with FakeComfy() as other, FakeComfy(play(COLD), COLD) as fake:
        away: Any = status(302, Location=f"{other.url.replace('http', 'ws')}/ws?clientId=x")
        fake.answer("GET", "/ws", *[away] * 50)
        engine = ComfyEngine(fake.url, timing=TIMING, login="a:b")
        run(engine)
        assert not other.requests
        engine.close()


def test_a_job_is_refused_with_the_reason() -> None:
    with FakeComfy() as fake:
        fake.answer("GET", "/object_info", LOGIN_PAGE, LOGIN_PAGE)
        engine = ComfyEngine(fake.url)
        with pytest.raises(EngineUnreachable, match="A login page") as caught:
            engine.facts()
        assert caught.value.final
        engine.close()
