"""Whether a contact sheet is made again is answered while the database writes which ones are."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from backend.jobs.job import DONE, VARIATIONS
from backend.jobs.limits import Limits
from backend.jobs.sheets import Sheets
from tests.support.job_views import stored_job


def test_a_slow_database_does_not_delay_the_event_loop(tmp_path: Path) -> None:
    writing, written, answers = threading.Event(), threading.Event(), list[bool]()

    def slow(*_: str) -> None:
        writing.set()
        assert written.wait(120)

    parent = stored_job(1, id="set", assembly=VARIATIONS, status=DONE)
    store: Any = SimpleNamespace(get=lambda job_id: parent, set_setting=slow)
    decoder: Any = None
    sheets = Sheets(store, decoder, tmp_path, Limits())
    removal = threading.Thread(target=sheets.leaves, args=(stored_job(2, parent="set"),))
    removal.start()
    assert writing.wait(60)
    asks = threading.Thread(target=lambda: answers.append(sheets.waits("set")))
    asks.start()
    asks.join(60)
    written.set()
    for thread in (asks, removal):
        thread.join(60)
    assert answers[:1] == [False], "answered before the write ended"
    assert sheets.waits("set")
