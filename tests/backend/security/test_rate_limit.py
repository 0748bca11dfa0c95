from __future__ import annotations

from backend.security.rate_limit import Bucket, Buckets, Slots


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_is_emptied_and_refills() -> None:
    clock = Clock()
    bucket = Bucket(3, 10.0, clock)
    assert [bucket.take() for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.take() == 10.0
    clock.now += 4
    assert bucket.take() == 6.0, "a refused try costs nothing"
    clock.now += 6
    assert bucket.take() == 0.0 and bucket.take() > 0
    clock.now += 1000
    assert [bucket.take() > 0 for _ in range(4)] == [False, False, False, True], "never more than the burst"
    bucket.give_back()
    assert bucket.take() == 0.0


def test_a_clock_that_jumps_back_does_not_refill_or_block() -> None:
    clock = Clock()
    bucket = Bucket(1, 10.0, clock)
    bucket.take()
    clock.now -= 50
    assert bucket.take() == 10.0
    clock.now += 10
    assert bucket.take() == 0.0


def test_keys_are_independent_and_the_oldest_are_dropped() -> None:
    buckets = Buckets(1, 10.0, Clock(), limit=2)
    assert buckets.take("a") == 0.0 and buckets.take("a") > 0
    assert buckets.take("b") == 0.0
    buckets.of("a")
    buckets.of("c")
    assert "a" in buckets and "c" in buckets and "b" not in buckets


def test_slots_by_key_and_in_all() -> None:
    slots = Slots(each=2, together=3)
    assert [slots.take("a"), slots.take("a"), slots.take("a")] == [True, True, False]
    assert [slots.take("b"), slots.take("c")] == [True, False]
    slots.free("a")
    assert slots.take("c") and not slots.take("a"), "the last place went to c"
    for key in ("a", "b", "c"):
        slots.free(key)
    assert slots.take("a") and slots.take("a")
