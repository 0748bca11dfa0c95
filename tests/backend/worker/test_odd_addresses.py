"""Addresses of input files in odd forms, and redirects to them."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from backend.errors import BadInput
from backend.worker import downloads
from backend.worker.downloads import download

PRIVATE_FORMS = [
    "127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "017700000001", "127.1", "0", "0x7f.0.0.1", "10.1",
    "0xA9FEA9FE", "169.254.169.254", "[::1]", "[::]", "[::ffff:10.0.0.1]", "[::ffff:a9fe:a9fe]", "[fd00::1]",
    "[fe80::1]", "[64:ff9b::a9fe:a9fe]", "[2002:7f00:1::]", "localhost", "127.0.0.1.",
    "\u2460\u2461\u2466.0.0.1", "127\u30020\u30020\u30021",
]  # fmt: skip
"""Hosts that C libraries and browsers take for an address of this network."""


def figures_only(host: str, port: int, *_: Any, **__: Any) -> Any:
    """The lookup without a name server: what the C library reads as an address, and names of this machine."""
    plain = host.encode("idna").decode().rstrip(".") if not host.isascii() else host.rstrip(".")
    if plain == "localhost":
        plain = "127.0.0.1"
    family = socket.AF_INET6 if ":" in plain else socket.AF_INET
    try:
        packed = socket.inet_pton(family, plain) if ":" in plain else socket.inet_aton(plain)
    except OSError as error:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from error
    return [(family, socket.SOCK_STREAM, 6, "", (socket.inet_ntop(family, packed), port))]


class Answer:
    """A response with a redirect, or with a body."""

    def __init__(self, location: str | None = None, body: bytes = b"", **headers: str) -> None:
        self.status = 200 if location is None else 302
        self.headers = {**headers, **({} if location is None else {"Location": location})}
        self._body = body

    def stream(self, _: int) -> Any:
        yield self._body

    def close(self) -> None:
        pass


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """(host, address) of each connection; every name is at 8.8.8.8, and no connection is made."""
    made: list[tuple[str, str]] = []
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, port, *_, **__: [(2, 1, 6, "", ("8.8.8.8", port))]
    )

    def open_(parts: Any, address: str) -> Answer:
        made.append((parts.hostname, address))
        return Answer(body=b"a picture")

    monkeypatch.setattr(downloads, "_open", open_)
    return made


def fetch(url: str, folder: Path) -> bytes:
    download(url, folder / "a", 1000, "image", lambda: None)
    return (folder / "a").read_bytes()


@pytest.mark.parametrize("host", PRIVATE_FORMS)
@pytest.mark.parametrize("redirected", [False, True])
def test_no_form_of_a_private_address_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, redirected: bool
) -> None:
    look_up = figures_only
    if redirected:

        def look_up(name: str, port: int, *more: Any, **named: Any) -> Any:
            if name == "outside.test":
                return [(2, 1, 6, "", ("8.8.8.8", port))]
            return figures_only(name, port, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    connections: list[str] = []

    def open_(parts: Any, address: str) -> Answer:
        connections.append(address)
        return Answer(f"https://{host}/latest/meta-data")

    monkeypatch.setattr(downloads, "_open", open_)
    with pytest.raises(BadInput) as caught:
        fetch("https://outside.test/a.png" if redirected else f"https://{host}/a.png", tmp_path)
    assert caught.value.field == "image" and connections == ["8.8.8.8"] * redirected


@pytest.mark.parametrize(
    "location",
    ["//[", "http://outside.test/a.png", "file:///etc/passwd", "ftp://outside.test/a", "data:,x", "gopher://x",
     "https://user:pass@outside.test/a", "https://outside.test:0/", "https://outside.test:99999/a", "\x00",
     "\ud800",     "javascript:alert(1)", "https://[fe80::1%25eth0]/", "https://", "?\r\nX: y"],
)  # fmt: skip
def test_a_redirect_that_leads_nowhere_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str
) -> None:
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, port, *_, **__: [(2, 1, 6, "", ("8.8.8.8", port))]
    )
    monkeypatch.setattr(downloads, "_open", lambda parts, address: Answer(location))
    with pytest.raises(BadInput) as caught:
        fetch("https://outside.test/a.png", tmp_path)
    assert caught.value.field == "image" and caught.value.message.isprintable()
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://bücher.test/ä b.png?x=ö#part", "xn--bcher-kva.test"),
        ("https://BÜCHER.test/a.png", "xn--bcher-kva.test"),
        ("https://例え.test/a.png", "xn--r8jz45g.test"),
        ("https://outside.test./a.png", "outside.test."),
        ("HTTPS://Outside.Test:8443/a.png", "outside.test"),
        ("https://my_bucket.test/a.png", "my_bucket.test"),
    ],
)
def test_names_of_every_script_are_fetched(
    tmp_path: Path, opened: list[tuple[str, str]], url: str, host: str
) -> None:
    assert fetch(url, tmp_path) == b"a picture"
    assert opened == [(host, "8.8.8.8")]
