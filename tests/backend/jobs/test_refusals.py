"""A server that lacks something for a job: who is asked next, what the job says meanwhile, how it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from backend.engines.base import EngineInfo, Prompt
from backend.errors import BadInput, EngineLost, MissingModel
from backend.events import Event
from backend.jobs.limits import Limits
from backend.jobs.refusals import Refusals
from backend.jobs.views import JobView
from backend.notices import words
from backend.studio import Studio
from tests.support.fake_engine import FakeEngine
from tests.support.scripted import OWNER, SMALL, Make, ended, speak, until
from workflows.graph.node_contract import Contract, recorded

LACKS = "Image-to-Video needs a file. The ComfyUI at http://one does not have it."
BOUND = 60.0
A, B, C = "http://a", "http://b", "http://c"


class Server(FakeEngine):
    """`models`: what it reports; `without`: node classes that it does not have."""

    models: Mapping[str, tuple[str, ...]] = {}
    without: frozenset[str] = frozenset()

    def info(self) -> EngineInfo:
        return replace(super().info(), models=self.models)

    def contract(self) -> Contract:
        nodes = {name: node for name, node in recorded().nodes.items() if name not in self.without}
        return Contract(nodes)


def pair() -> tuple[Server, Server]:
    return Server("http://one"), Server("http://two")


def submit(studio: Studio, picture: Path) -> JobView:
    return studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})


def refusing(engine: FakeEngine) -> None:
    engine.error = MissingModel(LACKS)


def text(studio: Studio, job: JobView) -> str:
    return studio.progress(job.id, job.key).text


def taken_by_the_second(make: Make, picture: Path, **limits: float) -> tuple[Studio, Server, Server, JobView]:
    """The first server refuses the job, the second one draws it."""
    one, two = pair()
    refusing(one)
    two.hold.clear()
    two.state = "starting"
    studio = make(one, two, limits=Limits(**{"bound": 0.0, "refusal": 600.0, **limits}))
    job = submit(studio, picture)
    until(lambda: one.prompts and "http://two" in text(studio, job), BOUND)
    two.state = "ok"
    until(lambda: two.drawing.is_set(), BOUND)
    return studio, one, two, job


def lose(engine: FakeEngine) -> None:
    engine.state, engine.error = "lost", EngineLost("away")
    engine.hold.set()


def test_the_one_that_took_it_is_lost_and_the_first_has_the_model_now(make: Make, picture: Path) -> None:
    studio, one, two, job = taken_by_the_second(make, picture)
    one.error = None
    lose(two)
    assert ended(studio, job, BOUND).status == "done"


def test_the_one_that_took_it_is_lost_and_the_first_still_refuses(make: Make, picture: Path) -> None:
    studio, _, two, job = taken_by_the_second(make, picture)
    lose(two)
    until(lambda: "http://two" in text(studio, job) and "needs a file" in text(studio, job), BOUND)
    assert "answer again" in text(studio, job)
    two.error, two.state = None, "ok"
    assert ended(studio, job, BOUND).status == "done"


def test_no_job_waits_for_ever_for_a_server_that_does_not_come_back(make: Make, picture: Path) -> None:
    studio, _, two, job = taken_by_the_second(make, picture, absent=600.0)
    studio.scheduler._active.refusals._limits = Limits(bound=0.0, refusal=600.0, absent=0.2)
    lose(two)
    failed = ended(studio, job, BOUND)
    assert failed.error is not None and failed.error["code"] == "missing_model"
    assert studio.queue().waiting == studio.queue().running == 0


@pytest.mark.parametrize("absent", [0.2, 600.0])
def test_a_server_that_starts_is_waited_for(make: Make, picture: Path, absent: float) -> None:
    one, two = pair()
    refusing(one)
    two.state = "starting"
    studio = make(one, two, limits=Limits(absent=absent, refusal=600.0))
    job = submit(studio, picture)
    if absent < 1:
        assert ended(studio, job, BOUND).error["code"] == "missing_model"  # type: ignore[index]
        return
    until(lambda: "http://two to start" in text(studio, job) and LACKS in text(studio, job), BOUND)
    two.state = "ok"
    assert ended(studio, job, BOUND).status == "done" and len(one.prompts) == 1


def test_a_refusal_does_not_last(make: Make, picture: Path) -> None:
    """The only other server works on something else, or hangs."""
    studio, one, two, first = taken_by_the_second(make, picture, refusal=0.2)
    second = submit(studio, picture)
    until(lambda: all(words in text(studio, second) for words in ("http://two", "needs a file")), BOUND)
    one.error = None
    assert ended(studio, second, BOUND).status == "done"
    two.hold.set()
    assert ended(studio, first, BOUND).status == "done"


def test_a_server_with_other_models_is_asked_again(make: Make, picture: Path) -> None:
    studio, one, two, _ = taken_by_the_second(make, picture)
    second = submit(studio, picture)
    until(lambda: len(one.prompts) >= 2 and "http://two" in text(studio, second), BOUND)
    one.error, one.models = None, {"vae": ("fresh.safetensors",)}
    assert ended(studio, second, BOUND).status == "done" and len(two.prompts) == 1
    two.hold.set()


def test_all_refuse(make: Make, picture: Path) -> None:
    one, two = pair()
    refusing(one)
    refusing(two)
    failed = ended(studio := make(one, two), submit(studio, picture), BOUND)
    assert failed.error is not None and failed.error["message"] == LACKS
    assert len(one.prompts) == len(two.prompts) == 1


def test_a_job_that_one_server_refuses_runs_on_another(make: Make, picture: Path) -> None:
    one, two = pair()
    one.without = frozenset({"CreateVideo"})
    two.hold.clear()
    studio = make(one, two)
    jobs = [submit(studio, picture) for _ in range(2)]
    until(lambda: two.drawing.is_set(), BOUND)
    two.hold.set()
    assert {ended(studio, job, BOUND).status for job in jobs} == {"done"} and not one.prompts


@pytest.mark.deep
def test_a_refusal_keeps_the_segments_and_the_prompt_of_another_server(make: Make, tone: Path) -> None:
    one, two = pair()
    two.state, two.without = "lost", frozenset({"CreateVideo"})

    def script(prompt: Prompt, _: Callable[[Event], None]) -> None:
        if prompt.index == 1 and not one.resumed:
            one.known.add(prompt.id)
            one.state, two.state = "lost", "ok"
            raise EngineLost("away")

    one.script = script
    studio = make(one, two, limits=Limits(bound=0.0))
    job = speak(studio, tone)
    until(lambda: "http://one" in text(studio, job) and "CreateVideo" in text(studio, job), BOUND)
    assert not one.cancelled and not two.prompts
    one.state = "ok"
    done = ended(studio, job, BOUND)
    assert done.status == "done" and not done.warnings
    assert one.resumed == [one.prompts[1].id], "the second part was found again, the first one is not redrawn"


def test_a_job_that_is_kept_for_its_server_says_so(make: Make, picture: Path) -> None:
    one, two = pair()
    two.state = "lost"

    def script(prompt: Prompt, _: Callable[[Event], None]) -> None:
        one.state, two.state = "lost", "ok"
        raise EngineLost("away")

    one.script = script
    studio = make(one, two, limits=Limits(bound=600.0))
    job = submit(studio, picture)
    until(lambda: "http://one" in text(studio, job) and "may still have" in text(studio, job), BOUND)
    studio.cancel(job.id, job.key)
    studio = make(Server("http://two"), limits=Limits(bound=0.5))
    assert studio.job(job.id, job.key).status == "cancelled"


def test_a_cancel_while_it_is_refused(make: Make, picture: Path) -> None:
    one, two = pair()
    two.state = "starting"

    def script(prompt: Prompt, _: Callable[[Event], None]) -> None:
        until(lambda: started, BOUND)
        studio.cancel(started[0].id, started[0].key)
        raise MissingModel(LACKS)

    started: list[JobView] = []
    one.script = script
    studio = make(one, two)
    started.append(submit(studio, picture))
    assert ended(studio, started[0], BOUND).status == "cancelled"
    assert studio.queue().waiting == 0


# the rules alone


def test_outlooks() -> None:
    known, lacks = Refusals(Limits(refusal=10, absent=100)), MissingModel("A lacks a file.")
    assert known.outlook("job", {A: "ok"}, 0).error is None
    known.note("job", A, lacks, 0)
    assert known.outlook("job", {A: "ok"}, 1).error is lacks
    assert known.outlook("job", {A: "lost"}, 1) == known.outlook("other", {A: "ok"}, 1)
    assert known.holding(1) == {"job": {A}} and known.holding(11) == {"job": set()}
    assert f"{B} to start" in words(known.outlook("job", {A: "ok", B: "starting", C: "lost"}, 1).waits)
    assert f"{B} or {C} to answer" in words(known.outlook("job", {A: "ok", B: "lost", C: "lost"}, 2).waits)
    assert words(known.outlook("job", {A: "ok", B: "ok"}, 3).waits).startswith(
        f"Waiting for the server at {B}."
    )
    assert known.outlook("job", {A: "ok"}, 11).error is None, "it is asked again first"
    known.note("job", A, lacks, 11)
    assert known.outlook("job", {A: "ok", B: "lost"}, 12).error is None
    known.note("job", A, lacks, 110)
    assert known.outlook("job", {A: "ok", B: "lost"}, 112).error is lacks
    known.ask_all_again("job")
    assert known.holding(113) == {"job": set()} and known.outlook("job", {A: "ok"}, 113).error is None
    known.forget("job")
    assert known.holding(113) == {}


def test_an_input_that_is_wrong_waits_for_no_server() -> None:
    known = Refusals(Limits())
    known.note("job", A, wrong := BadInput("Too long."), 0)
    assert known.outlook("job", {A: "ok", B: "lost"}, 1).error is wrong
