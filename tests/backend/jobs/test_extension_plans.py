"""What a new part is planned as: which way on which servers, how long it can be, which requests are one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backend.engines.base import EngineInfo
from backend.errors import BadInput, InputsGone
from backend.jobs.extension_base import Base, Request, length_after
from backend.jobs.extensions import FRAMES, Extender, _retimed
from backend.jobs.job import CANCELLED, DONE, EXTENSION, FAILED, Job
from backend.jobs.offers import Offer
from backend.jobs.part_values import PartValues
from backend.jobs.parts import Part
from backend.jobs.submission import Submission
from tests.support.extensions import svi_contract
from tests.support.job_views import stored_job
from workflows.graph.node_contract import facts, recorded
from workflows.resolved import Resolved

CLIP = Part("a", "parts/1", 81, seed=5, prompt="A boat")
BASE = Base(stored_job(1, fps=16.0, frames=81), (CLIP,), (Path("parts/1"),))
ABLE, BARE = facts(svi_contract()), facts(recorded())


class Known:
    """Servers with what they offer."""

    def __init__(self, *offers: Offer) -> None:
        self._offers = list(offers)

    def all(self) -> list[Offer]:
        return self._offers


def route(method: str, *servers: tuple[Any, str]) -> str:
    offers = [Offer(EngineInfo("comfyui", "http://a", state=state), known) for known, state in servers]
    extender = Extender(None, None, Known(*offers), None, Path())  # type: ignore[arg-type]
    return extender._route(BASE, Request(method=method), PartValues({}))[0]


def test_a_server_that_is_away_is_not_waited_for() -> None:
    assert route("auto", (BARE, "ok"), (ABLE, "ok")) == "svi"
    assert route("auto", (BARE, "ok"), (ABLE, "lost")) == "last_frame"
    assert route("auto", (ABLE, "lost")) == "svi", "the only one is waited for"
    assert route("svi", (BARE, "ok"), (ABLE, "lost")) == "svi", "asked for"


@pytest.mark.parametrize(("frames", "seconds"), [(81 + 22 * 80, 5.0), (round(119.75 * 16), 0.25), (1921, 0)])
def test_two_minutes_of_clips_with_their_first_frame(frames: int, seconds: float) -> None:
    """24 clips of 5 s are 1,921 frames."""
    base = replace(BASE, parts=(replace(CLIP, frames=frames),))
    if seconds:
        assert length_after(base, seconds) <= 120 + 1 / 16
    with pytest.raises(BadInput) as caught:
        length_after(base, seconds + 0.25)
    assert caught.value.why.code == ("extend_too_long" if seconds else "extend_full")


@pytest.mark.parametrize(
    ("fps", "codes"), [(16.0, []), (12.0, ["extend_thinned"]), (29.97, ["extend_retimed"])]
)
def test_a_video_of_another_rate_shows_frames_twice_or_not_at_all(fps: float, codes: list[str]) -> None:
    base = replace(BASE, job=replace(BASE.job, fps=fps))
    assert [one.code for one in _retimed(base)] == codes


def test_requests_with_other_seeds_are_others() -> None:
    asked = {Request(seed=seed).of("clip") for seed in (-1, -1, 1, 1, 2)}
    assert len(asked) == 3


class Submits:
    """Keeps what is submitted. `earlier`: the job of every part."""

    def __init__(self) -> None:
        self.earlier: Job | None = None
        self.made: list[tuple[Submission, Part]] = []

    def job(self, job_id: str) -> Job | None:
        return self.earlier

    def submit(self, new: Submission, parent: Any, asked: Any) -> None:
        self.made.append((new, parent.__self__.part))


class Frames:
    """Clips of 81 frames; none is decoded."""

    def video_facts(self, file: Path) -> Any:
        return SimpleNamespace(fps=16.0, frames=81)

    def frame(self, file: Path, target: Path, number: int) -> None:
        assert file.is_file()


def three_parts(tmp_path: Path) -> tuple[Extender, Submits, Job]:
    """A video that was cut in its second part, and extended again."""
    second = Part("b", "parts/2", 30, 1, "last_frame", 6, "It turns", False, None, 5.0, "fast", "auto")
    parts = (CLIP, second, replace(second, file="parts/3", frames=80, prompt="It stops"))
    job = stored_job(
        1, status=DONE, fps=16.0, frames=191, width=64, height=64, parts=parts, assembly=EXTENSION
    )
    (tmp_path / "jobs" / job.id / "parts").mkdir(parents=True)
    for part in parts:
        (tmp_path / "jobs" / job.id / part.file).write_bytes(b"")
    submits, known = Submits(), Known(Offer(EngineInfo("comfyui", "http://a", state="ok"), BARE))
    extender = Extender(submits, None, known, Frames(), tmp_path / "jobs")  # type: ignore[arg-type]
    return extender, submits, job


def test_a_part_is_drawn_again_with_its_files_and_up_to_its_cut(tmp_path: Path) -> None:
    extender, submits, job = three_parts(tmp_path)
    for number, frames in ((2, 30), (3, 80)):
        extender._again("me", job, number, None, -1, False)
        assert submits.made[-1][1].frames == frames and submits.made[-1][0].kept == {}
    resolved = Resolved(files={"vae": "mine.safetensors"}).to_json()
    values = dict(submits.made[-1][0].values)
    submits.earlier = replace(job, params={**values, "seed": 1, "prompt": "Other"}, resolved=resolved)
    extender._again("me", job, 3, "It sinks", 4, False)
    new, _ = submits.made[-1]
    assert new.kept == resolved and (new.values["prompt"], new.values["seed"]) == ("It sinks", 4)
    submits.earlier = replace(submits.earlier, params={**values, "speed": "quality"})
    extender._again("me", job, 3, None, 4, False)
    assert submits.made[-1][0].kept == {}, "drawn in another way"
    (tmp_path / "jobs" / job.id / "parts" / "3").unlink()
    with pytest.raises(InputsGone):
        extender._again("me", job, 2, None, -1, False)


@pytest.mark.parametrize("prompt", ["", " \n "])
def test_without_a_prompt_a_part_has_that_of_the_one_before(tmp_path: Path, prompt: str) -> None:
    extender, submits, job = three_parts(tmp_path)
    extender._drawn("me", extender._base(job, -1), Request(prompt=prompt), (), False, ())
    assert submits.made[-1][0].values["prompt"] == "It stops"


@pytest.mark.parametrize("status", [FAILED, CANCELLED])
def test_what_was_not_made_is_not_waited_for(tmp_path: Path, status: str) -> None:
    extender, _, job = three_parts(tmp_path)
    with pytest.raises(BadInput) as caught:
        extender._base(replace(job, status=status), -1)  # type: ignore[arg-type]
    assert (caught.value.why.code, caught.value.field) == ("source_not_made", "id")


def test_frames_of_a_killed_submission_are_removed(tmp_path: Path) -> None:
    extender, _, job = three_parts(tmp_path)
    left = tmp_path / f"{FRAMES}abc"
    left.mkdir()
    (left / "clip").write_bytes(b"x")
    extender.remove_left()
    assert [path.name for path in tmp_path.iterdir()] == ["jobs"] and job.id
