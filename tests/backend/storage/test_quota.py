"""The disk quota: no owner loses a clip because of what another owner adds."""

from __future__ import annotations

import random
import threading
import uuid
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backend.errors import DiskFull, OverQuota
from backend.jobs.job import CANCELLED, DONE, FAILED, QUEUED, RUNNING, TERMINAL, JobSummary
from backend.storage.retention_policy import (
    DAY,
    MAX_FREED_RATIO,
    PROTECTED_SECONDS,
    Disk,
    bytes_to_free,
    excess_bytes,
    fair_share,
    max_min_share,
    room,
    to_remove,
)
from tests.support.data_folder import BLOCK, DataFolder, Make

MB = 1_000_000
NOW = 1_790_000_000.0


@pytest.fixture
def make_folder(tmp_path: Path) -> Iterator[Make]:
    made: list[DataFolder] = []

    def build(total: int, **more: float) -> DataFolder:
        made.append(DataFolder(tmp_path / str(len(made)), total, **more))  # type: ignore[arg-type]
        return made[-1]

    yield build
    for folder in made:
        folder.store.close()


# -- the rules, over random cases -----------------------------------------------------------------


def test_max_min_share_distributes_exactly_the_total() -> None:
    for seed in range(300):
        chance = random.Random(seed)
        used = [chance.choice((0, chance.randrange(1000))) for _ in range(chance.randrange(1, 12))]
        total = chance.randrange(0, 6000)
        cut = sum(min(size, max_min_share(used, total)) for size in used)
        assert cut == pytest.approx(min(total, sum(used))), seed
    assert max_min_share([], 10) == float("inf") and max_min_share([5], -3) == 0


def jobs(chance: random.Random) -> tuple[list[JobSummary], dict[str, int]]:
    owners = [f"owner-{n}" for n in range(chance.randrange(1, 8))]
    states = (DONE, DONE, DONE, DONE, FAILED, CANCELLED, QUEUED, RUNNING)
    made = []
    for number in range(chance.randrange(0, 40)):
        status = chance.choice(states)
        age = chance.choice(
            (chance.uniform(0, PROTECTED_SECONDS), chance.uniform(PROTECTED_SECONDS, 40 * DAY))
        )
        ended = NOW - age if status in TERMINAL else None
        made.append(JobSummary(f"job-{number}", chance.choice(owners), status, ended, chance.random() < 0.15))
    return made, {job.id: chance.choice((0, chance.randrange(1, 500))) for job in made}


def test_the_largest_owner_loses_first_and_owners_below_the_share_lose_nothing() -> None:
    for seed in range(400):
        chance = random.Random(seed)
        made, sizes = jobs(chance)
        used: dict[str, int] = defaultdict(int)
        for job in made:
            used[job.owner] += sizes[job.id]
        need = chance.randrange(1, 3000)
        limit = max_min_share(used.values(), sum(used.values()) - need)
        may_go = [
            job
            for job in sorted(made, key=lambda job: job.finished or 0.0)
            if job.status in TERMINAL and not job.pinned and (job.finished or NOW) <= NOW - PROTECTED_SECONDS
            and sizes[job.id]
        ]  # fmt: skip
        left = {owner: [job for job in may_go if job.owner == owner] for owner in used}
        held, missing = dict(used), need
        for job in to_remove(chance.sample(made, len(made)), sizes, need, NOW, used):
            assert missing > 0, f"{seed}: more goes than has to"
            assert held[job.owner] > limit, f"{seed}: an owner under the level loses a clip"
            assert held[job.owner] == max(held[owner] for owner in held if left[owner]), (
                f"{seed}: who has most"
            )
            assert job == left[job.owner].pop(0), f"{seed}: the oldest that may go"
            held[job.owner] -= sizes[job.id]
            missing -= sizes[job.id]
        able = [owner for owner in held if left[owner] and held[owner] > limit]
        assert missing <= 0 or not able, f"{seed}: too little goes"


def test_an_owner_over_a_limit_never_ends_up_with_more_than_before() -> None:
    for seed in range(500):
        chance = random.Random(seed)
        need, used, others = chance.randrange(1, 300), chance.randrange(500), chance.randrange(900)
        limit, most = chance.randrange(1, 600), chance.randrange(1, 1200)
        gone = bytes_to_free(need, (used, limit), [(used + others, most)])
        assert 0 <= gone <= MAX_FREED_RATIO * need
        after = used + need - gone
        assert after <= limit or after <= used - (MAX_FREED_RATIO - 1) * need, "usage above the share shrinks"
        assert after + others <= max(most, used + others), "the room for all is not exceeded by this one"
        if used + need <= limit and used + others + need <= most:
            assert gone == 0


def test_shares_fit_into_the_room() -> None:
    for seed in range(300):
        chance = random.Random(seed)
        total = chance.randrange(1, 10**6)
        free = chance.randrange(0, total + 1)
        ours = chance.randrange(0, total - free + 1)
        percent = chance.choice((1.0, 50.0, 80.0, 100.0))
        here = room(Disk(total, free), ours, percent)
        assert excess_bytes(Disk(total, free), ours, percent) == max(0, int(ours - here))
        owners = chance.randrange(1, 50)
        others = chance.randrange(0, int(here) + 1)
        share = fair_share(here, owners, others)
        assert share < here or here == 0, "a new owner finds room"
        assert share >= 0.9 * here / owners and share >= (here - others) / 2
        if others >= here * (owners - 1) / owners:
            assert owners * share <= here, "each owner has an equal part"


# -- one visitor cannot cost another anything -----------------------------------------------------


def test_sixteen_cancelled_uploads_remove_no_clip(make_folder: Make) -> None:
    folder = make_folder(1_000 * BLOCK)
    for days in range(1, 7):
        folder.clip("ann", 60 * BLOCK, days)
    before = folder.clips()
    for _ in range(16):
        job = folder.submit("bob", 86 * BLOCK)
        assert job is not None
        folder.end(job, CANCELLED)
        folder.retention.run_once()
    assert folder.clips() == before and folder.used("bob") < 16 * 4 * BLOCK


@pytest.mark.full
@pytest.mark.parametrize("status", [CANCELLED, FAILED, DONE, QUEUED])
@pytest.mark.parametrize("owners", [1, 40], ids=["one owner", "forty made-up owners"])
@pytest.mark.parametrize("size", [86, 6], ids=["large files", "tiny files"])
def test_submitting_any_amount_removes_only_the_submitters_clips(
    make_folder: Make, status: str, owners: int, size: int
) -> None:
    folder = make_folder(1_000 * BLOCK)
    for days in range(1, 7):
        folder.clip("ann", 60 * BLOCK, days)
    mine = folder.clips()["ann"]
    for number in range(24 if size > 6 else 60):
        job = folder.submit(f"greedy-{number % owners}", size * BLOCK)
        if job is not None and status != QUEUED:
            folder.end(job, status, BLOCK if status == DONE else 0)
        folder.pass_by(1800)
        if number % 8 == 0:
            folder.retention.run_once()
    folder.retention.run_once()
    assert folder.clips()["ann"] == mine
    for error in folder.failures:
        assert error.code in ("over_quota", "disk_full") and error.hint and error.field == "audio"


@pytest.mark.full
def test_random_visitors_never_lose_a_clip_to_each_other(make_folder: Make) -> None:
    """In any order of actions a clip is removed only when its own owner submits or deletes."""
    for seed in range(12):
        chance = random.Random(seed)
        folder = make_folder(600 * BLOCK, others=chance.choice((0, 100, 450)) * BLOCK)
        names = [f"visitor-{n}" for n in range(chance.randrange(2, 6))]
        waiting = []
        for _ in range(60):
            before, actor = folder.clips(), chance.choice(names)
            what = chance.choice(("submit", "submit", "end", "end", "delete", "pin", "pass", "restart"))
            if what == "submit":
                result = chance.randrange(1, 20) * BLOCK
                job = folder.submit(actor, chance.randrange(1, 60) * BLOCK, result)
                if job is not None:
                    waiting.append((job, result))
            elif what == "end" and waiting:
                job, result = waiting.pop(chance.randrange(len(waiting)))
                actor = job.owner
                folder.end(job, chance.choice((DONE, DONE, FAILED, CANCELLED)), result)
            elif what == "delete" and before.get(actor):
                stored = folder.store.get(sorted(before[actor])[0])
                assert stored is not None
                folder.retention.remove(stored)
            elif what == "pin" and before.get(actor):
                folder.store.pin(chance.choice(sorted(before[actor])), chance.random() < 0.7)
            elif what == "pass":
                actor = ""
                folder.pass_by(chance.randrange(0, 7200))
                folder.retention.run_once()
            elif what == "restart":
                folder.restart()
            for owner, clips in before.items():
                lost = clips - folder.clips().get(owner, set())
                assert not lost or owner == actor, (
                    f"seed {seed}: {what} of {actor or 'nobody'} cost {owner} {lost}"
                )


# -- at submit ------------------------------------------------------------------------------------


def test_over_a_limit_the_owners_oldest_unpinned_clips_are_removed(make_folder: Make) -> None:
    folder = make_folder(10_000 * BLOCK, owner_bytes=300 * BLOCK)
    pinned = folder.clip("ann", 50 * BLOCK, 9, pinned=True)
    oldest, older, newest = (folder.clip("ann", 60 * BLOCK, days) for days in (8, 7, 6))
    other = folder.clip("bob", 60 * BLOCK, 99)
    assert folder.submit("ann", 70 * BLOCK) is not None
    assert folder.clips() == {"ann": {pinned.id, older.id, newest.id}, "bob": {other.id}}
    assert not (folder.jobs / oldest.id).exists()


def test_a_submit_is_refused_when_none_of_the_owners_clips_may_be_removed(make_folder: Make) -> None:
    folder = make_folder(10_000 * BLOCK, owner_bytes=300 * BLOCK)
    kept = {folder.clip("ann", 60 * BLOCK, days, pinned=True).id for days in (8, 7)}
    kept |= {folder.clip("ann", 60 * BLOCK, 0.01).id for _ in range(2)}  # minutes old
    assert folder.submit("ann", 90 * BLOCK) is None
    [error] = folder.failures
    assert isinstance(error, OverQuota) and error.to_dict()["code"] == "over_quota"
    assert "1.2 MB" in error.message and error.hint and error.field == "audio"
    assert folder.clips()["ann"] == kept and len(list(folder.jobs.iterdir())) == 4, (
        "the refused job leaves no folder"
    )
    assert folder.submit("ann", 20 * BLOCK) is not None, "a job that fits is accepted"
    assert folder.submit("bob", 90 * BLOCK) is not None, "each owner has a separate limit"
    assert folder.submit("bob", 400 * BLOCK) is None and "one visitor may use" in folder.failures[-1].message


def test_queued_jobs_count_and_deleting_or_cancelling_makes_room(make_folder: Make) -> None:
    folder = make_folder(10_000 * BLOCK, owner_bytes=300 * BLOCK)
    first, second = folder.submit("ann", 100 * BLOCK), folder.submit("ann", 100 * BLOCK)
    assert first is not None and second is not None
    assert folder.submit("ann", 100 * BLOCK) is None
    folder.end(first, CANCELLED)
    assert folder.submit("ann", 100 * BLOCK) is not None
    done = folder.end(second, DONE, BLOCK)
    assert folder.submit("ann", 100 * BLOCK) is None, "a clip that has just ended is protected"
    folder.retention.remove(done)
    assert folder.submit("ann", 100 * BLOCK) is not None


def test_a_failed_submit_releases_its_reservation(make_folder: Make) -> None:
    folder = make_folder(10_000 * BLOCK, owner_bytes=300 * BLOCK)
    clips = {folder.clip("ann", 90 * BLOCK, days).id for days in (3, 2, 1)}
    quota, job_id = folder.retention.quota, uuid.uuid4().hex
    for _ in range(5):
        quota.reserve(job_id, "ann", 100 * BLOCK)
        quota.reserve(job_id, "ann", 120 * BLOCK)
        quota.release(job_id)
    assert folder.clips()["ann"] == clips
    assert folder.submit("ann", 5 * BLOCK) is not None and folder.clips()["ann"] == clips


def test_two_submits_at_once_do_not_count_on_the_same_old_clip(make_folder: Make) -> None:
    folder = make_folder(10_000 * BLOCK, owner_bytes=300 * BLOCK)
    folder.clip("ann", 280 * BLOCK, 3)
    quota, one, two = folder.retention.quota, uuid.uuid4().hex, uuid.uuid4().hex
    quota.reserve(one, "ann", 200 * BLOCK)
    with pytest.raises(OverQuota):
        quota.reserve(two, "ann", 200 * BLOCK)
    folder.retention.quota.count.refresh()
    with pytest.raises(OverQuota):
        quota.reserve(two, "ann", 200 * BLOCK)


def test_concurrent_submits_and_passes_agree_with_the_disk(make_folder: Make) -> None:
    folder = make_folder(100_000 * BLOCK)
    over = threading.Event()

    def submit(owner: str) -> None:
        chance = random.Random(owner)
        for _ in range(12):
            job = folder.submit(owner, chance.randrange(1, 9) * BLOCK)
            assert job is not None
            if chance.random() < 0.7:
                folder.end(job, chance.choice((DONE, FAILED, CANCELLED)), BLOCK)

    def measure() -> None:
        while not over.is_set():
            folder.retention.quota.count.refresh()
            folder.retention.remove_ended_outputs()

    with ThreadPoolExecutor(6) as pool:
        passes = [pool.submit(measure) for _ in range(2)]
        try:
            for done in [pool.submit(submit, f"visitor-{number}") for number in range(4)]:
                done.result(120)
        finally:
            over.set()
        for done in passes:
            done.result(60)
    folder.retention.quota.count.ended()
    seen = folder.retention.quota.count.refresh()
    folder.restart()
    fresh = folder.retention.quota.count.refresh()
    assert seen.written == fresh.written and seen.clips == fresh.clips and seen.open == fresh.open
    assert all(seen.used[owner] >= fresh.used[owner] for owner in fresh.used), (
        "queued jobs reserve more than they have written"
    )


def test_an_owner_over_their_share_shrinks_with_each_new_job(make_folder: Make) -> None:
    """The first visitor has filled the room; when there is a second one, an equal share is less."""
    folder = make_folder(1_000 * BLOCK)
    for days in range(1, 15):
        folder.clip("ann", 50 * BLOCK, days)
    folder.clip("bob", 50 * BLOCK, 1)
    before = folder.used("ann")
    for _ in range(12):
        job = folder.submit("ann", 20 * BLOCK)
        assert job is not None
        folder.end(job, DONE, BLOCK)
        folder.pass_by(2 * PROTECTED_SECONDS)
    assert folder.used("ann") < before - 150 * BLOCK
    assert len(folder.clips()["bob"]) == 1
    assert folder.submit("bob", 50 * BLOCK) is not None


def test_made_up_owners_do_not_shrink_other_shares(make_folder: Make) -> None:
    folder = make_folder(1_000 * BLOCK)
    clips = {folder.clip("ann", 100 * BLOCK, days).id for days in range(1, 4)}
    taken = [folder.submit(f"made-up-{number}", BLOCK) for number in range(30)]
    assert None not in taken
    for _ in range(4):
        assert folder.submit("ann", 60 * BLOCK) is not None
    assert folder.clips()["ann"] == clips


def test_all_new_owners_together_have_one_share(make_folder: Make) -> None:
    folder = make_folder(1_000 * BLOCK)
    folder.clip("ann", 100 * BLOCK, 1)
    taken = [folder.submit(f"made-up-{number}", 50 * BLOCK) for number in range(20)]
    assert 5 <= len([job for job in taken if job]) <= 7
    assert "new visitors" in folder.failures[0].message and folder.failures[0].code == "over_quota"
    assert folder.submit("ann", 200 * BLOCK) is not None, "an owner with a clip is not a new owner"


# -- on a disk that is too full -------------------------------------------------------------------


def test_the_largest_owner_loses_clips_when_other_files_fill_the_disk(make_folder: Make) -> None:
    folder = make_folder(1_000 * BLOCK)
    greedy = [folder.clip("greedy", 50 * BLOCK, 1 + number / 100).id for number in range(10)]
    others = {name: {folder.clip(name, 20 * BLOCK, 25).id} for name in ("ann", "bob", "cid")}
    folder.others = 500 * BLOCK
    folder.retention.run_once()
    now = folder.clips()
    assert now["greedy"] < set(greedy) and now["greedy"] == set(greedy[: len(now["greedy"])]), "oldest first"
    assert {name: now[name] for name in others} == others


def test_pins_of_one_owner_do_not_remove_clips_of_another(make_folder: Make) -> None:
    folder = make_folder(1_000 * BLOCK)
    pinned = {folder.clip("greedy", 70 * BLOCK, 5, pinned=True).id for _ in range(10)}
    ann = {folder.clip("ann", 40 * BLOCK, 9).id}
    waiting = folder.submit("cid", 5 * BLOCK)
    folder.others = 400 * BLOCK
    folder.retention.run_once()
    assert folder.clips() == {"greedy": pinned, "ann": ann} and waiting is not None
    assert (folder.jobs / waiting.id / "inputs" / "audio").exists()
    assert folder.submit("greedy", 5 * BLOCK) is None, "an owner with only pinned clips cannot add any"
    assert folder.submit("bob", 50 * BLOCK) is None and isinstance(folder.failures[-1], DiskFull | OverQuota)


def test_uploads_and_other_copies_on_the_same_disk_remove_no_clip(make_folder: Make) -> None:
    folder = make_folder(1_000 * BLOCK)
    clips = {"ann": {folder.clip("ann", 60 * BLOCK, days).id for days in range(1, 7)}}
    upload = folder.cache / ("a" * 64) / "sound.wav"
    upload.parent.mkdir()
    upload.write_bytes(b"u" * 550 * BLOCK)
    assert folder.disk().percent > 80
    folder.retention.run_once()
    assert folder.clips() == clips
    assert folder.submit("ann", 20 * BLOCK) is not None and folder.clips() == clips


def test_a_disk_full_of_models_removes_no_clip_and_is_reported_as_full(make_folder: Make) -> None:
    folder = make_folder(1_000 * BLOCK, others=970 * BLOCK)
    clips = {"ann": {folder.clip("ann", BLOCK, 1).id}}
    folder.retention.run_once()
    assert folder.clips() == clips
    assert folder.submit("bob", 86 * BLOCK) is None and isinstance(folder.failures[0], DiskFull)
    assert "disk is full" in folder.failures[0].message and folder.failures[0].hint


def test_a_queued_job_of_an_owner_over_the_limit_runs_and_removes_only_their_clips(make_folder: Make) -> None:
    folder = make_folder(10_000 * BLOCK)
    job = folder.submit("ann", 100 * BLOCK)
    old, new = folder.clip("ann", 100 * BLOCK, 5), folder.clip("ann", 100 * BLOCK, 2)
    other = folder.clip("bob", 100 * BLOCK, 9)
    folder.owner_bytes = 250 * BLOCK  # the setting was changed
    folder.restart()
    folder.retention.run_once()
    assert job is not None and (folder.jobs / job.id / "inputs" / "audio").exists()
    assert folder.clips() == {"ann": {new.id}, "bob": {other.id}} and folder.store.get(old.id) is None
    folder.end(job, DONE, 60 * BLOCK)
    folder.retention.run_once()
    assert folder.clips() == {"ann": {job.id}, "bob": {other.id}}


def test_folders_without_a_record_belong_to_no_owner(make_folder: Make) -> None:
    folder = make_folder(1_000 * BLOCK)
    ann = {folder.clip("ann", 50 * BLOCK, days).id for days in (3, 2)}
    for _ in range(4):
        lost = folder.jobs / uuid.uuid4().hex
        lost.mkdir()
        (lost / "result.mp4").write_bytes(b"v" * 150 * BLOCK)
    folder.others = 100 * BLOCK
    folder.retention.run_once()
    assert folder.clips() == {"ann": ann}, "a small owner loses nothing to folders without an owner"
    assert folder.submit("ann", 5 * BLOCK) is not None


# -- what ended jobs leave ------------------------------------------------------------------------


def test_files_of_a_cancelled_job_after_a_crash_are_removed_by_the_next_pass(make_folder: Make) -> None:
    folder = make_folder(10_000 * BLOCK)
    job, waiting = folder.submit("ann", 50 * BLOCK), folder.submit("ann", 50 * BLOCK)
    assert job is not None and waiting is not None
    folder.store.save(job.moved(CANCELLED, finished=folder.wall))  # and no more
    (folder.jobs / job.id / "workflow.json").write_text("{}")
    folder.restart()
    folder.retention.run_once()
    assert [path.name for path in (folder.jobs / job.id).iterdir()] == ["workflow.json"]
    assert folder.store.get(job.id) is not None and (folder.jobs / waiting.id / "inputs" / "audio").exists()


def test_inputs_of_a_failed_job_are_removed_after_a_day(make_folder: Make) -> None:
    folder = make_folder(10_000 * BLOCK)
    new, old = folder.failed("ann", BLOCK, 0.9), folder.failed("ann", BLOCK, 1.1)
    pinned, dated_wrong = folder.failed("ann", BLOCK, 1.1, pinned=True), folder.failed("ann", BLOCK, -3)
    folder.retention.run_once()
    there = {job.id: (folder.jobs / job.id / "inputs").exists() for job in (new, old, pinned, dated_wrong)}
    assert there == {new.id: True, old.id: False, pinned.id: True, dated_wrong.id: True}
    assert (folder.jobs / new.id / "work" / "part-0").exists(), "a retry continues from the finished segments"
    assert [path.name for path in (folder.jobs / old.id).iterdir()] == ["workflow.json"]
    folder.wall += 400 * DAY  # a clock that jumps makes nothing old
    folder.retention.run_once()
    assert (folder.jobs / new.id / "inputs").exists()


def test_comfyuis_copies_of_a_cancelled_job_are_removed_unless_another_job_reads_them(
    make_folder: Make,
) -> None:
    folder = make_folder(10_000 * BLOCK)
    assert folder.comfy.input is not None
    folder.retention.remove_ended_outputs()
    alone, first, second = (folder.submit("ann", BLOCK) for _ in range(3))
    assert alone is not None and first is not None and second is not None
    shared = first.inputs["audio"].media.name.removeprefix("wan-studio/")
    folder.store.save(first.moved(CANCELLED, finished=folder.wall))
    second = second.moved(RUNNING)
    folder.store.save(second)
    folder.store._db.execute(  # both were given the same file
        "UPDATE job SET inputs = (SELECT inputs FROM job WHERE id = ?) WHERE id = ?", (first.id, second.id)
    )
    copies = [
        folder.comfy.input / "wan-studio" / name
        for name in (alone.inputs["audio"].media.name.removeprefix("wan-studio/"), shared)
    ]
    for copy in copies:
        copy.write_bytes(b"x")
    folder.end(alone, CANCELLED)
    folder.retention.remove_ended_outputs()
    assert [copy.exists() for copy in copies] == [False, True]
