"""Jobs whose inputs are named as results of other jobs, from the submit to the end; and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backend import requester
from backend.errors import BadInput, DiskFull, NotAllowed, NotFound, QueueFull, SourceFailed, StudioError
from backend.jobs.job import DONE, FAILED, QUEUED
from backend.jobs.limits import Limits
from backend.jobs.views import JobView
from backend.studio import Studio
from tests.support.extensions import CLIP, extended, made
from tests.support.fake_engine import FakeEngine
from tests.support.scripted import OWNER, Make, ended
from tests.support.small_disk import small_disk

pytestmark = pytest.mark.full

SMALL = {"width": 64, "height": 64, "seconds": 0.5, "prompt": "x", "seed": 3}
OTHER = "owner-token-of-another-1"


def of(job: JobView, **more: Any) -> dict[str, Any]:
    return {"id": job.id, "key": job.key, **more}


def next_of(
    studio: Studio, named: Any, files: dict[str, Any] | None = None, owner: str = OWNER, **more: Any
) -> JobView:
    return studio.submit(owner, "image_to_video", SMALL, files or {}, results=named, **more)


def folders(studio: Studio) -> set[str]:
    return {path.name for path in studio.settings.jobs_dir.iterdir()}


def test_what_cannot_be_used_is_refused_and_leaves_nothing(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    studio = make(limits=Limits(undo=3600), WAN_MAX_QUEUED_PER_OWNER="3")
    clip = made(studio, picture)
    hidden, unfiled = (made(studio, picture, seed=seed) for seed in (11, 13))
    several = ended(studio, studio.submit(OWNER, "image_to_video", CLIP, {"image": picture}, variations=2))
    studio.delete(OWNER, hidden.id, hidden.key, undo=True)
    (studio.settings.jobs_dir / unfiled.id / "result.mp4").unlink()
    engine.hold.clear()
    running = studio.submit(OWNER, "image_to_video", CLIP, {"image": picture})
    cancelled = studio.submit(OWNER, "image_to_video", {**CLIP, "seed": 14}, {"image": picture})
    studio.cancel(cancelled.id, cancelled.key)
    ended(studio, cancelled)
    jobs, left = len(studio.jobs(OWNER)), folders(studio)

    def refused(error: type[StudioError], says: str, named: Any, field: str = "image", **more: Any) -> None:
        with pytest.raises(error) as caught:
            next_of(studio, named, **more)
        said = f"{caught.value.message} {caught.value.hint}"
        assert says in said and caught.value.field == field, said

    refused(
        NotFound, "result for image cannot be used: There is no such video", {"image": of(clip, id="0" * 32)}
    )
    refused(NotFound, "There is no such video", {"image": of(clip, key="x")})
    refused(NotFound, "There is no such video", {"image": of(clip, id="\ud800")})
    refused(NotFound, "no longer exists", {"image": of(hidden)})
    refused(NotAllowed, "Only the owner", {"image": of(clip)}, owner=OTHER)
    refused(NotAllowed, "Only the owner", {"image": of(clip)}, owner="short")
    refused(BadInput, "failed or was cancelled", {"image": of(cancelled)})
    refused(SourceFailed, "no longer exists", {"image": of(unfiled)})
    refused(BadInput, "9 frames, so there is no frame 9", {"image": of(clip, frame=9)})
    refused(BadInput, "no frame -2", {"image": of(running, frame=-2)})
    refused(BadInput, "no frame 1000", {"image": of(clip, frame=10**300)})
    refused(BadInput, "image is given twice", {"image": of(clip)}, files={"image": picture})
    refused(BadInput, several.children[1].id, {"image": of(several)})
    refused(BadInput, "Choose a picture first", {"end_image": of(clip)})
    refused(BadInput, "no frame", {"image": of(clip), "end_image": of(clip, frame=9)}, "end_image")
    refused(BadInput, "JSON object", "[" * 3000, "results")
    refused(BadInput, "Known: image, end_image", {"video": of(clip)}, "results")
    with pytest.raises(BadInput, match="takes the whole video"):
        animated = {"video": of(clip, frame=2), "image": of(clip)}
        studio.submit(OWNER, "animate", {"prompt": "x"}, {}, results=animated)
    with pytest.raises(BadInput, match="takes no files"):
        studio.submit(OWNER, "text_to_image", {"prompt": "x"}, {}, results={"image": of(clip)})
    assert len(studio.jobs(OWNER)) == jobs and folders(studio) == left

    child = several.children[1]
    good = [
        {"id": child.id, "key": child.key},
        of(running, frame=8),
        of(clip, frame=8.0),
    ]
    taken = [next_of(studio, json.dumps({"image": each})) for each in good]
    assert [job.status for job in taken] == [QUEUED] * 3 and taken[1].awaited == (running.id,)
    with pytest.raises(QueueFull):
        next_of(studio, {"image": of(running)})
    assert folders(studio) == left | {job.id for job in taken}
    engine.hold.set()
    assert [ended(studio, job).status for job in taken] == [DONE] * 3


@pytest.mark.deep
def test_a_joined_video_and_a_picture_are_results_like_others(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    studio = make()
    clip = made(studio, picture)
    joined = extended(studio, clip)
    following = ended(studio, next_of(studio, {"image": of(joined, frame=16)}))
    assert following.status == DONE and following.results["image"].frame == 16
    studio.delete(OWNER, clip.id, clip.key)
    with pytest.raises(NotFound, match="no longer exists"):
        next_of(studio, {"image": of(clip)})
    engine.hold.clear()
    still = studio.submit(OWNER, "text_to_image", {"prompt": "A boat", "width": 64, "height": 64}, {})
    with pytest.raises(BadInput, match="is a picture, so there is no frame 3"):
        next_of(studio, {"image": of(still, frame=3)})
    for frame in ({}, {"frame": 0}, {"frame": -1}):
        assert next_of(studio, {"image": of(still, **frame)}).awaited == (still.id,)
    with pytest.raises(BadInput, match="picture cannot be used"):
        named = {"video": of(still), "image": of(still)}
        studio.submit(OWNER, "animate", {"prompt": "x"}, {}, results=named)
    studio.cancel_all(OWNER)
    engine.hold.set()


@pytest.mark.deep
def test_variations_share_a_named_result_that_is_not_there_yet(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    studio = make(WAN_MAX_QUEUED_PER_OWNER="9")
    engine.hold.clear()
    clip = studio.submit(OWNER, "image_to_video", CLIP, {"image": picture})
    several = next_of(studio, {"image": of(clip, frame=0)}, variations=3)
    engine.hold.set()
    done = ended(studio, several)
    assert done.status == DONE and [child.status for child in done.children] == [DONE] * 3
    assert done.record()["results"] == {"image": {"id": clip.id, "frame": 0}}


@pytest.mark.deep
def test_a_repeated_request_makes_one_job_for_each_result(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    studio = make()
    first, second = made(studio, picture), made(studio, picture, seed=9)
    ids = []
    for source in (first, first, second):
        with requester.attempt("a-request-of-mine"):
            ids.append(next_of(studio, {"image": of(source)}).id)
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.deep
def test_a_restart_and_a_deletion_lose_nothing(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    engine.hold.clear()
    clip = studio.submit(OWNER, "image_to_video", CLIP, {"image": picture})
    assert engine.drawing.wait(60)
    waiting = next_of(studio, {"image": of(clip), "end_image": of(clip, frame=0)})
    studio.close()
    studio = make(FakeEngine())
    assert ended(studio, waiting).status == DONE
    studio.delete(OWNER, clip.id, clip.key)
    kept = studio.sources(OWNER, waiting.id, waiting.key)
    files = {name: source.path for name, source in kept.items()}
    assert list(files) == ["image", "end_image"]
    earlier = studio.job(waiting.id, waiting.key)
    again = studio.submit(OWNER, "image_to_video", {**SMALL, "seed": 8}, files, earlier)
    assert ended(studio, again).status == DONE


@pytest.mark.deep
def test_a_result_made_on_one_server_is_used_on_another(make: Make, picture: Path) -> None:
    one, two = FakeEngine("http://one"), FakeEngine("http://two")
    studio = make(one, two)
    clip = made(studio, picture)
    other = two if one.prompts else one
    one.hold.clear()
    two.hold.clear()
    both = [next_of(studio, {"image": of(clip, frame=frame)}) for frame in (0, 1)]
    assert one.drawing.wait(60) and two.drawing.wait(60), "each server has one of them"
    one.hold.set()
    two.hold.set()
    assert [ended(studio, job).status for job in both] == [DONE, DONE] and other.prompts


@pytest.mark.deep
def test_an_engine_that_takes_media_gets_the_frame(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.kind = "runpod"
    studio = make()
    engine.hold.clear()
    clip = studio.submit(OWNER, "image_to_video", CLIP, {"image": picture})
    following = next_of(studio, {"image": of(clip, frame=2)})
    engine.hold.set()
    assert ended(studio, following).status == DONE
    sent = engine.prompts[-1]
    assert sent.request is not None and all(path.is_file() for path in sent.files.values())


@pytest.mark.deep
def test_a_source_that_fails_ends_it_with_its_reason(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()

    engine.hold.clear()
    clip = studio.submit(OWNER, "image_to_video", CLIP, {"image": picture})
    following = next_of(studio, {"image": of(clip)})
    engine.error = BadInput("The prompt is odd.")
    engine.hold.set()
    done = ended(studio, following)
    assert done.status == FAILED and done.error is not None
    assert done.error["reason"]["code"] == "source_failed" and "The prompt is odd." in done.error["message"]


@pytest.mark.deep
def test_a_full_disk_refuses_it_and_leaves_nothing(
    make: Make, engine: FakeEngine, picture: Path, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "data", 8) as disk:
        studio = make()
        clip = made(studio, picture)
        left = folders(studio)
        ballast = disk / "ballast"
        try:
            with ballast.open("wb", buffering=0) as file:
                while file.write(b"x" * 4096):
                    pass
        except OSError:
            pass
        with pytest.raises(DiskFull):
            next_of(studio, {"image": of(clip)})
        assert folders(studio) == left
        ballast.unlink()
        assert ended(studio, next_of(studio, {"image": of(clip)})).status == DONE
        studio.close()
