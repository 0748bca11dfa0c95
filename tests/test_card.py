"""The card's poll and its events, over a studio without engines; no browser."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from tests.fake_studio import FakeStudio
from ui.card import Card, data_url, event_text
from ui.fields import new_form
from ui.plan import Planner, short

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


def test_poll_answers_words_and_a_preview_that_is_new(studio: FakeStudio, picture: Path) -> None:
    job = studio.add("image_to_video", VALUES, picture)
    card = make(studio)
    first = poll(card, {"id": job.id, "key": job.key, "seen": 0})
    assert first["job"]["words"].startswith("Drawing, step")
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
    studio.finish(job)
    shown = make(studio).finished(OWNER, event(id=job.id, key=job.key, shown=job.id))
    assert 'data-state="done"' in shown and "data-autoplay" in shown


def test_a_finished_job_leaves_another_clip_on_the_stage(studio: FakeStudio, picture: Path) -> None:
    old, new = (studio.add("image_to_video", VALUES, picture) for _ in range(2))
    studio.finish(old)
    studio.finish(new)
    shown = make(studio).finished(OWNER, event(id=new.id, key=new.key, shown=old.id))
    assert f'data-shown="{old.id}"' in shown and "data-autoplay" not in shown


def test_the_next_job_joins_the_strip(studio: FakeStudio, picture: Path) -> None:
    first, second = (studio.add("image_to_video", VALUES, picture) for _ in range(2))
    shown = make(studio).html(OWNER, studio.job(first.id, first.key))
    assert f'data-bar="{second.id}"' in shown and f'data-id="{first.id}"' in shown


def test_cancel_shows_what_became_of_it(studio: FakeStudio, picture: Path) -> None:
    job = studio.add("image_to_video", VALUES, picture)
    assert 'data-state="cancelled"' in make(studio).cancel(OWNER, event(id=job.id, key=job.key))


def test_event_texts_are_texts() -> None:
    assert event_text(event(id=["x"]), "id") == "" and event_text(SimpleNamespace(), "id") == ""  # type: ignore[arg-type]


def planned(studio: FakeStudio, **given: Any) -> tuple[list[Any], dict[str, str]]:
    to = new_form("image_to_video")
    to.lines = {"image": None}  # type: ignore[dict-item]
    updates = Planner(studio, "").outcome(to, {**to.start, **given})  # type: ignore[arg-type]
    hint = str(updates[2])
    found = hint.split('data-problems="', 1)[1].split('"', 1)[0].replace("&quot;", '"')
    return updates, json.loads(found)


def test_a_plan_says_crop_frame_and_estimate(studio: FakeStudio, picture: Path) -> None:
    updates, problems = planned(studio, image=picture)
    assert "fjord.jpg" in updates[0] and "1920 × 1080" in updates[0] and "Fits" in updates[0]
    assert "5 s at 16 fps" in updates[2] and "About 1 min 5 s on this GPU" in updates[2]
    assert "Queued behind this video. About 1 min 5 s each." in updates[2]
    assert problems == {}


def test_a_plan_without_a_picture_blames_nobody(studio: FakeStudio) -> None:
    updates, problems = planned(studio)
    assert updates[0] == "" and problems == {}


def test_a_problem_stands_at_its_field(studio: FakeStudio, picture: Path) -> None:
    _, problems = planned(studio, image=picture, width=17)
    assert set(problems) == {"width"}


def test_a_file_that_is_no_picture_is_said_below_it(studio: FakeStudio, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_text("hello")
    updates, _ = planned(studio, image=bad)
    assert "This file is not a picture." in updates[0]


def test_an_obstacle_greys_generate(studio: FakeStudio, picture: Path) -> None:
    studio.obstacle = "Needs about 31 GB; this GPU has 24 GB. 480p fits."
    updates, _ = planned(studio, image=picture)
    assert "Needs about 31 GB" in updates[2] and updates[3].interactive is False


def test_long_file_names_keep_their_end() -> None:
    assert short("a" * 60 + ".jpg").endswith("aaaa.jpg") and len(short("a" * 60 + ".jpg")) <= 28
