"""The guard at the door: an ASGI wrapper around the whole page, outside of Gradio's own middleware.

For every request: a path that exists, from our own page, by someone who is not asking too often, with a body
that is not too large or too slow, and an answer with the headers that keep other pages out. A refusal is JSON
with a sentence in `detail`. It judges Origin itself and then removes it: Gradio would otherwise answer any
origin with leave to read, credentials and all.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import math
import re
import shutil
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backend.errors import TooMany
from backend.log_lines import short
from backend.security import tokens
from backend.security.accounts import Accounts
from backend.security.rate_limit import Bucket, Buckets, Slots
from backend.threads import Threads
from backend.web import access_rules
from backend.web.request_body import (
    GRACE_SECONDS,
    Body,
    Gone,
    Message,
    Receive,
    TooLarge,
    TooSlow,
    drain,
    replay,
)

Scope = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger("wan.web")

METHOD_SHOWN, PATH_SHOWN = 20, 200
"""Characters of a request's method and path in the log."""

OWNER_HEADER = "x-wan-owner"
COOKIE = "wan-visitor"
COOKIE_SECONDS = 365 * 24 * 3600
PEOPLE = {"visitor": 1, "address": 4, "direct": 1000}
"""How many visitors may be behind one key of a kind."""


@dataclass(frozen=True)
class Rates:
    """(how many at once, seconds until the next one) of what is counted, and places for what lasts."""

    visitor: tuple[float, float] = (300, 1 / 20)
    address: tuple[float, float] = (600, 1 / 40)  # who shows no token
    direct: tuple[float, float] = (4000, 1 / 1000)  # programs of this machine that show none
    everybody: tuple[float, float] = (4000, 1 / 1000)
    newcomers: tuple[float, float] = (240, 0.5)  # new tokens, by address
    all_newcomers: tuple[float, float] = (480, 0.25)
    logins: tuple[float, float] = (10, 30.0)  # failed ones, by address
    all_logins: tuple[float, float] = (30, 10.0)
    uploads: tuple[int, int] = (6, 48)  # of one visitor, of all
    streams: tuple[int, int] = (64, 800)


STRICT = Rates(newcomers=(60, 2.0), all_newcomers=(120, 1.0), uploads=(4, 16), streams=(32, 400))
"""On a page that anybody can use: fewer new visitors a minute, fewer uploads at once."""


@dataclass(frozen=True)
class Rules:
    """secret: signs the visitors' cookies. signed_in: headers -> whether a login let them in. reads: where
    the upload folder is looked at, never on the event loop.

    upload_wait_seconds: how long an upload waits for others to end. reserve_bytes: uploads stop before less
    than this is free on the disk of the upload folder. grace_seconds: how long a body may send nothing.
    """

    max_upload_bytes: int
    upload_folder: Path
    secret: bytes
    rates: Rates = Rates()
    on_spaces: bool = False
    accounts: Accounts | None = None
    signed_in: Callable[[dict[str, str]], bool] = lambda headers: False
    reads: Threads = field(default_factory=Threads)
    upload_wait_seconds: float = 20.0
    reserve_bytes: int = 500_000_000
    grace_seconds: float = GRACE_SECONDS


class Refused(Exception):
    """The request ends here, with this status and sentence."""

    def __init__(self, status: int, sentence: str, wait: float = 0.0) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.wait = status, sentence, wait


class _Counters:
    """What has been asked for lately, and what goes on now. May be shared by threads."""

    def __init__(self, rates: Rates, clock: Callable[[], float]) -> None:
        self.rates = rates
        self.by_kind = {
            "visitor": Buckets(*rates.visitor, clock),
            "address": Buckets(*rates.address, clock),
            "direct": Buckets(*rates.direct, clock),
        }
        self.everybody = Bucket(*rates.everybody, clock)
        self.newcomers = Buckets(*rates.newcomers, clock)
        self.all_newcomers = Bucket(*rates.all_newcomers, clock)
        self.logins = Buckets(*rates.logins, clock)
        self.all_logins = Bucket(*rates.all_logins, clock)
        self.uploads, self.streams = Slots(*rates.uploads), Slots(*rates.streams)


class Guard:
    """Wraps the ASGI app. One event loop."""

    def __init__(
        self,
        app: App,
        rules: Rules,
        clock: Callable[[], float] = time.monotonic,
        rates: Callable[[], Rates] | None = None,
    ) -> None:
        """rates: asked at each request, where they may change while the page is served; else rules.rates."""
        self.app, self.rules = app, rules
        self._rates, self._clock = rates or (lambda: rules.rates), clock
        self._counters = _Counters(self._rates(), clock)

    def counters(self) -> _Counters:
        """Those of the rates of now; new rates count from zero."""
        rates = self._rates()
        if rates != self._counters.rates:
            self._counters = _Counters(rates, self._clock)
        return self._counters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # the page has none
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        await _Visit(self, scope, receive, send).run()


class _Visit:
    """One request on its way through the guard."""

    def __init__(self, guard: Guard, scope: Scope, receive: Receive, send: Send) -> None:
        self.guard, self.rules, self.scope = guard, guard.rules, scope
        self.counters = guard.counters()
        self.server_receive, self.server_send = receive, send
        self.headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        self.method: str = scope["method"]
        root = str(scope.get("root_path") or "").rstrip("/")
        path = str(scope["path"])
        self.path = path[len(root) :] if root.startswith("/") and path.startswith(root + "/") else path
        self.client = str((scope.get("client") or ("",))[0])
        self.started, self.status = False, 0
        self.cookie = self.visitor = ""
        self.body: Body | None = None

    async def run(self) -> None:
        try:
            await self._admit()
        except Refused as refused:
            log.info(
                "refused %s %s: %d %s",
                short(self.method, METHOD_SHOWN),
                short(repr(self.path), PATH_SHOWN),
                refused.status,
                refused.sentence,
                extra={"kind": f"refused {refused.status} {refused.sentence}"},
            )
            if not self.started:
                await self._refuse(refused)
        except Gone:
            return

    async def _admit(self) -> None:
        if not access_rules.is_known(self.path):
            raise Refused(404, "There is nothing at this address.")
        if access_rules.is_foreign(self.method, self.path, self.headers):
            raise Refused(
                403,
                "This request came from another web page. Open Wan Studio at its own address; a proxy of "
                "your own has to pass on the Host header.",
            )
        self.scope["headers"] = [pair for pair in self.scope["headers"] if pair[0].lower() != b"origin"]
        kind, key = self._who()
        self.visitor = f"{kind}:{key}"
        self.scope.setdefault("state", {})["visitor"] = self.visitor
        if self.path.startswith(access_rules.FILE):
            await self._check_file(self.path[len(access_rules.FILE) :])
        if access_rules.is_work(self.method, self.path):
            self._count(kind, key)
        if self.path.startswith(access_rules.MCP):
            self._check_login()
        receive = await self._body()
        if self.path.rstrip("/") == access_rules.LOGIN and self.method == "POST":
            await self._login(receive)
        elif self.path == access_rules.UPLOAD and self.method == "POST":
            await self._upload(kind, key, receive)
        elif self.method == "GET" and access_rules.is_work(self.method, self.path):
            await self._stream(kind, key, receive)
        else:
            await self._pass_on(receive)

    # -- who it is, and how often -------------------------------------------------------------

    def _who(self) -> tuple[str, str]:
        """(kind, key): by token where one is shown, else by address."""
        owner = self.headers.get(OWNER_HEADER, "")
        direct = access_rules.is_direct(self.client, self.headers)
        if tokens.is_token(owner):
            key = tokens.owner_id(owner)
            if not direct and key not in self.counters.by_kind["visitor"]:
                wait = self._newcomer()
                if wait:
                    raise Refused(429, "Very many new visitors are coming in right now.", wait)
            return "visitor", key
        shown = _cookie(self.headers.get("cookie", ""))
        token, _, signature = shown.partition(".")
        if token and tokens.same(signature, tokens.sign(self.rules.secret, "visitor", token)):
            return "visitor", hashlib.sha256(token.encode()).hexdigest()[:32]
        if self.method == "GET" and self.path == "/" and not self._newcomer():
            token = tokens.new_token()
            self.cookie = f"{token}.{tokens.sign(self.rules.secret, 'visitor', token)}"
        return ("direct" if direct else "address"), self.client

    def _newcomer(self) -> float:
        """Counts a new token: 0.0, or how long to wait for it."""
        return self.counters.newcomers.take(self.client) or self.counters.all_newcomers.take()

    def _count(self, kind: str, key: str) -> None:
        wait = self.counters.by_kind[kind].take(key)
        if wait:
            raise Refused(429, "Too many requests at once.", wait)
        wait = self.counters.everybody.take()
        if wait:
            raise Refused(503, "Very many people are using this page right now.", wait)

    # -- logins -----------------------------------------------------------------------------------

    def _try_login(self) -> None:
        """Takes one try; given back when it succeeds, so that tries at the same time are counted too."""
        wait = self.counters.logins.take(self.client)
        if not wait:
            wait = self.counters.all_logins.take()
            if wait:
                self.counters.logins.of(self.client).give_back()
        if wait:
            raise Refused(429, "Too many failed logins.", wait)

    def _login_succeeded(self) -> None:
        self.counters.logins.of(self.client).give_back()
        self.counters.all_logins.give_back()

    async def _login(self, receive: Receive) -> None:
        self._try_login()
        await self._pass_on(receive)
        if self.status == 200:
            self._login_succeeded()
        else:
            log.warning("a login failed, from %s", self.client)

    def _check_login(self) -> None:
        """MCP: Gradio asks nobody there. Lets in a session that logged in, or Basic credentials."""
        accounts = self.rules.accounts
        if accounts is None or self.rules.signed_in(self.headers):
            return
        header = self.headers.get("authorization", "")
        if header:
            self._try_login()
            if accounts.check_basic(header):
                self._login_succeeded()
                return
            log.warning("a login failed, from %s", self.client)
        raise Refused(401, "Log in first: send the header Authorization: Basic with user and password.")

    # -- bodies and files -----------------------------------------------------------------------------

    async def _check_file(self, name: str) -> None:
        """Gradio serves its cache and fetches web addresses; here only what is in the upload folder."""
        if not await self._read(is_inside, name, self.rules.upload_folder):
            raise Refused(404, "This file is not here.")

    async def _read(self, call: Callable[..., Any], *args: Any) -> Any:
        try:
            return await self.rules.reads.run(self.visitor, call, *args, join=True)
        except TooMany as error:
            raise Refused(429, error.message, 5) from None

    async def _body(self) -> Receive:
        """The app's receive. Small bodies are read here and now; large ones are watched."""
        limit = access_rules.body_limit(self.path, self.rules.max_upload_bytes)
        length = self.headers.get("content-length", "")
        streamed = self.path == access_rules.UPLOAD or self.path.startswith(access_rules.MCP)
        if length and (not length.isdecimal() or int(length) > limit):
            if "100-continue" not in self.headers.get("expect", "").lower():
                await drain(self.server_receive, 2 * limit)
            raise self._too_large()
        if self.path == access_rules.UPLOAD:
            await self._check_room(int(length or 0))
        self.body = Body(self.server_receive, limit, self.rules.grace_seconds)
        if streamed:
            return self.body.receive
        if self.method in ("GET", "HEAD") and not length and "transfer-encoding" not in self.headers:
            return self.server_receive
        try:
            return replay(await self.body.whole(), self.server_receive)
        except (TooLarge, TooSlow):
            raise self._problem() from None

    def _too_large(self) -> Refused:
        if self.path == access_rules.UPLOAD:
            most = self.rules.max_upload_bytes // 1_000_000
            return Refused(413, f"This file is larger than {most} MB. Save it smaller and add it again.")
        return Refused(413, "This request is too large. Upload files first and send their paths.")

    def _problem(self) -> Refused:
        if self.body is not None and isinstance(self.body.problem, TooLarge):
            return self._too_large()
        return Refused(408, "This request came in too slowly. Try again on a better connection.")

    async def _check_room(self, length: int) -> None:
        free = await self._read(free_bytes, self.rules.upload_folder)
        if free is not None and free < length + self.rules.reserve_bytes:
            raise Refused(507, "The disk of this machine is almost full, so files cannot be added.")

    async def _upload(self, kind: str, key: str, receive: Receive) -> None:
        until = time.monotonic() + self.rules.upload_wait_seconds
        slots = self.counters.uploads
        while not slots.take(f"{kind}:{key}", PEOPLE[kind]):
            if time.monotonic() >= until:
                raise Refused(429, "Other files are still being added.", 5)
            await asyncio.sleep(0.1)
        try:
            await self._pass_on(receive)
        finally:
            slots.free(f"{kind}:{key}")

    async def _stream(self, kind: str, key: str, receive: Receive) -> None:
        slots = self.counters.streams
        if not slots.take(f"{kind}:{key}", PEOPLE[kind]):
            raise Refused(429, "Too many open connections at once. Close some tabs of Wan Studio.", 5)
        try:
            await self._pass_on(receive)
        finally:
            slots.free(f"{kind}:{key}")

    # -- answers ----------------------------------------------------------------------------------------

    async def _pass_on(self, receive: Receive) -> None:
        problem: Exception | None = None
        try:
            await self.guard.app(self.scope, receive, self._send)
        except Exception as error:
            problem = error
        if self.body is not None and self.body.problem is not None:
            raise self._problem()
        if problem is not None:
            if self.body is not None and self.body.broken_off:
                raise Gone from problem
            raise problem

    async def _send(self, message: Message) -> None:
        if self.body is not None and self.body.problem is not None and not self.started:
            return  # what the app makes of its broken body; the guard says it better
        if message["type"] == "http.response.start":
            self.started, self.status = True, int(message["status"])
            message["headers"] = self._dressed(message.get("headers", ()))
        await self.server_send(message)

    def _dressed(self, given: Any) -> list[tuple[bytes, bytes]]:
        """The answer's headers and ours."""
        headers = [(name.lower(), value) for name, value in given]
        named = {name for name, _ in headers}
        for name, value in access_rules.security_headers(self.path, self.rules.on_spaces).items():
            if name.encode() not in named:
                headers.append((name.encode(), value.encode()))
        if self.cookie:
            headers.append((b"set-cookie", self._set_cookie().encode()))
        return headers

    def _set_cookie(self) -> str:
        forwarded = self.headers.get("x-forwarded-proto", "").split(",")[0].strip()
        secure = "https" in (forwarded, self.scope.get("scheme"))
        where = "SameSite=None; Secure; Partitioned" if secure and self.rules.on_spaces else "SameSite=Lax"
        if secure and not self.rules.on_spaces:
            where += "; Secure"
        return f"{COOKIE}={self.cookie}; Path=/; Max-Age={COOKIE_SECONDS}; HttpOnly; {where}"

    async def _refuse(self, refused: Refused) -> None:
        sentence, more = refused.sentence, []
        if refused.wait:
            seconds = math.ceil(refused.wait)
            sentence += f" Try again in {seconds} s."
            more.append((b"retry-after", str(seconds).encode()))
        if refused.status == 401:
            more.append((b"www-authenticate", b'Basic realm="Wan Studio"'))
        data = json.dumps({"detail": sentence}).encode()
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store"), *more]
        if self.method != "HEAD":
            headers.append((b"content-length", str(len(data)).encode()))
        self.started, self.cookie = True, ""
        await self.server_send(
            {"type": "http.response.start", "status": refused.status, "headers": self._dressed(headers)}
        )
        body = b"" if self.method == "HEAD" else data
        await self.server_send({"type": "http.response.body", "body": body})


def is_inside(name: str, folder: Path) -> bool:
    """Whether this path, all links resolved, lies in the folder."""
    try:
        return Path(name).resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):
        return False


def free_bytes(folder: Path) -> int | None:
    """What the disk of this folder still takes; None where it does not say."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _cookie(header: str) -> str:
    if COOKIE not in header:
        return ""
    found = re.search(rf"(?:^|;)\s*{COOKIE}=([A-Za-z0-9._-]{{1,200}})\s*(?:;|$)", header)
    return found[1] if found else ""
