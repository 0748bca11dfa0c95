"""A change is made once for each request, however often the request arrives."""

from __future__ import annotations

import threading

import pytest

from backend import requester
from backend.errors import NotFound
from ui.actions.once import Once


@pytest.fixture
def made() -> list[str]:
    return []


def run(once: Once, made: list[str], request: str, *about: str) -> int:
    """The number of changes made before this one."""

    def change() -> int:
        made.append(request)
        return len(made)

    with requester.attempt(request):
        return once.run(change, *about)


def test_a_repetition_gets_the_outcome_of_the_first_arrival(made: list[str]) -> None:
    once = Once()
    assert [run(once, made, "press-1", "me", "pin"), run(once, made, "press-2", "me", "pin")] == [1, 2]
    assert run(once, made, "press-1", "me", "pin") == 1
    assert made == ["press-1", "press-2"]


def test_the_same_id_for_another_change_or_owner_is_another_request(made: list[str]) -> None:
    once = Once()
    for about in (("me", "pin", "a"), ("me", "pin", "b"), ("me", "unpin", "a"), ("you", "pin", "a")):
        run(once, made, "press-1", *about)
    assert len(made) == 4


def test_a_request_without_an_id_is_never_a_repetition(made: list[str]) -> None:
    once = Once()
    assert [run(once, made, "", "me", "up"), run(once, made, "", "me", "up")] == [1, 2]


def test_a_refusal_is_repeated_too(made: list[str]) -> None:
    once = Once()

    def refuse() -> None:
        made.append("refused")
        raise NotFound.of("video_gone")

    for _ in range(2):
        with requester.attempt("press-1"), pytest.raises(NotFound, match="no longer exists"):
            once.run(refuse, "me", "pin")
    assert made == ["refused"]


def test_two_arrivals_at_the_same_time_make_one_change(made: list[str]) -> None:
    once, inside, go_on = Once(), threading.Event(), threading.Event()
    found: list[str] = []

    def slow() -> str:
        made.append("slow")
        inside.set()
        assert go_on.wait(60)
        return "done"

    def arrive() -> None:
        with requester.attempt("press-1"):
            found.append(once.run(slow, "me", "up"))

    threads = [threading.Thread(target=arrive) for _ in range(2)]
    threads[0].start()
    assert inside.wait(60)
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join(60)
    assert found == ["done", "done"] and made == ["slow"]


def test_the_oldest_requests_are_forgotten(made: list[str]) -> None:
    once = Once(remembered=2)
    for request in ("press-1", "press-2", "press-1", "press-3"):  # press-1 was used last but one
        run(once, made, request, "me", "pin")
    assert made == ["press-1", "press-2", "press-3"]
    run(once, made, "press-1", "me", "pin")
    run(once, made, "press-2", "me", "pin")
    assert made == ["press-1", "press-2", "press-3", "press-2"]
