"""What the endpoints refuse: wrong keys and values, and files that were not uploaded."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.api_page import NAMES, PNG, REQUIRED, Page

pytestmark = pytest.mark.full

SECRET_FILE = Path("/etc/passwd")

META = {"meta": {"_type": "gradio.FileData"}}


@pytest.mark.parametrize(
    "image",
    [
        {"path": "/etc/passwd"},
        {"path": "/etc/passwd", **META},
        {"path": "/etc/passwd", "meta": "x"},
        {"path": "UPLOADS/../results/secret.png"},
        {"path": "UPLOADS/../results/secret.png", **META},
        {"path": "UPLOADS/link.png", **META},
        {"path": "UPLOADS", **META},
        {"path": "UPLOADS"},
        {"path": "UPLOADS/nothing.png", **META},
        {"path": "a\0b", **META},
        {"path": "x" * 9000},
        {"path": 5, **META},
        {"path": ""},
        {"path": "http://127.0.0.1:1/a.png", **META},
        {"path": "file:///etc/passwd", **META},
        {"path": "TRAP/a.png"},
        {"path": "TRAP/a.png", **META},
        {"url": "TRAP/a.png"},
        {"path": None, "url": "TRAP/a.png", **META},
        {"path": "TRAP/gradio_api/file=/etc/passwd", **META},
        {"url": "data:image/png;base64,AAAA"},
        "/etc/passwd",
        "TRAP/a.png",
        [{"path": "/etc/passwd", **META}],
        {"a": {"path": "/etc/passwd", **META}},
        {"path": "/etc/passwd", "url": "/gradio_api/file=/etc/passwd", "is_stream": True, **META},
        [], {}, 5, True,
    ],
)  # fmt: skip
def test_only_uploaded_files_are_taken(
    page: Page, trap: Trap, image: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    (page.folder / "results" / "secret.png").write_bytes(PNG)
    link = page.uploads / "link.png"
    page.uploads.mkdir(exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(page.folder / "results" / "secret.png")
    image = json.loads(json.dumps(image).replace("UPLOADS", str(page.uploads)).replace("TRAP", trap.url))
    refusal = page.refused("image_to_video", [image])
    assert refusal.endswith(".") and "passwd" not in refusal
    assert not page.studio.submits
    assert "Traceback" not in capfd.readouterr().err
    assert trap.asked == []


def test_no_other_event_can_be_made_to_fetch_or_read(page: Page, trap: Trap) -> None:
    for path in (f"{trap.url}/a.png", str(SECRET_FILE)):
        body = {"data": [{"path": path, **META}]}
        answer = page.http.post("/gradio_api/run/echo", json=body)
        assert answer.status_code == 500 and answer.json()["error"].startswith(("Web addresses", "This file"))
    assert trap.asked == []


def test_what_counts_as_an_upload(page: Page) -> None:
    file = page.upload()
    path = file["path"]
    for image in (file, {"path": path}, path, {"path": f"{page.url}/gradio_api/file={path}", **META}):
        page.call("image_to_video", [image])
    assert {submit[3]["image"] for submit in page.studio.submits} == {Path(path).resolve()}
    assert len(page.studio.submits) == 4


def test_no_picture_and_a_text_file_are_left_to_the_studio(page: Page) -> None:
    assert page.refused("image_to_video", []) == "Choose a picture first."
    page.call("image_to_video", [page.upload(b"just text", "a.png")])
    assert page.studio.submits[0][3]["image"].read_bytes() == b"just text"


class Trap:
    """A web server on loopback that must get no request."""

    def __init__(self) -> None:
        from http.server import BaseHTTPRequestHandler, HTTPServer

        asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(PNG)

            def log_message(self, *args: Any) -> None:
                pass

        self.asked = asked
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def trap() -> Iterator[Trap]:
    trap = Trap()
    yield trap
    trap.server.shutdown()
    trap.server.server_close()


@pytest.mark.parametrize("name", ["job", "result", "cancel"])
def test_a_job_opens_only_with_its_key(page: Page, name: str) -> None:
    _, (_, job) = page.call("image_to_video", [page.upload()])
    for given in ([job["id"], "x"], [job["id"], None], [job["id"], {"a": 1}], ["", ""], [job["id"]], []):
        assert page.refused(name, given).startswith("There is no such video")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"resolution": "8k"}, "Choose one of: 480p, draft, 720p."),
        ({"motion": ["balanced"]}, "Motion cannot be"),
        ({"speed": {"path": "/etc/passwd"}}, "Speed cannot be"),
        ({"width": 17, "height": 64}, "multiple of 16"),
        ({"width": "640", "height": "480"}, "whole number of pixels, not '640'"),
        ({"seconds": 0}, "The length must be between"),
        ({"seconds": float("nan")}, "finite number"),
        ({"seconds": 1e9}, "The length must be between"),
        ({"seconds": "5"}, "The length must be a number, not '5'"),
        ({"steps": 10_000}, "Steps must be between 0 and 100"),
        ({"steps": 2.5}, "Steps must be a whole number"),
        ({"cfg": 21}, "Guidance (cfg)"),
        ({"seed": -2}, "The seed must be between"),
        ({"seed": 2**53}, "The seed must be between"),
        ({"prompt": "x" * 4001}, "4,001 of 4,000 characters"),
        ({"prompt": 5}, "The prompt must be text"),
        ({"wait": "no"}, "wait must be true or false."),
    ],
)
def test_bad_values_get_a_sentence(
    page: Page, values: dict[str, Any], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = {**NAMES["/image_to_video"], "image": page.upload(), **values}
    assert words in page.refused("image_to_video", list(arguments.values()))
    assert not page.studio.submits
    assert "Traceback" not in capfd.readouterr().err


def test_whole_floats_and_nulls_are_what_they_mean(page: Page) -> None:
    arguments = {
        **NAMES["/image_to_video"],
        "image": page.upload(),
        "steps": 20.0,
        "seed": 3.0,
        "seconds": None,
    }
    page.call("image_to_video", list(arguments.values()))
    values = page.studio.submits[0][2]
    assert (values["steps"], values["seed"], values["seconds"]) == (20, 3, 5.0)
    assert isinstance(values["steps"], int)


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("sound_to_video", {"start": 12.0}, "is past the end of the sound"),
        ("sound_to_video", {"duration": -1}, "The duration must be between"),
        ("sound_to_video", {"level": "loud"}, "Level must be on or off"),
        ("sound_to_video", {"audio": None}, "Choose a sound first."),
        ("sound_to_video", {"audio": {"path": "/etc/passwd"}}, "This sound was not uploaded here."),
        ("sound_to_video", {"audio": "https://example.com/a.mp3"}, "Web addresses are not fetched."),
        ("animate", {"video": None}, "Choose a video first."),
        ("animate", {"mask": {"path": "/etc/passwd"}}, "This video was not uploaded here."),
        ("animate", {"method": "swap"}, "Choose one of: move, mix."),
        ("animate", {"fps": 60}, "Frames a second must be between"),
        ("animate", {"relight": float("nan")}, "finite number"),
        ("animate", {"seconds": 99}, "lasts only"),
        ("text_to_video", {"prompt": "  "}, "The prompt is empty."),
        ("text_to_video", {"aspect": "2:1"}, "Choose one of: 16:9"),
        ("text_to_video", {"steps": 1}, "at least 2 steps"),
        ("text_to_image", {"prompt": ""}, "The prompt is empty."),
        ("text_to_image", {"model": "sdxl"}, "Choose one of: wan, flux."),
        ("text_to_image", {"width": 17, "height": 64}, "multiple of 16"),
    ],
)
def test_bad_values_of_every_mode_get_a_sentence(
    page: Page, name: str, values: dict[str, Any], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    given = {**NAMES[f"/{name}"], "prompt": "sails"}
    given |= {field: page.upload() for field in REQUIRED[f"/{name}"] if field != "prompt"}
    assert words in page.refused(name, list({**given, **values}.values()))
    assert not page.studio.submits
    assert "Traceback" not in capfd.readouterr().err
