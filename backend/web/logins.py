"""Login attempts: limited by address and in all, and HTTP Basic for programs; Gradio knows only cookies."""

from __future__ import annotations

import logging
from collections.abc import Callable

from backend.security.accounts import Accounts
from backend.web import access_rules
from backend.web.exchange import App, Exchange, Refused
from backend.web.request_body import Receive
from backend.web.request_rates import Counters

log = logging.getLogger("wan.web")

SESSION_COOKIE = "access-token"
"""How the names of Gradio's session cookies begin."""


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
    session_cookie: Callable[[str], str],
    counters: Counters,
) -> None:
    """Admits a session that has logged in, and Basic credentials, which become the cookie of such a session
    for the app. Raises Refused for others.

    signed_in: headers -> whether they hold a session's cookie. session_cookie: user -> such a cookie.
    """
    if accounts is None or signed_in(exchange.headers):
        return
    header = exchange.headers.get("authorization", "")
    if header:
        _begin(exchange, counters)
        user = accounts.basic_user(header)
        if user:
            _succeeded(exchange, counters)
            _become(exchange, session_cookie(user))
            return
        log.warning("a login failed, from %s", exchange.client)
    raise Refused.of("login_of_tool" if _is_tool(exchange) else "login_first", 401)


def _is_tool(exchange: Exchange) -> bool:
    return exchange.path.startswith(access_rules.MCP)


def _become(exchange: Exchange, cookie: str) -> None:
    """Replaces the session's cookie in the request."""
    others = [
        part.strip()
        for part in exchange.headers.get("cookie", "").split(";")
        if part.strip() and not part.strip().startswith(SESSION_COOKIE)
    ]
    text = "; ".join([cookie, *others])
    kept = [pair for pair in exchange.scope["headers"] if pair[0].lower() != b"cookie"]
    exchange.headers["cookie"] = text
    exchange.scope["headers"] = [*kept, (b"cookie", text.encode("latin-1", "replace"))]


def _begin(exchange: Exchange, counters: Counters) -> None:
    """Counts an attempt before its outcome is known, so that simultaneous attempts count, too."""
    wait = counters.logins.take(exchange.client)
    if not wait:
        wait = counters.all_logins.take()
        if wait:
            counters.logins.of(exchange.client).give_back()
    if wait:
        raise Refused.of("failed_logins", 429, wait)


def _succeeded(exchange: Exchange, counters: Counters) -> None:
    """Uncounts the attempt."""
    counters.logins.of(exchange.client).give_back()
    counters.all_logins.give_back()
