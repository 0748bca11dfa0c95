"""Requests for what the page does not have are refused before Gradio sees them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backend.web.exchange import Refused
from backend.web.page_requests import ID_MAX, check_body, check_query

LONG = "x" * (ID_MAX + 1)


class Page:
    def has_event(self, number: int) -> bool:
        return number == 3

    def has_endpoint(self, name: str) -> bool:
        return name == "job"

    def parameters(self, endpoint: str) -> dict[str, bool]:
        return {"id": True, "wait": False}

    def has_server_function(self, component: int, name: str) -> bool:
        return (component, name) == (7, "poll")

    def has_page(self, name: str) -> bool:
        return name == ""


def status(path: str, body: Any, kind: str = "application/json") -> int:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        check_body(f"/gradio_api/{path}", kind, data, Page())
    except Refused as refused:
        return refused.status
    return 200


CALL: dict[str, Any] = {"component_id": 7, "fn_name": "poll", "session_hash": "s", "data": None}


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("queue/join", {"fn_index": 3, "session_hash": "s"}, 200),
        ("queue/join", {"fn_index": 4, "session_hash": "s"}, 404),
        ("queue/join", {"session_hash": "s"}, 404),
        ("mcp/", {"jsonrpc": "2.0"}, 200),
        ("mcp/", b"{", 200),
        ("mcp/", b"[" * 50_000 + b"]" * 50_000, 400),
        ("mcp/", b'{"id": ' + b"9" * 5_000 + b"}", 400),
        ("mcp/messages/?session_id=x", b"\xff\xfe\xff", 400),
        ("queue/join", {"fn_index": 3, "session_hash": LONG}, 400),
        ("queue/join/", {"fn_index": "x"}, 404),
        ("run/predict", {"fn_index": 3}, 200),
        ("run/predict", {"fn_index": -1}, 404),
        ("run/job", {"data": []}, 200),
        ("api/other", {"data": []}, 404),
        ("call/job", {"data": []}, 200),
        ("call/v2/job", {"id": "x"}, 200),
        ("call/v2/job", {"none": 1}, 400),
        ("call/v2/job", {"wait": True}, 400),
        ("call/v2/job", {"id": "x", "oauth_token": "x"}, 200),
        ("call/job", b"\xff", 400),
        ("call/other", {"data": []}, 404),
        ("call/v2/other", {}, 404),
        ("call/../job", {}, 404),
        ("call/job", {"session_hash": LONG}, 400),
        ("call/job", b"{", 200),  # Gradio answers it with a sentence
        ("component_server", CALL, 200),
        ("component_server/", CALL, 200),
        ("component_server", {**CALL, "component_id": 8}, 404),
        ("component_server", {**CALL, "component_id": [7]}, 400),
        ("component_server", {**CALL, "fn_name": "render"}, 404),
        ("component_server", {**CALL, "fn_name": 5}, 400),
        ("component_server", {**CALL, "session_hash": ["s"]}, 400),
        ("component_server", {**CALL, "session_hash": LONG}, 400),
        ("component_server", {"component_id": 7}, 400),
        ("component_server", [], 400),
        ("component_server", b"[" * 100_000, 400),
        ("cancel", {"event_id": "x"}, 200),
        ("upload", b"x", 200),
    ],
)
def test_bodies(path: str, body: Any, expected: int) -> None:
    assert status(path, body) == expected


def test_a_form_is_no_call_of_a_server_function() -> None:
    assert status("component_server", CALL, "multipart/form-data; boundary=b") == 400


def test_queries() -> None:
    def refused(path: str, **query: str) -> int:
        try:
            check_query(path, query, Page())
        except Refused as problem:
            return problem.status
        return 0

    assert refused("/", page="other") == 404 and refused("/config", page="../x") == 404
    assert refused("/") == refused("/", page="", job="x" * 999) == refused("/page/x", page="other") == 0
    assert refused("/gradio_api/queue/data", session_hash=LONG) == 400
    assert refused("/gradio_api/upload_progress", upload_id=LONG) == 400
    assert refused("/gradio_api/upload_progress", upload_id="x" * ID_MAX) == 0
