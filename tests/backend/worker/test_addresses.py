"""Which addresses a client's URL may lead to."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path
from typing import Any

import pytest

from backend.errors import BadInput
from backend.worker import downloads
from backend.worker.addresses import is_public
from backend.worker.downloads import download

NOT_PUBLIC = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32",
    "::/128", "::1/128", "::/96", "::ffff:10.0.0.0/104", "::ffff:127.0.0.0/104", "::ffff:169.254.0.0/112",
    "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/32", "2001:2::/48",
    "2001:10::/28",
    "2001:20::/28", "2001:db8::/32", "2002::/16", "3ffe::/16", "3fff::/20", "5f00::/16", "fc00::/7",
    "fe80::/10",
    "fec0::/10", "ff00::/8", "4000::/3", "e000::/4",
]  # fmt: skip
PUBLIC = [
    "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.32.0.1", "192.0.1.1", "198.20.0.1",
    "223.255.255.1",
    "2606:4700::1111", "2a00:1450:4001::1", "2001:4860:4860::8888", "2400:cb00::1", "::ffff:8.8.8.8",
]  # fmt: skip


@pytest.mark.parametrize("network", NOT_PUBLIC)
def test_no_address_of_a_range_that_is_not_public(network: str) -> None:
    range_ = ipaddress.ip_network(network)
    middle = range_[range_.num_addresses // 2]
    for address in (range_[0], range_[-1], middle):
        assert not is_public(str(address)), address


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address", ["", "localhost", "1.2.3", "fe80::1%eth0", "2606:4700:0:0:0:5efe:10.0.0.1", "\0"]
)
def test_what_is_no_public_address(address: str) -> None:
    assert not is_public(address)


def rebinding(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Replaces the lookup of names by these answers, one after another; returns the names that are looked
    up."""
    asked: list[str] = []
    left = list(answers)

    def look_up(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in left.pop(0)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


class Opened(Exception):
    pass


def test_the_checked_address_is_the_one_that_is_connected_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second lookup would return a private address."""
    asked = rebinding(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])
    opened: list[tuple[str, str]] = []

    def open_(parts: Any, address: str) -> Any:
        opened.append((parts.hostname, address))
        raise Opened

    monkeypatch.setattr(downloads, "_open", open_)
    with pytest.raises(Opened):
        download("https://rebind.test/a.png", tmp_path / "a", 1000, "image", lambda: None)
    assert opened == [("rebind.test", "8.8.8.8")] and asked == ["rebind.test"]


@pytest.mark.parametrize("address", ["127.0.0.1", "fec0::1", "64:ff9b::7f00:1", "100.64.0.1"])
def test_a_redirect_is_checked_as_the_first_address_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    class Redirect:
        status = 302
        headers = {"Location": "https://inside.test/meta"}  # noqa: RUF012

        def close(self) -> None:
            pass

    asked = rebinding(monkeypatch, ["8.8.8.8"], [address])
    monkeypatch.setattr(downloads, "_open", lambda parts, address: Redirect())
    with pytest.raises(BadInput, match="not on the public internet"):
        download("https://outside.test/a.png", tmp_path / "a", 1000, "image", lambda: None)
    assert asked == ["outside.test", "inside.test"]


def test_one_private_address_among_public_ones_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rebinding(monkeypatch, ["8.8.8.8", "10.0.0.1"])
    with pytest.raises(BadInput, match="not on the public internet"):
        download("https://both.test/a.png", tmp_path / "a", 1000, "image", lambda: None)


@pytest.mark.parametrize(
    "url",
    [
        "https://host\0.test/a", "https://host.test/a\0b", "\0https://host.test/a",
        "https://host.test/a\r\nX: y",
        "https://" + "a" * 300 + ".test/", "https://\ud800.test/", "https://host.test:99999/",
        "https://[fec0::1]/a",
        "https://[::ffff:127.0.0.1]/a", "https://[64:ff9b::10.0.0.1]/", "https://0x7f.1/", "https://127.1/",
        "https://user@host.test/a", "https:///a", "data:image/png;base64,AAAA", "https://..test/",
    ],
)  # fmt: skip
def test_no_address_of_a_client_raises_anything_else(tmp_path: Path, url: str) -> None:
    with pytest.raises(BadInput) as caught:
        download(url, tmp_path / "a", 1000, "image", lambda: None)
    assert caught.value.field == "image" and not (tmp_path / "a").exists()
