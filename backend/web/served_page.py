"""What the rules of requests ask of Gradio's app: the parts of its page, and logged-in sessions."""

from __future__ import annotations

import inspect
import secrets
from typing import Any

from starlette.requests import cookie_parser


class ServedPage:
    """The page that an app serves. app: Gradio's."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def has_event(self, number: int) -> bool:
        return number in self._app.get_blocks().fns

    def has_endpoint(self, name: str) -> bool:
        return any(fn.api_name == name for fn in self._app.get_blocks().fns.values())

    def parameters(self, endpoint: str) -> dict[str, bool]:
        function = next(fn.fn for fn in self._app.get_blocks().fns.values() if fn.api_name == endpoint)
        return {
            name: parameter.default is inspect.Parameter.empty
            for name, parameter in inspect.signature(function).parameters.items()
            if name != "request"
        }

    def has_server_function(self, component: int, name: str) -> bool:
        function = getattr(self._app.get_blocks().blocks.get(component), name, None)
        return bool(getattr(function, "_is_server_fn", False))

    def has_page(self, name: str) -> bool:
        return name in self._app.get_blocks().config.get("page", {"": None})


class Sessions:
    """The logged-in sessions of an app, by cookie."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._tokens: dict[str, str] = {}

    def has(self, headers: dict[str, str]) -> bool:
        """Whether these headers hold the cookie of a session."""
        names = (f"access-token-{self._app.cookie_id}", f"access-token-unsecure-{self._app.cookie_id}")
        cookies = cookie_parser(headers.get("cookie", ""))
        return any(self._app.tokens.get(cookies.get(name)) is not None for name in names)

    def cookie(self, user: str) -> str:
        """A cookie of a session of this user: one for all requests that log in by themselves."""
        token = self._tokens.setdefault(user, secrets.token_urlsafe(24))
        self._app.tokens[token] = user  # a logout may have removed it
        return f"access-token-unsecure-{self._app.cookie_id}={token}"
