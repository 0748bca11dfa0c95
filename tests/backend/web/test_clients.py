"""Whose request it is, behind proxies that are trusted and others."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from backend.errors import BadSettings
from backend.security.accounts import Accounts
from backend.settings.model import Settings
from backend.web.clients import UNKNOWN, Proxies, client_of, fingerprint, plain_address
from backend.web.request_rates import Rates
from tests.support.guarded_site import DATA, JOIN, Site

Headers = list[tuple[bytes, bytes]]


def forwarded(*values: str) -> Headers:
    return [(b"X-Forwarded-For", value.encode("latin-1")) for value in values]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("203.0.113.9", "203.0.113.9"),
        (" 203.0.113.9:4711 ", "203.0.113.9"), ("::ffff:203.0.113.9", "203.0.113.9"),
        ("[2001:DB8::1]:443", "2001:db8::1"), ("2001:db8:0:0::1", "2001:db8::1"), ('"[::1]"', "::1"),
        ("fe80::1%eth0", "fe80::1"), ("fe80::1%\x1b[31m\nadmin logged in", "fe80::1"),
        ("", ""), ("unknown", ""), ("203.0.113.9\nann logged in", ""), ("203.0.113.9 evil", ""),
        ("1.2.3", ""),
        ("\x1b[2J", ""), ("x" * 60_000, ""), ("[::1", "::1"), ("_hidden", ""), ("999.1.1.1", ""),
    ],
)  # fmt: skip
def test_only_addresses_are_taken_from_a_header(text: str, address: str) -> None:
    assert plain_address(text) == address


@pytest.mark.parametrize(
    ("peer", "header", "address", "neighbour"),
    [
        ("8.8.4.4", [], "8.8.4.4", "8.8.4.4"),
        ("2001:db8:1:2:3::4", [], "2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        # from a trusted proxy: the last address that is no proxy's
        ("127.0.0.1", ["203.0.113.9"], "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", ["1.1.1.1, 203.0.113.9"], "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", ["1.1.1.1", "203.0.113.9, 172.16.0.5"], "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", ["203.0.113.9, evil\x1b[2J"], "127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", ["1.1.1.1, nonsense, 203.0.113.9"], "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", [""], "127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", ["172.16.0.1"], "172.16.0.1", "172.16.0.1"),
        # from others: never the address, and the neighbour only behind what looks like a proxy
        ("8.8.4.4", ["203.0.113.9"], "8.8.4.4", "8.8.4.4"),
        ("10.0.0.1", ["1.1.1.1, 203.0.113.9"], "10.0.0.1", "203.0.113.9"),
        ("10.0.0.1", ["nonsense"], "10.0.0.1", "10.0.0.1"),
        ("not an address", ["203.0.113.9"], UNKNOWN, UNKNOWN),
    ],
)  # fmt: skip
def test_the_address_of_a_client(peer: str, header: list[str], address: str, neighbour: str) -> None:
    found = client_of(peer, forwarded(*header), Proxies(["127.0.0.1", "172.16.0.0/12"]))
    assert (found.address, found.neighbour) == (address, neighbour)


def test_trusting_all_proxies_and_none() -> None:
    header = forwarded("1.1.1.1, 203.0.113.9")
    assert client_of("198.51.100.1", header, Proxies(["*"])).address == "1.1.1.1"
    assert client_of("127.0.0.1", header, Proxies([])).address == "127.0.0.1"


def test_what_distinguishes_clients_of_one_address() -> None:
    firefox, curl = [(b"User-Agent", b"Firefox")], [(b"User-Agent", b"curl")]
    same = [fingerprint("10.0.0.1", [*firefox, *forwarded(f"203.0.113.9, 10.0.0.{n}")]) for n in range(3)]
    assert len(set(same)) == 1, "proxies in between may change"
    others = {
        fingerprint("10.0.0.1", [*curl, *forwarded("203.0.113.9")]),
        fingerprint("10.0.0.1", [*firefox, *forwarded("203.0.113.8")]),
        fingerprint("10.0.0.2", [*firefox, *forwarded("203.0.113.9")]),
        fingerprint("10.0.0.1", [*firefox, (b"accept-language", b"fi"), *forwarded("203.0.113.9")]),
        *same,
    }
    assert len(others) == 5


def test_a_flood_without_cookies_does_not_stop_others_behind_the_same_proxy(tmp_path: Path) -> None:
    async def test() -> None:
        site = Site(tmp_path, Rates(address=(5, 60.0), newcomers=(6, 60.0)))
        async with site.client(user_agent="flood") as flood, site.client(user_agent="other") as other:
            assert [(await flood.post(JOIN, json={})).status_code for _ in range(8)] == [200] * 5 + [429] * 3
            assert (await other.post(JOIN, json={})).status_code == 200, "nor who comes only now"
            codes = []
            for number in range(20):  # makes up a new browser for each request
                made_up = {"user-agent": f"flood {number}"}
                codes.append((await flood.post(JOIN, json={}, headers=made_up)).status_code)
            assert codes == [200] * 9 + [429] * 11, "four newcomers, then what they all share"
            assert (await other.post(JOIN, json={})).status_code == 200, "who was there before goes on"

    asyncio.run(test())


def test_streams_of_one_address_leave_places_for_others(tmp_path: Path) -> None:
    async def test() -> None:
        site = Site(tmp_path, Rates(streams=(2, 6, 3), newcomers=(99, 1.0)))
        async with site.client("198.51.100.1") as crowd, site.client("198.51.100.2") as other:
            waiting = []
            for number in range(3):
                headers = {"user-agent": f"crowd {number}"}
                waiting.append(asyncio.create_task(crowd.get(DATA, headers=headers)))
            while site.streaming < 3:
                await asyncio.sleep(0.01)
            assert (await crowd.get(DATA, headers={"user-agent": "crowd 4"})).status_code == 429
            waiting.append(asyncio.create_task(other.get(DATA)))
            while site.streaming < 4:
                await asyncio.sleep(0.01)
            site.hold.set()
            assert {(await task).status_code for task in waiting} == {200}

    asyncio.run(test())


def test_the_log_has_no_made_up_address(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        site = Site(tmp_path, accounts=Accounts((("ann", "right"),)))
        headers = {"x-forwarded-for": "fe80::1%\x1b[2Jann logged in, " + "9" * 3_000}
        async with site.client("127.0.0.1") as http:
            await http.post("/login", data={"username": "ann", "password": "guess"}, headers=headers)
            await http.get("/gradio_api/mcp/", headers={**headers, "authorization": "Basic x"})

    with caplog.at_level(logging.INFO, logger="wan.web"):
        asyncio.run(test())
    lines = [record.getMessage() for record in caplog.records]
    assert lines.count("a login failed, from 127.0.0.1") == 2
    assert not any("logged in" in line or "\x1b" in line or "9999" in line for line in lines)


def test_the_setting() -> None:
    def trusted(**environ: str) -> tuple[str, ...]:
        return Settings.from_env({"WAN_DATA_DIR": "data", **environ}).trusted_proxies

    assert trusted() == ("127.0.0.1", "::1")
    assert trusted(FORWARDED_ALLOW_IPS="10.0.0.0/8") == ("10.0.0.0/8",), "uvicorn's name for the same"
    assert trusted(WAN_TRUSTED_PROXIES=" 10.0.0.1, 172.16.0.1/12", FORWARDED_ALLOW_IPS="*") == (
        "10.0.0.1", "172.16.0.1/12",
    )  # fmt: skip
    with pytest.raises(BadSettings, match=r"WAN_TRUSTED_PROXIES has 'proxy\.example'"):
        trusted(WAN_TRUSTED_PROXIES="proxy.example")
