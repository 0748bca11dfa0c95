"""A request that is sent again gets its job, also when what it names was deleted since."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from backend import requester
from backend.errors import NotFound
from backend.jobs.family import Family, Part
from backend.jobs.job import DONE, VARIATIONS, ResultOf
from backend.jobs.views import JobView
from backend.studio import Studio
from tests.support.extensions import CLIP, QUICK, extended, made
from tests.support.fake_engine import FakeEngine
from tests.support.scripted import OWNER, Make, ended

pytestmark = pytest.mark.full

Ask = Callable[[Studio, JobView], JobView]


def named(studio: Studio, clip: JobView) -> JobView:
    results = {"image": {"id": clip.id, "key": clip.key}}
    return studio.submit(OWNER, "image_to_video", CLIP, {}, results=results)


def family(studio: Studio, clip: JobView) -> JobView:
    part = Part("image_to_video", CLIP, {"image": ResultOf(clip.id, key=clip.key)})
    return studio.submit_family(Family(OWNER, VARIATIONS, (part, part)))


def again(studio: Studio, clip: JobView) -> JobView:
    files = {"image": Path(studio.settings.data_dir).parent / "again.png"}
    return studio.submit(OWNER, clip.mode, {**clip.params, "seed": -1}, files, clip)


ASKS: dict[str, Ask] = {
    "results": named,
    "extend": lambda studio, clip: studio.extend(OWNER, clip.id, clip.key, **QUICK),
    "finish": lambda studio, clip: studio.finish(OWNER, clip.id, clip.key, resolution="same"),
    "again": again,
    "family": family,
    "reroll": lambda studio, clip: studio.reroll(OWNER, clip.id, clip.key, -1),
    "joined again": again,
}
TELLING = ("results", "extend")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in TELLING else pytest.mark.deep) for name in ASKS]
)
def test_a_repetition_does_not_need_what_it_names(
    make: Make, engine: FakeEngine, picture: Path, name: str
) -> None:
    studio = make()
    (studio.settings.data_dir.parent / "again.png").write_bytes(picture.read_bytes())
    source = made(studio, picture)
    if name in ("reroll", "joined again"):
        source = extended(studio, source)

    def sent(press: str) -> JobView:
        with requester.attempt(press):
            return ASKS[name](studio, source)

    first = ended(studio, sent("press-0001"))
    assert first.status == DONE, first.error
    before = len(engine.prompts)
    studio.delete(OWNER, source.id, source.key)
    assert sent("press-0001").id == first.id
    for press in ("press-0002", ""):
        with pytest.raises(NotFound):
            sent(press)
    assert len(engine.prompts) == before
