"""The endpoints on a launched page, over a scripted studio."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest
from gradio_client import Client

from tests.support.api_page import PNG, Page, ScriptedStudio, echo
from tests.support.ports import free_port
from ui.api.calls import Pace
from ui.api.endpoints import Endpoints, register


@pytest.fixture(scope="package")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("api")
    uploads = folder / "uploads"
    (folder / "results").mkdir()
    before = {
        name: os.environ.get(name)
        for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED", "HF_HUB_OFFLINE")
    }
    os.environ.update(GRADIO_TEMP_DIR=str(uploads), GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1")
    studio = ScriptedStudio(folder / "results")
    with gr.Blocks() as demo:
        box = gr.Textbox()
        box.submit(echo, box, box, api_name="echo")
        box.change(Endpoints.cancel, box, box, api_visibility="private")  # Gradio names it /cancel
        register(studio, Pace(shortest=0.01))  # type: ignore[arg-type]
    _, url, _ = demo.launch(
        server_port=free_port(),
        prevent_thread_lock=True,
        quiet=True,
        mcp_server=True,
        run_history=False,
        _frontend=False,
    )
    endpoints = next(fn.fn.__self__ for fn in demo.fns.values() if fn.api_name == "job")
    yield Page(url, studio, folder, endpoints)
    demo.close()
    for name, value in before.items():
        if value is None:
            os.environ.pop(name)
        else:
            os.environ[name] = value


@pytest.fixture
def page(launched: Page) -> Iterator[Page]:
    launched.studio.finish_at_once, launched.studio.error = True, None
    launched.studio.submits.clear()
    launched.studio.several.clear()
    launched.studio.named.clear()
    yield launched


@pytest.fixture
def client(page: Page, tmp_path: Path) -> Client:
    return Client(page.url, verbose=False, download_files=tmp_path / "down", analytics_enabled=False)


@pytest.fixture
def picture(tmp_path: Path) -> str:
    path = tmp_path / "boat.png"
    path.write_bytes(PNG)
    return str(path)
