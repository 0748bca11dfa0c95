"""Jobs that start from the results of other jobs, finished or not, from submit to end and cancel."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from backend.engines.base import Prompt
from backend.errors import BadInput, DiskFull, EngineError, NotAllowed, NotFound, QueueFull
from backend.events import Output
from backend.jobs.family import Family, Part
from backend.jobs.job import CANCELLED, DONE, FAILED, QUEUED, VARIATIONS, PartResult, ResultOf
from backend.jobs.limits import Limits
from backend.jobs.views import JobView
from backend.studio import Studio
from tests.support.fake_engine import FakeEngine, write_video
from tests.support.scripted import OWNER, SOUND, Make, ended, until

pytestmark = pytest.mark.full
SHORT = {"width": 64, "height": 64, "seconds": 0.25, "prompt": "A boat on a lake", "seed": 5}
OTHER = "owner-token-of-another-1"


def first(studio: Studio, picture: Path, **values: Any) -> JobView:
    return studio.submit(OWNER, "image_to_video", {**SHORT, **values}, {"image": picture})


def after(studio: Studio, source: JobView, frame: int = -1, **values: Any) -> JobView:
    """The next clip, from a frame of another one."""
    of = ResultOf(source.id, frame, source.key)
    return studio.submit(OWNER, "image_to_video", {**SHORT, "prompt": "", **values}, {"image": of})


def chain(count: int, picture: Path) -> Family:
    parts = [Part("image_to_video", {**SHORT, "seed": 1}, {"image": picture})]
    parts += [
        Part("image_to_video", {**SHORT, "seed": number}, {"image": PartResult(number - 1)})
        for number in range(2, count + 1)
    ]
    return Family(OWNER, VARIATIONS, parts)


def stored(studio: Studio, job: JobView, name: str = "image") -> Path:
    return studio.settings.jobs_dir / job.id / "inputs" / name


def test_a_job_waits_for_the_result_that_it_starts_from(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    studio = make()
    engine.hold.clear()
    source = first(studio, picture)
    assert engine.drawing.wait(60)
    job = after(studio, source)
    assert job.awaited == (source.id,) and job.record()["results"] == {
        "image": {"id": source.id, "frame": -1}
    }
    progress = studio.progress(job.id, job.key, OWNER)
    assert progress.status == QUEUED and progress.waits is not None
    assert progress.text == 'Waiting for "A boat on a lake", which this starts from'
    for other in ("", OTHER, "no token"):  # by a private link: nothing of the other clip's prompt
        for seen in (studio.progress(job.id, job.key, other), studio.live_progress(job.id, job.key, other)):
            assert seen is not None and seen.status == QUEUED and "boat" not in repr(seen)
            assert seen.text == "Waiting for another video, which this starts from"
    later = first(studio, picture, seed=9)
    assert [row.job.id for row in studio.queue_rows(OWNER) if row.job] == [source.id, later.id, job.id]
    engine.hold.set()
    assert ended(studio, job).status == DONE and studio.job(job.id, job.key).awaited == ()
    order = [prompt.graph for prompt in engine.prompts]
    assert [_seed(graph) for graph in order].count(5) == 2, "neither is made twice"
    with Image.open(stored(studio, job)) as frame:
        assert frame.size == (64, 64)
    assert not (studio.settings.jobs_dir / job.id / "sources").exists()
    again = ended(studio, after(studio, source, 0, seed=6))
    assert again.status == DONE and again.record()["results"] == {"image": {"id": source.id, "frame": 0}}
    assert list(studio.sources(OWNER, again.id, again.key)) == ["image"]


def _seed(graph: dict[str, Any]) -> int:
    return next(node["inputs"]["noise_seed"] for node in graph.values() if "noise_seed" in node["inputs"])


@pytest.mark.deep
def test_the_result_lives_on_in_the_job_that_starts_from_it(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    """The source is deleted while the other one waits for its turn, and before it is linked."""
    studio = make(limits=Limits(undo=3600))
    source = ended(studio, first(studio, picture))
    engine.hold.clear()
    busy = first(studio, picture, seed=8)
    assert engine.drawing.wait(60)
    job = studio.submit(
        OWNER, "animate", {"width": 64, "height": 64, "prompt": "A boat", "seed": 3},
        {"image": picture, "video": ResultOf(source.id, key=source.key)},
    )  # fmt: skip
    kept, result = stored(studio, job, "video"), studio.result_path(source.id, source.key)
    assert kept.stat().st_ino == result.stat().st_ino, "a hard link"
    studio.delete(OWNER, source.id, source.key)
    engine.hold.set()
    assert ended(studio, busy).status == DONE
    done = ended(studio, job)
    assert done.status == DONE, done.error
    assert "video" in studio.sources(OWNER, job.id, job.key)


def test_a_result_is_linked_before_it_is_removed(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    engine.hold.clear()
    source, other = first(studio, picture), first(studio, picture, seed=6)
    job = studio.submit(
        OWNER, "image_to_video", SHORT,
        {"image": ResultOf(source.id, key=source.key), "end_image": ResultOf(other.id, 0, other.key)},
    )  # fmt: skip
    engine.script = lambda prompt, _: engine.hold.clear() if _seed(prompt.graph) == 6 else None
    engine.hold.set()
    assert ended(studio, source).status == DONE
    studio.delete(OWNER, source.id, source.key)
    assert studio.job(job.id, job.key).status == QUEUED
    engine.script = None
    engine.hold.set()
    assert ended(studio, job).status == DONE
    assert not (studio.settings.jobs_dir / source.id).exists()


@pytest.mark.parametrize(("how", "status", "code"), [
    pytest.param("fails", FAILED, "source_failed", marks=pytest.mark.deep),
    pytest.param("is cancelled", CANCELLED, "source_cancelled", marks=pytest.mark.deep),
    pytest.param("is gone", FAILED, "source_gone", marks=pytest.mark.deep),
    ("is damaged", FAILED, "source_unreadable"),
])  # fmt: skip
def test_a_source_without_a_result_ends_what_waits_for_it(
    make: Make, engine: FakeEngine, picture: Path, how: str, status: str, code: str
) -> None:
    studio = make()
    engine.hold.clear()
    source = first(studio, picture)
    assert engine.drawing.wait(60)
    job = after(studio, source)
    last = after(studio, job)
    if how == "fails":
        engine.error = EngineError("Out of tricks.")
    elif how == "is cancelled":
        studio.cancel(source.id, source.key)
    elif how == "is gone":
        engine.script = None
        studio.scheduler._awaited._linking.acquire()
    result = studio.settings.jobs_dir / source.id / "result.mp4"
    if how == "is damaged":
        studio.scheduler._awaited._linking.acquire()
    engine.hold.set()
    ended(studio, source)
    if how == "is gone":
        result.unlink()
        studio.scheduler._awaited._linking.release()
    if how == "is damaged":
        result.write_bytes(result.read_bytes()[:300])
        studio.scheduler._awaited._linking.release()
    for one in (job, last):
        done = ended(studio, one)
        assert done.status == (status if one is job or status == CANCELLED else FAILED)
        assert done.error is not None and done.error["message"]
    first_error = studio.job(job.id, job.key).error
    assert first_error is not None and first_error["code"] == "source_failed"
    assert first_error["reason"]["code"] == code and "{" not in first_error["message"]
    assert not studio.store.unfinished()


def test_results_that_cannot_be_an_input_are_refused(
    make: Make, engine: FakeEngine, picture: Path, tone: Path
) -> None:
    studio = make()
    before = set(studio.settings.jobs_dir.iterdir())
    engine.hold.clear()
    source = first(studio, picture)
    still = studio.submit(OWNER, "text_to_image", {"prompt": "A boat", "width": 64, "height": 64}, {})
    of = ResultOf(source.id, key=source.key)
    with pytest.raises(NotFound):
        studio.submit(OWNER, "image_to_video", SHORT, {"image": ResultOf(source.id, key="wrong")})
    with pytest.raises(NotAllowed):
        studio.submit(OTHER, "image_to_video", SHORT, {"image": of})
    with pytest.raises(BadInput) as beyond:
        after(studio, source, 5)
    assert beyond.value.field == "image" and "5 frames" in beyond.value.message
    for frame in (-2, 1.5, True, "0"):
        with pytest.raises(BadInput):
            after(studio, source, frame)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="no sound"):
        studio.submit(OWNER, "sound_to_video", {"prompt": "x"}, {"audio": of, "image": picture})
    with pytest.raises(BadInput, match="picture cannot be used"):
        studio.submit(
            OWNER, "animate", {"prompt": "x"}, {"image": picture, "video": ResultOf(still.id, key=still.key)}
        )
    with pytest.raises(BadInput):
        studio.submit(OWNER, "image_to_video", SHORT, {"image": picture, "sparkle": of})
    left = set(studio.settings.jobs_dir.iterdir()) - before
    assert {folder.name for folder in left} == {source.id, still.id}, "nothing is left of a refused job"
    studio.cancel(source.id, source.key)
    ended(studio, source)
    with pytest.raises(BadInput, match="failed or was cancelled"):
        after(studio, source)


@pytest.mark.parametrize("unfinished", [pytest.param(False, marks=pytest.mark.deep), True])
def test_sound_and_driving_video_of_another_job(
    make: Make,
    engine: FakeEngine,
    picture: Path,
    tone: Path,
    unfinished: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The sound of a video becomes the sound of the next one; a video moves another person."""
    studio = make()
    silent = engine.fetch

    def with_sound(output: Output, destination: Path) -> None:
        """As the graph of a short clip has it."""
        silent(output, destination)
        studio.decoder.join([destination], destination.with_suffix(".joined"), tone)
        destination.with_suffix(".joined").replace(destination)

    monkeypatch.setattr(engine, "fetch", with_sound)
    values = {**SOUND, "duration": 1.0}
    if unfinished:
        engine.hold.clear()
    spoken = studio.submit(OWNER, "sound_to_video", values, {"audio": tone, "image": picture})
    if not unfinished:
        ended(studio, spoken)
    of = ResultOf(spoken.id, key=spoken.key)
    sung = studio.submit(OWNER, "sound_to_video", values, {"audio": of, "image": picture})
    moved = studio.submit(OWNER, "animate", {**SHORT, "seconds": 0.5}, {"image": picture, "video": of})
    engine.hold.set()
    for job in (spoken, sung, moved):
        done = ended(studio, job)
        assert done.status == DONE, (job.mode, done.error)
    heard, seen = (studio.settings.jobs_dir / job.id / "inputs" for job in (sung, moved))
    result = studio.result_path(spoken.id, spoken.key)
    assert (heard / "audio").stat().st_ino == (seen / "video").stat().st_ino == result.stat().st_ino
    graphs = [prompt.graph for prompt in engine.prompts[1:]]
    assert all(any(node["class_type"] == "LoadAudio" for node in graph.values()) for graph in graphs)


def test_a_chain_is_submitted_as_one(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    parent = studio.submit_family(chain(3, picture))
    done = ended(studio, parent)
    assert done.status == DONE and [child.status for child in done.children] == [DONE] * 3
    parts = [studio.job(child.id, child.key) for child in done.children]
    assert [tuple(of.job for of in part.results.values()) for part in parts] == [
        (), (parts[0].id,), (parts[1].id,)
    ]  # fmt: skip
    assert [_seed(prompt.graph) for prompt in engine.prompts] == [1, 2, 3]
    assert studio.sources(OWNER, parent.id, parent.key)


def test_a_family_that_is_refused_leaves_nothing(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make(WAN_MAX_QUEUED_PER_OWNER="4")
    before = set(studio.settings.jobs_dir.iterdir())
    with pytest.raises(BadInput, match="500"):
        studio.submit_family(chain(500, picture))
    with pytest.raises(BadInput):
        studio.submit_family(Family(OWNER, VARIATIONS, []))
    with pytest.raises(QueueFull):
        studio.submit_family(chain(5, picture))
    ahead = Part("image_to_video", SHORT, {"image": PartResult(2)})
    with pytest.raises(BadInput):
        studio.submit_family(Family(OWNER, VARIATIONS, [ahead, ahead]))
    good = Part("image_to_video", SHORT, {"image": picture})
    with pytest.raises(BadInput):
        studio.submit_family(Family(OWNER, VARIATIONS, [good, Part("image_to_video", {"steps": 0}, {})]))
    assert studio.store.summaries() == [] and set(studio.settings.jobs_dir.iterdir()) == before


def test_a_cancel_of_one_part_ends_those_after_it(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    engine.script = lambda prompt, _: engine.hold.clear() if _seed(prompt.graph) == 2 else None
    parent = studio.submit_family(chain(4, picture))
    until(lambda: len(engine.prompts) == 2 and engine.drawing.is_set())
    second = parent.children[1]
    studio.cancel(second.id, second.key)
    done = ended(studio, parent)
    assert done.status == DONE and [child.status for child in done.children] == [DONE, *[CANCELLED] * 3]
    assert len(engine.prompts) == 2 and not studio.store.unfinished()


@pytest.mark.deep
def test_a_cancel_of_a_chain_ends_all_of_it(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    engine.hold.clear()
    parent = studio.submit_family(chain(4, picture))
    assert engine.drawing.wait(60)
    studio.cancel(parent.id, parent.key)
    assert ended(studio, parent).status == CANCELLED
    until(lambda: not studio.store.unfinished())
    assert {studio.job(one.id, one.key).status for one in parent.children} == {CANCELLED}
    assert not list(studio.settings.jobs_dir.rglob("*.mp4"))


@pytest.mark.deep
def test_a_full_disk_delays_the_link(
    make: Make, engine: FakeEngine, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = make(limits=Limits(room=0.05))
    real, calls = studio.decoder.frame, []

    def full_once(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise DiskFull.of("no_room_video")
        return real(*args, **kwargs)

    monkeypatch.setattr(studio.decoder, "frame", full_once)
    engine.hold.clear()
    source = first(studio, picture)
    job = after(studio, source)
    engine.hold.set()
    assert ended(studio, job).status == DONE and len(calls) == 2


@pytest.mark.deep
def test_variations_of_a_result_share_its_name(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    engine.hold.clear()
    source = first(studio, picture)
    of = ResultOf(source.id, key=source.key)
    parent = studio.submit(OWNER, "image_to_video", SHORT, {"image": of}, variations=2)
    engine.hold.set()
    done = ended(studio, parent)
    assert done.status == DONE and len(done.children) == 2
    loaded = [_loaded(prompt) for prompt in engine.prompts[1:]]
    assert len(set(loaded)) == 1 and loaded[0] != _loaded(engine.prompts[0])
    assert studio.sources(OWNER, parent.id, parent.key), "the parent has the inputs of its children"


def _loaded(prompt: Prompt) -> str:
    return next(
        node["inputs"]["image"] for node in prompt.graph.values() if node["class_type"] == "LoadImage"
    )


@pytest.mark.deep
def test_a_forged_circle_ends_with_a_sentence(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    engine.state = "lost"
    source = first(studio, picture)
    one, two = after(studio, source), after(studio, source)
    studio.close()
    with sqlite3.connect(studio.settings.database) as database:
        for job, of in ((one, two), (two, one)):
            database.execute(
                "UPDATE job SET inputs = replace(inputs, ?, ?) WHERE id = ?", (source.id, of.id, job.id)
            )
    database.close()
    engine.state, engine.closed = "ok", False
    second = make()
    for job in (one, two):
        done = ended(second, job)
        assert done.status == FAILED and done.error and done.error["reason"]["code"] == "source_circular"
    assert ended(second, source).status == DONE


def test_a_frame_of_a_video(make: Make, engine: FakeEngine, tmp_path: Path) -> None:
    studio = make(start=False)
    write_video(tmp_path / "a.mp4", 64, 48, 9)
    for number, grey in ((0, 0), (4, 4), (-1, 8)):
        studio.decoder.frame(tmp_path / "a.mp4", tmp_path / "frame", number)
        with Image.open(tmp_path / "frame") as found:
            assert found.format == "PNG" and found.size == (64, 48)
            assert abs(found.convert("L").getpixel((9, 9)) - grey) <= 2
    with pytest.raises(BadInput, match="9 frames"):
        studio.decoder.frame(tmp_path / "a.mp4", tmp_path / "frame", 9)
