"""A loop's seam in its record: measured for loops alone, and a seam that cannot be measured fails nothing."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from backend.errors import BadMedia, JobCancelled
from backend.jobs.results import with_seam
from backend.jobs.store import Store
from backend.jobs.views import view
from backend.media.facts import LoopSeam
from tests.support.job_views import stored_job

SEAM = LoopSeam(2.0, 1.6, 0.4, 0.2)


class Measures:
    """Answers as the decoder does, or raises."""

    def __init__(self, answer: LoopSeam | Exception | None) -> None:
        self.answer = answer
        self.asked: list[Path] = []

    def loop_seam(self, video: Path) -> LoopSeam | None:
        self.asked.append(video)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def measured(answer: LoopSeam | Exception | None, **params: Any) -> tuple[dict[str, float], Measures]:
    decoder = Measures(answer)
    job = stored_job(params={"seed": 7, **params})
    return with_seam(decoder, job, Path("result.mp4")).seam, decoder  # type: ignore[arg-type]


def test_the_seam_of_a_loop_is_in_its_record(tmp_path: Path) -> None:
    seam, decoder = measured(SEAM, loop=True)
    assert seam == asdict(SEAM) and decoder.asked == [Path("result.mp4")]
    store = Store(tmp_path / "jobs.db")
    store.add(replace(stored_job(), seam=seam))
    kept = store.get("job1")
    store.close()
    assert kept is not None
    shown = view(kept, "key")
    assert shown.seam == SEAM and shown.record()["seam"] == {**asdict(SEAM), "doubled": False}


@pytest.mark.parametrize("params", [{}, {"loop": False}])
def test_no_other_clip_is_measured(params: dict[str, Any]) -> None:
    seam, decoder = measured(SEAM, **params)
    assert seam == {} and decoder.asked == []
    assert "seam" not in view(stored_job(), "key").record()


@pytest.mark.parametrize("answer", [None, BadMedia.of("file_damaged", upload="result.mp4")])
def test_what_cannot_be_measured_has_no_seam(answer: Any) -> None:
    assert measured(answer, loop=True)[0] == {}


def test_cancelling_ends_the_measurement() -> None:
    with pytest.raises(JobCancelled):
        measured(JobCancelled.of("cancelled"), loop=True)
