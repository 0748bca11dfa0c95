"""The parts of a joined video as data: cut at a frame, where they begin, stored and read again."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.errors import BadInput
from backend.jobs.extension_base import Base, drawn_size, length_after, seed_for, whole_number
from backend.jobs.job import EXTENSION
from backend.jobs.migrations import MIGRATIONS
from backend.jobs.parts import Part, frame_in_file, frames_made, starts, total, up_to
from backend.jobs.store import Store
from backend.media.facts import Seam
from tests.support.job_views import stored_job
from workflows.notice import notice

SEAM = Seam(False, 0.4, 0.2, 1.1)
PARTS = (
    Part("a", "parts/1", 81, seed=5, prompt="A boat"),
    Part("b", "parts/2", 80, 1, "last_frame", 6, "It turns", False, SEAM, 5.0, "fast", "auto"),
    Part("c", "parts/3", 40, 4, "svi", 7, "It stops", True, SEAM, 2.5, "quality", "svi", "parts/3-end"),
)


def test_parts_begin_where_the_earlier_ones_end() -> None:
    assert (total(PARTS), starts(PARTS)) == (201, [0, 81, 161])


@pytest.mark.parametrize(
    ("frame", "kept"),
    [(-1, [81, 80, 40]), (0, [1]), (80, [81]), (81, [81, 1]), (160, [81, 80]), (200, [81, 80, 40])],
)
def test_parts_after_a_frame_are_left_out(frame: int, kept: list[int]) -> None:
    assert [part.frames for part in up_to(PARTS, frame)] == kept


def test_the_last_frame_that_is_used_of_a_file() -> None:
    assert frame_in_file(PARTS[0], 16, 16, 81) == 80
    assert frame_in_file(PARTS[1], 16, 16, 81) == 80
    assert frame_in_file(PARTS[2], 16, 16, 44) == 43
    assert frame_in_file(replace(PARTS[1], frames=150), 16, 30, 81) == 80, "a file of another rate"
    assert frame_in_file(replace(PARTS[0], frames=10), 16, 16, 81) == 9, "one that was cut"


def test_how_many_frames_a_file_gives() -> None:
    assert frames_made(81, 1, 16, 16) == 80
    assert frames_made(81, 1, 16, 30) == 150
    assert frames_made(3, 4, 16, 16) == 0


def test_they_are_stored_with_their_job(tmp_path: Path) -> None:
    store = Store(tmp_path / "studio.db")
    job = stored_job(1, assembly=EXTENSION, source="a", parts=PARTS)
    store.add(job)
    assert store.get(job.id) == job
    store.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"frames": -1}, {"frames": "9"}, {"route": "magic"}, {"job": 3}, {"first": 1.5}, {"seam": {"x": 1}},
        {"seed": None},
    ],
)  # fmt: skip
def test_a_damaged_one_is_found(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a part"):
        Part.from_json({**PARTS[1].to_json(), **wrong})
    assert Part.from_json({"job": "a", "file": "x", "frames": 1, "later": 5}) == Part("a", "x", 1)


def test_a_database_of_before_has_none(tmp_path: Path) -> None:
    earlier = [one for one in MIGRATIONS if " parts " not in one]
    old = Store(tmp_path / "studio.db", migrations=MIGRATIONS[: MIGRATIONS.index(earlier[-1]) + 1])
    old.close()
    columns = "id, owner, mode, status, params, inputs, created, seed, width, height, frames, fps, steps"
    rest = "evaluations, engine, demo, prompt_id, warnings, size, attempts, timings"
    with sqlite3.connect(tmp_path / "studio.db") as database:
        values = (
            "'a', 'me', 'animate', 'done', '{}', '{}', 1, 1, 1, 1, 1, 1, 1, 1, '', 0, '', '[]', 0, 0, '{}'"
        )
        database.execute(f"INSERT INTO job ({columns}, {rest}) VALUES ({values})")
    new = Store(tmp_path / "studio.db")
    found = new.get("a")
    assert found is not None and found.parts == ()
    new.close()


@pytest.mark.parametrize(
    ("size", "drawn"),
    [((832, 480), (832, 480)), ((850, 477), (848, 480)), ((40, 60), (64, 64)), ((3840, 2160), (1920, 1088))],
)
def test_the_size_of_a_part(size: tuple[int, int], drawn: tuple[int, int]) -> None:
    assert drawn_size(*size) == drawn


def test_the_length_has_limits_and_the_seed_is_a_new_one() -> None:
    base = Base(stored_job(1, fps=16.0), PARTS, ())
    assert length_after(base, 5.0) == 201 / 16 + 5
    for seconds in (0.1, 15.5, "5", None, True):
        with pytest.raises(BadInput) as caught:
            length_after(base, seconds)
        assert caught.value.field == "seconds"
    long = replace(base, parts=(replace(PARTS[0], frames=16 * 117),))
    assert length_after(long, 3.0) == 120
    with pytest.raises(BadInput) as caught:
        length_after(long, 5.0)
    assert "2 min" in caught.value.message and "3 s" in caught.value.hint
    assert seed_for(9, PARTS) == 9 and all(seed_for(-1, PARTS) not in (5, 6, 7) for _ in range(50))
    assert [whole_number(value) for value in (3, 3.0, 3.5, True, "3", None)] == [3, 3, None, None, None, None]


def test_notices_of_extending_have_words() -> None:
    from backend.notices import words
    from workflows.notice import made

    why = made("svi_needs", {"names": ("a", "b")})
    assert "a, b" in words(made("extend_by_last_frame", {"why": why}))
    assert words(notice("joining_parts"))
