"""The page starts on a machine that is too busy to answer at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from gradio import networking

from backend.studio import Studio
from tests.support.served_site import ServedSite

pytestmark = pytest.mark.full


def test_a_slow_first_answer_does_not_end_the_start(
    make: Callable[..., Studio], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradio asks its own page once, and gives up after 3 s."""
    monkeypatch.setattr(networking, "url_ok", lambda url: False)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    (tmp_path / "uploads").mkdir()
    site = ServedSite(make(), tmp_path / "uploads")
    try:
        assert requests.get(f"{site.url}/healthz", timeout=60).status_code == 200
    finally:
        site.close()
