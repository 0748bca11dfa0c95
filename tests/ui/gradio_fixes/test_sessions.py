"""Made-up sessions cost nearly nothing."""

from __future__ import annotations

import tracemalloc
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio.state_holder import SessionState

from ui.gradio_fixes.sessions import UnreadSessions, bound


@pytest.fixture(scope="module")
def blocks() -> gr.Blocks:
    with gr.Blocks() as made:
        number = gr.Number(3)
        number.change(lambda value: value, number, number)
    bound(made)
    return made


def test_a_session_copies_no_configuration(blocks: gr.Blocks) -> None:
    sessions = [SessionState(blocks) for _ in range(3)]
    number = next(iter(blocks.blocks.values()))
    for session in sessions:
        assert len(session.config_values) == 0 and list(session.components) == []
        assert number._id in session and session[number._id] is number
        session._update_value_in_config(number._id, 5)
        other: Any = gr.Number(7, render=False)
        session[number._id] = other
        assert session[number._id] is other and len(session.config_values) == 0
    assert SessionState(blocks)[number._id] is number, "other sessions keep theirs"
    assert sessions[0].blocks_config.fns.keys() == blocks.fns.keys()


def test_a_session_copies_no_table() -> None:
    with gr.Blocks() as page:
        boxes = [gr.Number(n) for n in range(300)]
        for box in boxes:
            box.change(lambda value: value, box, box)
    bound(page)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept = [SessionState(page) for _ in range(50)]
        assert (tracemalloc.get_traced_memory()[0] - before) / len(kept) < 4_000
    finally:
        tracemalloc.stop()
    assert len(kept[0].blocks_config.blocks) == len(page.blocks)


def test_unread_sessions_of_one_visitor_and_of_all(blocks: gr.Blocks) -> None:
    queue: Any = SimpleNamespace()
    unread = UnreadSessions(queue, most=6, each=3)

    def event(visitor: str, session: str) -> None:
        queue.pending_messages_per_session[session] = []
        queue.pending_event_ids_session[session] = set()
        unread.add(visitor, session)

    for number in range(5):
        event("visitor:a", f"a{number}")
    event("visitor:b", "b0")
    assert list(queue.pending_messages_per_session) == ["a2", "a3", "a4", "b0"]
    event("visitor:a", "a2")  # used again
    event("visitor:a", "a5")
    assert list(queue.pending_event_ids_session) == ["a4", "b0", "a2", "a5"]
    for number in range(9):
        event("direct:127.0.0.1", f"d{number}")
    assert list(queue.pending_messages_per_session) == [f"d{number}" for number in range(3, 9)]
