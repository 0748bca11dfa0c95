"""Addresses that cannot be used: each reason is found and said, and what a ComfyUI answers is none."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
from typing import Any

import pytest
import requests

from backend.engines.base import EngineInfo
from backend.engines.comfy import reach
from backend.engines.comfy.reach import FINAL, REASONS, Place, connection_problem, response_problem
from backend.engines.json_values import decoded
from backend.engines.kinds import silent
from backend.jobs.obstacles import no_engine
from backend.notices import words
from ui.views import engine_badge, machine_panel

PLACE = Place("https://gpu.test/comfy")
URL = "https://gpu.test/comfy/system_stats"
PAGE = b"<!DOCTYPE html><html><title>Hello</title>"
LOGIN = b"<html><form action='/in'><input name=p type=\"password\"></form>"


def failed(error: Exception, place: Place = PLACE) -> str:
    return connection_problem(error, place, "GET /x").reason


def wrapped(error: BaseException) -> requests.ConnectionError:
    """As requests raises it: in an exception of urllib3, as an argument and a reason."""
    inner = Exception("Max retries exceeded")
    inner.reason = error  # type: ignore[attr-defined]
    outer = requests.ConnectionError(inner)
    outer.__context__ = inner
    return outer


def tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}]")
    error.reason = reason
    return error


def untrusted(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "the reason."
    return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (untrusted(18), "certificate"),
        (untrusted(20), "certificate"),
        (untrusted(10), "certificate_expired"),
        (untrusted(9), "certificate_expired"),
        (untrusted(62), "certificate_name"),
        (untrusted(64), "certificate_name"),
        (tls_error("WRONG_VERSION_NUMBER"), "speaks_http"),
        (tls_error("RECORD_LAYER_FAILURE"), "speaks_http"),
        (tls_error("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "tls_failed"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "no_host"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "no_host"),
        (UnicodeError("label empty or too long"), "no_host"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "refused"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "no_route"),
        (http.client.BadStatusLine("SSH-2.0-OpenSSH_9.6"), "not_http"),
        (http.client.BadStatusLine("\x15\x03\x01\x00\x02\x02F"), "speaks_https"),
        (http.client.RemoteDisconnected("closed"), "silent"),
        (ConnectionResetError(errno.ECONNRESET, "reset"), "silent"),
        (requests.ReadTimeout("late"), "silent"),
    ],
)
def test_the_reason_of_a_failed_connection(error: Exception, reason: str) -> None:
    assert failed(error) == failed(wrapped(error)) == reason


def test_a_machine_that_does_not_respond() -> None:
    assert failed(requests.ConnectTimeout("late")) == "no_connection"


def answered(status: int, body: bytes = b"", place: Place = PLACE, **headers: str) -> str:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    problem = response_problem(status, named, body, URL, place, "GET /system_stats")
    return problem.reason if problem is not None else ""


@pytest.mark.parametrize(
    ("status", "body", "headers", "reason"),
    [
        (200, b'{"system": {}}', {}, ""),
        (400, b'{"error": {"type": "prompt_no_outputs"}}', {}, ""),
        (404, b"404: Not Found", {"Content_Type": "text/plain"}, ""),
        (500, b"500 Internal Server Error", {"Content_Type": "text/plain"}, ""),
        (200, PAGE, {}, "web_page"),
        (200, b"", {"Content_Type": "text/html; charset=utf-8"}, "web_page"),
        (200, b"[]", {"Content_Type": "text/html"}, ""),
        (400, b'{"error": "a sign with https port on it"}', {}, ""),
        (200, b"\n <!-- a -->\n<html>", {}, "web_page"),
        (200, b"\xef\xbb\xbf<!DOCTYPE html>", {}, "web_page"),
        (200, b"\xef\xbb\xbf\r\n" + LOGIN, {}, "login_page"),
        (200, LOGIN, {}, "login_page"),
        (200, b"<html>Please <a href=/x>Sign in</a>", {}, "login_page"),
        (401, b"", {}, "login"),
        (403, b"", {}, "forbidden"),
        (403, PAGE, {}, "forbidden"),
        (403, LOGIN, {}, "login_page"),
        (404, PAGE, {}, "no_path"),
        (407, b"", {}, "login_page"),
        (500, PAGE, {}, "proxy"),
        (502, b"", {}, "proxy"),
        (503, LOGIN, {}, "proxy"),
        (524, b"", {}, "proxy"),
        (400, b"Client sent an HTTP request to an HTTPS server.", {}, "speaks_https"),
        (400, b"<html>The plain HTTP request was sent to HTTPS port", {}, "speaks_https"),
        (302, b"", {"Location": "/login?next=/system_stats"}, "login_page"),
        (302, b"", {"Location": "https://sso.test/auth?to=gpu.test"}, "login_page"),
        (303, b"", {"Location": "/"}, "login_page"),
        (302, b"", {}, "login_page"),
        (301, b"", {"Location": "https://other.test/comfy/system_stats"}, "moved"),
        (308, b"", {"Location": "/new/system_stats"}, "moved"),
        (302, b"", {"Location": "//["}, "login_page"),
    ],
)  # fmt: skip
def test_the_reason_in_a_response(status: int, body: bytes, headers: dict[str, str], reason: str) -> None:
    assert answered(status, body, **headers) == reason


def test_a_redirect_to_https_says_so() -> None:
    place = Place("http://gpu.test")
    url = "http://gpu.test/queue"
    headers = {"Location": "https://gpu.test/queue"}
    problem = response_problem(301, headers, b"", url, place, "")
    assert problem is not None and problem.reason == "speaks_https"


def test_where_a_server_has_moved_is_said() -> None:
    headers = {"Location": "https://new.test/c/system_stats"}
    problem = response_problem(301, headers, b"", URL, PLACE, "")
    assert problem is not None and "https://new.test/c." in problem.message


def test_credentials_that_are_refused_are_another_reason() -> None:
    assert answered(401, place=Place("http://a", login=True)) == "login_refused"


def test_comfyui_s_own_refusal_of_a_file_is_none() -> None:
    assert response_problem(403, {}, b"", URL, PLACE, "", own_refusals=True) is None


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_is_said_in_sentences(reason: Any) -> None:
    error = reach.unreachable(reason, PLACE, "detail", "404")
    assert error.message.endswith(".") and error.hint.endswith(".") and "{" not in error.message + error.hint
    assert error.code == "engine_unreachable" and error.final == (reason in FINAL)
    assert ("does not answer" in error.message) == (reason == "silent")


# -- what the page and the API say -----------------------------------------------------------------

FAULT = reach.unreachable("certificate", Place("https://gpu:8188"), "", "self-signed").notice
SENTENCE = words(FAULT)


def unusable(state: str = "starting", address: str = "https://gpu:8188") -> EngineInfo:
    return EngineInfo("comfyui", address, state=state, error=FAULT, fault=FAULT)


@pytest.mark.parametrize("state", ["starting", "lost"])
def test_the_page_says_the_reason_and_not_that_nothing_answers(state: str) -> None:
    info = unusable(state)
    assert words(silent(info)) == SENTENCE
    assert words(no_engine([info])) == f"Waiting for ComfyUI. {SENTENCE}"
    badge = engine_badge.badge([info])
    assert (badge.state, badge.detail, badge.tip) == ("lost", "cannot be used", SENTENCE)
    assert engine_badge.engine_note([info]) == ""
    panel = machine_panel._server(info, {})
    assert SENTENCE in panel and "ComfyUI at gpu:8188 cannot be used." in panel
    assert "starting" not in panel and "does not answer" not in panel
    here = machine_panel._server(unusable(state, "http://127.0.0.1:8188"), {})
    assert "ComfyUI on this machine cannot be used." in here


def test_a_server_that_works_again_has_no_reason() -> None:
    info = EngineInfo("comfyui", "http://gpu", state="ok")
    assert engine_badge.badge([info]).state == "ok" and info.fault is None


# -- JSON with one faulty value ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'{"a": 1, "b": ' + b"9" * 5000 + b"}", {"a": 1, "b": float("inf")}),
        (b'{"b": -' + b"9" * 5000 + b"}", {"b": float("-inf")}),
        (b'{"a": "\xff", "b": 2}', {"a": "\ufffd", "b": 2}),
        (b'{"a": "x\ty"}', {"a": "x\ty"}),
        ('{"a": "ä"}'.encode("utf-16"), {"a": "ä"}),
        (b'{"seed": 18446744073709551615}', {"seed": 18446744073709551615}),
    ],
)
def test_one_faulty_value_leaves_the_rest_readable(text: bytes, value: Any) -> None:
    assert decoded(text) == value


@pytest.mark.parametrize("text", [b"", b"<html>", b"{", b'{"a": }'])
def test_what_is_no_json(text: bytes) -> None:
    with pytest.raises(ValueError, match=""):
        decoded(text)
