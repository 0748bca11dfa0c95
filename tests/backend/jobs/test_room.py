"""What would refuse the next job is in its plan, in the words that the submission itself uses."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.errors import BadInput, DiskFull, OverQuota, QueueFull, StudioError
from backend.notices import words
from backend.studio import Studio
from tests.support.scripted import OWNER, Make

pytestmark = pytest.mark.full

VALUES = {"prompt": "A boat drifts", "seconds": 0.5, "width": 64, "height": 64}
OTHER = "owner-token-of-another-0001"


def planned(studio: Studio, owner: str, picture: Path) -> str:
    facts = {"image": studio.inspect("image_to_video", "image", picture)}
    return words(studio.plan("image_to_video", VALUES, facts, owner).obstacle)


def refused(studio: Studio, owner: str, picture: Path, kind: type[StudioError]) -> str:
    with pytest.raises(kind) as caught:
        studio.submit(owner, "image_to_video", VALUES, {"image": picture})
    return f"{caught.value.message} {caught.value.hint}".strip()


def test_a_full_queue_is_in_the_plan_until_there_is_a_place(make: Make, picture: Path) -> None:
    studio = make(WAN_MAX_QUEUED="2", WAN_MAX_QUEUED_PER_OWNER="1")
    studio.scheduler.pause(True)
    assert planned(studio, OWNER, picture) == ""
    job = studio.submit(OWNER, "image_to_video", VALUES, {"image": picture})
    assert planned(studio, OWNER, picture) == refused(studio, OWNER, picture, QueueFull)
    assert "You already have a video waiting" in planned(studio, OWNER, picture)
    assert planned(studio, OTHER, picture) == planned(studio, "", picture) == ""
    studio.submit(OTHER, "image_to_video", VALUES, {"image": picture})
    whole = planned(studio, "owner-token-of-a-third-00001", picture)
    assert whole == planned(studio, "", picture) and whole.startswith("The queue is full: 2 videos")
    studio.cancel(job.id, job.key)
    assert planned(studio, OWNER, picture) == ""


@pytest.mark.parametrize("error", [DiskFull, OverQuota])
def test_a_disk_without_room_is_in_the_plan(
    make: Make, picture: Path, monkeypatch: pytest.MonkeyPatch, error: type[StudioError]
) -> None:
    studio = make()

    def full(*_: object) -> None:
        raise error("There is no room for this video.")

    monkeypatch.setattr(studio.retention.quota, "_clips_to_remove", full)
    assert planned(studio, OWNER, picture) == refused(studio, OWNER, picture, error)
    monkeypatch.undo()
    assert planned(studio, OWNER, picture) == ""


def test_every_wrong_value_is_in_the_plan_in_the_words_of_the_refusal(make: Make, picture: Path) -> None:
    studio = make()
    facts = {"image": studio.inspect("image_to_video", "image", picture)}
    wrong = {"prompt": "x" * 4001, "width": 17, "steps": 101, "seed": -5}
    plan = studio.plan("image_to_video", {**VALUES, **wrong}, facts, OWNER)
    assert plan.problems.keys() == wrong.keys()
    assert plan.problems["prompt"].startswith("The prompt is too long: 4,001 of 4,000 characters.")
    for name, value in wrong.items():
        with pytest.raises(BadInput) as caught:
            studio.submit(OWNER, "image_to_video", {**VALUES, name: value}, {"image": picture})
        assert plan.problems[name] == f"{caught.value.message} {caught.value.hint}"
