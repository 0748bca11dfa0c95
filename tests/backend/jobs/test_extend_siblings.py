"""Extending odd clips, with odd values, at odd moments, on other engines."""

from __future__ import annotations

import json
import math
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from backend import requester
from backend.errors import BadInput, BadMedia, EngineError, InputsGone, NotAllowed, NotFound
from backend.jobs.extensions import FRAMES
from backend.jobs.job import CANCELLED, DONE, FAILED
from backend.jobs.views import JobView
from backend.studio import Studio
from tests.support.extensions import CLIP, QUICK, extended, made, moving, with_svi
from tests.support.fake_engine import FakeEngine
from tests.support.media_files import tone, write_video
from tests.support.scripted import OWNER, SMALL, Make, ended, until

OTHER = "owner-token-of-another-02"
SOUNDS: dict[str, Any] = {
    "none": None, "mono": tone(2.0), "stereo": tone(2.0, channels=2), "short": tone(0.1), "long": tone(4.0),
    "silent": np.zeros((1, 44_100), np.float32),
}  # fmt: skip


def facts(path: Path) -> tuple[int, tuple[int, int], float, float]:
    """(frames, size, seconds of sound, frames a second) of a file, all decoded."""
    with av.open(str(path)) as container:
        pictures = [(frame.width, frame.height) for frame in container.decode(video=0)]
        rate = float(container.streams.video[0].average_rate or 0)
    heard = 0.0
    with av.open(str(path)) as container:
        if container.streams.audio:
            heard = sum(one.samples for one in container.decode(audio=0)) / 44_100
    return len(pictures), pictures[0], heard, rate


def result(studio: Studio, job: JobView) -> Path:
    return studio.result_path(job.id, job.key)


def with_file(
    studio: Studio, clip: JobView, count: int, size: tuple[int, int], rate: float, sound: Any
) -> None:
    """Puts another file in the place of a clip's result."""
    path = result(studio, clip)
    path.unlink()
    write_video(path, moving(count, size), rate, sound=sound)
    row = studio.store.get(clip.id)
    assert row is not None
    studio.store.save(replace(row, width=size[0], height=size[1], frames=count, fps=float(rate)))


@pytest.mark.deep
@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("svi", [False, True])
def test_very_short_clips(make: Make, engine: FakeEngine, picture: Path, frames: int, svi: bool) -> None:
    studio = make(with_svi(engine) if svi else engine)
    clip = made(studio, picture)
    with_file(studio, clip, frames, (64, 64), 16, None)
    job = extended(studio, clip)
    assert job.status == DONE, job.error
    assert facts(result(studio, job))[0] == job.frames == frames + 8
    assert [part.frames for part in job.parts] == [frames, 8]
    assert job.parts[1].route == ("svi" if svi and frames >= 5 else "last_frame")
    json.dumps(job.record(), allow_nan=False)


@pytest.mark.deep
@pytest.mark.parametrize("rate", [12, 16, 24, 25, 29.97, 30, 60])
@pytest.mark.parametrize("size", [(64, 64), (98, 66), (66, 130)])
def test_other_rates_and_sizes(
    make: Make, engine: FakeEngine, picture: Path, rate: float, size: tuple[int, int]
) -> None:
    studio = make()
    clip = made(studio, picture)
    with_file(studio, clip, 12, size, rate, tone(1.0))
    job = extended(studio, clip)
    assert job.status == DONE, job.error
    frames, found, _, own = facts(result(studio, job))
    new = round(8 * rate / 16)
    assert found == size and frames == job.frames == 12 + new and own == pytest.approx(rate, abs=0.01)
    longer = extended(studio, job, frame=-1)
    assert longer.status == DONE and facts(result(studio, longer))[0] == 12 + 2 * new
    cut = extended(studio, job, frame=13)
    assert [part.frames for part in cut.parts] == [12, 2, new] and facts(result(studio, cut))[0] == 14 + new
    said = {16: set(), 12: {"extend_thinned"}}.get(rate, {"extend_retimed"})
    assert said == {"extend_thinned", "extend_retimed"} & set(job.record()["warning_codes"])


@pytest.mark.deep
@pytest.mark.parametrize("sound", SOUNDS)
@pytest.mark.parametrize("frame", [-1, 0, 5])
def test_sounds(make: Make, engine: FakeEngine, picture: Path, sound: str, frame: int) -> None:
    studio = make()
    clip = made(studio, picture)
    with_file(studio, clip, 16, (64, 64), 16, SOUNDS[sound])
    job = extended(studio, clip, frame=frame)
    assert job.status == DONE, job.error
    frames, _, heard, _ = facts(result(studio, job))
    kept = 16 if frame < 0 else frame + 1
    assert frames == kept + 8
    if sound == "none":
        assert heard == 0
    else:
        whole = 0.1 if sound == "short" else kept / 16
        assert heard == pytest.approx(min(whole, kept / 16), abs=0.1)
    again = ended(studio, studio.reroll(OWNER, job.id, job.key, 2))
    assert again.status == DONE and (facts(result(studio, again))[2] > 0) == (sound != "none")


@pytest.mark.deep
def test_what_else_is_refused(make: Make, engine: FakeEngine, picture: Path, tmp_path: Path) -> None:
    studio = make()
    clip = made(studio, picture)
    bad: dict[str, tuple[Any, ...]] = {
        "seconds": (15.1, math.nan, math.inf, "5", -1, 0, None, True, [5]),
        "frame": (-2, 10**30, "last", 1.5, math.nan, math.inf, None, True, [1]),
        "method": ("", None, ["svi"], {}, "SVI"),
        "prompt": ("x" * 5000, ["a"]),
        "seed": ("7", 1.5, math.nan, True, 2**53),
    }
    before = set(studio.settings.data_dir.rglob("*"))
    for field, values in bad.items():
        for value in values:
            with pytest.raises(BadInput) as caught:
                studio.extend(OWNER, clip.id, clip.key, **{**QUICK, field: value})
            assert caught.value.field == field, (field, value, caught.value)
            if field in ("frame", "seconds", "method"):
                plan = studio.extend_plan(OWNER, clip.id, clip.key, **{field: value})
                assert [one.arg("field") for one in plan.problems] == [field], (field, value)
    text = tmp_path / "end.png"
    text.write_text("not a picture")
    with pytest.raises(BadMedia) as unreadable:
        studio.extend(OWNER, clip.id, clip.key, **QUICK, end_image=text)
    assert unreadable.value.field == "end_image"
    assert set(studio.settings.data_dir.rglob("*")) == before
    assert extended(studio, clip, seconds=0.25).frames == 13
    assert extended(studio, clip, seconds=15).frames == 9 + 240
    assert extended(studio, clip, frame=3.0).frames == 12, "a whole number of JSON"


@pytest.mark.deep
def test_what_was_never_made(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    engine.error = EngineError("Out of tricks.", "Rest.")
    failed = made(studio, picture)
    engine.error = None
    engine.hold.clear()
    running = studio.submit(OWNER, "image_to_video", CLIP, {"image": picture})
    assert engine.drawing.wait(60)
    studio.cancel(running.id, running.key)
    engine.hold.set()
    cancelled = ended(studio, running)
    picture_row = studio.store.get(made(studio, picture).id)
    assert picture_row is not None
    studio.store.save(replace(picture_row, mode="text_to_image"))
    still = next(one for one in studio.jobs(OWNER) if one.mode == "text_to_image")
    for job, status, code in (
        (failed, FAILED, "source_not_made"), (cancelled, CANCELLED, "source_not_made"),
        (still, DONE, "extend_picture"),
    ):  # fmt: skip
        assert job.status == status, job.error
        with pytest.raises(BadInput) as caught:
            studio.extend(OWNER, job.id, job.key, **QUICK)
        assert caught.value.why.code == code and caught.value.field == "id"
        assert studio.extend_plan(OWNER, job.id, job.key).problems


@pytest.mark.deep
def test_a_loop_goes_on_and_is_none_then(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    clip = made(studio, picture, loop=True)
    assert clip.frames == 8 and clip.seam is not None
    job = extended(studio, clip)
    assert job.status == DONE and job.frames == 16 and job.seam is None
    assert "loop" not in studio.job(job.parts[1].id, job.parts[1].key).params
    again = ended(studio, studio.reroll(OWNER, job.id, job.key, 1))
    assert again.status == DONE and again.frames == 16
    child = studio.job(again.parts[0].id, again.parts[0].key)
    assert child.params["loop"] is True


@pytest.mark.deep
def test_a_part_goes_on_by_itself(make: Make, engine: FakeEngine, picture: Path) -> None:
    for number, svi in enumerate((False, True)):
        studio = make(with_svi(engine) if svi else engine, WAN_DATA_DIR=str(picture.parent / f"d{number}"))
        job = extended(studio, made(studio, picture))
        part = studio.job(job.parts[1].id, job.parts[1].key)
        longer = extended(studio, part)
        assert longer.status == DONE and longer.frames == part.frames + 8
        studio.close()


@pytest.mark.deep
def test_a_part_that_was_cut_is_drawn_again_as_long(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    second = extended(studio, made(studio, picture))
    third = extended(studio, second, frame=12)
    assert [part.frames for part in third.parts] == [9, 4, 8]
    again = ended(studio, studio.reroll(OWNER, third.id, third.key, 2))
    assert [part.frames for part in again.parts] == [9, 4, 8] and again.parts[2].stale
    assert facts(result(studio, again))[0] == 21
    last = ended(studio, studio.reroll(OWNER, second.id, second.key, -1))
    assert [part.frames for part in last.parts] == [9, 8]
    begin = extended(studio, second, frame=0)
    assert [part.frames for part in begin.parts] == [1, 8]
    assert [part.frames for part in ended(studio, studio.reroll(OWNER, begin.id, begin.key, 1)).parts] == [
        1,
        8,
    ]


@pytest.mark.deep
def test_parts_that_do_not_exist(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    job = extended(studio, made(studio, picture))
    for part in (0, 3, -2, 1.5, "2", None, True, math.nan, 10**20):
        with pytest.raises(BadInput) as caught:
            studio.reroll(OWNER, job.id, job.key, part)  # type: ignore[arg-type]
        assert caught.value.field == "part", part
    for values in ({"prompt": "x" * 5000}, {"prompt": 5}, {"seed": -5}, {"seed": "7"}):
        with pytest.raises(BadInput) as caught:
            studio.reroll(OWNER, job.id, job.key, 2, **values)
        assert caught.value.field in values
    (studio.settings.jobs_dir / job.id / "parts" / "2").unlink()
    with pytest.raises(InputsGone):
        studio.reroll(OWNER, job.id, job.key, 1)


@pytest.mark.deep
def test_two_minutes_of_parts_of_five_seconds(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    clip = made(studio, picture)
    row = studio.store.get(clip.id)
    assert row is not None
    studio.store.save(replace(row, frames=81 + 22 * 80))
    assert studio.extend_plan(OWNER, clip.id, clip.key, seconds=5.0).problems == ()
    assert studio.extend_plan(OWNER, clip.id, clip.key, seconds=5.25).problems
    studio.store.save(replace(row, frames=round(119.75 * 16)))
    assert studio.extend_plan(OWNER, clip.id, clip.key, seconds=0.25).problems == ()
    (full,) = studio.extend_plan(OWNER, clip.id, clip.key, seconds=1.0).problems
    assert full.arg("field") == "seconds"


@pytest.mark.deep
def test_settings_stay_when_a_part_is_drawn_again(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make(with_svi(engine))
    names = list(engine.contract().nodes["LoraLoaderModelOnly"].inputs["lora_name"].options or ())
    own = [{"name": names[0], "strength": 0.7}]
    clip = made(studio, picture, negative_prompt="Blur", motion="dynamic", loras=own, nag="off")
    job = extended(studio, clip, prompt="  It turns ")
    assert job.status == DONE, job.error
    again = ended(studio, studio.reroll(OWNER, job.id, job.key, 2))
    first, second = (studio.job(one.parts[1].id, one.parts[1].key) for one in (job, again))
    assert first.params["loras"][0]["name"] == names[0] and first.params["negative_prompt"] == "Blur"
    changed = {n for n in {*first.params, *second.params} if first.params.get(n) != second.params.get(n)}
    assert changed == {"seed"} and first.resolved == second.resolved
    assert job.parts[1].prompt == first.params["prompt"] == again.parts[1].prompt
    blank = extended(studio, job, prompt=" \n ")
    assert blank.parts[2].prompt == job.parts[1].prompt


@pytest.mark.deep
def test_a_request_that_is_sent_again(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    clip = made(studio, picture)

    def asked(**values: Any) -> str:
        with requester.attempt("the-same-request"):
            return studio.extend(OWNER, clip.id, clip.key, **{**QUICK, **values}).id

    found = [asked(), asked(), asked(seed=1), asked(seed=1), asked(seed=2), asked(frame=3), asked(prompt="B")]
    assert found[0] == found[1] and found[2] == found[3] and len(set(found)) == 5
    for one in set(found):
        until(lambda one=one: studio.store.get(one).status == DONE)
    job = extended(studio, clip)

    def again(**values: Any) -> str:
        with requester.attempt("another-request"):
            return studio.reroll(OWNER, job.id, job.key, 2, **values).id

    assert len({again(), again(), again(seed=4), again(seed=4), again(prompt="C")}) == 3
    until(lambda: not studio.store.unfinished())


@pytest.mark.deep
def test_a_cancel_during_the_join(
    make: Make, engine: FakeEngine, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = make()
    clip = made(studio, picture)
    real, begun, free = studio.decoder.extension, threading.Event(), threading.Event()

    def slow(*args: Any, **kwargs: Any) -> Any:
        begun.set()
        free.wait(60)
        return real(*args, **kwargs)

    monkeypatch.setattr(studio.decoder, "extension", slow)
    job = studio.extend(OWNER, clip.id, clip.key, **QUICK)
    assert begun.wait(60)
    studio.cancel(job.id, job.key)
    free.set()
    job = ended(studio, job)
    assert job.status == CANCELLED
    until(lambda: not (studio.settings.jobs_dir / job.id / "work").exists())
    assert not (studio.settings.jobs_dir / job.id / "result.mp4").exists()
    assert result(studio, clip).is_file()


@pytest.mark.deep
def test_pin_undo_and_totals(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    clip = made(studio, picture)
    job = extended(studio, clip)
    count, size = studio.totals(OWNER)
    assert count == 2
    sizes = sum(
        (studio.settings.jobs_dir / one / "result.mp4").stat().st_size
        for one in (clip.id, job.id, job.parts[1].id)
    )
    assert size == sizes
    assert studio.pin(OWNER, job.id, job.key, True).pinned
    studio.delete(OWNER, job.id, job.key, undo=True)
    with pytest.raises(NotFound):
        studio.reroll(OWNER, job.id, job.key, 2)
    assert [one.id for one in studio.jobs(OWNER)] == [clip.id]
    studio.undo_delete(OWNER, job.id, job.key)
    assert ended(studio, studio.reroll(OWNER, job.id, job.key, 2)).status == DONE
    studio.delete(OWNER, clip.id, clip.key, undo=True)
    with pytest.raises(NotFound):
        studio.extend(OWNER, clip.id, clip.key, **QUICK)
    assert studio.result_path(job.id, job.key).is_file()


@pytest.mark.deep
def test_a_private_link_makes_nothing(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    job = extended(studio, made(studio, picture))
    for call in (
        lambda: studio.extend(OTHER, job.id, job.key), lambda: studio.reroll(OTHER, job.id, job.key, 1),
        lambda: studio.extend_plan(OTHER, job.id, job.key), lambda: studio.extend("", job.id, job.key),
        lambda: studio.pin(OTHER, job.id, job.key, True), lambda: studio.delete(OTHER, job.id, job.key),
    ):  # fmt: skip
        with pytest.raises(NotAllowed):
            call()
    assert studio.job(job.id, job.key).status == DONE


class Whole(FakeEngine):
    """An endpoint that takes whole jobs and does not describe its nodes."""

    def __init__(self, address: str = "https://api.runpod.ai/v2/x") -> None:
        super().__init__(address)
        self.kind = "runpod"

    def contract(self) -> Any:
        return None

    known_contract = contract


@pytest.mark.deep
def test_a_worker_draws_the_part(make: Make, picture: Path) -> None:
    worker = Whole()
    studio = make(worker)
    clip = made(studio, picture)
    plan = studio.extend_plan(OWNER, clip.id, clip.key)
    assert plan.route == "last_frame" and plan.problems == ()
    job = extended(studio, clip, end_image=picture)
    assert job.status == DONE, job.error
    sent = worker.prompts[-1].request
    assert sent is not None and set(sent.media) == {"image", "end_image"} and sent.mode == "image_to_video"
    assert (sent.params["width"], sent.params["height"]) == (64, 64)
    assert ended(studio, studio.reroll(OWNER, job.id, job.key, 2)).status == DONE
    assert ended(studio, studio.reroll(OWNER, job.id, job.key, 1)).status == DONE
    with pytest.raises(BadInput):
        studio.extend(OWNER, clip.id, clip.key, **QUICK, method="svi")


@pytest.mark.deep
def test_of_two_servers_the_one_with_svi_draws_it(make: Make, picture: Path) -> None:
    bare, able = FakeEngine("http://bare"), with_svi(FakeEngine("http://able"))
    studio = make(bare, able)
    clip = made(studio, picture)
    for _ in range(3):
        job = extended(studio, clip)
        assert job.status == DONE and job.parts[1].route == "svi", job.error
        assert any("SVIPro" in str(one.graph) for one in able.prompts)
    assert not any("SVIPro" in str(one.graph) for one in bare.prompts)
    able.state = "lost"
    until(lambda: studio.extend_plan(OWNER, clip.id, clip.key).route == "last_frame")
    assert extended(studio, clip).parts[1].route == "last_frame"


@pytest.mark.deep
def test_the_final_of_a_part(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make(with_svi(engine))
    job = extended(studio, made(studio, picture))
    with pytest.raises(BadInput):
        studio.finish(OWNER, job.id, job.key)
    part = studio.job(job.parts[1].id, job.parts[1].key)
    final = ended(studio, studio.finish(OWNER, part.id, part.key, resolution="480p"))
    assert final.status == DONE and (final.width, final.height) == (624, 624), final.error
    assert any(n["class_type"] == "WanImageToVideoSVIPro" for n in engine.prompts[-1].graph.values())


@pytest.mark.deep
def test_frames_of_a_killed_submit_are_removed(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make(start=False)
    left = studio.settings.data_dir / f"{FRAMES}abc"
    left.mkdir()
    (left / "clip").write_bytes(b"x")
    studio.start()
    assert not left.exists() and studio.settings.jobs_dir.is_dir()


@pytest.mark.deep
def test_other_modes(make: Make, engine: FakeEngine, picture: Path, tone: Path) -> None:
    studio = make()
    words = {"prompt": "A boat", "seed": 3, **SMALL}
    video = ended(studio, studio.submit(OWNER, "text_to_video", {**words, "speed": "fast", "seconds": 1}, {}))
    quick = ended(studio, studio.submit(OWNER, "fast_video", words, {"image": picture}))
    heard = ended(
        studio,
        studio.submit(
            OWNER,
            "sound_to_video",
            {"prompt": "Sings", "width": 64, "height": 64, "duration": 1, "seed": 3},
            {"audio": tone},
        ),
    )
    loop = ended(
        studio,
        studio.submit(OWNER, "text_to_video", {**words, "speed": "fast", "seconds": 1, "loop": True}, {}),
    )
    for clip in (video, quick, heard, loop):
        assert clip.status == DONE, (clip.mode, clip.error)
        job = extended(studio, clip)
        assert job.status == DONE, (clip.mode, job.error)
        assert job.mode == clip.mode and job.frames == clip.frames + 8
        again = ended(studio, studio.reroll(OWNER, job.id, job.key, 1))
        assert again.status == DONE, (clip.mode, again.error)
        assert again.parts[1].stale and again.frames == job.frames
        json.dumps(again.record(), allow_nan=False)


@pytest.mark.deep
def test_retention_of_the_source_alone(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    clip = made(studio, picture)
    job = extended(studio, clip)
    row = studio.store.get(clip.id)
    assert row is not None
    studio.retention.remove(row)
    studio.retention.run_once()
    assert not (studio.settings.jobs_dir / clip.id).exists()
    longer = extended(studio, job)
    assert longer.status == DONE
    assert ended(studio, studio.reroll(OWNER, job.id, job.key, 1)).status == DONE
