"""App and servers are killed at seeded moments during a stream of jobs: every job ends, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.storm import Storm
from tests.support.tiers import deep

pytestmark = pytest.mark.full


@pytest.mark.parametrize(("jobs", "kills"), [(4, 1), deep(10, 3)], ids=["breeze", "storm"])
def test_nothing_is_lost_and_nothing_is_made_twice(tmp_path: Path, jobs: int, kills: int) -> None:
    storm = Storm(tmp_path, servers=2, seed=7)
    storm.start()
    try:
        storm.run(jobs=jobs, app_kills=kills, server_kills=kills)
        storm.wait(240)
        account = storm.account()
        log = storm.app.log()
    finally:
        storm.close()
    assert not account.lost, (account, log[-4000:])
    assert not account.twice and not account.without_reason, account
    assert account.sent == jobs and account.done + account.failed == jobs
    assert account.done >= jobs - kills, (
        account,
        "kills are rare enough that most jobs are lost by no server twice",
    )
    assert "Traceback" not in log, log[-4000:]
