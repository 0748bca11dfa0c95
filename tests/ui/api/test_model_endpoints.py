"""The endpoints about model files: for the admin alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from backend.studio import Studio
from tests.support.scripted import Make
from tests.support.stores import put
from ui.api.calls import Calls
from ui.api.model_endpoints import ModelEndpoints

pytestmark = pytest.mark.full
KJ = "Wan/Wan2_2-I2V-A14B-HIGH_fp8_e4m3fn_scaled_KJ.safetensors"


@pytest.fixture
def studio(make: Make, tmp_path: Path) -> Iterator[Studio]:
    put(tmp_path / "store", f"diffusion_models/{KJ}")
    put(tmp_path / "store", "diffusion_models/wan22_merge_i2v_high.safetensors")
    yield make(start=False, WAN_MODELS_DIR=str(tmp_path / "store"))


def request(owner: str) -> Any:
    return SimpleNamespace(
        headers={"x-wan-owner": owner},
        username="",
        session_hash="s",
        state=SimpleNamespace(visitor="direct:1"),
    )


def test_the_admin_lists_chooses_and_ends_the_choice(studio: Studio) -> None:
    ends = ModelEndpoints(studio, Calls(studio))
    admin = studio.new_owner()
    token = (studio.settings.data_dir / "admin").read_text().strip()
    assert studio.claim_admin(admin, token)

    async def use() -> None:
        models = {one["role"]: one for one in (await ends.models(request(admin)))["models"]}
        high = models["i2v_high"]
        assert high["used"] == KJ and high["state"] == "ready" and not high["chosen"]
        assert high["ask"] == ["wan22_merge_i2v_high.safetensors"]
        assert models["vae"]["state"] != "ready" and models["vae"]["used"] == ""
        chosen = await ends.use_model("i2v_high", high["ask"][0], "distilled", request(admin))
        assert chosen["used"] == high["ask"][0] and chosen["chosen"] and chosen["others"] == [KJ]
        auto = await ends.use_model("i2v_high", request=request(admin))
        assert auto["used"] == KJ and not auto["chosen"]
        for arguments, words in (
            (("i2v_high", "nothing.safetensors"), "nothing.safetensors is not there"),
            (("engine_room", KJ), "There is no role engine_room"),
            (("i2v_high", KJ, "quickly"), "sampling is one of named, distilled, full"),
        ):
            with pytest.raises(gr.Error, match=words):
                await ends.use_model(*arguments, request=request(admin))

    asyncio.run(use())
    asyncio.run(ends.models(request(token)))  # the token of the link itself, for programs


def test_everyone_else_is_refused(studio: Studio) -> None:
    ends = ModelEndpoints(studio, Calls(studio))

    async def ask(owner: str) -> None:
        with pytest.raises(gr.Error, match="admin"):
            await ends.models(request(owner))
        with pytest.raises(gr.Error, match="admin"):
            await ends.use_model("i2v_high", KJ, request=request(owner))

    asyncio.run(ask(studio.new_owner()))
    asyncio.run(ask(""))
