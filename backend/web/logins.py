"""Login attempts: limited by address and in all, and HTTP Basic for MCP, where Gradio asks for no login."""

from __future__ import annotations

import logging
from collections.abc import Callable

from backend.security.accounts import Accounts
from backend.web.exchange import App, Exchange, Refused
from backend.web.request_body import Receive
from backend.web.request_rates import Counters

log = logging.getLogger("wan.web")


async def log_in(exchange: Exchange, app: App, receive: Receive, counters: Counters) -> None:
    """Passes a POST of the login form on. Raises Refused after too many failures."""
    _begin(exchange, counters)
    await exchange.pass_on(app, receive)
    if exchange.status == 200:
        _succeeded(exchange, counters)
    else:
        log.warning("a login failed, from %s", exchange.client)


def check_login(
    exchange: Exchange,
    accounts: Accounts | None,
    signed_in: Callable[[dict[str, str]], bool],
    counters: Counters,
) -> None:
    """Admits a session that has logged in, or Basic credentials. Raises Refused for others."""
    if accounts is None or signed_in(exchange.headers):
        return
    header = exchange.headers.get("authorization", "")
    if header:
        _begin(exchange, counters)
        if accounts.check_basic(header):
            _succeeded(exchange, counters)
            return
        log.warning("a login failed, from %s", exchange.client)
    raise Refused(401, "Log in first: send the header Authorization: Basic with user and password.")


def _begin(exchange: Exchange, counters: Counters) -> None:
    """Counts an attempt before its outcome is known, so that simultaneous attempts count, too."""
    wait = counters.logins.take(exchange.client)
    if not wait:
        wait = counters.all_logins.take()
        if wait:
            counters.logins.of(exchange.client).give_back()
    if wait:
        raise Refused(429, "Too many failed logins.", wait)


def _succeeded(exchange: Exchange, counters: Counters) -> None:
    """Uncounts the attempt."""
    counters.logins.of(exchange.client).give_back()
    counters.all_logins.give_back()
