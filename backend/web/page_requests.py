"""Requests for events, endpoints and server functions that the page does not have.

Gradio answers many of these with 500 and a traceback in the log. Here they are refused before, as a page that
is older than the app or a made-up request.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from backend.log_lines import bounded
from backend.web.access_rules import API
from backend.web.exchange import Refused

ID_MAX = 200
"""Characters of an id that a client chooses: of its session, an upload, an event."""
EVENTS = ("queue/join", "run/", "api/")
CALLS = ("call/v2/", "call/")
SERVER_FUNCTION = "component_server"
TOOLS = "mcp"
IDS = frozenset({"session_hash", "upload_id", "event_id"})


class Page(Protocol):
    """What the served page has."""

    def has_event(self, number: int) -> bool: ...

    def has_endpoint(self, name: str) -> bool: ...

    def parameters(self, endpoint: str) -> Mapping[str, bool]:
        """name -> whether it has to be given."""
        ...

    def has_server_function(self, component: int, name: str) -> bool: ...

    def has_page(self, name: str) -> bool: ...


def check_query(path: str, query: dict[str, str], page: Page) -> None:
    """Raises Refused for a part of the page that does not exist, and for an id that is too long."""
    if path in ("/", "/config", "/config/") and not page.has_page(query.get("page", "")):
        raise Refused.of("no_such_page", 404)
    if any(len(query.get(name, "")) > ID_MAX for name in IDS):
        raise Refused.of("id_too_long", 400)


def check_body(path: str, content_type: str, body: bytes, page: Page) -> None:
    """Raises Refused for a POST of something that the page does not have. Malformed JSON passes where Gradio
    itself answers it with a sentence."""
    if not path.startswith(API):
        return
    name = path[len(API) :].rstrip("/")
    if name.startswith((*CALLS, *EVENTS)):
        _check_text(body)
    if name.startswith(TOOLS):
        _check_json(body)
    if name == SERVER_FUNCTION:
        _check_server_function(content_type, body, page)
    elif name.startswith(CALLS):
        endpoint = name.partition("call/")[2].removeprefix("v2/")
        if not page.has_endpoint(endpoint):
            raise Refused.of("no_such_endpoint", 404)
        given = _object(body)
        if name.startswith("call/v2/") and given:
            _check_parameters(given, page.parameters(endpoint))
        _check_ids(given)
    elif name.startswith(EVENTS):
        _check_event(name, _object(body), page)


def _check_text(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError:
        raise Refused.of("not_utf8", 400) from None


def _check_json(body: bytes) -> None:
    """For the MCP server, which answers malformed JSON with a sentence, but with 500 and a traceback what
    Python does not read: bytes that are no text, numbers of thousands of digits, brackets without end."""
    try:
        json.loads(body)
    except json.JSONDecodeError:
        return
    except RecursionError:
        raise Refused.of("nested_too_deeply", 400) from None
    except ValueError:
        raise Refused.of("request_not_read", 400) from None


def _check_parameters(given: dict[str, Any], wanted: Mapping[str, bool]) -> None:
    unknown = [name for name in given if name not in wanted and name != "oauth_token"]
    missing = [name for name, required in wanted.items() if required and name not in given]
    if unknown:
        shown = bounded(unknown[0], ID_MAX)
        raise Refused.of("unknown_parameter", 400, kind="unknown parameter", parameter=shown)
    if missing:
        raise Refused.of("parameter_missing", 400, parameter=missing[0])


def _check_event(name: str, given: dict[str, Any], page: Page) -> None:
    number = given.get("fn_index")
    _check_ids(given)
    if isinstance(number, int):
        known = page.has_event(number)
    else:
        known = name.startswith(("run/", "api/")) and page.has_endpoint(name.partition("/")[2])
    if given and not known:
        raise Refused.of("no_such_event", 404)


def _check_server_function(content_type: str, body: bytes, page: Page) -> None:
    given = _object(body)
    component, name, session = given.get("component_id"), given.get("fn_name"), given.get("session_hash")
    if not isinstance(component, int) or not isinstance(name, str) or not isinstance(session, str):
        raise Refused.of("no_function_call", 400)
    if "data" not in given or content_type.startswith("multipart/"):
        raise Refused.of("no_function_call", 400)
    _check_ids(given)
    if not page.has_server_function(component, name):
        raise Refused.of("no_such_function", 404)


def _check_ids(given: dict[str, Any]) -> None:
    for name in IDS:
        value = given.get(name)
        if isinstance(value, str) and len(value) > ID_MAX:
            raise Refused.of("id_too_long", 400)


def _object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body; empty for anything else."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
