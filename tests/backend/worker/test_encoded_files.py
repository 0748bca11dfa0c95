"""Files in the request: base64 in its usual forms, data addresses, and paths that are none."""

from __future__ import annotations

import base64
import random
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from backend.errors import BadInput
from backend.worker.encoded_files import decoded
from backend.worker.job_input import Limits, read_job_input

BYTES = bytes([251, 255, 190, 0, 63, 62]) * 7 + b"\xfb"  # its base64 has +, / and padding
PLAIN = base64.b64encode(BYTES).decode()
SAFE = base64.urlsafe_b64encode(BYTES).decode()
FORMS = {
    "plain": PLAIN,
    "without padding": PLAIN.rstrip("="),
    "URL-safe": SAFE,
    "URL-safe without padding": SAFE.rstrip("="),
    "too much padding": PLAIN + "==",
    "lines": "\r\n".join(PLAIN[n : n + 10] for n in range(0, len(PLAIN), 10)) + "\n",
    "data": f"data:image/png;base64,{PLAIN}",
    "no type": f"data:;base64,{PLAIN}",
    "nothing": f"data:;BASE64,{SAFE.rstrip('=')}",
    "one parameter": f"data:audio/webm;codecs=opus;base64,{PLAIN}",
    "several parameters": f"data:audio/webm; codecs=opus; name=a.webm ;base64,{PLAIN}",
    "quoted parameter": f'data:video/mp4;codecs="avc1.42E01E, mp4a.40.2";base64,{PLAIN}',
    "capitals": f"DATA:Image/PNG;Base64,{PLAIN}",
    "percent-encoded base64": f"data:image/png;base64,{quote(PLAIN, safe='')}",
    "percent-encoded": "data:application/octet-stream," + quote(BYTES, safe=""),
    "space around": f"  data:image/png;base64,{PLAIN}  ",
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_the_same_file(form: str) -> None:
    assert decoded(FORMS[form]) == BYTES


def take(tmp_path: Path, source: Any, limit: int = 1000) -> bytes:
    given = {"mode": "image_to_video", "params": {}, "media": {"image": source}}
    made = read_job_input(given, tmp_path / "work", Limits(limit, tmp_path / "volume"), lambda: None)
    return made.files["image"].read_bytes()


@pytest.mark.parametrize("wrap", [str, lambda text: {"data": text}, lambda text: {"image": text}])
@pytest.mark.parametrize("form", FORMS)
def test_the_worker_takes_each_form(tmp_path: Path, form: str, wrap: Any) -> None:
    assert take(tmp_path, wrap(FORMS[form])) == BYTES


def test_a_data_address_under_the_name_of_an_address(tmp_path: Path) -> None:
    assert take(tmp_path, {"url": FORMS["one parameter"]}) == BYTES


@pytest.mark.parametrize(
    "text",
    [
        "data:image/png;base64",
        "data:image/png;base64,@@@@",
        "data:;base64,A",
        "not base64!",
        "AAAAA",
        "ÄÖÜ=",
        "AA=AA=A",
    ],
)
def test_what_cannot_be_decoded_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput, match="not base64"):
        take(tmp_path, text)


@pytest.mark.parametrize("text", ["", "data:,", "data:image/png;base64,"])
def test_an_empty_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput, match="is empty"):
        take(tmp_path, {"data": text})


@pytest.mark.parametrize("form", ["plain", "data", "percent-encoded", "percent-encoded base64"])
def test_the_limit_is_that_of_the_file(tmp_path: Path, form: str) -> None:
    assert take(tmp_path, FORMS[form], len(BYTES)) == BYTES
    with pytest.raises(BadInput, match="larger than"):
        take(tmp_path, FORMS[form], len(BYTES) - 1)


@pytest.mark.parametrize(
    "path",
    [
        "\0",
        "in/a\0.png",
        "/runpod-volume/\0",
        "a" * 5000,
        "in/" + "b" * 300,
        "\ud800",
        "/workspace/in\0/a.png",
        "loop/a",
    ],
)
def test_a_path_that_no_file_can_have_is_refused(tmp_path: Path, path: str) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "loop").symlink_to(volume / "loop")
    with pytest.raises(BadInput, match="There is no file") as caught:
        take(tmp_path, {"path": path})
    assert caught.value.message.isprintable() and len(caught.value.message) < 2000


def test_no_text_raises_anything_else(tmp_path: Path) -> None:
    chance = random.Random(11)
    pieces = [
        "data:",
        ";base64",
        ",",
        "=",
        "%",
        "%4",
        "\0",
        "\ud800",
        "-",
        "_",
        "+",
        "/",
        "A",
        "QUJD",
        '"',
        " ",
        "://",
        "é",
    ]
    for _ in range(300):
        text = "".join(chance.choice(pieces) for _ in range(chance.randint(1, 12)))
        for source in (text, {"data": text}, {"path": text}, {"url": text}):
            try:
                take(tmp_path, source)
            except BadInput as error:
                assert error.field == "image"
