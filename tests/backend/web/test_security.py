"""Every attempt of security_cases.py against app.py as a real process: an open page, and one with a login."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.attack import LOCKED_ENV, OPEN_ENV, Case
from tests.support.security_cases import CASES
from tests.support.security_site import Site

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[bool, Site]]:
    folder: Path = tmp_path_factory.mktemp("security")
    running: dict[bool, Site] = {}
    try:
        running[False] = Site(folder / "open", **OPEN_ENV)
        running[True] = Site(folder / "locked", **LOCKED_ENV)
        yield running
    finally:
        for site in running.values():
            site.close()


SLOW = ("headers that never end",)
"""Attempts that last as long as the limit that ends them; a shorter one is in test_connections."""


@pytest.mark.parametrize(
    "case",
    [pytest.param(c, marks=pytest.mark.deep if c.attempt in SLOW else ()) for c in CASES],
    ids=[case.attempt[:60] for case in CASES],
)
def test_attempt(sites: dict[bool, Site], case: Case) -> None:
    assert case.run(sites[case.locked]) == case.expected


def test_nothing_left_a_traceback(sites: dict[bool, Site]) -> None:
    for site in sites.values():
        assert "Traceback" not in site.log(), site.log()[site.log().index("Traceback") - 500 :][:4000]
