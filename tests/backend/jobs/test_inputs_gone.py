"""What a cancelled or failed job was made from goes; the page and the studio say so and nothing breaks."""

from __future__ import annotations

import asyncio
import os
import time
import wave
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from backend.errors import GraphRejected, InputsGone, OverQuota, StudioError
from backend.jobs.job import DONE, Job
from backend.jobs.views import JobView
from backend.storage.retention_policy import DAY
from backend.studio import Studio
from tests.support.fake_engine import FakeEngine
from tests.support.scripted import OWNER, Make, ended, until
from tests.support.small_disk import small_disk
from ui import page as layout
from ui.actions.again import Again
from ui.actions.stage import Stage
from ui.api.calls import asked
from ui.forms.page_files import PageFiles
from ui.job_card import Card

SMALL = {"width": 64, "height": 64, "seconds": 0.5, "seed": 7}
SPOKEN = {"width": 64, "height": 64, "seed": 7}
OTHER = "owner-token-of-another-01"


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    """Five seconds of noise, 480 kB."""
    path = tmp_path / "tone.wav"
    write_noise(path)
    return path


def write_noise(path: Path) -> None:
    """Another sound each time: equal files would be stored once."""
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(48_000)
        sound.writeframes(os.urandom(5 * 2 * 48_000))


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the page says in toasts."""
    found: list[str] = []
    monkeypatch.setattr(gr, "Warning", found.append)
    return found


def draw(studio: Studio, picture: Path, owner: str = OWNER, earlier: JobView | None = None) -> JobView:
    return studio.submit(owner, "image_to_video", SMALL, {"image": picture}, earlier)


def inputs(studio: Studio, job: JobView) -> Path:
    return studio.settings.jobs_dir / job.id / "inputs"


def a_day_later(studio: Studio, job: JobView) -> None:
    """The job ended 25 hours ago, and housekeeping has looked."""
    stored = studio.store.get(job.id)
    assert stored is not None
    studio.store.save(replace(stored, finished=time.time() - DAY - 3600))
    studio.retention.run_once()


def test_a_cancelled_job_keeps_no_files(make: Make, engine: FakeEngine, picture: Path, tone: Path) -> None:
    engine.hold.clear()
    studio = make()
    running, waiting = draw(studio, picture), draw(studio, picture)
    spoken = studio.submit(OWNER, "sound_to_video", SPOKEN, {"audio": tone, "image": picture})
    assert engine.drawing.wait(60)
    for job in (waiting, spoken, running):
        assert inputs(studio, job).is_dir()
        studio.cancel(job.id, job.key)
    engine.hold.set()
    for job, names in ((waiting, ["image"]), (spoken, ["audio", "image"]), (running, ["image"])):
        assert ended(studio, job, 60).status == "cancelled"
        folder = studio.settings.jobs_dir / job.id
        assert {path.name for path in folder.iterdir()} <= {"workflow.json"}, "before anybody is told"
        for name in names:
            with pytest.raises(InputsGone) as gone:
                studio.input_path(job.id, job.key, name)
            assert gone.value.code == "inputs_gone" and gone.value.hint
    assert studio.input_path(waiting.id, waiting.key, "end_image") is None, "it never had one"


def test_an_end_that_is_written_late_clears_the_files_then(
    make: Make, engine: FakeEngine, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.state = "starting"
    studio = make()
    job = draw(studio, picture)
    save = studio.store.save

    def full(_: Job) -> None:
        raise StudioError("The disk is full.")

    monkeypatch.setattr(studio.store, "save", full)
    studio.cancel(job.id, job.key)
    assert inputs(studio, job).is_dir(), "on disk it still waits: a start now would make it"
    monkeypatch.setattr(studio.store, "save", save)
    until(lambda: not inputs(studio, job).exists(), 60)


def again(studio: Studio) -> Again:
    return Again(studio, PageFiles(studio), Stage(studio, Card(studio, [])))


def test_start_again_on_a_cancelled_job_is_a_sentence(
    make: Make, engine: FakeEngine, picture: Path, tone: Path, said: list[str]
) -> None:
    engine.state = "starting"
    studio = make()
    actions = again(studio)
    drawn = draw(studio, picture)
    spoken = studio.submit(OWNER, "sound_to_video", SPOKEN, {"audio": tone, "image": picture})
    words = studio.submit(OWNER, "text_to_video", {**SMALL, "prompt": "A boat"}, {})
    for number, job in enumerate((drawn, spoken), 1):
        cancelled = studio.cancel(job.id, job.key)
        assert actions.submit(OWNER, cancelled, {}) is None
        assert len(said) == number and "no longer stored" in said[-1] and "Add the files" in said[-1]
    started = actions.submit(OWNER, studio.cancel(words.id, words.key), {})
    assert started is not None and started.status == "queued", "one without files is started again"
    assert draw(studio, picture).status == "queued"


def test_a_job_whose_optional_file_is_gone_is_not_made_without_it(
    make: Make, picture: Path, tone: Path, said: list[str]
) -> None:
    studio = make()
    job = ended(studio, studio.submit(OWNER, "sound_to_video", SPOKEN, {"audio": tone, "image": picture}), 60)
    (inputs(studio, job) / "image").unlink()
    (studio.settings.jobs_dir / job.id / "originals" / "image").unlink()
    assert again(studio).submit(OWNER, job, {}) is None and "no longer stored" in said[0]


def test_a_failed_job_can_be_tried_again_for_a_day(
    make: Make, engine: FakeEngine, picture: Path, said: list[str]
) -> None:
    engine.error = GraphRejected("It does not like it.")
    studio = make()
    failed = ended(studio, draw(studio, picture), 60)
    assert failed.status == "failed"
    studio.retention.run_once()
    actions = again(studio)
    second = actions.submit(OWNER, failed, {})
    assert second is not None and ended(studio, second, 60).status == "failed" and not said
    assert second.titles == failed.titles == {"image": picture.name}
    a_day_later(studio, failed)
    assert not inputs(studio, failed).exists() and inputs(studio, second).is_dir()
    assert actions.submit(OWNER, studio.job(failed.id, failed.key), {}) is None
    assert len(said) == 1 and "no longer stored" in said[0]
    assert studio.job(failed.id, failed.key).error, "why it failed is still known"


def test_the_card_offers_only_what_can_be_done(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.error = GraphRejected("It does not like it. ComfyUI says more.", "Your picture is still here.")
    studio = make()
    card = Card(studio, [])
    failed = ended(studio, draw(studio, picture), 60)
    assert 'data-act="retry"' in card.html(OWNER, failed) and "still here" in card.html(OWNER, failed)
    a_day_later(studio, failed)
    html = card.html(OWNER, studio.job(failed.id, failed.key))
    assert 'data-act="retry"' not in html and 'data-act="reuse"' in html
    assert "have been deleted" in html and "still here" not in html and "It does not like it" in html
    engine.error = None
    engine.hold.clear()
    cancelled = draw(studio, picture)
    studio.cancel(cancelled.id, cancelled.key)
    engine.hold.set()
    html = card.html(OWNER, ended(studio, cancelled, 60))
    assert 'data-act="retry"' not in html and 'data-act="reuse"' in html
    assert "no copy of its files" in html and 'src="media' not in html, "no picture that is gone"


def test_reuse_settings_without_files_fills_the_rest(
    make: Make, engine: FakeEngine, picture: Path, tmp_path: Path, said: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "page"))
    engine.state = "starting"
    studio = make()
    page = layout._Page(studio)
    job = studio.submit(OWNER, "image_to_video", {**SMALL, "prompt": "A red boat"}, {"image": picture})
    event: Any = SimpleNamespace(_data={"id": job.id, "key": job.key})
    widgets = page.forms["image_to_video"].widgets
    filled = page.fill.reuse(OWNER, event)
    assert filled[widgets["image"]] and filled[widgets["prompt"]] == "A red boat" and not said
    assert Path(filled[widgets["image"]]).name == f"{picture.stem}.png", "its owner's name for it"
    studio.cancel(job.id, job.key)
    filled = page.fill.reuse(OWNER, event)
    assert filled[widgets["image"]] is None and filled[widgets["prompt"]] == "A red boat"
    assert len(said) == 1 and "no longer stored" in said[0] and "back in the form" in said[0]


def test_a_waiting_job_whose_files_vanished_says_so(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.state = "starting"
    studio = make()
    job = draw(studio, picture)
    (inputs(studio, job) / "image").unlink()
    engine.state = "ok"
    failed = ended(studio, job, 60)
    assert failed.status == "failed" and failed.error is not None
    assert failed.error["code"] == "inputs_gone" and failed.error["hint"] and not engine.prompts


# -- over the limit, seen from the page and the API -----------------------------------------------


def test_over_the_limit_a_submit_is_refused_beside_its_largest_file(
    make: Make, engine: FakeEngine, tone: Path, picture: Path
) -> None:
    engine.hold.clear()
    studio = make(WAN_OWNER_DISK_MB="3")
    files = {"audio": tone, "image": picture}

    def submit(owner: str) -> JobView:
        tone.unlink()
        write_noise(tone)
        return studio.submit(owner, "sound_to_video", SPOKEN, files)

    jobs = [submit(OWNER) for _ in range(2)]
    folders = sorted(path.name for path in studio.settings.jobs_dir.iterdir())
    with pytest.raises(OverQuota) as refused:
        for _ in range(2):
            jobs.append(submit(OWNER))
            folders = sorted(path.name for path in studio.settings.jobs_dir.iterdir())
    assert refused.value.field == "audio" and refused.value.hint and "3.0 MB" in refused.value.message
    assert sorted(path.name for path in studio.settings.jobs_dir.iterdir()) == folders, "nothing was written"
    with pytest.raises(gr.Error, match="that you may use"):
        asyncio.run(asked(studio.writes, OWNER, studio.submit, OWNER, "sound_to_video", SPOKEN, files))
    assert submit(OTHER).status == "queued"
    for job in jobs[1:]:
        studio.cancel(job.id, job.key)
    assert submit(OWNER).status == "queued"
    engine.hold.set()
    assert ended(studio, jobs[0], 60).status == "done"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """24 MB where `make` has its data folder."""
    with small_disk(tmp_path / "data", 24) as folder:
        yield folder


def test_on_a_real_small_disk_cancelled_uploads_remove_no_clips(
    disk: Path, make: Make, engine: FakeEngine, tmp_path: Path
) -> None:
    """Sixteen times a picture of 3 MB by one visitor, beside six clips of another."""
    engine.state = "starting"
    studio = make()
    clips = []
    for number in range(6):
        job_id = f"{number:032x}"
        ago = time.time() - 7200 - number
        studio.store.add(
            Job(job_id, "somebody", "text_to_video", {}, {}, created=ago, status=DONE, finished=ago)
        )
        clips.append(studio.settings.jobs_dir / job_id / "result.mp4")
        clips[-1].parent.mkdir()
        clips[-1].write_bytes(b"v" * 1_000_000)
    noise = tmp_path / "noise.png"
    Image.effect_noise((1024, 1024), 90).convert("RGB").save(noise)
    large = {"width": 512, "height": 512, "seconds": 0.5}
    refused = 0
    for _ in range(16):
        try:
            job = studio.submit(OWNER, "image_to_video", large, {"image": noise})
            studio.cancel(job.id, job.key)
        except StudioError:
            refused += 1
        studio.retention.run_once()
    assert all(clip.exists() for clip in clips)
    assert refused == 0, "what was cancelled counts no more"
