"""What stands between the studio and a ComfyUI: proxies, logins, tunnels, servers with garbled answers."""

from __future__ import annotations

import base64
import http.client
import ssl
from pathlib import Path

import pytest
import requests
import urllib3

from backend.engines.comfy.http import Http
from backend.engines.comfy.reach import FINAL, Place, connection_problem, response_problem
from backend.errors import BadSettings
from backend.settings.model import Settings
from backend.settings.servers import comfyui_urls, login_of

PLACE = Place("https://gpu.test/comfy")
URL = "https://gpu.test/comfy/system_stats"
HTML = {"Content-Type": "text/html"}
CHALLENGE = b"<!DOCTYPE html><title>Just a moment...</title><script>challenge()</script>"
MUTUAL = b"<html><head><title>400 No required SSL certificate was sent</title></head>"


@pytest.mark.parametrize(
    ("status", "headers", "body", "reason"),
    [
        (403, {**HTML, "cf-mitigated": "challenge"}, CHALLENGE, "forbidden"),
        (503, HTML, CHALLENGE, "proxy"),
        (302, {"Location": "https://team.cloudflareaccess.com/cdn-cgi/access/login/x"}, b"", "login_page"),
        (302, {"Location": "/hub/login?next=%2Fcomfy%2Fsystem_stats"}, b"", "login_page"),
        (302, {"Location": "https://accounts.google.com/o/oauth2/v2/auth?x=1"}, b"", "login_page"),
        (302, {"Location": "https://kc.test/realms/a/protocol/openid-connect/auth"}, b"", "login_page"),
        (302, {"Location": "https://sso.test/?rd=https://gpu.test/comfy/system_stats"}, b"", "login_page"),
        (403, {"Content-Type": "application/json"}, b'{"message": "Forbidden"}', "forbidden"),
        (401, {"WWW-Authenticate": 'Basic realm="x"', **HTML}, b"<html>401 Authorization", "login"),
        (403, HTML, b"<html><button>Sign in with OpenID Connect</button>", "login_page"),
        (200, HTML, b'<html><input type="password" placeholder="Anmelden">', "login_page"),
        (400, HTML, MUTUAL, "tls_failed"),
        (400, HTML, b"<html>400 The SSL certificate error", "tls_failed"),
        (301, {"Location": URL}, b"", "not_comfyui"),
        (301, {"Location": URL + "/"}, b"", "not_comfyui"),
        (308, {"Location": "/comfy/system_stats/"}, b"", "not_comfyui"),
        (302, {"Location": "system_stats?again=1"}, b"", "not_comfyui"),
        (307, {"Location": "https://gpu.test:8443/comfy/system_stats"}, b"", "moved"),
        (301, {"Location": "https://user:pass@evil.test/comfy/system_stats"}, b"", "login_page"),
        (302, {"Location": "javascript:alert(1)"}, b"", "login_page"),
        (302, {"Location": "\x00\ud800"}, b"", "login_page"),
        (404, HTML, b"<html>ERR_NGROK_3200 The endpoint is offline", "no_path"),
        (200, {"Content-Type": "application/xml"}, b"<?xml version='1.0'?><Error/>", "web_page"),
        (530, HTML, b"<html>Error 1033", "proxy"),
    ],
)  # fmt: skip
def test_what_answers_in_place_of_comfyui(
    status: int, headers: dict[str, str], body: bytes, reason: str
) -> None:
    problem = response_problem(status, headers, body, URL, PLACE, "GET /system_stats")
    assert problem is not None and problem.reason == reason
    assert problem.message.isprintable() and "pass@" not in problem.message


def tls(kind: type[ssl.SSLError], reason: str) -> ssl.SSLError:
    error = kind(1, f"[SSL: {reason}] x (_ssl.c:1000)")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (tls(ssl.SSLError, "UNSUPPORTED_PROTOCOL"), "tls_failed"),
        (tls(ssl.SSLError, "TLSV1_ALERT_PROTOCOL_VERSION"), "tls_failed"),
        (tls(ssl.SSLError, "SSLV3_ALERT_HANDSHAKE_FAILURE"), "tls_failed"),
        (tls(ssl.SSLError, "DH_KEY_TOO_SMALL"), "tls_failed"),
        (tls(ssl.SSLEOFError, "UNEXPECTED_EOF_WHILE_READING"), "silent"),
        (ssl.SSLZeroReturnError(6, "TLS/SSL connection has been closed (EOF)"), "silent"),
        (http.client.UnknownProtocol("HTTP/9.9"), "not_http"),
        (http.client.LineTooLong("header line"), "not_http"),
        (http.client.HTTPException("got more than 100 headers"), "not_http"),
        (http.client.IncompleteRead(b"ab", 9), "silent"),
        (requests.exceptions.ContentDecodingError("gzip: incorrect header check"), "not_comfyui"),
        (requests.exceptions.ChunkedEncodingError("Connection broken"), "silent"),
    ],
)
def test_why_a_connection_fails(error: Exception, reason: str) -> None:
    wrapped = requests.ConnectionError(urllib3.exceptions.ProtocolError("Connection aborted.", error))
    for raised in (error, wrapped):
        found = connection_problem(raised, PLACE, "GET /x")
        assert found.reason == reason
    assert found.final == (reason in FINAL)


@pytest.mark.parametrize(
    ("url", "address", "login"),
    [
        ("gpu:8188", "http://gpu:8188", ""),
        ("HTTP://GPU:8188/", "http://GPU:8188", ""),
        ("http://[::1]:8188", "http://[::1]:8188", ""),
        ("[2001:db8::1]:8188", "http://[2001:db8::1]:8188", ""),
        ("http://[fe80::1%25eth0]:8188", "http://[fe80::1%25eth0]:8188", ""),
        ("http://my_comfy:8188", "http://my_comfy:8188", ""),
        ("https://gpu.test/comfy//", "https://gpu.test/comfy", ""),
        ("https://gpu.test/comfy", "https://gpu.test/comfy", ""),
        ("https://me:p%40ss@gpu.test/comfy/", "https://gpu.test/comfy", "me:p@ss"),
        ("https://me:p@ss@gpu.test", "https://gpu.test", "me:p@ss"),
        ("https://token@gpu.test", "https://gpu.test", "token:"),
        ("https://:secret@gpu.test", "https://gpu.test", ":secret"),
        ("https://me:@gpu.test", "https://gpu.test", "me:"),
    ],
)
def test_an_address_in_each_of_its_forms(url: str, address: str, login: str) -> None:
    (given,) = comfyui_urls(url)
    http_ = Http(given)
    assert http_.address == address and http_.place.address == address
    assert http_.socket_url("a b") == address.replace("http", "ws", 1) + "/ws?clientId=a%20b"
    assert login_of(given) == login
    sent = http_.headers.get("Authorization", "").removeprefix("Basic ")
    assert base64.b64decode(sent).decode() == login
    http_.close()


@pytest.mark.parametrize("url", ["https://me:hidden@gpu", "https://:hidden@gpu", "https://me:h%69dden@gpu"])
def test_no_password_of_an_address_is_logged(tmp_path: Path, url: str) -> None:
    settings = Settings.from_env({"COMFYUI_URL": url}, tmp_path)
    assert "hidden" in settings.secrets


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://gpu", "ws://gpu:8188", "http://", "http://:8188", "http://gpu:0", "http://gpu:99999",
     "http://[::1", "http://gpu?x=1", "http://gpu/#a", "http://gpu/a@b"],
)  # fmt: skip
def test_what_is_no_address_of_a_server(tmp_path: Path, url: str) -> None:
    with pytest.raises(BadSettings, match="COMFYUI_URL"):
        Settings.from_env({"COMFYUI_URL": url}, tmp_path)
