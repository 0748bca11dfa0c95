"""Who is next, as a table of situations."""

from __future__ import annotations

from dataclasses import replace

from backend.jobs.job import Job
from backend.jobs.queue import PASSES, FairQueue, Waiting

A, B, C = frozenset({"a"}), frozenset({"b"}), frozenset({"c"})


def job(name: str, owner: str) -> Job:
    return Job(name, owner, "image_to_video", {}, {}, created=0.0)


def line(*rows: tuple[str, str], models: dict[str, frozenset[str]] | None = None) -> FairQueue:
    made = FairQueue()
    for name, owner in rows:
        made.add(Waiting(job(name, owner), (models or {}).get(name, frozenset())))
    return made


def names(jobs: list[Job]) -> str:
    return " ".join(one.id for one in jobs)


def drain(made: FairQueue, lane: str = "s", **more: object) -> str:
    taken = []
    while (entry := made.take({}, lane=lane, **more)) is not None:  # type: ignore[arg-type]
        taken.append(entry.job.id)
    return " ".join(taken)


def test_one_owner_is_served_in_order() -> None:
    assert drain(line(("1", "a"), ("2", "a"), ("3", "a"))) == "1 2 3"


def test_one_owner_with_forty_jobs_does_not_block_others() -> None:
    made = line(*((f"a{n}", "anna") for n in range(40)))
    assert made.take({}, lane="s").job.id == "a0"  # type: ignore[union-attr]
    made.add(Waiting(job("b", "ben")))
    made.add(Waiting(job("c", "cleo")))
    running = {"anna": 1}
    assert names(made.order(running)).startswith("b c a1 a2")
    assert names(made.order({})).startswith("a1 b c a2 a3"), "nobody runs: whoever has waited longest"


def test_owners_take_turns() -> None:
    made = line(("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b"), ("b2", "b"), ("c1", "c"))
    assert names(made.order({})) == "a1 b1 c1 a2 b2 a3"
    assert drain(made) == "a1 b1 c1 a2 b2 a3"


def test_a_returning_visitor_queues_behind_those_who_wait() -> None:
    made = line(("a1", "a"), ("b1", "b"))
    assert made.take({}, lane="s").job.id == "a1"  # type: ignore[union-attr]
    made.add(Waiting(job("a2", "a")))
    assert drain(made) == "b1 a2"


def test_a_single_owner_at_a_time_cannot_push_in_front() -> None:
    """Sending the next one as soon as the last is done does not win over an owner who waits."""
    made = line(("b1", "b"), ("b2", "b"))
    taken = []
    for number in range(3):
        made.add(Waiting(job(f"a{number}", "a")))
        taken.append(made.take({}, lane="s").job.id)  # type: ignore[union-attr]
    assert taken == ["b1", "a0", "b2"]


def test_what_was_sent_back_is_first() -> None:
    made = line(("a1", "a"), ("b1", "b"))
    made.add(Waiting(job("lost", "z"), first=True))
    assert names(made.order({"z": 3})) == "lost a1 b1"


def test_a_lane_prefers_what_it_has_loaded_but_starves_no_owner() -> None:
    models = {"x": B, **{f"a{n}": A for n in range(9)}}
    made = line(("x", "x"), *((f"a{n}", f"o{n}") for n in range(9)), models=models)
    taken = drain(made, held=A).split()
    assert taken[:PASSES] == ["a0", "a1", "a2"]
    assert taken[PASSES] == "x", "passed over often enough"


def test_a_job_is_left_to_the_idle_lane_that_holds_its_models() -> None:
    made = line(("b", "o"), models={"b": B})
    assert made.take({}, lane="s", held=A, idle=[("t", B)]) is None
    assert made.take({}, lane="s", held=A, idle=[("t", C)]).job.id == "b"  # type: ignore[union-attr]


def test_a_job_waits_for_the_server_that_has_its_prompt() -> None:
    made = FairQueue()
    made.add(Waiting(job("left", "a"), first=True, bound="s1", bound_until=50.0))
    made.add(Waiting(job("other", "b")))
    assert made.take({}, lane="s2", now=0.0).job.id == "other"  # type: ignore[union-attr]
    assert made.take({}, lane="s2", now=10.0) is None
    assert made.take({}, lane="s2", now=50.0).job.id == "left"  # type: ignore[union-attr]


def test_cancelled_ones_are_out_and_owners_are_forgotten() -> None:
    made = line(("1", "a"), ("2", "b"))
    assert made.remove("1").id == "1"  # type: ignore[union-attr]
    assert made.remove("1") is None and "1" not in made and len(made) == 1
    made.prune(frozenset())
    assert set(made._since) == {"b"}


def test_twenty_owners_two_hundred_jobs_four_lanes() -> None:
    """Four owners with 40 jobs each, eight with 4, eight with 1, which come last: in turns of equal length
    (a lane's worth of work), an owner with one job waits no longer than one turn of every owner."""
    sizes = [40] * 4 + [4] * 8 + [1] * 8
    made = FairQueue()
    for owner, count in enumerate(sizes):
        for number in range(count):
            made.add(Waiting(job(f"{owner}-{number}", str(owner))))
    running: list[str] = []
    began: dict[str, int] = {}
    turn = 0
    while len(made) or running:
        running = []
        for _ in range(4):
            entry = made.take({owner: running.count(owner) for owner in running}, lane="s")
            if entry is not None:
                running.append(entry.job.owner)
                began[entry.job.id] = turn
        turn += 1
    assert len(began) == sum(sizes) == 200
    single = [began[f"{owner}-0"] for owner in range(12, 20)]
    many = [began[f"{owner}-39"] for owner in range(4)]
    assert max(single) <= len(sizes) // 4
    assert min(many) >= 200 // 4 - 4


def test_a_job_is_not_left_to_an_idle_server_when_another_may_have_its_prompt() -> None:
    made = FairQueue()
    made.add(Waiting(job("1", "a"), A, True, "s", bound_until=60.0))
    assert made.take({}, lane="t", held=A, idle=[], now=0.0) is None
    taken = made.take({}, lane="s", held=frozenset(), idle=[("t", A)], now=0.0)
    assert taken is not None and taken.job.id == "1"


def test_only_what_an_engine_may_have_is_taken_while_paused() -> None:
    made = line(("1", "a"), ("2", "b"))
    made.add(Waiting(replace(job("3", "c"), prompt_id="p"), first=True))
    assert drain(made, begun=True) == "3" and len(made) == 2


def test_a_job_is_not_left_to_a_server_that_cannot_make_it() -> None:
    made = line(("b", "o"), models={"b": B})
    assert made.take({}, lane="s", held=A, idle=[("t", B)], refused={"b": {"s", "t"}}) is None
    assert made.take({}, lane="t", held=B, refused={"b": {"t"}}) is None
    assert made.take({}, lane="s", held=A, idle=[("t", B)], refused={"b": {"t"}}).job.id == "b"  # type: ignore[union-attr]
