"""App and servers are killed at seeded moments during a stream of jobs, some right after a cancel: every job
ends, once, and what was cancelled is not made."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.storm import Storm
from tests.support.tiers import deep

pytestmark = pytest.mark.full


@pytest.mark.parametrize(("jobs", "kills"), [deep(4, 1), deep(10, 3)], ids=["breeze", "storm"])
def test_nothing_is_lost_and_nothing_is_made_twice(tmp_path: Path, jobs: int, kills: int) -> None:
    storm = Storm(tmp_path, servers=2, seed=7)
    storm.start()
    try:
        storm.run(jobs=jobs, app_kills=kills, server_kills=kills, cancels=1.0)
        storm.wait(240)
        account = storm.account()
        log = storm.app.log()
    finally:
        storm.close()
    assert not account.lost, (account, log[-4000:])
    assert not account.twice and not account.without_reason, account
    assert not account.after_cancel, (account, log[-4000:])
    assert account.sent == jobs and account.done + account.failed + account.cancelled == jobs
    assert account.failed <= kills, (account, "kills are rare enough that few jobs are lost by servers twice")
    if kills >= 3:
        assert account.cancels, (account, "the seed has cancels that are answered")
    assert "Traceback" not in log, log[-4000:]
