"""The System tab looks at the model files once for both of its columns."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from backend.system import health
from tests.support.scripted import OWNER, Make
from ui.tabs.system import System

pytestmark = pytest.mark.full


def test_a_view_scans_the_model_files_once(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    studio = make()
    scans: list[Any] = []
    scan = health.by_server
    monkeypatch.setattr(health, "by_server", lambda *given: scans.append(given) or scan(*given))
    tab = System(studio)
    with gr.Blocks():
        tab.build()
    columns = tab.fill(OWNER, SimpleNamespace(username=""))  # type: ignore[arg-type]
    assert "Studio queue" in columns[tab.left] and "wan_2.1_vae" in columns[tab.right]
    assert len(scans) == 1
