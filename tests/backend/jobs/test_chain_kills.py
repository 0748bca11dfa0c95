"""The app, its engine or both are killed at a step of a set, a joined video or a chain: all is made, nothing
twice, and nothing is left (`python -m benchmarks.chain_kills` has every step)."""

from __future__ import annotations

import pytest

from benchmarks.chain_kills import main
from tests.support.killed_chain import APP, BOTH

pytestmark = pytest.mark.deep


@pytest.mark.parametrize(
    ("scenario", "moment", "target"),
    [
        ("variations", "before it is on disk", APP),
        ("variations", "fetched", BOTH),
        ("extend", "a part is linked", APP),
        ("extend", "parts are joined", BOTH),
        ("results", "half linked", APP),
        ("again", "a result is taken over", APP),
        ("keep", "hidden", APP),
    ],
)
def test_everything_is_made_once(scenario: str, moment: str, target: str) -> None:
    assert main(["--scenario", scenario, "--moment", moment, "--target", target, "--details"]) == 0
