"""The flag that signals set, without processes."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from backend.stopping import StopSignal


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = signal.getsignal(signal.SIGUSR1)
    yield
    signal.signal(signal.SIGUSR1, before)


def test_a_signal_is_raised_where_the_work_looks_for_it() -> None:
    stop = StopSignal(insist=True)
    stop.install([signal.SIGUSR1])
    stop.check()
    signal.raise_signal(signal.SIGUSR1)
    assert stop.asked
    with pytest.raises(KeyboardInterrupt):
        stop.check()


def test_a_second_one_does_not_wait_for_a_look() -> None:
    stop = StopSignal(insist=True)
    stop.install([signal.SIGUSR1])
    signal.raise_signal(signal.SIGUSR1)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGUSR1)


def test_what_is_tidied_up_is_not_interrupted() -> None:
    stop = StopSignal(insist=True)
    stop.install([signal.SIGUSR1])
    signal.raise_signal(signal.SIGUSR1)
    with stop.tidying():
        signal.raise_signal(signal.SIGUSR1)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGUSR1)


def test_the_app_ignores_a_second_one() -> None:
    stop = StopSignal()
    stop.install([signal.SIGUSR1])
    signal.raise_signal(signal.SIGUSR1)
    signal.raise_signal(signal.SIGUSR1)
    assert stop.asked
