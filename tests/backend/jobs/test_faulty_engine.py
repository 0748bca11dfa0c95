"""A ComfyUI with a known fault: its videos say so, to callers that see no page too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from backend.engines.base import EngineInfo
from tests.support.fake_engine import FakeEngine
from tests.support.scripted import OWNER, SMALL, Make, ended
from workflows.notice import Notice, notice

pytestmark = pytest.mark.full

FAULTY = notice("comfyui_vae_colour", version="0.18.0", fixed="0.18.1")
NEW = notice("comfyui_new", version="0.99.0", oldest="0.3.64", newest="0.33")


@pytest.mark.parametrize(("note", "codes"), [(FAULTY, ["comfyui_vae_colour"]), (NEW, []), (None, [])])
def test_a_fault_of_the_engine_is_a_warning_of_each_video(
    make: Make, engine: FakeEngine, picture: Path, monkeypatch: pytest.MonkeyPatch, note: Notice | None,
    codes: list[str],
) -> None:  # fmt: skip
    plain = engine.info

    def info() -> EngineInfo:
        return replace(plain(), note=note)

    monkeypatch.setattr(engine, "info", info)
    studio = make()
    record = ended(studio, studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})).record()
    assert record["warning_codes"] == codes
    assert not note or not codes or "0.18.0" in record["warnings"][0]
    planned = studio.plan("image_to_video", SMALL, {})
    assert [one.code for one in planned.warnings if one.code.startswith("comfyui_")] == (
        [note.code] if note else []
    )
