"""Gradio's endless clock ends in the script that we serve."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.testclient import TestClient

from ui import calm, head


def test_the_clock_of_this_gradio_is_found_and_mended() -> None:
    found = calm.script()
    assert found is not None, (
        "another Gradio: see whether its loading screen ends by itself, then drop ui/calm.py"
    )
    name, text = found
    assert calm.ENDLESS not in text and text.count(calm.ENDING) == 1
    assert text.replace(calm.ENDING, calm.ENDLESS) == (calm.FOLDER / name).read_text(encoding="utf-8")


def test_it_is_served_at_gradio_s_own_address() -> None:
    name, text = calm.script() or ("", "")
    answer = TestClient(Starlette(routes=head.routes())).get(f"/assets/{name}")
    assert answer.status_code == 200 and answer.text == text
    assert answer.headers["content-type"].startswith("text/javascript")
