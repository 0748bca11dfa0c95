"""Who sends a request, by token, signed cookie or address, and how often they may."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

from backend.security import tokens
from backend.web import access_rules
from backend.web.exchange import Exchange, Refused
from backend.web.request_rates import Counters

OWNER_HEADER = "x-wan-owner"
COOKIE = "wan-visitor"
COOKIE_SECONDS = 365 * 24 * 3600
PEOPLE = {"visitor": 1, "client": 2, "address": 4, "direct": 1000}
"""How many visitors may share one key of a kind."""


@dataclass(frozen=True)
class Visitor:
    """kind: a key of PEOPLE. key: a hash of the token, a fingerprint, or the address. neighbour: with whom
    places are shared, "" for programs of this machine."""

    kind: str
    key: str
    neighbour: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.kind}:{self.key}"

    @property
    def people(self) -> int:
        return PEOPLE[self.kind]


def identify(exchange: Exchange, counters: Counters, secret: bytes, on_spaces: bool) -> Visitor:
    """By the token where one is shown, else by the address and the client's fingerprint. Opening the page
    without a cookie gets one.

    secret: signs the cookies. Raises Refused when too many new tokens come in.
    """
    owner = exchange.headers.get(OWNER_HEADER, "")
    direct = exchange.direct
    neighbour = "" if direct else exchange.neighbour
    if tokens.is_token(owner):
        key = tokens.owner_id(owner)
        if not direct and key not in counters.by_kind["visitor"]:
            wait = _count_newcomer(exchange, counters)
            if wait:
                raise Refused.of("many_new_visitors", 429, wait)
        return Visitor("visitor", key, neighbour)
    token, _, signature = _cookie(exchange.headers.get("cookie", "")).partition(".")
    if token and tokens.same(signature, tokens.sign(secret, "visitor", token)):
        return Visitor("visitor", hashlib.sha256(token.encode()).hexdigest()[:32], neighbour)
    if exchange.method == "GET" and exchange.path == "/":
        if not _count_newcomer(exchange, counters):
            token = tokens.new_token()
            signed = f"{token}.{tokens.sign(secret, 'visitor', token)}"
            exchange.new_cookie = _set_cookie(signed, exchange.secure, on_spaces)
        return Visitor("direct" if direct else "address", exchange.client, neighbour)
    if direct:
        return Visitor("direct", exchange.client)
    return _without_cookie(exchange, counters, neighbour)


def _without_cookie(exchange: Exchange, counters: Counters, neighbour: str) -> Visitor:
    """A client without token and cookie, by its fingerprint. Clients that come when too many are new share
    the limits of their address, and so does one that makes up headers."""
    known, key = counters.by_kind["client"], exchange.fingerprint
    if key in known:
        return Visitor("client", key, neighbour)
    if access_rules.is_work(exchange.method, exchange.path) and not _count_newcomer(exchange, counters):
        known.of(key)
        return Visitor("client", key, neighbour)
    return Visitor("address", exchange.client, neighbour)


def count(visitor: Visitor, counters: Counters) -> None:
    """Counts one request of this visitor. Raises Refused when there are too many."""
    wait = counters.by_kind[visitor.kind].take(visitor.key)
    if wait:
        raise Refused.of("many_requests", 429, wait)
    wait = counters.everybody.take()
    if wait:
        raise Refused.of("many_people", 503, wait)


def _count_newcomer(exchange: Exchange, counters: Counters) -> float:
    """Counts a new token: 0.0, or the seconds until there may be one."""
    return counters.newcomers.take(exchange.client) or counters.all_newcomers.take()


def _cookie(header: str) -> str:
    """The value of our cookie in a Cookie header, or ""."""
    if COOKIE not in header:
        return ""
    found = re.search(rf"(?:^|;)\s*{COOKIE}=([A-Za-z0-9._-]{{1,200}})\s*(?:;|$)", header)
    return found[1] if found else ""


def _set_cookie(value: str, secure: bool, on_spaces: bool) -> str:
    """A Set-Cookie header. A Space is shown inside another site's frame, which needs SameSite=None."""
    where = "SameSite=None; Secure; Partitioned" if secure and on_spaces else "SameSite=Lax"
    if secure and not on_spaces:
        where += "; Secure"
    return f"{COOKIE}={value}; Path=/; Max-Age={COOKIE_SECONDS}; HttpOnly; {where}"
