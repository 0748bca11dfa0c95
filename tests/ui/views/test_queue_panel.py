"""The queue's panel: what it says of each job, and to whom."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from backend.jobs.views import QueueRow
from tests.support.fake_studio import FakeStudio
from tests.support.job_views import job, media
from ui.actions.once import Once
from ui.job_card import Card
from ui.queue_panel import Queue
from ui.views.queue_panel import ROWS, QueuePanel, panel

RUNS = job(id="r", status="running", title="Runs now")
WAITS = job(id="w", key="kw", status="queued", title="<b>Waits</b>")


def row(number: int, **changes: object) -> QueueRow:
    values: dict[str, object] = {"position": number, "place": number + 1, "mode": "image_to_video"}
    return QueueRow(**{**values, "mine": True, "job": WAITS, **changes})  # type: ignore[arg-type]


def test_an_empty_queue_says_what_comes_here() -> None:
    shown = panel(QueuePanel())
    assert "Nothing is running or waiting" in shown and "data-act" not in shown
    assert 'role="dialog"' in shown and 'aria-labelledby="ws-queue-heading"' in shown


def test_each_job_has_its_settings_times_and_buttons() -> None:
    rows = (
        row(0, job=RUNS, start=0.0, end=12.4),
        row(1, start=12.4, end=77.4, later=True),
        row(2, start=77.4, end=None, earlier=True),
        row(3, start=None),
    )
    shown = panel(QueuePanel(rows, media=media))
    assert "1 running, 3 waiting" in shown
    assert "12 s left" in shown and "Starts in 12 s, done in 1 min 17 s" in shown
    assert "Starts in 1 min 17 s<" in shown and "No estimate yet" in shown
    assert "832 × 480" in shown and "5 s" in shown and "Fast" in shown
    assert "&lt;b&gt;Waits&lt;/b&gt;" in shown and "<b>Waits" not in shown
    items = shown.split("<li ")[1:]
    assert 'data-act="up"' not in items[0] and 'data-act="cancel"' in items[0], "it runs: it only stops"
    assert [item.count(" disabled") for item in items] == [0, 1, 1, 2], "the first and last stay inside"
    assert 'src="media/w/input?' in items[1]
    assert 'data-act="cancel_all"' in shown and "Cancel all 4?" in shown


def test_a_picture_that_the_mode_can_do_without_is_shown_where_there_is_one() -> None:
    sound = job(id="s", mode="sound_to_video", status="queued")
    rows = (row(1, mode="sound_to_video", job=sound), row(2, mode="text_to_video", job=job(id="t")))
    for pictured in ((), ("s",)):
        items = panel(QueuePanel(rows, pictured=pictured, media=media)).split("<li ")[1:]
        assert ('src="media/s/input?' in items[0]) == bool(pictured)
        assert "<img" not in items[1]


def test_the_panel_asks_which_sounds_have_a_picture(tmp_path: Path) -> None:
    studio, source = FakeStudio(hold=0.5), tmp_path / "a.png"
    Image.new("RGB", (64, 64)).save(source)
    for mode in ("image_to_video", "sound_to_video", "text_to_video"):
        studio.add(mode, {"prompt": mode}, source)
    queue = Queue(Card(studio), Once())  # type: ignore[arg-type]
    rows = queue.html("owner", "").split("<li ")[1:]
    assert ["<img" in row for row in rows] == [True, True, False]
    studio.expired = {id for id, run in studio.runs.items() if run.view.mode == "sound_to_video"}
    rows = queue.html("owner", "").split("<li ")[1:]
    assert ["<img" in row for row in rows] == [True, False, False]


def test_another_visitors_job_shows_nothing_of_it() -> None:
    shown = panel(QueuePanel((row(1, mine=False, job=None), row(2))))
    first = shown.split("<li ")[1]
    assert "Another visitor" in first and "<button" not in first and "Waits" not in first
    assert 'data-act="cancel_all"' not in shown and 'data-act="pause"' not in shown


def test_the_admin_sees_and_cancels_all_and_pauses() -> None:
    rows = (row(1, mine=False), row(2))
    shown = panel(QueuePanel(rows, admin=True))
    first = shown.split("<li ")[1]
    assert "Waits" in first and 'data-act="cancel"' in first and 'data-act="up"' not in first
    assert 'data-act="pause"' in shown
    paused = panel(QueuePanel(rows, admin=True, paused=True, note="The disk is full."))
    assert 'data-act="resume"' in paused and "Paused by the admin" in paused
    assert "Starts once the queue is resumed" in paused and "The disk is full." in paused


def test_a_long_queue_is_counted() -> None:
    shown = panel(QueuePanel(tuple(row(n) for n in range(1, ROWS + 4))))
    assert shown.count("<li ") == ROWS and "And 3 more." in shown
