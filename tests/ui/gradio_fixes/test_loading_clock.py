"""Gradio's endless clock ends in the script that we serve."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.testclient import TestClient

from ui import head
from ui.gradio_fixes import loading_clock


def test_the_loading_clock_of_this_gradio_is_found_and_fixed() -> None:
    found = loading_clock.script()
    assert found is not None, (
        "another Gradio: check its loading screen, then drop ui/gradio_fixes/loading_clock.py"
    )
    name, text = found
    assert loading_clock.ENDLESS not in text and text.count(loading_clock.ENDING) == 1
    assert text.replace(loading_clock.ENDING, loading_clock.ENDLESS) == (
        loading_clock.FOLDER / name
    ).read_text(encoding="utf-8")


def test_it_is_served_at_gradio_s_own_address() -> None:
    name, text = loading_clock.script() or ("", "")
    answer = TestClient(Starlette(routes=head.routes())).get(f"/assets/{name}")
    assert answer.status_code == 200 and answer.text == text
    assert answer.headers["content-type"].startswith("text/javascript")
