"""An unexpected exception in an event: logged without the visitor's words, and shown as a sentence."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from backend import logs, requester
from ui.gradio_fixes.event_errors import guard_events
from ui.i18n.texts import text

WRITTEN = "a boat that nobody should read about"


def call(function: Any, *values: Any) -> Any:
    with gr.Blocks() as demo:
        inputs = [gr.Textbox() for _ in values]
        gr.Button().click(function, inputs, gr.Textbox())
        guard_events(demo)
    return asyncio.run(demo.process_api(demo.fns[0], list(values)))


def test_what_goes_well_is_left_alone() -> None:
    assert call(lambda text: text.upper(), "boat")["data"] == ["BOAT"]


def test_a_refusal_stays_what_it_is() -> None:
    def refuse(text: str) -> None:
        raise gr.Error("The queue is full.", print_exception=True)

    with pytest.raises(gr.Error) as caught:
        call(refuse, "x")
    assert caught.value.message == "The queue is full." and not caught.value.print_exception


def test_a_refusal_of_gradio_repeats_no_markup() -> None:
    def refuse(text: str) -> None:
        raise gr.Error(f"Value {text} is not in the list.")

    with pytest.raises(gr.Error) as caught:
        call(refuse, "<img src=x onerror=alert(1)>")
    assert "<" not in caught.value.message and caught.value.message.endswith(".")


def test_a_mistake_is_logged_without_what_was_written(capsys: pytest.CaptureFixture[str]) -> None:
    def fall(text: str) -> None:
        raise KeyError(f"no {text} here")

    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        logs.start("info", "text")
        with pytest.raises(gr.Error) as caught:
            call(fall, WRITTEN)
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        logging.captureWarnings(False)
    assert caught.value.message == text("errors.unexpected") and not caught.value.print_exception
    said = capsys.readouterr().err
    assert "Traceback" in said and "KeyError" in said and "test_event_errors.py" in said
    assert WRITTEN not in said


@pytest.mark.parametrize(
    ("header", "known"),
    [("press-0001", "press-0001:0"), ("short", ""), ("a b c d e f g", ""), ("x" * 101, ""), (None, "")],
)
def test_a_request_may_carry_an_id_for_its_repetitions(header: str | None, known: str) -> None:
    seen = []
    with gr.Blocks() as demo:
        gr.Button().click(lambda: seen.append(requester.next_submission()), None, None)
        guard_events(demo)
    request = SimpleNamespace(headers={"x-wan-request": header} if header else {})
    for given in (request, [request]):
        asyncio.run(demo.process_api(demo.fns[0], [], request=given))  # type: ignore[arg-type]
    assert seen == [known, known]
    assert requester.next_submission() == ""
