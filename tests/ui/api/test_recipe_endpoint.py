"""The endpoint /recipe: what a file says, what of it is here for the caller, and whose jobs it describes."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from backend.jobs.recipe import Lacking
from tests.support.scripted import OWNER, SMALL, Make, ended
from ui.api.calls import Calls
from ui.api.recipe_endpoint import RecipeEndpoint

pytestmark = pytest.mark.full
OTHER = "owner-token-of-another-1"
VALUES = {**SMALL, "prompt": "A paper boat", "speed": "fast", "seed": 5}


def request(owner: str) -> Any:
    return SimpleNamespace(
        headers={"x-wan-owner": owner}, username="", session_hash="s",
        state=SimpleNamespace(visitor="direct:1"),
    )  # fmt: skip


def test_a_file_and_a_job_of_ones_own(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uploads = tmp_path / "uploads"
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(uploads))
    studio, picture = make(), tmp_path / "boat.png"
    Image.effect_noise((96, 54), 40).convert("RGB").save(picture)
    done = ended(studio, studio.submit(OWNER, "image_to_video", VALUES, {"image": picture}))
    (uploads / "1").mkdir(parents=True)
    given = uploads / "1" / "clip.mp4"
    shutil.copyfile(studio.result_path(done.id, done.key), given)
    endpoint = RecipeEndpoint(studio, Calls(studio))
    file = {"path": str(given), "meta": {"_type": "gradio.FileData"}}

    async def ask(owner: str, *given: Any) -> dict[str, Any]:
        return await endpoint.recipe(*given, request=request(owner))

    async def use() -> None:
        mine = await ask(OWNER, file)
        assert {"mode", "values", "media", "missing", "graph"} <= mine.keys() and json.dumps(mine)
        assert (mine["mode"], mine["missing"], mine["notes"]) == ("image_to_video", [], [])
        assert mine["values"].items() >= VALUES.items() and mine["graph"]["1"]["class_type"]
        source = Path(mine["media"]["image"]["file"]["path"])
        assert source.read_bytes() == picture.read_bytes() and source.is_relative_to(uploads)
        again = studio.submit(OWNER, mine["mode"], mine["values"], {"image": source})
        assert ended(studio, again).params.items() >= done.params.items()
        assert not {"fit", "clip_vision"} & mine["values"].keys(), "the endpoint does not take them"
        theirs = await ask(OTHER, file)
        assert "file" not in theirs["media"]["image"] and theirs["values"] == mine["values"]
        (lack,) = theirs["missing"]
        assert (lack["kind"], lack["name"], lack["field"]) == ("file", "image", "image")
        assert lack["message"] == "The file that was used for Picture is not among yours here."
        by_id = await ask(OWNER, None, done.id, done.key)
        assert {**by_id, "media": {}} == {**mine, "media": {}}
        with monkeypatch.context() as elsewhere:
            about = (
                Lacking("renamed_lora", "ink", "loras", "my/ink"),
                Lacking("other_model", "a.safetensors"),
            )
            elsewhere.setattr(studio, "recipe_lacks", lambda owner, found: about)
            elsewhere.setattr(studio, "recipe_here", lambda found: replace(found, values={"prompt": "here"}))
            told = await ask(OWNER, file)
        assert told["values"] == {"prompt": "here"}
        assert [(one["kind"], one["name"], one["field"]) for one in told["notes"]] == [
            ("renamed_lora", "ink", "loras")
        ]
        assert told["notes"][0]["message"] == "The LoRA ink is called my/ink here, and is used."
        assert [(one["kind"], one["field"]) for one in told["missing"]] == [("other_model", "")]
        for owner, arguments, words in (
            (OTHER, (None, done.id, done.key), "Only the owner"),
            (OWNER, (None, done.id, "wrong"), "."),
            (OWNER, (), "Give a file"),
            (OWNER, ({"path": "/etc/passwd"},), "was not uploaded here"),
            (OWNER, ("http://example.com/a.mp4",), "."),
            (OWNER, ([1],), "."),
        ):
            with pytest.raises(gr.Error, match=words):
                await ask(owner, *arguments)

    asyncio.run(use())
