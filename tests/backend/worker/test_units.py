"""Modules of the worker: input files, URLs from clients, settings."""

from __future__ import annotations

import base64
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.errors import BadInput, BadSettings, EngineUnreachable, JobCancelled
from backend.servers.fleet import Servers
from backend.settings.model import Settings
from backend.worker import downloads
from backend.worker.downloads import download, is_public
from backend.worker.job_input import Limits, labels_of, read_job_input, title_of
from backend.worker.main import wait_until_up, worker_settings, writable
from backend.worker.results import DeliveryOptions, bucket_upload, deliver

PROMPT = "6a1f8c1e-0000-4000-8000-000000000002"


# -- files of a job ---------------------------------------------------------------------------------


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    folder = tmp_path / "volume"
    (folder / "in").mkdir(parents=True)
    (folder / "in" / "a.png").write_bytes(b"on the volume")
    (tmp_path / "secret").write_bytes(b"secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    return folder


def order(tmp_path: Path, volume: Path, source: Any, **more: Any) -> Any:
    given = {"mode": "image_to_video", "params": {}, "media": {"image": source}}
    return read_job_input(given, tmp_path / "work", Limits(1000, volume), lambda: None, **more)


@pytest.mark.parametrize("form", ["{volume}/in/a.png", "/runpod-volume/in/a.png", "/workspace/in/a.png"])
@pytest.mark.parametrize("bare", [True, False])
def test_a_path_on_the_volume(tmp_path: Path, volume: Path, form: str, bare: bool) -> None:
    path = form.format(volume=volume)
    made = order(tmp_path, volume, path if bare else {"path": path})
    assert made.files["image"].read_bytes() == b"on the volume"


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../secret", "/runpod-volume/../secret", "link", "in", "/runpod-volume/in/b.png"]
)
def test_a_path_off_the_volume(tmp_path: Path, volume: Path, path: str) -> None:
    with pytest.raises(BadInput, match="There is no file"):
        order(tmp_path, volume, {"path": path})


def test_a_jpeg_in_base64_is_not_taken_for_a_path(tmp_path: Path, volume: Path) -> None:
    data = b"\xff\xd8\xff\xe0 a photograph"
    text = base64.b64encode(data).decode()
    assert text.startswith("/9j/")
    assert order(tmp_path, volume, text).files["image"].read_bytes() == data
    assert order(tmp_path, volume, {"data": text[:8] + "\n" + text[8:]}).files["image"].read_bytes() == data


def test_a_file_on_the_volume_has_the_same_limit(tmp_path: Path, volume: Path) -> None:
    (volume / "big").write_bytes(bytes(1001))
    with pytest.raises(BadInput, match="larger than"):
        order(tmp_path, volume, {"path": "big"})


def test_an_address_is_fetched(tmp_path: Path, volume: Path) -> None:
    asked: list[tuple[str, int, str]] = []

    def fetch(url: str, target: Path, limit: int, field: str, stop: Any) -> None:
        asked.append((url, limit, field))
        target.write_bytes(b"fetched")

    made = order(tmp_path, volume, "https://host/a.png", fetch=fetch)
    assert made.files["image"].read_bytes() == b"fetched"
    assert asked == [("https://host/a.png", 1000, "image")]


def test_equal_names_with_other_content_are_other_files(tmp_path: Path) -> None:
    """ComfyUI keeps what it was sent: the name alone says nothing."""
    graph = {"1": {"class_type": "LoadImage", "inputs": {"image": "input.png"}}}
    names = []
    for number, data in enumerate((b"one", b"two", b"one")):
        images = [{"name": "input.png", "image": base64.b64encode(data).decode()}]
        given = {"workflow": graph, "images": images}
        made = read_job_input(given, tmp_path / str(number), Limits(1000, tmp_path), lambda: None)
        name = made.graph["1"]["inputs"]["image"]
        assert made.files[name].read_bytes() == data and name.endswith(".png")
        names.append(name)
    assert names[0] == names[2] != names[1]
    assert graph["1"]["inputs"] == {"image": "input.png"}, "the input is left as it was"


def test_labels_of_a_foreign_graph() -> None:
    made = labels_of(
        {
            "1": {"class_type": "UNETLoader", "inputs": {}},
            "2": {"class_type": "KSamplerAdvanced", "inputs": {"steps": 20, "end_at_step": 10}},
            "3": {"class_type": "KSamplerAdvanced", "inputs": {"steps": 20, "start_at_step": 10}},
            "4": {"class_type": "SaveVideo", "inputs": {}},
            "5": {"class_type": "SomethingElse", "inputs": {}},
        }
    )
    assert [(label.stage, label.steps, label.first_step) for label in made.values()] == [
        ("load", 0, 0), ("draw", 10, 0), ("draw", 10, 10), ("save", 0, 0),
    ]  # fmt: skip


# -- URLs from clients ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.0", "224.0.0.1", "255.255.255.255", "198.18.0.1", "::1", "::", "fe80::1%eth0", "fc00::1",
        "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a00:1", "2002:7f00:1::", "2001::1",
        "not an address",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://example.org/a.png", "not an https address"),
        ("file:///etc/passwd", "not an https address"),
        ("https://user:word@host/a.png", "not an https address"),
        ("https://[::1/a.png", "not an https address"),
        ("https://127.0.0.1/a.png", "not on the public internet"),
        ("https://localhost/a.png", "not on the public internet"),
        ("https://169.254.169.254/latest/meta-data", "not on the public internet"),
        ("https://2130706433/a.png", "not on the public internet"),
        ("https://no-such-host.invalid/a.png", "was not found"),
    ],
)
def test_addresses_that_are_refused(tmp_path: Path, url: str, words: str) -> None:
    with pytest.raises(BadInput, match=words) as caught:
        download(url, tmp_path / "a", 1000, "image", lambda: None)
    assert caught.value.field == "image"
    assert not (tmp_path / "a").exists()


class Site(http.server.BaseHTTPRequestHandler):
    hosts: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.hosts.append(str(self.headers["Host"]))
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
            return
        self.send_response(404 if self.path == "/missing" else 200)
        if self.path == "/long":
            self.send_header("Content-Length", "5000")
        self.end_headers()
        self.wfile.write({"/empty": b"", "/big": bytes(5000), "/long": bytes(5000)}.get(self.path, b"hello"))

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        yield f"http://localhost:{server.server_address[1]}"
        server.shutdown()


OPEN = {"schemes": ("http",), "public": lambda address: True}


@pytest.mark.full
def test_what_is_at_an_address(tmp_path: Path, site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def once(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    monkeypatch.setattr(downloads, "resolve", once)
    address = site.replace("localhost", "pictures.test") + "/a.png?x=1"
    download(address, tmp_path / "a", 100, "image", lambda: None, **OPEN)
    assert (tmp_path / "a").read_bytes() == b"hello"
    assert asked == ["pictures.test"], "looked up once, and that address is used"
    assert Site.hosts[-1].startswith("pictures.test:")


@pytest.mark.full
@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/missing", "HTTP 404"),
        ("/empty", "is empty"),
        ("/big", "larger than"),
        ("/long", "larger than"),
        ("/to/http://10.0.0.1/a", "not on the public"),
        ("/to/ftp://localhost/a", "not an https"),
        ("/to//to//to//to//to//to//to/a", "too many redirects"),
    ],
)
def test_urls_with_bad_redirects(tmp_path: Path, site: str, path: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        download(
            site + path, tmp_path / "a", 1000, "image", lambda: None, schemes=("http",),
            public=lambda address: not address.startswith("10."),
        )  # fmt: skip


@pytest.mark.full
def test_a_slow_address_and_a_cancelled_job(tmp_path: Path, site: str) -> None:
    with pytest.raises(BadInput, match="too slow"):
        download(site + "/a", tmp_path / "a", 1000, "image", lambda: None, **OPEN, seconds=-1)

    def stop() -> None:
        raise JobCancelled("Cancelled.")

    with pytest.raises(JobCancelled):
        download(site + "/a", tmp_path / "a", 1000, "image", stop, **OPEN)


# -- settings and start -----------------------------------------------------------------------------


def settings(here: Path, **values: str) -> Settings:
    return Settings.from_env({"WAN_DATA_DIR": str(here / "data"), **values}, here)


def test_a_worker_never_sends_its_jobs_to_an_endpoint(tmp_path: Path) -> None:
    given = {"RUNPOD_ENDPOINT_ID": "mine", "RUNPOD_API_KEY": "key", "COMFYUI_URL": "http://127.0.0.1:9"}
    for engine in ("auto", "runpod", "comfyui"):
        made = worker_settings(settings(tmp_path, **given, WAN_ENGINE=engine))
        assert not made.runpod.given and made.engine != "runpod"
        servers = Servers(made, restart=False)
        assert {engine.info().kind for engine in servers.engines} == {"comfyui"}
        servers.close()


def test_a_worker_without_comfyui_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.worker.main.choose", lambda made: type("Plan", (), {"kind": "demo"}))
    with pytest.raises(BadSettings, match="no ComfyUI"):
        worker_settings(settings(tmp_path, RUNPOD_ENDPOINT_ID="mine", RUNPOD_API_KEY="key"))
    assert worker_settings(settings(tmp_path, WAN_ENGINE="demo")).engine == "demo"


def test_a_comfyui_that_does_not_come_up(tmp_path: Path) -> None:
    servers = Servers(worker_settings(settings(tmp_path, COMFYUI_URL="http://127.0.0.1:9")), restart=False)
    with pytest.raises(EngineUnreachable, match=r"did not start within 0\.5 s"):
        wait_until_up(servers, 0.5)
    servers.close()


@pytest.mark.full
def test_a_comfyui_that_ends_while_it_starts(tmp_path: Path) -> None:
    comfyui = tmp_path / "ComfyUI"
    comfyui.mkdir()
    (comfyui / "main.py").write_text("raise SystemExit('no module named torch')")
    made = settings(tmp_path, COMFYUI_DIR=str(comfyui), COMFYUI_PYTHON="python3", WAN_ENGINE="comfyui")
    servers = Servers(made, restart=False)
    try:
        with pytest.raises(EngineUnreachable):
            wait_until_up(servers, 60.0)
        assert servers.processes and servers.processes[0].over
    finally:
        servers.close()


class Bucket(http.server.BaseHTTPRequestHandler):
    """As much of S3 as one small PUT needs; it refuses the key "refused"."""

    kept: dict[str, tuple[bytes, str]] = {}  # noqa: RUF012

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        refused = "Credential=refused" in self.headers["Authorization"]
        if not refused:
            self.kept[self.path] = (data, self.headers["Content-Type"])
        body = b"<Error><Code>AccessDenied</Code></Error>" if refused else b""
        self.send_response(403 if refused else 200)
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.mark.full
@pytest.mark.parametrize("key", ["good", "refused"])
def test_the_sdks_own_upload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    pytest.importorskip("runpod")
    video = tmp_path / "result.mp4"
    video.write_bytes(b"a small video")
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bucket) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        given = {
            "BUCKET_ENDPOINT_URL": f"http://127.0.0.1:{server.server_address[1]}",
            "BUCKET_ACCESS_KEY_ID": key,
            "BUCKET_SECRET_ACCESS_KEY": "secret",
            "BUCKET_NAME": "videos",
        }
        for name, value in given.items():  # the SDK reads the environment itself
            monkeypatch.setenv(name, value)
        delivery = DeliveryOptions(10_000_000, None, bucket_upload(given))
        (item,) = deliver([("result.mp4", video)], "job-u1", delivery)
        server.shutdown()
    if key == "refused":
        assert item["type"] == "base64", "it goes back in the answer then"
        return
    assert item["type"] == "s3_url"
    assert "/videos/job-u1/result.mp4?" in item["data"] and "Signature" in item["data"]
    assert Bucket.kept["/videos/job-u1/result.mp4"] == (b"a small video", "video/mp4")


def test_the_bucket_needs_all_of_its_variables(tmp_path: Path) -> None:
    all_of_them = {"BUCKET_ENDPOINT_URL": "u", "BUCKET_ACCESS_KEY_ID": "k", "BUCKET_SECRET_ACCESS_KEY": "s"}
    assert bucket_upload(all_of_them) is not None
    for name in all_of_them:
        assert bucket_upload({**all_of_them, name: ""}) is None
    assert writable(tmp_path) == tmp_path
    assert writable(tmp_path / "not there") is None


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ({"data": "aGk=", "name": "beach.png"}, "beach.png"),
        ({"data": "aGk="}, "The picture"),
        ("aGk=", "The picture"),
        ("/9j/4AAQSkZJRgABAQ", "The picture"),
        ("https://example.org/a/beach%20day.png?x=1", "beach day.png"),
        ({"url": "https://example.org/download"}, "The picture"),
        ("/workspace/in/a.png", "a.png"),
        ({"path": "/runpod-volume/in/a.png"}, "a.png"),
    ],
)
def test_what_a_file_is_called_in_messages(source: Any, title: str) -> None:
    assert title_of(source, "Picture") == title
