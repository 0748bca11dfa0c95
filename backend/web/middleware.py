"""The ASGI middleware around the whole page, outside of Gradio's own.

A request passes when it is for a name of this page and for a path that exists, comes from our own page, its
visitor has logged in where there is a login and is within the rate limits, and its body is within its limits
of size and speed. The response gets the security headers. A refusal is JSON with a sentence in `detail`.
Origin is checked here and then removed: Gradio would otherwise allow any origin to read its responses, with
credentials.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from backend.errors import TooMany
from backend.log_lines import short
from backend.security.accounts import Accounts
from backend.threads import Threads
from backend.web import access_rules, failures, hosts, logins, page_requests, visitors
from backend.web.body_limits import (
    check_length,
    content_length,
    free_bytes,
    is_file_inside,
    large_body,
    limited_body,
    stream_slot,
)
from backend.web.clients import Proxies
from backend.web.exchange import App, Exchange, Refused, Scope, Send
from backend.web.hosts import Hosts
from backend.web.page_requests import Page
from backend.web.request_body import GRACE_SECONDS, Body, Gone, Receive, replay
from backend.web.request_rates import Counters, Rates
from backend.web.visitors import Visitor

log = logging.getLogger("wan.web")

METHOD_SHOWN, PATH_SHOWN = 20, 200
"""Characters of a request's method and path in the log."""


@dataclass(frozen=True)
class Rules:
    """secret: signs the visitors' cookies. hosts: the names of the page. proxies: whose forwarding headers
    are believed. prefix: the path below which a proxy serves the page. reads: threads that look at the upload
    folder, which the event loop never does. page: what Gradio serves; None: not checked.

    signed_in: headers -> whether they belong to a logged-in session. session_cookie: user -> a cookie of such
    a session, for requests that log in by themselves.

    upload_wait_seconds: how long an upload waits for others to end. reserve_bytes: uploads stop before less
    than this is free on the disk of the upload folder. grace_seconds: how long a body may send nothing.
    """

    max_upload_bytes: int
    upload_folder: Path
    secret: bytes
    rates: Rates = field(default_factory=Rates)
    hosts: Hosts = field(default_factory=Hosts)
    proxies: Proxies = field(default_factory=Proxies)
    prefix: str = ""
    on_spaces: bool = False
    accounts: Accounts | None = None
    signed_in: Callable[[dict[str, str]], bool] = lambda headers: False
    session_cookie: Callable[[str], str] = lambda user: ""
    reads: Threads = field(default_factory=Threads)
    page: Page | None = None
    upload_wait_seconds: float = 20.0
    reserve_bytes: int = 500_000_000
    grace_seconds: float = GRACE_SECONDS


class AccessMiddleware:
    """Wraps the ASGI app. For one event loop."""

    def __init__(
        self,
        app: App,
        rules: Rules,
        clock: Callable[[], float] = time.monotonic,
        rates: Callable[[], Rates] | None = None,
    ) -> None:
        """rates: called at each request, where they may change while the page is served; else rules.rates."""
        self.app, self.rules = app, rules
        self._rates, self._clock = rates or (lambda: rules.rates), clock
        self._counters = Counters(self._rates(), clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # the page has none
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        rules = self.rules
        exchange = Exchange(scope, receive, send, rules.on_spaces, rules.prefix, rules.hosts, rules.proxies)
        try:
            _check_host(exchange, rules.hosts)
            if exchange.bare:
                await exchange.redirect(rules.prefix + "/")
                return
            await self._admit(exchange, self._current_counters())
        except Refused as refused:
            log.info(
                "refused %s: %d %s",
                _named(exchange),
                refused.status,
                refused.sentence,
                extra={"kind": f"refused {refused.status} {refused.kind}"},
            )
            await exchange.refuse(refused)
        except Gone:
            return
        except Exception as error:
            if not await failures.answered(exchange, error, _named(exchange)):
                raise

    def _current_counters(self) -> Counters:
        """The counters of the current rates; new rates count from zero."""
        rates = self._rates()
        if rates != self._counters.rates:
            self._counters = Counters(rates, self._clock)
        return self._counters

    async def _admit(self, exchange: Exchange, counters: Counters) -> None:
        """Checks the request and passes it on. Raises Refused and Gone."""
        rules, path, method = self.rules, exchange.path, exchange.method
        _check_address(exchange)
        exchange.scope["headers"] = [
            pair for pair in exchange.scope["headers"] if pair[0].lower() != b"origin"
        ]
        visitor = visitors.identify(exchange, counters, rules.secret, rules.on_spaces)
        exchange.scope.setdefault("state", {})["visitor"] = str(visitor)
        is_work = access_rules.is_work(method, path)
        if is_work:
            visitors.count(visitor, counters)
        if access_rules.needs_login(path):
            logins.check_login(exchange, rules.accounts, rules.signed_in, rules.session_cookie, counters)
        if path.startswith(access_rules.FILE):
            await self._check_file(visitor, path[len(access_rules.FILE) :])
            _drop_odd_range(exchange)
        if rules.page is not None:
            page_requests.check_query(path, dict(parse_qsl(exchange.query)), rules.page)
        await check_length(exchange, rules.max_upload_bytes)
        if path == access_rules.UPLOAD:
            await self._check_free_space(visitor, content_length(exchange))
        receive, data, body = await limited_body(exchange, rules.max_upload_bytes, rules.grace_seconds)
        if data is not None and method == "POST" and rules.page is not None:
            page_requests.check_body(path, exchange.headers.get("content-type", ""), data, rules.page)
        if path.rstrip("/") == access_rules.LOGIN and method == "POST":
            await logins.log_in(exchange, self.app, receive, counters)
        elif path == access_rules.UPLOAD and method == "POST":
            async with counters.uploads.place(visitor, body, rules.upload_wait_seconds):
                await exchange.pass_on(self.app, receive)
        elif path.startswith(access_rules.MCP) and method == "POST":
            with stream_slot(counters.streams, visitor):
                await self._pass_tool_request(exchange, visitor, counters, receive, body)
        elif method == "GET" and is_work:
            with stream_slot(counters.streams, visitor):
                await exchange.pass_on(self.app, receive)
        else:
            await exchange.pass_on(self.app, receive)

    async def _pass_tool_request(
        self, exchange: Exchange, visitor: Visitor, counters: Counters, receive: Receive, body: Body
    ) -> None:
        """Passes an MCP request on. One with a file inside is read like an upload, and counts for as long as
        it is in memory."""
        if not access_rules.is_large(exchange.headers):
            await exchange.pass_on(self.app, receive)
            return
        limit = access_rules.body_limit(exchange.path, self.rules.max_upload_bytes)
        with large_body(counters.large, visitor, content_length(exchange) or limit):
            async with counters.uploads.place(visitor, body, self.rules.upload_wait_seconds):
                data = await exchange.whole_body()
            await exchange.pass_on(self.app, replay(data, exchange.receive))

    async def _check_file(self, visitor: Visitor, name: str) -> None:
        """Gradio serves its cache and fetches web addresses; here only files of the upload folder pass."""
        if not await self._read(visitor, is_file_inside, name, self.rules.upload_folder):
            raise Refused.of("file_not_here", 404)

    async def _check_free_space(self, visitor: Visitor, length: int) -> None:
        free = await self._read(visitor, free_bytes, self.rules.upload_folder)
        if free is not None and free < length + self.rules.reserve_bytes:
            raise Refused.of("disk_almost_full", 507)

    async def _read(self, visitor: Visitor, call: Callable[..., Any], *args: Any) -> Any:
        try:
            return await self.rules.reads.run(str(visitor), call, *args, join=True)
        except TooMany as error:
            raise Refused(error.why, 429, 5) from None


def _named(exchange: Exchange) -> str:
    """Method and path for the log."""
    return f"{short(exchange.method, METHOD_SHOWN)} {short(repr(exchange.path), PATH_SHOWN)}"


def _check_host(exchange: Exchange, names: Hosts) -> None:
    """Raises Refused for a name that is not one of this page."""
    for header in exchange.hosts:
        if not names.allows(header):
            raise Refused(hosts.unknown(header), 421, kind="host")


def _drop_odd_range(exchange: Exchange) -> None:
    """Removes a Range header that Gradio cannot read; the whole file answers it."""
    if not access_rules.RANGE.fullmatch(exchange.headers.get("range", "")):
        kept = [pair for pair in exchange.scope["headers"] if pair[0].lower() != b"range"]
        exchange.scope["headers"] = kept


def _check_address(exchange: Exchange) -> None:
    """Raises Refused for a path that does not exist and for a request that another web page sends."""
    if not access_rules.is_known(exchange.path):
        raise Refused.of("nothing_here", 404)
    if access_rules.is_foreign(exchange.method, exchange.path, exchange.headers):
        raise Refused.of("from_other_page", 403)
