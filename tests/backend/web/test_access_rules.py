"""Which paths there are, from which pages they may be requested, how large a body may be."""

from __future__ import annotations

import pytest

from backend.web.access_rules import body_limit, is_direct, is_foreign, is_known, is_work
from backend.web.response_headers import security_headers

POD = "x-7860.proxy.runpod.net"
JOIN = "/gradio_api/queue/join"


@pytest.mark.parametrize(
    "path",
    [
        "/", "/config", "/theme.css", "/assets/index-a1.js", "/static/img/logo.svg", "/page/fonts/a.woff2",
        "/media/abc/result.mp4", "/healthz", "/login", "/login/", "/logout", "/gradio_api/info", JOIN,
        "/gradio_api/queue/data", "/gradio_api/call/image_to_video", "/gradio_api/call/v2/job/abc",
        "/gradio_api/run/predict", "/gradio_api/upload", "/gradio_api/component_server",
        "/gradio_api/file=/tmp/a b.png", "/gradio_api/mcp/", "/gradio_api/mcp", "/gradio_api/mcp/sse",
        "/gradio_api/heartbeat/abc", "/gradio_api/startup-events", "/favicon.ico",
    ],
)  # fmt: skip
def test_what_the_page_and_its_clients_use(path: str) -> None:
    assert is_known(path)


@pytest.mark.parametrize(
    "path",
    [
        "/monitoring", "/monitoring/summary", "/gradio_api/runs", "/gradio_api/run-history/records",
        "/gradio_api/deep_link", "/gradio_api/process_recording", "/gradio_api/vibe-edit/", "/docs",
        "/gradio_api/vibe-code", "/gradio_api/dev/reload", "/gradio_api/proxy=https://a.hf.space/",
        "/gradio_api/stream/a", "/gradio_api/custom_component/a/client/b/c", "/gradio_api/profiling/traces",
        "/openapi.json", "/.env", "/data/studio.db", "/media/a", "/media/a/b/c", "/healthz/", "//", "",
        "/gradio_api/mcpx", "/gradio_api/uploads", "/assets/", "/login/x",
    ],
)  # fmt: skip
def test_everything_else_does_not_exist(path: str) -> None:
    assert not is_known(path)


@pytest.mark.parametrize(
    "headers",
    [
        {},  # a program
        {"origin": f"https://{POD}", "host": POD},
        {"origin": f"https://{POD}", "host": f"{POD}:443"},
        {"origin": "http://127.0.0.1:7860", "host": "127.0.0.1:7860"},
        {"origin": "http://[::1]:7860", "host": "[::1]:7860"},
        {
            "origin": "https://abc.gradio.live",
            "host": "127.0.0.1:7860",
            "x-forwarded-host": "abc.gradio.live",
        },
        {"origin": "https://a.example", "host": "b", "x-forwarded-host": "a.example, inner.example"},
        {"origin": "http://a.example:8080", "host": "a.example", "x-forwarded-for": "1.2.3.4"},
        {"origin": "https://anything.example", "host": "inner", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
    ],
)
def test_requests_of_our_page_and_of_programs_are_accepted(headers: dict[str, str]) -> None:
    assert not is_foreign("POST", JOIN, headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example", "host": POD},
        {"origin": "https://y-7860.proxy.runpod.net", "host": POD},
        {"origin": f"https://evil.{POD}", "host": POD},
        {"origin": f"https://{POD}.evil.example", "host": POD},
        {"origin": "null", "host": POD},
        {"origin": "file://", "host": POD},
        {"origin": f"https://{POD}:8443", "host": POD},
        {"origin": "http://127.0.0.1:8188", "host": "127.0.0.1:7860"},
        {"origin": "http://localhost:8000", "host": "127.0.0.1:7860"},
        {"origin": "http://[::1", "host": "[::1"},
        {"origin": "", "host": ""},
        {"origin": f"https://{POD}", "host": POD, "sec-fetch-site": "cross-site"},
        {"host": POD, "sec-fetch-site": "same-site"},
        {"host": POD, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
    ],
)
def test_requests_of_another_page_are_foreign(headers: dict[str, str]) -> None:
    assert is_foreign("POST", JOIN, headers)
    assert is_foreign("OPTIONS", JOIN, headers)


def test_another_page_may_link_here_but_neither_read_nor_log_out() -> None:
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "host": POD}
    fetch = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors", "origin": "https://evil.example"}
    assert not is_foreign("GET", "/", link) and not is_foreign("GET", "/media/a/result.mp4", link)
    assert is_foreign("GET", "/logout", link)
    assert is_foreign("GET", "/config", fetch) and is_foreign("GET", "/gradio_api/queue/data", fetch)
    assert not is_foreign("GET", "/healthz", fetch)


def test_sizes() -> None:
    assert body_limit("/gradio_api/upload", 100_000_000) == 101_000_000
    assert body_limit(JOIN, 100_000_000) == body_limit("/gradio_api/component_server", 10**9) == 256_000
    assert body_limit("/login", 10**9) == body_limit("/login/", 10**9) == 16_000
    assert 30_000_000 < body_limit("/gradio_api/mcp/", 10**9) < 40_000_000
    assert body_limit("/gradio_api/mcp/", 3_000_000) < 5_000_000


def test_files_are_not_counted_and_work_is() -> None:
    for path in ("/", "/assets/a.js", "/media/a/result.mp4", "/healthz", "/config", "/gradio_api/file=/a"):
        assert not is_work("GET", path)
    for path in ("/gradio_api/queue/data", "/gradio_api/heartbeat/a", "/gradio_api/mcp/sse"):
        assert is_work("GET", path)
    assert is_work("POST", JOIN) and is_work("OPTIONS", "/")


def test_a_tunnel_is_not_a_program_of_this_machine() -> None:
    assert is_direct("127.0.0.1", {"host": "127.0.0.1:7860"}) and is_direct("::1", {"host": "localhost"})
    assert not is_direct("10.0.0.2", {"host": "127.0.0.1"})
    assert not is_direct("127.0.0.1", {"host": "abc.gradio.live"})
    assert not is_direct("127.0.0.1", {"host": "localhost", "x-forwarded-for": "1.2.3.4"})
    assert not is_direct("127.0.0.1", {"host": "[::1"}) and not is_direct("", {})


def test_headers_let_nothing_in_from_other_hosts() -> None:
    page = security_headers("/", on_spaces=False)
    assert page["x-content-type-options"] == "nosniff" and page["referrer-policy"] == "no-referrer"
    assert page["x-robots-tag"] == "noindex" and "x-robots-tag" not in security_headers("/", on_spaces=True)
    assert "frame-ancestors 'self'" in page["content-security-policy"]
    assert "http" not in page["content-security-policy"]
    space = security_headers("/", on_spaces=True)["content-security-policy"]
    assert "frame-ancestors 'self' https://huggingface.co" in space
    assert security_headers("/gradio_api/file=/a.svg", False)["content-security-policy"].endswith("sandbox")
