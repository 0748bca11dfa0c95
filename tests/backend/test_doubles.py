"""Doubles follow what they stand in for: every public method and property, with the same parameters."""

from __future__ import annotations

import inspect

import pytest

from backend.engines.base import Engine
from backend.engines.comfy.engine import ComfyEngine
from backend.engines.runpod.engine import RunPodEngine
from backend.servers.fleet import Servers
from backend.studio import Studio
from tests.support import scripted
from tests.support.fake_engine import FakeEngine
from tests.support.fake_studio import FakeStudio
from tests.support.signatures import differences


class Real:
    def plain(self, one: int, *, two: str = "") -> None: ...

    @property
    def shown(self) -> int: ...

    @staticmethod
    def still(text: str) -> bool: ...

    async def later(self) -> None: ...


class Good:
    shown = 3

    def plain(self, one: float, *, two: str = "", **more: object) -> None: ...

    def control(self) -> None: ...


def test_what_differs_is_said() -> None:
    class Double:
        def plain(self, one: int, two: str = "") -> None: ...

        def shown(self) -> int: ...

        def still(self, text: str) -> bool: ...

    assert differences(Real, Double) == [
        "later is missing",
        "plain(self, one, two='') instead of plain(self, one, *, two='')",
        "shown is a method",
        "still is a function, not a staticmethod",
    ]
    assert "later is missing" not in differences(Real, Double, whole=False)
    assert differences(Real, Real) == []
    assert len(differences(Real, Good())) == 3, "later, plain and still"


@pytest.mark.parametrize(
    ("real", "double"),
    [
        (Studio, FakeStudio()),
        (Servers, scripted.Servers(FakeEngine())),
        (Engine, FakeEngine),
        (Engine, ComfyEngine),
        (Engine, RunPodEngine),
    ],
    ids=lambda one: one.__name__ if inspect.isclass(one) else type(one).__name__,
)
def test_doubles_have_the_same_methods(real: type, double: object) -> None:
    assert differences(real, double) == []
