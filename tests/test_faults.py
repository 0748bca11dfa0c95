"""App and servers are killed at seeded moments during a stream of jobs: every job ends, once."""

from __future__ import annotations

from pathlib import Path

from tests.support.storm import Storm


def test_nothing_is_lost_and_nothing_is_made_twice(tmp_path: Path) -> None:
    storm = Storm(tmp_path, servers=2, seed=7)
    storm.start()
    try:
        storm.run(jobs=10, app_kills=3, server_kills=3)
        storm.wait(240)
        account = storm.account()
        log = storm.app.log()
    finally:
        storm.close()
    assert not account.lost, (account, log[-4000:])
    assert not account.twice and not account.without_reason, account
    assert account.sent == 10 and account.done + account.failed == 10
    assert account.done >= 7, (account, "kills are rare enough that most jobs are lost by no server twice")
    assert "Traceback" not in log, log[-4000:]
