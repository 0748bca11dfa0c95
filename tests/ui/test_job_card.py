"""The card's poll and its events, over a studio without engines; no browser."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from tests.support.fake_studio import FakeStudio
from ui.actions.event_data import event_text
from ui.actions.stage import Stage
from ui.forms.file_lines import short
from ui.forms.form_view import FormView
from ui.forms.planner import Planner
from ui.forms.widgets import new_form
from ui.job_card import Card, data_url
from workflows.modes.registry import MODES
from workflows.notice import notice

OWNER = "owner-token-of-a-fake-studio-0001"
VALUES = {"prompt": "A boat", "speed": "fast", "seconds": 5.0, "seed": 7}


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "fjord.jpg"
    Image.new("RGB", (1920, 1080), (20, 40, 80)).save(path)
    return path


@pytest.fixture
def studio() -> FakeStudio:
    return FakeStudio(seconds=1e-9, hold=0.62)


def poll(card: Card, request: Any) -> dict[str, Any]:
    return asyncio.run(card.poll(request))


def event(**data: object) -> Any:
    return SimpleNamespace(_data=data)


def make(studio: FakeStudio) -> Any:
    return Card(studio)  # type: ignore[arg-type]


def stage(studio: FakeStudio) -> Stage:
    return Stage(studio, make(studio))  # type: ignore[arg-type]


def test_poll_answers_words_and_a_preview_that_is_new(studio: FakeStudio, picture: Path) -> None:
    job = studio.add("image_to_video", VALUES, picture)
    card = make(studio)
    first = poll(card, {"id": job.id, "key": job.key, "seen": 0})
    assert first["job"]["words"].startswith("Generating, step")
    assert first["job"]["image"].startswith("data:image/jpeg;base64,")
    assert first["queue"][2] == pytest.approx(62)
    again = poll(card, {"id": job.id, "key": job.key, "seen": first["job"]["preview"]})
    assert "image" not in again["job"], "the preview travels only when it changed"


def test_poll_without_a_job_still_says_how_the_engine_is(studio: FakeStudio) -> None:
    answer = poll(make(studio), {})
    assert answer["badge"][:3] == ["ok", "RTX 4090", "24 GB"] and "job" not in answer


@pytest.mark.parametrize(
    "request_", [None, "text", [1, 2], {"id": {"a": 1}, "key": 5}, {"id": "x", "key": "y"}]
)
def test_poll_takes_anything_a_client_sends(studio: FakeStudio, request_: Any) -> None:
    assert "badge" in poll(make(studio), request_)


def test_poll_with_a_wrong_key_sees_nothing(studio: FakeStudio, picture: Path) -> None:
    job = studio.add("image_to_video", VALUES, picture)
    answer = poll(make(studio), {"id": job.id, "key": "wrong"})
    assert answer["gone"] is True and "job" not in answer


def test_answers_are_json(studio: FakeStudio, picture: Path) -> None:
    job = studio.add("image_to_video", VALUES, picture)
    json.dumps(poll(make(studio), {"id": job.id, "key": job.key, "seen": 0}))


def test_previews_are_pictures_whatever_the_engine_calls_them() -> None:
    assert data_url((b"x", "text/html")) == "" and data_url(None) == ""
    assert data_url((b"x", "image/jpeg")) == "data:image/jpeg;base64,eA=="


def test_a_new_visitor_sees_the_empty_stage(studio: FakeStudio) -> None:
    assert 'data-state="empty"' in make(studio).on_load("")


def test_a_reload_finds_the_running_job(studio: FakeStudio, picture: Path) -> None:
    job = studio.add("image_to_video", VALUES, picture)
    shown = make(studio).on_load(OWNER)
    assert 'data-state="running"' in shown and f'data-id="{job.id}"' in shown


def test_a_finished_job_takes_the_stage_it_was_on(studio: FakeStudio, picture: Path) -> None:
    job = studio.add("image_to_video", VALUES, picture)
    studio.complete(job)
    shown = stage(studio).finished(OWNER, event(id=job.id, key=job.key, shown=job.id))
    assert 'data-state="done"' in shown and "data-autoplay" in shown


def test_a_finished_job_leaves_another_clip_on_the_stage(studio: FakeStudio, picture: Path) -> None:
    old, new = (studio.add("image_to_video", VALUES, picture) for _ in range(2))
    studio.complete(old)
    studio.complete(new)
    shown = stage(studio).finished(OWNER, event(id=new.id, key=new.key, shown=old.id, shownkey=old.key))
    assert f'data-shown="{old.id}"' in shown and "data-autoplay" not in shown


def test_the_next_job_is_queued_with_its_position(studio: FakeStudio, picture: Path) -> None:
    first, second = (studio.add("image_to_video", VALUES, picture) for _ in range(2))
    shown = make(studio).html(OWNER, studio.job(first.id, first.key))
    assert f'data-place="{second.id}">2nd<' in shown and f'data-id="{first.id}"' in shown
    assert f'aria-label="Cancel: {second.title}"' in shown
    said = poll(make(studio), {"id": first.id, "key": first.key, "more": [[second.id, second.key]]})
    assert said["more"] == {second.id: ["queued", "2nd", 0.0, ""]}


def test_what_is_on_the_stage_is_followed_before_what_runs(studio: FakeStudio, picture: Path) -> None:
    first, second = (studio.add("image_to_video", VALUES, picture) for _ in range(2))
    shown = make(studio).html(OWNER, studio.job(second.id, second.key))
    head = shown.split(">", 1)[0]
    assert f'data-id="{second.id}"' in head and 'data-busy="1"' in head
    assert f'data-bar="{first.id}"' in shown, "the one that runs joins the strip"


def test_a_queued_job_is_cancelled_and_the_stage_stays(studio: FakeStudio, picture: Path) -> None:
    first, second = (studio.add("image_to_video", VALUES, picture) for _ in range(2))
    given = event(id=second.id, key=second.key, shown=first.id, shownkey=first.key)
    shown = stage(studio).cancel(OWNER, given)
    assert f'data-shown="{first.id}"' in shown and 'class="line"' not in shown
    assert studio.job(second.id, second.key).status == "cancelled"


@pytest.mark.parametrize("asked", [None, "text", {"a": 1}, [1], [["x"]], [["x", "y"]], [[{}, []]]])
def test_a_poll_takes_any_list_of_others(studio: FakeStudio, asked: Any) -> None:
    found = poll(make(studio), {"more": asked})["more"]
    assert all(entry[0] == "gone" for entry in found.values())


def test_a_paused_queue_is_said_to_who_waits(studio: FakeStudio, picture: Path) -> None:
    first, second = (studio.add("image_to_video", VALUES, picture) for _ in range(2))
    studio.is_paused = True
    answer = poll(make(studio), {"id": second.id, "key": second.key})
    assert answer["paused"] and answer["job"]["words"] == "Queue paused by the admin"
    assert answer["job"]["elapsed"] == "2nd in the queue" and "paused" in answer["queue"][0]
    running = poll(make(studio), {"id": first.id, "key": first.key})
    assert running["job"]["words"].startswith("Generating"), "what runs goes on"
    assert "Queue paused by the admin" in make(studio).html(OWNER, first)


def test_a_private_link_shows_its_job_to_every_visitor(studio: FakeStudio, picture: Path) -> None:
    job = studio.add("image_to_video", VALUES, picture)
    studio.complete(job)
    shown = make(studio).on_load("another-visitor-with-a-token", job.id, job.key)
    assert f'data-shown="{job.id}"' in shown and f'data-link="?job={job.id}&amp;key={job.key}"' in shown


def test_a_link_to_no_job_gets_a_message(studio: FakeStudio, picture: Path) -> None:
    job = studio.add("image_to_video", VALUES, picture)
    shown = make(studio).on_load("", job.id, "wrong")
    assert 'data-state="empty"' in shown and "This clip no longer exists." in shown
    assert job.id not in shown


def test_cancel_shows_what_became_of_it(studio: FakeStudio, picture: Path) -> None:
    job = studio.add("image_to_video", VALUES, picture)
    assert 'data-state="cancelled"' in stage(studio).cancel(OWNER, event(id=job.id, key=job.key))


def test_event_texts_are_texts() -> None:
    assert event_text(event(id=["x"]), "id") == "" and event_text(SimpleNamespace(), "id") == ""  # type: ignore[arg-type]


def planned(
    studio: FakeStudio, mode: str = "image_to_video", **given: Any
) -> tuple[FormView, dict[str, str]]:
    """The view of a form whose widgets hold `given`, and the problems beside its fields."""
    to = new_form(mode)
    sounds = [name for name, field in MODES[mode].media.items() if field.kind != "picture"]
    to.lines, to.views = dict.fromkeys(MODES[mode].media, Any), dict.fromkeys(sounds, Any)
    to.empty_texts = dict.fromkeys(sounds, ("Drop one", "Any"))
    to.notes = Any if sounds else None
    said = Planner(studio, "").view(to, {**to.start, **given})  # type: ignore[arg-type]
    found = said.hint.split('data-problems="', 1)[1].split('"', 1)[0].replace("&quot;", '"')
    return said, json.loads(found)


def test_a_plan_says_crop_frame_and_estimate(studio: FakeStudio, picture: Path) -> None:
    said, problems = planned(studio, image=picture)
    line = said.lines["image"]
    assert "fjord.jpg" in line and "1920 × 1080" in line and "Fits" in line
    assert "5 s at 16 fps" in said.hint and "About 1 min 5 s on this GPU" in said.hint
    assert "Queued behind this video. About 1 min 5 s each." in said.hint
    assert problems == {}


def test_a_plan_without_a_picture_shows_no_error(studio: FakeStudio) -> None:
    said, problems = planned(studio)
    assert said.lines["image"] == "" and problems == {}


def test_a_problem_stands_at_its_field(studio: FakeStudio, picture: Path) -> None:
    _, problems = planned(studio, image=picture, width=17)
    assert set(problems) == {"width"}


def test_a_file_that_is_no_picture_is_said_below_it(studio: FakeStudio, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_text("hello")
    said, _ = planned(studio, image=bad)
    assert "This file is not a picture." in said.lines["image"]


def test_an_obstacle_greys_generate(studio: FakeStudio, picture: Path) -> None:
    studio.obstacle = notice("text", text="Needs about 31 GB; this GPU has 24 GB. 480p fits.")
    said, _ = planned(studio, image=picture)
    assert "Needs about 31 GB" in said.hint and said.ready is False


def test_missing_files_are_named_in_a_panel_and_counted_below_generate(studio: FakeStudio) -> None:
    name = "wan2.2_i2v_lightx2v_4steps_lora_v1_high_noise.safetensors"
    studio.obstacle = notice("missing_files", mode="image_to_video", files=(name,))
    said, _ = planned(studio, speed="fast")
    assert "needs 1 more file, 1.2 GB." in said.hint and name not in said.hint
    assert f"loras/{name}" in said.needs and "models download image_to_video" in said.needs
    studio.engine = "demo"
    assert planned(studio, speed="fast")[0].needs == "", "the demo needs no files"


def test_a_sound_is_drawn_and_its_part_counted(studio: FakeStudio, tmp_path: Path) -> None:
    song = tmp_path / "song-190.mp3"
    said, problems = planned(studio, "sound_to_video", audio=song, start=10, duration=42)
    view = said.views["audio"]
    assert problems == {} and said.notes == ""
    for words in ("song-190.mp3", "0:42 of 3:10", "9 parts", "About 1 min 5 s on this GPU"):
        assert words in said.lines["audio"]
    assert 'data-from="10.000" data-to="52.000"' in view and "gradio_api/file=" in view
    assert 'data-start="sound_to_video-start" data-length="sound_to_video-duration"' in view
    whole, _ = planned(studio, "sound_to_video", audio=song)
    assert "<span>3:10</span>" in whole.lines["audio"]


@pytest.mark.parametrize("odd", [-3, 1e9, None])
def test_nonsense_in_the_numbers_does_not_break_the_drawing(
    studio: FakeStudio, tmp_path: Path, odd: float | None
) -> None:
    said, _ = planned(studio, "sound_to_video", audio=tmp_path / "song-190.mp3", start=odd)
    assert 'data-from="0.000" data-to="190.000"' in said.views["audio"]


def test_a_file_that_is_no_sound_can_be_removed(studio: FakeStudio, tmp_path: Path) -> None:
    said, _ = planned(studio, "sound_to_video", audio=tmp_path / "notes.mp3")
    assert "This file is not a sound." in said.lines["audio"]
    assert 'data-m="remove"' in said.views["audio"] and 'role="slider"' not in said.views["audio"]


def test_an_empty_drop_zone_says_what_it_takes(studio: FakeStudio) -> None:
    said, problems = planned(studio, "sound_to_video")
    assert "Drop one" in said.views["audio"] and said.lines["audio"] == "" and problems == {}


def test_a_driving_video_and_what_to_expect(studio: FakeStudio, picture: Path, tmp_path: Path) -> None:
    studio.warnings = (notice("no_pose_detector"),)
    said, _ = planned(studio, "animate", image=picture, video=tmp_path / "dance-6.mp4")
    line = said.lines["video"]
    assert "29.97 fps" in line and "With sound" in line and "2 parts" in line
    assert 'class="warn"' in said.notes and "Results will be poor" in said.notes
    assert "no pose detector" not in said.hint, (
        "said in full above Generate, below it in a few words for phones"
    )
    studio.warnings, studio.route = (), "native+sam3"
    said, _ = planned(studio, "animate", image=picture)
    assert "ComfyUI detects pose and face" in said.notes and "warn" not in said.notes


def test_a_file_that_only_these_settings_need(studio: FakeStudio, picture: Path, tmp_path: Path) -> None:
    studio.problems = {"mask": "Replace needs a person mask. Upload a mask video or use Move."}
    given = {"image": picture, "video": tmp_path / "dance-6.mp4", "method": "mix"}
    said, problems = planned(studio, "animate", **given)
    assert said.ready is False and "Replace needs a person mask." in said.hint
    assert "or use Move" in said.notes and said.lines["mask"] == "" and problems == {}


@pytest.mark.parametrize("mode", ["text_to_video", "text_to_image"])
def test_an_empty_form_shows_no_error(studio: FakeStudio, mode: str) -> None:
    said, problems = planned(studio, mode)
    assert problems == {} and said.ready is False
    assert 'class="missing">The prompt is empty.' in said.hint and 'class="warn"' not in said.hint
    assert ("at 16 fps" in said.hint) == (mode == "text_to_video")


@pytest.mark.parametrize(
    ("mode", "given", "field", "words"),
    [
        ("sound_to_video", {}, "audio", "Choose a sound first."),
        ("animate", {"image": "fjord.jpg"}, "video", "Choose a video first."),
        ("animate", {}, "image", "Choose a picture first."),
    ],
)
def test_generate_without_a_file(
    studio: FakeStudio, picture: Path, mode: str, given: dict[str, Any], field: str, words: str
) -> None:
    to = new_form(mode)
    to.lines = dict.fromkeys(MODES[mode].media, Any)
    files = {name: picture.parent / file for name, file in given.items()}
    made = Planner(studio, "").submit(OWNER, to, {**to.start, **files})  # type: ignore[arg-type]
    assert made.job is None and words in made.view.lines[field]


def test_the_poll_reports_when_an_engine_sees_other_files(
    studio: FakeStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = make(studio)
    before = poll(card, {})["models"]
    assert poll(card, {})["models"] == before
    more = [replace(engine, models={"vae": ("new.safetensors",)}) for engine in studio.engines()]
    monkeypatch.setattr(studio, "engines", lambda: more)
    assert poll(card, {})["models"] != before


def test_long_file_names_keep_their_end() -> None:
    assert short("a" * 60 + ".jpg").endswith("aaaa.jpg") and len(short("a" * 60 + ".jpg")) <= 28
