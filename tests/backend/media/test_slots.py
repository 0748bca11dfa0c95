"""The order in which requests get the decoder's slots, and the cache of its replies."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from backend import requester
from backend.errors import BadMedia, DiskFull, InternalError, JobCancelled, MediaBusy, ShuttingDown
from backend.media import check, child
from backend.media.decoder import Decoder
from backend.media.slots import NoSlot, Slots
from tests.support import slow_child

pytestmark = pytest.mark.full


def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


class Scene:
    """A decoder whose children reply on command, and the threads that send requests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.threads = ThreadPoolExecutor(100)
        self.decoders: list[Decoder] = []

    def decoder(self, **more: Any) -> Decoder:
        command = (sys.executable, slow_child.__file__, str(self.folder))
        made = Decoder(**{"workers": 1, "wall_seconds": 60, "wait_seconds": 600, "command": command, **more})
        self.decoders.append(made)
        return made

    def file(self, name: str, content: str = "") -> Path:
        path = self.folder / "files" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content or name)
        return path

    def hold(self) -> None:
        (self.folder / "hold").touch()

    def go(self, name: str = "") -> None:
        if name:
            (self.folder / f"go-{name}").touch()
        else:
            (self.folder / "hold").unlink(missing_ok=True)

    def begun(self) -> list[str]:
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / "log").read_text().splitlines()
        return []

    def start(self, who: Any, call: Callable[..., Any], *args: Any, **more: Any) -> Future[Any]:
        """Calls in a thread, for a visitor or job; returns when the request runs or waits."""
        decoder = self.decoders[-1]
        before = decoder.waiting() + len(self.begun())

        def run() -> Any:
            with who:
                return call(*args, **more)

        future = self.threads.submit(run)
        until(lambda: future.done() or decoder.waiting() + len(self.begun()) > before)
        return future


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    for decoder in made.decoders:
        decoder.close()
    made.go()
    made.threads.shutdown()


visitor, job = requester.visitor, requester.job


# -- the order ------------------------------------------------------------------------------------


def test_visitors_get_slots_round_robin(scene: Scene) -> None:
    decoder = scene.decoder(waiting_max=50)
    scene.hold()
    asked = [scene.start(visitor("greedy"), decoder.picture, scene.file(f"g{n}")) for n in range(30)]
    for n in range(2):
        asked += [scene.start(visitor(who), decoder.picture, scene.file(f"{who}{n}")) for who in ("b", "c")]
    scene.go()
    for future in asked:
        future.result(60)
    names = [line.split()[1] for line in scene.begun()]
    assert names[:7] == ["g0", "g1", "b0", "c0", "g2", "b1", "c1"]
    assert names[7:] == [f"g{n}" for n in range(3, 30)]


def test_jobs_come_before_visitors_round_robin(scene: Scene, tmp_path: Path) -> None:
    decoder = scene.decoder(waiting_max=50)
    scene.hold()
    asked = [scene.start(visitor("greedy"), decoder.picture, scene.file(f"g{n}")) for n in range(10)]
    clip = scene.file("clip")
    for n in range(3):
        asked.append(scene.start(job("a"), decoder.poster, scene.file(f"a{n}"), tmp_path / f"a{n}.jpg"))
    asked.append(scene.start(job("b"), decoder.video_facts, clip))
    asked.append(scene.start(job("b"), decoder.picture, scene.file("still")))
    scene.go()
    for future in asked:
        future.result(60)
    assert scene.begun()[:6] == [
        "picture g0", "poster a0", "result clip", "poster a1", "picture still", "poster a2",
    ]  # fmt: skip


def test_long_work_of_jobs_is_round_robin(scene: Scene, tmp_path: Path) -> None:
    decoder = scene.decoder()
    scene.hold()
    out = iter(tmp_path / f"out{n}" for n in range(10))
    asked = [
        scene.start(job("a"), decoder.cut_video, scene.file(f"a{n}"), next(out), 0.0, 1.0) for n in range(4)
    ]
    asked.append(scene.start(job("b"), decoder.join, [scene.file("b0")], next(out)))
    asked.append(scene.start(visitor("v"), decoder.picture, scene.file("v0")))  # has a place of its own
    scene.go("v0")
    asked[-1].result(60)
    scene.go()
    for future in asked:
        future.result(60)
    long = [line for line in scene.begun() if line != "picture v0"]
    assert long == ["cut_video a0", "cut_video a1", "join b0", "cut_video a2", "cut_video a3"]


def test_a_visitor_with_too_many_waiting_files_is_refused_alone(scene: Scene, tmp_path: Path) -> None:
    decoder = scene.decoder(waiting_max=3)
    scene.hold()
    asked = [scene.start(visitor("greedy"), decoder.picture, scene.file(f"g{n}")) for n in range(4)]
    for ask in (decoder.picture, decoder.video, decoder.sound):
        with visitor("greedy"), pytest.raises(MediaBusy, match="too many of your files") as caught:
            ask(scene.file("more"), field="image")
        assert caught.value.hint and caught.value.field == "image"
    with visitor("greedy"), pytest.raises(MediaBusy):
        decoder.normalise(scene.file("more"), tmp_path / "more.png")
    asked.append(scene.start(visitor("other"), decoder.picture, scene.file("b0")))
    asked += [scene.start(job("greedy"), decoder.picture, scene.file(f"j{n}")) for n in range(10)]
    asked += [scene.start(visitor(""), decoder.picture, scene.file(f"ours{n}")) for n in range(10)]
    scene.go()
    for future in asked:
        future.result(60)
    assert decoder.waiting() == 0
    with visitor("greedy"):
        assert decoder.picture(scene.file("more")).width == 64, "as soon as there is room"


# -- waiting ----------------------------------------------------------------------------------------


def test_a_visitor_waits_for_a_limited_time_and_a_job_until_it_has_a_slot(
    scene: Scene, tmp_path: Path
) -> None:
    decoder = scene.decoder(wait_seconds=0.05)
    scene.hold()
    first = scene.start(visitor("a"), decoder.picture, scene.file("a0"))
    checks: list[None] = []
    ends = [
        scene.start(job("j", lambda: checks.append(None)), call, scene.file(f"j{n}"), *more)
        for n, (call, more) in enumerate(
            [(decoder.picture, ()), (decoder.video_facts, ()), (decoder.poster, (tmp_path / "poster.jpg",))]
        )
    ]
    with visitor("b"), pytest.raises(MediaBusy, match="other pictures are being opened"):
        decoder.picture(scene.file("b0"))
    seen = len(checks)
    until(lambda: len(checks) > seen + 2)
    assert not any(end.done() for end in ends)
    scene.go()
    for future in (first, *ends):
        future.result(60)


@pytest.mark.parametrize("long", [False, True])
def test_a_cancelled_job_stops_waiting(scene: Scene, tmp_path: Path, long: bool) -> None:
    decoder = scene.decoder()
    scene.hold()
    cancelled = threading.Event()

    def check() -> None:
        if cancelled.is_set():
            raise JobCancelled("Cancelled.")

    def ask(name: str) -> Any:
        if long:
            return decoder.join([scene.file(name)], tmp_path / f"{name}.mp4")
        return decoder.video_facts(scene.file(name))

    first = scene.start(job("a"), ask, "first")
    waits = scene.start(job("b", check), ask, "waits")
    third = scene.start(job("c"), ask, "third")
    cancelled.set()
    with pytest.raises(JobCancelled):
        waits.result(60)
    scene.go()
    first.result(60), third.result(60)
    assert [line.split()[1] for line in scene.begun()] == ["first", "third"]
    assert not list(tmp_path.glob(".*.part"))


@pytest.mark.parametrize("how", ["close", "stop_waiting"])
def test_closing_ends_all_waits_at_once(scene: Scene, tmp_path: Path, how: str) -> None:
    decoder = scene.decoder()
    scene.hold()
    works = [
        scene.start(job("a"), decoder.video_facts, scene.file("a0")),
        scene.start(job("a"), decoder.join, [scene.file("a1")], tmp_path / "a1.mp4"),
    ]
    waits = [
        scene.start(visitor("b"), decoder.picture, scene.file("b0")),
        scene.start(visitor("c"), decoder.picture, scene.file("b0")),
        scene.start(job("b"), decoder.poster, scene.file("b1"), tmp_path / "b1.jpg"),
        scene.start(job("b"), decoder.join, [scene.file("b2")], tmp_path / "b2.mp4"),
    ]
    getattr(decoder, how)()
    for future in waits:
        with pytest.raises(ShuttingDown, match="shutting down"):
            future.result(60)
    scene.go()
    for future in works:
        if how == "close":
            with pytest.raises(InternalError, match="shutting down"):
                future.result(60)
        else:
            future.result(60)
    assert decoder.waiting() == 0
    decoder.close()
    assert decoder.pids() == ()


# -- what is not asked twice ------------------------------------------------------------------------


def test_an_unchanged_file_is_decoded_once(scene: Scene) -> None:
    decoder = scene.decoder()
    path = scene.file("a")
    for ask in (decoder.picture, decoder.video, decoder.sound, decoder.video_facts):
        assert ask(path) == ask(path)
    assert decoder.waveform(path, 4) == decoder.waveform(path, 4) == [0.5]
    decoder.waveform(path, 5)
    assert decoder.picture(path, field="end_image") == decoder.picture(path, field="image")
    assert sorted(scene.begun()) == sorted(
        ["picture a", "video a", "sound a", "result a", "waveform a", "waveform a"]
    )


def test_changing_a_reply_does_not_change_the_cache(scene: Scene) -> None:
    decoder = scene.decoder()
    path = scene.file("a")
    decoder.waveform(path).append(2.0)
    assert decoder.waveform(path) == [0.5]


def test_a_changed_file_is_decoded_again(scene: Scene) -> None:
    decoder = scene.decoder(cache_size=100)
    path = scene.file("a", "one")
    for round_ in range(10):  # the same size each time, as fast as it goes
        path.write_text(f"{round_:03}")
        decoder.picture(path)
    replaced = scene.file("b", "000")
    os.utime(replaced, ns=(path.stat().st_mtime_ns, path.stat().st_mtime_ns))
    replaced.replace(path)
    decoder.picture(path)
    assert scene.begun() == ["picture a"] * 11
    path.unlink()
    decoder.picture(path)  # the child judges it
    assert scene.begun() == ["picture a"] * 12


def test_the_most_recent_replies_are_cached(scene: Scene) -> None:
    decoder = scene.decoder(cache_size=2)
    paths = [scene.file(name) for name in "abc"]
    for path in (paths[0], paths[1], paths[0], paths[2], paths[0], paths[1]):
        decoder.picture(path)
    assert [line.split()[1] for line in scene.begun()] == ["a", "b", "c", "b"]


def test_a_cached_refusal_has_the_name_and_field_of_the_request(scene: Scene) -> None:
    decoder = scene.decoder()
    path = scene.file("a.png", "error bad_media")
    for field in ("image", "end_image", "image"):
        with pytest.raises(BadMedia, match=r"a\.png: no") as caught:
            decoder.picture(path, field=field)
        assert caught.value.field == field
    assert len(scene.begun()) == 1
    with pytest.raises(BadMedia, match="mine: no"):
        decoder.picture(path, name="mine")
    assert len(scene.begun()) == 2


@pytest.mark.parametrize(
    ("content", "error", "asked"),
    [
        ("error disk_full", DiskFull, 1),
        ("error internal_error", InternalError, 1),
        ("transient", BadMedia, 1),
        ("die", BadMedia, 2),  # a fresh child tries it once more
    ],
)
def test_a_transient_error_is_not_cached(
    scene: Scene, content: str, error: type[Exception], asked: int
) -> None:
    decoder = scene.decoder()
    path = scene.file("a", content)
    for round_ in range(1, 3):
        with pytest.raises(error):
            decoder.picture(path)
        assert len(scene.begun()) == round_ * asked


def test_a_request_that_hangs_is_not_cached(scene: Scene) -> None:
    decoder = scene.decoder()
    path = scene.file("a", "hang")
    decoder.picture(scene.file("b"))  # its child is up
    decoder._wall = 0.5
    with pytest.raises(BadMedia):
        decoder.picture(path)
    decoder._wall = 60.0
    (scene.folder / "awake").touch()
    assert decoder.picture(path).width == 64, "asked again"


def test_equal_requests_at_the_same_time_share_one_reply(scene: Scene) -> None:
    decoder = scene.decoder(workers=2, waiting_max=1)
    path = scene.file("a")
    scene.hold()
    asked = [
        scene.start(visitor(f"v{n % 3}"), decoder.picture, path, field=f"f{n}") for n in range(20)
    ] + [scene.start(job("j"), decoder.picture, path)]  # fmt: skip
    asked.append(scene.start(visitor("v0"), decoder.picture, scene.file("b")))
    assert scene.begun() == ["picture a", "picture b"], "those that are joined take no place"
    scene.go()
    assert len({future.result(60) for future in asked}) == 1
    assert len(scene.begun()) == 2


def test_a_request_that_others_wait_for_can_be_cancelled(scene: Scene) -> None:
    """A request that shares a reply also waits for its own slot, because the first request may be
    cancelled."""
    decoder = scene.decoder()
    scene.hold()
    first = scene.start(visitor("a"), decoder.picture, scene.file("first"))
    ahead = [scene.start(visitor("a"), decoder.picture, scene.file(f"a{n}")) for n in range(3)]
    leaves = threading.Event()

    def check() -> None:
        if leaves.is_set():
            raise JobCancelled("Cancelled.")

    shared = scene.file("shared")
    late = scene.start(visitor("a"), decoder.picture, shared)
    cancelled = scene.start(job("j", check), decoder.picture, shared)
    soon = scene.start(visitor("b"), decoder.picture, shared)
    leaves.set()
    with pytest.raises(JobCancelled):
        cancelled.result(60)
    scene.go()
    for future in (first, *ahead, late, soon):
        future.result(60)
    names = [line.split()[1] for line in scene.begun()]
    assert names == ["first", "a0", "shared", "a1", "a2"], "in the other visitor's turn, for both"


@pytest.mark.parametrize("content", ["error disk_full", "transient", "die"])
def test_a_transient_error_of_one_request_is_not_shared(scene: Scene, content: str) -> None:
    decoder = scene.decoder()
    path = scene.file("a", content)
    scene.hold()
    asked = [scene.start(visitor(f"v{n}"), decoder.picture, path) for n in range(3)]
    scene.go()
    for future in asked:
        with pytest.raises((BadMedia, DiskFull)):
            future.result(60)
    assert len(scene.begun()) == 3 * (2 if content == "die" else 1)


def test_a_refusal_is_shared_by_all_equal_requests(scene: Scene) -> None:
    decoder = scene.decoder()
    path = scene.file("a", "error bad_media")
    scene.hold()
    asked = {field: scene.start(visitor(field), decoder.picture, path, field=field) for field in "xyz"}
    scene.go()
    for field, future in asked.items():
        with pytest.raises(BadMedia) as caught:
            future.result(60)
        assert caught.value.field == field
    assert len(scene.begun()) == 1


def test_a_truncated_picture_is_decoded_once(tmp_path: Path) -> None:
    """Pillow raises an OSError, which is not an error of the disk."""
    path = tmp_path / "cut.png"
    Image.effect_noise((200, 200), 50).save(path)
    path.write_bytes(path.read_bytes()[:9000])
    with Decoder(requests_per_child=1) as decoder, pytest.raises(BadMedia) as first:
        decoder.picture(path)
    dying = (sys.executable, "-c", "raise SystemExit(1)")
    with Decoder(command=dying) as other, pytest.raises(BadMedia, match="damaged"):
        other.picture(path)  # not kept: the child died
    with Decoder(requests_per_child=2) as decoder:
        for _ in range(3):
            with pytest.raises(BadMedia) as again:
                decoder.picture(path)
            assert again.value.message == first.value.message
            assert len(decoder.pids()) == 1, "the child has answered once"


def test_an_error_of_the_disk_is_transient(tmp_path: Path) -> None:
    error = check.unreadable("a.png")
    error.__context__ = OSError(errno.EIO, "Input/output error")
    missing = check.missing("a.png")
    missing.__context__ = FileNotFoundError(errno.ENOENT, "No such file")
    assert child.is_transient(error) and child.is_transient(MemoryError())
    assert not child.is_transient(missing) and not child.is_transient(OSError("image file is truncated"))


@pytest.mark.parametrize("seed", range(5))
def test_every_slot_is_released(seed: int) -> None:
    """Threads that request, leave and fail in any order: never more run than there are slots, never two with
    one key, and in the end all slots are free."""
    slots, stop, lock = Slots(3, 4), threading.Event(), threading.Lock()
    at_work: list[object] = []
    rounds: list[int] = []

    def work(number: int) -> int:
        chance = random.Random(seed * 100 + number)
        refused = 0

        def check() -> None:
            if chance.random() < 0.1:
                raise JobCancelled("Cancelled.")

        while not stop.is_set():
            who = requester.Requester(f"v{number % 5}", chance.random() < 0.3, check)
            key, wait_seconds = chance.choice([None, "x", "y"]), chance.choice([0.0, 0.001, 60.0])
            try:
                with slots.slot(who, wait_seconds, key, lambda: chance.random() < 0.05) as mine:
                    if mine:
                        with lock:
                            assert len(at_work) < 3 and (key is None or key not in at_work)
                            at_work.append(key)
                        with lock:
                            at_work.remove(key)
                    if chance.random() < 0.1:
                        raise KeyError("a decoder's mistake")
            except (NoSlot, JobCancelled, KeyError):
                refused += 1
            rounds.append(number)
        return refused

    with ThreadPoolExecutor(12) as threads:
        running = [threads.submit(work, number) for number in range(12)]
        until(lambda: len(rounds) > 3000 or any(future.done() for future in running))
        stop.set()
        assert sum(future.result(60) for future in running)
    assert slots.waiting() == 0
    with contextlib.ExitStack() as stack:  # three at once, and no fourth
        assert all(stack.enter_context(slots.slot(requester.INTERNAL, 0.0)) for _ in range(3))
        with pytest.raises(NoSlot):
            stack.enter_context(slots.slot(requester.INTERNAL, 0.0))
    slots.close()
    with slots.slot(requester.INTERNAL) as mine:
        assert mine, "a request that need not wait is not refused"
