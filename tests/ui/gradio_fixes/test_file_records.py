"""Gradio's records of files and cancelled events stay small."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio.route_utils import delete_files_created_by_app, restore_session_state
from gradio.routes import App
from httpx import ASGITransport, AsyncClient

from ui.gradio_fixes.file_records import keep_latest, keep_none

SITE = "http://127.0.0.1"


@pytest.fixture
def page() -> gr.Blocks:
    with gr.Blocks() as made:
        gr.File()
        gr.Video()
    keep_none(made)
    return made


def test_uploads_leave_no_record(page: gr.Blocks) -> None:
    assert page.temp_file_sets, "Gradio has renamed it"
    for number in range(50):
        page.upload_file_set.update([f"/tmp/{number}/a.png", f"/tmp/{number}/b.png"])
        page.upload_file_set |= {f"/tmp/{number}/c.png"}
    assert not any(page.temp_file_sets)


def test_shown_files_leave_no_record(page: gr.Blocks, tmp_path: Path) -> None:
    video = next(block for block in page.blocks.values() if isinstance(block, gr.Video))
    for number in range(5):
        shown = tmp_path / f"{number}.mp4"
        shown.write_bytes(bytes([number]) * 9)
        kept = Path(str(video.move_resource_to_block_cache(shown)))
        assert kept.read_bytes() == shown.read_bytes()
    assert not any(block.temp_files for block in page.blocks.values())
    delete_files_created_by_app(page, None)
    assert kept.exists(), "the retention of this studio alone removes uploads"


def test_cancelled_events_that_never_end_are_forgotten(page: gr.Blocks) -> None:
    app: Any = SimpleNamespace(iterators={}, state_holder={"s": object()}, get_blocks=lambda: page)
    keep_latest(app, 10)
    for number in range(50):
        app.iterators_to_reset.add(f"event {number}")
    assert len(app.iterators_to_reset) == 10 and "event 49" in app.iterators_to_reset
    asked: Any = SimpleNamespace(event_id="event 49", session_hash="s")
    assert restore_session_state(app, asked)[1] is None
    assert "event 49" not in app.iterators_to_reset and len(app.iterators_to_reset) == 9


def test_an_upload_through_the_route_leaves_no_record(page: gr.Blocks) -> None:
    page.max_file_size = None  # set by launch()

    async def upload() -> None:
        async with AsyncClient(transport=ASGITransport(App.create_app(page)), base_url=SITE) as http:
            answer = await http.post("/gradio_api/upload", files={"files": ("a.bin", b"x" * 100)})
            assert answer.status_code == 200 and Path(answer.json()[0]).exists()

    asyncio.run(upload())
    assert not any(page.temp_file_sets)
