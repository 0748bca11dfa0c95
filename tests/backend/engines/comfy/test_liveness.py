"""When the server of a running prompt counts as lost or hung."""

from __future__ import annotations

import json

import pytest
import requests

from backend.engines.comfy import reach
from backend.engines.comfy.liveness import STALLED, Liveness
from backend.engines.comfy.timing import Timing
from backend.errors import EngineError, EngineHung, EngineLost, EngineUnreachable, StudioError

TIMING = Timing(final_limit=6, refused_limit=20, error_limit=180, hung=600)
PLACE = reach.Place("http://gpu:8188")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def liveness(clock: Clock) -> Liveness:
    return Liveness(TIMING, "ComfyUI", clock)


def caused(error: EngineUnreachable, cause: BaseException) -> EngineUnreachable:
    error.__cause__ = cause
    return error


REFUSED = caused(reach.unreachable("refused", PLACE, "x"), ConnectionRefusedError())
SILENT = caused(reach.unreachable("silent", PLACE, "x"), requests.ReadTimeout())
LOGIN = reach.unreachable("login_page", PLACE, "x")
ODD = EngineError.of("unexpected_response")


@pytest.mark.parametrize(
    ("error", "executing", "limit", "expected"),
    [
        (REFUSED, True, 20, EngineLost), (REFUSED, False, 20, EngineLost), (LOGIN, True, 6, EngineLost),
        (ODD, True, 180, EngineLost), (SILENT, False, 600, EngineLost), (SILENT, True, 600, EngineHung),
    ],
)  # fmt: skip
def test_each_kind_of_failure_has_its_own_limit(
    clock: Clock, liveness: Liveness, error: EngineError, executing: bool, limit: float, expected: type
) -> None:
    for clock.now in (0.0, limit / 2, limit - 0.1):
        assert liveness.failure(error, executing=executing) is None
    clock.now = limit
    found = liveness.failure(error, executing=executing)
    assert type(found) is expected


@pytest.mark.parametrize("answer", ["frame", "response"])
def test_a_sign_of_life_starts_the_limits_again(clock: Clock, liveness: Liveness, answer: str) -> None:
    assert liveness.failure(LOGIN, executing=True) is None and liveness.foreign
    clock.now = 5.0
    if answer == "frame":
        liveness.frame(own=False)
    else:
        liveness.response(waiting=False)
    assert not liveness.foreign
    clock.now = 7.0
    assert liveness.failure(LOGIN, executing=True) is None


def test_a_refusal_between_other_failures_starts_its_limit_again(clock: Clock, liveness: Liveness) -> None:
    for clock.now, error in ((0.0, REFUSED), (15.0, ODD), (16.0, REFUSED), (30.0, REFUSED)):
        assert liveness.failure(error, executing=True) is None
    clock.now = 36.0
    assert isinstance(liveness.failure(REFUSED, executing=True), EngineLost)


def test_what_answers_in_place_of_comfyui_is_the_reason(clock: Clock, liveness: Liveness) -> None:
    liveness.failure(LOGIN, executing=True)
    clock.now = 6.0
    lost = liveness.failure(LOGIN, executing=True)
    assert lost is not None and (lost.why, lost.code) == (LOGIN.why, "engine_lost")
    again = StudioError.from_dict(json.loads(json.dumps(lost.to_dict())))
    assert (again.message, again.hint) == (LOGIN.message, LOGIN.hint)


def test_a_server_that_responds_without_progress_is_hung_later(clock: Clock, liveness: Liveness) -> None:
    for clock.now in range(0, 600 * STALLED, 100):
        liveness.response(waiting=False)
        liveness.frame(own=False)
        assert liveness.stalled(executing=True, cancelled=False) is None
    clock.now = 600.0 * STALLED
    assert liveness.stalled(executing=False, cancelled=False) is None
    hung = liveness.stalled(executing=True, cancelled=False)
    assert hung is not None and hung.message == (
        "ComfyUI has not responded for 30 minutes and appears to be stuck."
    )


def test_the_limit_of_a_cancelled_prompt_is_shorter(clock: Clock, liveness: Liveness) -> None:
    clock.now = 600.0
    assert liveness.stalled(executing=True, cancelled=False) is None
    assert isinstance(liveness.stalled(executing=True, cancelled=True), EngineHung)


@pytest.mark.parametrize("event", ["own frame", "waiting", "no socket", "begin"])
def test_time_in_which_no_event_can_arrive_does_not_count(
    clock: Clock, liveness: Liveness, event: str
) -> None:
    clock.now = 599.0
    if event == "own frame":
        liveness.frame(own=True)
    elif event == "waiting":
        liveness.response(waiting=True)
    elif event == "no socket":
        liveness.without_events()
    else:
        liveness.begin()
    clock.now = 1198.0
    assert liveness.stalled(executing=True, cancelled=True) is None
    clock.now = 1199.0
    assert liveness.stalled(executing=True, cancelled=True) is not None
