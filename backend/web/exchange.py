"""One HTTP request as it passes through the middleware, and its response."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from functools import cached_property
from typing import Any, Self
from urllib.parse import quote

from backend.notices import brief
from backend.web import access_rules
from backend.web.clients import Proxies, client_of, fingerprint, forwarded_hosts
from backend.web.hosts import Hosts
from backend.web.request_body import Body, Gone, Message, Receive, TooLarge, TooSlow
from backend.web.response_headers import security_headers
from workflows.notice import Arg, Notice, made

Scope = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Refused(Exception):
    """The request is answered with this status and the message of the reason. wait: seconds until it may be
    sent again. kind: for the log, where the message repeats what was sent."""

    def __init__(self, reason: Notice, status: int, wait: float = 0.0, kind: str = "") -> None:
        sentence = brief(reason)
        super().__init__(sentence)
        self.status, self.sentence, self.wait, self.kind = status, sentence, wait, kind or sentence

    @classmethod
    def of(cls, code: str, status: int, wait: float = 0.0, kind: str = "", **args: Arg) -> Self:
        """The refusal with the reason of this code, of error_texts/requests.py, and its arguments."""
        return cls(made(code, args), status, wait, kind)


class Exchange:
    """The parsed request, and the response while it is sent.

    client: the address of the sender, checked. neighbour: with whom the sender shares places. direct: whether
    the sender is a program of this machine. headers: lower-case names. path: without the prefix of a proxy.
    bare: the request is for that prefix without the slash that the page's relative addresses need. status: 0
    until the response starts.
    new_cookie: a Set-Cookie value for the response, or "". body, body_refusal: the body under its limits, and
    what is answered when it breaks one. gone: the client has disconnected. complete:
    the response is sent.
    """

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        on_spaces: bool,
        prefix: str = "",
        hosts: Hosts | None = None,
        proxies: Proxies | None = None,
    ) -> None:
        """hosts: the names that X-Forwarded-Host may hold. proxies: whose forwarding headers are believed.

        prefix: the path below which a proxy serves the page. It is removed from the scope where the proxy
        has not done so, and root_path with it: Starlette's mounts take a path for one below its root path,
        with or without it, and find no files otherwise."""
        self.bare = bool(prefix) and scope["path"] == prefix and scope["method"] in ("GET", "HEAD")
        scope = _without(scope, prefix)
        self.scope, self._server_receive, self._server_send = scope, receive, send
        self._on_spaces = on_spaces
        self._believe_what_can_be(hosts or Hosts(), proxies or Proxies())
        self.headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        self.method: str = scope["method"]
        self.path = str(scope["path"])
        self.status = 0
        self.new_cookie = ""
        self.gone = False
        self.complete = self._streams_events = False
        self.body: Body | None = None
        self.body_refusal: Callable[[], Refused] | None = None

    def _believe_what_can_be(self, hosts: Hosts, proxies: Proxies) -> None:
        """Sets client, neighbour and direct, and removes forwarding headers that any client could have
        sent: Gradio makes addresses of them."""
        scope, headers = self.scope, list(self.scope["headers"])
        peer = str((scope.get("client") or ("",))[0])
        client = client_of(peer, headers, proxies)
        trusted = client.through_trusted or proxies.trusts(peer)
        self.client, self.neighbour = client.address, client.neighbour
        named = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
        self.direct = access_rules.is_direct(client.address, named)
        forwarded = forwarded_hosts(headers)
        dropped = {b"x-gradio-server"}
        if not trusted and not all(hosts.allows(name) for name in forwarded):
            dropped.add(b"x-forwarded-host")
        if trusted and (scheme := _forwarded_scheme(named)) in ("http", "https"):
            scope["scheme"] = scheme
        scope["headers"] = [pair for pair in headers if pair[0].lower() not in dropped]
        scope["client"] = (client.address, int((scope.get("client") or ("", 0))[1] or 0))

    @cached_property
    def fingerprint(self) -> str:
        """Distinguishes senders at one address that show neither token nor cookie."""
        return fingerprint(self.client, self.scope["headers"])

    @property
    def secure(self) -> bool:
        """Whether the browser's connection is https, to a proxy or to this server."""
        return "https" in (_forwarded_scheme(self.headers), self.scope.get("scheme"))

    @property
    def hosts(self) -> list[str]:
        """The names that the request was sent to: its Host header, and those that proxies passed on."""
        return [self.headers.get("host", ""), *forwarded_hosts(self.scope["headers"])]

    @property
    def query(self) -> str:
        """The query string."""
        return bytes(self.scope.get("query_string") or b"").decode("latin-1")

    async def whole_body(self) -> bytes:
        """The body, under its limits. Raises Refused, Gone."""
        if self.body is None or self.body_refusal is None:
            return b""
        try:
            return await self.body.whole()
        except (TooLarge, TooSlow):
            raise self.body_refusal() from None

    async def receive(self) -> Message:
        """The server's `receive`."""
        message = await self._server_receive()
        if message["type"] == "http.disconnect":
            self.gone = True
        return message

    async def pass_on(self, app: App, receive: Receive) -> None:
        """Lets the app answer. Raises what it raises, Refused for a body that broke a limit, and Gone."""
        problem: Exception | None = None
        try:
            await app(self.scope, receive, self._send)
        except Exception as error:
            problem = error
        if self.body is not None and self.body.problem is not None and self.body_refusal is not None:
            raise self.body_refusal()
        if problem is not None:
            if self.gone or (self.body is not None and self.body.broken_off):
                raise Gone from problem
            raise problem

    async def end_stream(self) -> bool:
        """Ends a failed stream of events, so that the client does not wait; False for other responses."""
        if self._streams_events:
            await self._server_send({"type": "http.response.body", "body": b""})
        return self._streams_events

    async def redirect(self, path: str) -> None:
        """Answers with a redirect to another path of this host, with the same query."""
        query = bytes(self.scope.get("query_string") or b"")
        place = quote(path).encode() + (b"?" + query if query else b"")
        self.status = 307
        headers = self._response_headers([(b"location", place), (b"content-length", b"0")])
        await self._server_send({"type": "http.response.start", "status": 307, "headers": headers})
        await self._server_send({"type": "http.response.body", "body": b""})

    async def refuse(self, refused: Refused) -> None:
        """Answers with JSON and a sentence in `detail`, unless the app's response has already started."""
        if self.status:
            return
        sentence, more = refused.sentence, []
        if refused.wait:
            seconds = math.ceil(refused.wait)
            sentence += f" Try again in {seconds} s."
            more.append((b"retry-after", str(seconds).encode()))
        if refused.status == 401 and self.path.startswith(access_rules.MCP):  # else browsers ask by a window
            more.append((b"www-authenticate", b'Basic realm="Wan Studio"'))
        data = json.dumps({"detail": sentence}).encode()
        given = [(b"content-type", b"application/json"), (b"cache-control", b"no-store"), *more]
        if self.method != "HEAD":
            given.append((b"content-length", str(len(data)).encode()))
        self.status, self.new_cookie = refused.status, ""
        headers = self._response_headers(given)
        await self._server_send(
            {
                "type": "http.response.start",
                "status": refused.status,
                "headers": headers,
            }
        )
        body = b"" if self.method == "HEAD" else data
        await self._server_send({"type": "http.response.body", "body": body})

    async def _send(self, message: Message) -> None:
        """The app's `send`."""
        if self.body is not None and self.body.problem is not None and not self.status:
            return  # the app's response to the broken body is replaced by the refusal
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            message["headers"] = self._response_headers(message.get("headers", ()))
            kinds = [value for name, value in message["headers"] if name == b"content-type"]
            self._streams_events = any(kind.startswith(b"text/event-stream") for kind in kinds)
        elif not message.get("more_body", False):
            self.complete = True
        await self._server_send(message)

    def _response_headers(self, given: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """These headers and the security headers that they do not set."""
        headers = [(name.lower(), value) for name, value in given]
        named = {name for name, _ in headers}
        for name, value in security_headers(self.path, self._on_spaces).items():
            if name.encode() not in named:
                headers.append((name.encode(), value.encode()))
        if self.new_cookie:
            headers.append((b"set-cookie", self.new_cookie.encode()))
        return headers


def _forwarded_scheme(headers: Mapping[str, str]) -> str:
    """That of the browser's connection, which the first of several proxies has named."""
    return headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()


def _without(scope: Scope, prefix: str) -> Scope:
    """The scope as if the app was at the top of its host."""
    given = str(scope.get("root_path") or "").rstrip("/")
    for root in filter(None, (prefix, given if given.startswith("/") else "")):
        path = str(scope["path"])
        # A proxy may have removed the prefix, and what is left may begin like it: /page/fonts below /page.
        if path == root or (path.startswith(root + "/") and access_rules.is_known(path[len(root) :])):
            raw = bytes(scope.get("raw_path") or b"")
            coded = quote(root).encode()
            scope["path"] = path[len(root) :] or "/"
            if raw.startswith(coded):
                scope["raw_path"] = raw[len(coded) :] or b"/"
            break
    if prefix or given:
        scope["root_path"] = ""
    return scope
