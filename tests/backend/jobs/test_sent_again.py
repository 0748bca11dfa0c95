"""A request whose submit was killed before its job was on disk is accepted when it is sent again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from backend import requester
from backend.jobs.job import DONE
from backend.jobs.views import JobView
from backend.studio import Studio
from tests.backend.jobs.test_result_inputs import chain
from tests.support.extensions import CLIP, QUICK, made
from tests.support.scripted import OWNER, Make, ended

pytestmark = pytest.mark.full


def clip(studio: Studio, picture: Path, count: int = 1) -> Callable[[], JobView]:
    return lambda: studio.submit(OWNER, "image_to_video", CLIP, {"image": picture}, variations=count)


def part(studio: Studio, picture: Path) -> Callable[[], JobView]:
    first = made(studio, picture)
    return lambda: studio.extend(OWNER, first.id, first.key, **QUICK)


REQUESTS: dict[str, Callable[[Studio, Path], Callable[[], JobView]]] = {
    "one": clip,
    "variations": lambda studio, picture: clip(studio, picture, 2),
    "part": part,
    "family": lambda studio, picture: lambda: studio.submit_family(chain(2, picture)),
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in ("variations", "part") else pytest.mark.deep)
        for name in REQUESTS
    ],
)
def test_files_of_a_killed_submit_are_no_obstacle(make: Make, picture: Path, name: str) -> None:
    """The records are taken away, which leaves the folders as a kill before the record does."""
    studio = make()
    ask = REQUESTS[name](studio, picture)

    def sent() -> JobView:
        with requester.attempt("the same press"):
            return ask()

    killed = ended(studio, sent())
    for job in studio.store.family(killed.id):
        studio.store.delete(job.id)
        studio.scheduler.forget(job.id)
    again = ended(studio, sent())
    assert again.id == killed.id and again.status == DONE
