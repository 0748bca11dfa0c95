"""Raw calls of the page's private events: whatever the values are, no traceback reaches the log."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import gradio as gr
import pytest
from starlette.requests import Request

from tests.support.fake_studio import FakeStudio
from tests.support.security_site import META
from ui import page as layout
from ui.gradio_fixes.checked_inputs import checked, fits

HALF = "\ud800"
"""Half of a surrogate pair: JSON can say it, UTF-8 cannot."""
VALUES: tuple[Any, ...] = (
    "x", HALF, 5, float("nan"), ["x"], {"a": [1]}, {"path": "/etc/passwd", "meta": META},
)  # fmt: skip
DATA: tuple[Any, ...] = (
    None, 5, "x", [], {}, {"id": HALF, "key": HALF, "mode": HALF}, {"id": 5, "key": [], "mode": {}, "n": "x"},
    {"mode": "nope", "field": "nope", "n": 10**30, "turn": {}, "change": "[1]", "path": "/etc/passwd"},
    {"mode": "animate", "field": "video", "n": True, "change": '{"seed": {}}', "forms": {"animate": {}}},
    {"forms": {"animate": {"values": {"prompt": 5}, "media": {"video": {"upload": 5, "id": HALF}}}}},
    {"to": "animate", "into": "video", "act": "frame", "mode": "animate", "field": "video", "path": HALF},
)  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("raw")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
        yield layout.build(FakeStudio())  # type: ignore[arg-type]


def request() -> gr.Request:
    scope = {"type": "http", "headers": [], "client": ("1.2.3.4", 5), "state": {"visitor": "visitor:a"}}
    return gr.Request(request=Request(scope), session_hash="session")


def private(page: Any) -> list[Any]:
    """The events of the page that call the server."""
    return [one for one in page.fns.values() if one.fn and one.api_visibility == "private"]


@pytest.mark.deep
def test_no_value_leaves_a_traceback(page: Any, caplog: pytest.LogCaptureFixture) -> None:
    events = private(page)
    assert len(events) > 40 and {one.name for one in events} >= {"send", "reuse", "plan", "submit", "undo"}
    state = gr.blocks.SessionState(page)  # type: ignore[attr-defined]
    refused: list[str] = []

    async def call(event: Any, values: list[Any], data: Any) -> None:
        told = gr.EventData(None, data)
        try:
            await page.process_api(event, values, state=state, request=request(), event_data=told)
        except gr.Error as error:
            refused.append(str(error.message))

    async def calls() -> None:
        for event in events:
            wanted = len(event.inputs)
            await call(event, [], None)
            await call(event, [None] * max(0, wanted - 1), None)
            for value in VALUES:
                await call(event, [value] * wanted, None)
            for data in DATA:
                await call(event, [None] * wanted, data)

    with caplog.at_level(logging.INFO):
        asyncio.run(calls())
    faults = [record for record in caplog.records if record.exc_info or "Traceback" in record.getMessage()]
    assert [(one.getMessage(), str(one.exc_info)) for one in faults] == []
    assert refused and not any("went wrong" in one or "<" in one for one in refused)


@pytest.mark.parametrize(
    ("component", "good", "bad"),
    [
        (gr.Number, (3, 0.5, "", None), ("3", True, [], float("nan"), 10**400)),
        (gr.Slider, (1,), ("x", {}, float("inf"))),
        (gr.Checkbox, (True, None), (1, "yes", [])),
        (gr.Radio, ("a", 1, None), ([], {}, True)),
        (gr.Dropdown, ("a", None), (["a"], {})),
        (gr.Textbox, ("a", 5, None), (HALF, [], {})),
    ],
)
def test_what_a_component_can_send(component: Any, good: tuple[Any, ...], bad: tuple[Any, ...]) -> None:
    with gr.Blocks():
        one = component()
    assert [value for value in good if not fits(one, value)] == []
    assert [value for value in bad if fits(one, value)] == []


def test_a_token_of_another_type_is_none() -> None:
    with gr.Blocks():
        token, text = gr.BrowserState(""), gr.Textbox()
    assert checked([token, text], [["x"], "a", "too many"]) == ["", "a"]
    with pytest.raises(gr.Error):
        checked([token, text], ["a"])
