"""/presets: what a program gets, which the endpoint of the mode takes."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from backend.security.tokens import new_token
from tests.support.compile_cases import COMMON
from tests.support.fake_studio import FakeStudio
from ui.api.endpoints import Endpoints
from ui.forms import schema
from workflows.modes.presets import SHIPPED
from workflows.modes.registry import MODES

ANN, BOB = new_token(), new_token()


def listed(studio: FakeStudio, owner: str) -> list[dict[str, Any]]:
    state = SimpleNamespace(visitor="direct:1")
    request: Any = SimpleNamespace(
        headers={"x-wan-owner": owner}, username="", session_hash="s", state=state, client=None
    )
    ends: Any = Endpoints(studio)  # type: ignore[arg-type]
    found: list[dict[str, Any]] = asyncio.run(ends.presets(request))
    return found


def test_a_program_gets_its_own_presets_and_the_shipped_ones() -> None:
    studio = FakeStudio()
    values = schema.to_values("text_to_video", {"aspect": "9:16", "seconds": 8.0})
    studio.presets.save(ANN, "a" * 32, "text_to_video", "Tall", values, default=True)
    mine = next(one for one in listed(studio, ANN) if not one["shipped"])
    assert (mine["id"], mine["name"], mine["mode"], mine["default"]) == (
        "a" * 32,
        "Tall",
        "text_to_video",
        True,
    )
    assert mine["values"]["aspect"] == "9:16" and mine["values"]["seconds"] == 8.0
    assert [one["id"] for one in listed(studio, BOB)] == [one.id for one in SHIPPED]
    assert "owner" not in str(mine) and ANN not in str(mine)


def test_the_values_are_arguments_of_the_endpoint() -> None:
    for record in listed(FakeStudio(), ""):
        mode = MODES[record["mode"]]
        given = schema.api_values(mode.name, {"prompt": "A boat", **record["values"]})
        media = {name: value for name, value in COMMON.items() if name in mode.media}
        params = mode.params(**{**given, **media, "seed": 5})
        assert all(getattr(params, name) == value for name, value in record["values"].items())
