"""/extend and /reroll, over a scripted studio."""

from __future__ import annotations

from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from backend.errors import BadInput
from tests.support.api_page import Page

pytestmark = pytest.mark.full


def test_what_is_left_out_has_its_default(page: Page, client: Client, picture: str) -> None:
    _, job = client.predict(image=handle_file(picture), api_name="/image_to_video")
    video, record = client.predict(id=job["id"], key=job["key"], api_name="/extend")
    assert Path(video).read_bytes() == b"video of " + record["id"].encode()
    assert record["status"] == "done" and record["source"] == job["id"]
    owner, source, given = page.studio.joined[-1]
    assert source == job["id"] and owner == page.studio.submits[-1][0]
    assert given == {
        "prompt": "", "seconds": 5.0, "frame": -1, "end_image": None, "method": "auto", "speed": "quality",
        "seed": -1, "user": "",
    }  # fmt: skip
    client.predict(id=job["id"], key=job["key"], api_name="/reroll")
    assert page.studio.joined[-1][2] == {"part": -1, "prompt": None, "seed": -1, "user": ""}


def test_what_is_given_arrives(page: Page, client: Client, picture: str) -> None:
    _, job = client.predict(image=handle_file(picture), api_name="/image_to_video")
    given = {"prompt": "It turns", "seconds": 2.5, "frame": 7, "method": "svi", "speed": "fast", "seed": 3}
    _, record = client.predict(
        id=job["id"], key=job["key"], **given, end_image=handle_file(picture), wait=False, api_name="/extend"
    )
    assert record["id"] != job["id"]
    found = dict(page.studio.joined[-1][2])
    assert found.pop("end_image").is_file() and found.pop("user") == "" and found == given


def test_a_refusal_is_said(page: Page, client: Client, picture: str) -> None:
    _, job = client.predict(image=handle_file(picture), api_name="/image_to_video")
    page.studio.error = BadInput.of("extend_picture")
    for name in ("/extend", "/reroll"):
        with pytest.raises(AppError, match="A picture cannot be extended"):
            client.predict(id=job["id"], key=job["key"], api_name=name)
