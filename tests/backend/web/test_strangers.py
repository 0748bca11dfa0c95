"""Unknown visitors of a page without a login fill neither the disk nor the file descriptors."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.security_site import Site

pytestmark = pytest.mark.full

PATIENCE = 60.0
LOG_ROOM = 100_000
"""Bytes of log that a flood of one kind may leave: a few lines, tracebacks among them."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    started = Site(
        tmp_path_factory.mktemp("strangers"), WAN_LOG_LEVEL="info", WAN_LOG_MB="1", WAN_ALLOWED_HOSTS=HOST
    )
    yield started
    started.close()


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    started = Site(tmp_path_factory.mktemp("locked"), WAN_LOG_LEVEL="info", WAN_AUTH="ann:a-long-password")
    yield started
    started.close()


def until(what: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)


BOUNDARY = b"--b\r\n"


def part(field: str, name: str) -> bytes:
    head = f'Content-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'
    return BOUNDARY + head.encode()


def request(length: int | None) -> bytes:
    size = f"Content-Length: {length}" if length is not None else "Transfer-Encoding: chunked"
    return (
        b"POST /gradio_api/upload?upload_id=u HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n" + size.encode() + b"\r\n\r\n"
    )


def in_folder(site: Site) -> set[Path]:
    return {path for path in site.uploads.rglob("*") if path.is_file()}


def open_files(site: Site) -> list[str]:
    """What the app has open in the upload folder."""
    found = []
    for place in Path(f"/proc/{site.process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            target = str(place.readlink())
            if target.startswith(str(site.uploads)):
                found.append(target)
    return found


@pytest.fixture(scope="module")
def stalled(site: Site) -> Iterator[tuple[socket.socket, set[str]]]:
    """An upload of which nothing more arrives, as when a phone's network is gone, and what it has open. Its
    limit passes while other tests run."""
    with socket.create_connection(("127.0.0.1", site.port)) as connection:
        connection.sendall(request(2_900_000) + part("files", "a.png") + b"x" * 2_500_000)
        until(lambda: open_files(site))
        yield connection, set(open_files(site))


# -- the log ---------------------------------------------------------------------------------------


def raw(site: Site, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", site.port)) as connection, contextlib.suppress(OSError):
        connection.settimeout(PATIENCE)
        connection.sendall(data)
        connection.recv(100)


Ask = Callable[[Site, httpx.Client], object]
LONG = "x" * 6_000
JOIN, API = "/gradio_api/queue/join", "/gradio_api/"
HOST = "x-7860.proxy.runpod.net"  # as through a proxy: not a program of this machine


def get(path: str, **headers: str) -> Ask:
    return lambda site, http: http.get(path, headers=headers)


def post(path: str, body: object, **headers: str) -> Ask:
    if isinstance(body, bytes):
        return lambda site, http: http.post(path, content=body, headers=headers)
    return lambda site, http: http.post(path, json=body, headers=headers)


def new_token(site: Site, http: httpx.Client) -> None:
    http.post(JOIN, json={}, headers={"host": HOST, "x-wan-owner": os.urandom(20).hex()})


def poll(site: Site, http: httpx.Client) -> None:
    body = {
        "component_id": site.component("ws-card"),
        "fn_name": "poll",
        "session_hash": "x",
        "data": [[LONG]],
    }
    http.post(API + "component_server", json=body)


LARGE = f"POST {JOIN} HTTP/1.1\r\nHost: {HOST}\r\nExpect: 100-continue\r\nContent-Length: 999999999\r\n\r\n"

ASKED: dict[str, Ask] = {
    "unknown paths": get("/" + LONG),
    "files": get("/gradio_api/file=" + LONG),
    "videos": get(f"/media/{LONG}/result.mp4"),
    "origins": post(JOIN, {}, origin=f"https://{LONG}"),
    "large bodies": lambda site, http: raw(site, LARGE.encode()),
    "new tokens": new_token,
    "no HTTP": lambda site, http: raw(site, b"\x16\x03\x01 nothing\r\n\r\n"),
    "large headers": lambda site, http: raw(site, b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n"),
    "websockets": get("/x", connection="Upgrade", upgrade="websocket"),
    "JSON that is none": post(JOIN, b"{" * 5_000),
    "events that are none": post(API + "run/predict", {"fn_index": 99_999, "data": [LONG]}),
    "endpoints that are none": post(API + "call/" + LONG, {"data": [LONG]}),
    "results that are none": get(API + "call/image_to_video/" + LONG),
    "component functions that are none": post(
        API + "component_server", {"component_id": 1, "fn_name": LONG, "session_hash": "x", "data": LONG}
    ),
    "cards that are none": poll,
    "uploads that are none": post(API + "upload", LONG.encode()),
    "uploads that are malformed": post(
        API + "upload", LONG.encode(), **{"content-type": "multipart/form-data; boundary=b"}
    ),
    "sessions that are none": post(API + "reset", {"event_id": LONG}),
    "MCP that is none": post(API + "mcp/", b"{" + LONG.encode()),
}

TIMES = 150


@pytest.mark.usefixtures("stalled")
@pytest.mark.parametrize("what", ASKED)
def test_many_bad_requests_write_few_lines(site: Site, what: str) -> None:
    file = site.data / "logs" / "studio.log"

    def size() -> int:
        return len(site.log().encode()) + file.stat().st_size

    before = size()
    with httpx.Client(base_url=site.url, timeout=PATIENCE, trust_env=False) as http:
        for _ in range(TIMES):
            with contextlib.suppress(httpx.HTTPError):  # some answers end in the middle
                ASKED[what](site, http)
    written = size() - before
    assert written < 2 * LOG_ROOM, site.log()[-3_000:]
    assert max((len(line) for line in site.log().splitlines()), default=0) < 10_000


def test_failed_logins_write_few_lines(locked: Site) -> None:
    before = len(locked.log())
    with httpx.Client(base_url=locked.url, timeout=PATIENCE, trust_env=False) as http:
        for _ in range(TIMES):
            http.post("/login", data={"username": LONG, "password": "guess"})
            http.post("/gradio_api/mcp/", headers={"authorization": "Basic " + "eDp5" * 1_000})
    text = locked.log()[before:]
    assert "a login failed" in text and text.count("a login failed") <= 12 and len(text) < LOG_ROOM


def test_the_log_file_is_private_and_does_not_contain_the_admin_link(site: Site) -> None:
    file = site.data / "logs" / "studio.log"
    text = file.read_text()
    assert file.stat().st_mode & 0o077 == 0 and "?admin=" in site.log() and "?admin=" not in text
    assert "wan." in text and "Wan Studio is at" not in text, "what the start says is for the console"


# -- uploads ---------------------------------------------------------------------------------------

BEGUN = request(2_000_000) + part("files", "a.png") + b"x" * 600_000


def test_a_stalled_upload_is_refused(site: Site, stalled: tuple[socket.socket, set[str]]) -> None:
    """Also after much of it came."""
    connection, opened = stalled
    until(lambda: not opened & set(open_files(site)) and not any(Path(name).exists() for name in opened))
    connection.settimeout(PATIENCE)
    assert b" 408 " in connection.recv(1000)
    with contextlib.suppress(ConnectionError):
        assert connection.recv(1000) == b"", "and the connection is closed"


@pytest.mark.parametrize("how", ["closed", "reset", "half closed"])
def test_an_aborted_upload_leaves_no_file(site: Site, how: str) -> None:
    before, opened, traced = in_folder(site), set(open_files(site)), site.log().count("Traceback")
    connections = [socket.create_connection(("127.0.0.1", site.port)) for _ in range(3)]
    for connection in connections:
        connection.sendall(BEGUN)
    until(lambda: len(set(open_files(site)) - opened) == 3)
    for connection in connections:
        if how == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if how == "half closed":
            connection.shutdown(socket.SHUT_WR)
        else:
            connection.close()
    until(lambda: set(open_files(site)) <= opened and in_folder(site) <= before)
    for connection in connections:
        connection.close()
    assert site.log().count("Traceback") == traced, "a client that disconnects is no error"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (
            part("files", "a.png") + b"x" * 100_000 + b"\r\n" + part("other", "b.png") + b"y\r\n--b--\r\n",
            b"200",
        ),
        (part("other", "b.png") + b"y" * 100_000 + b"\r\n--b--\r\n", b"200"),
        (part("files", "a.png") + b"x" * 100_000, b"200"),  # no end
        (part("files", "a.png") + b"x" * 3_500_000, b"413"),
        (
            part("files", "a.png") + b"x\r\n" + b'--b\r\nContent-Disposition: form-data; name="t"\r\n\r\ny',
            b"500",
        ),
    ],
)
def test_a_malformed_upload_leaves_no_file(site: Site, body: bytes, status: bytes) -> None:
    before, opened = in_folder(site), set(open_files(site))
    with socket.create_connection(("127.0.0.1", site.port)) as connection:
        connection.settimeout(PATIENCE)
        with contextlib.suppress(ConnectionError):
            connection.sendall(request(len(body)) + body)
        assert connection.recv(1000).split()[1] == status

    def left() -> set[Path]:
        """Files that are there besides the one that was uploaded under its name."""
        return {path for path in in_folder(site) - before if path.name != "a.png"}

    until(lambda: set(open_files(site)) <= opened and not left())  # a file is removed after it is closed


def test_a_normal_upload_is_stored(site: Site) -> None:
    with httpx.Client(base_url=site.url, timeout=PATIENCE, trust_env=False) as http:
        answer = http.post(
            "/gradio_api/upload", files=[("files", ("a.bin", b"12")), ("files", ("b.bin", b"345"))]
        )
    first, second = (Path(path) for path in json.loads(answer.text))
    assert (first.read_bytes(), second.read_bytes()) == (b"12", b"345")
