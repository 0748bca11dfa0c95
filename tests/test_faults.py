"""App and servers are killed at seeded moments during a stream of jobs, some right after a cancel: every job
ends, once, and what was cancelled is not made."""

from __future__ import annotations

from pathlib import Path

from tests.support.storm import Storm


def test_nothing_is_lost_and_nothing_is_made_twice(tmp_path: Path) -> None:
    storm = Storm(tmp_path, servers=2, seed=7)
    storm.start()
    try:
        storm.run(jobs=12, app_kills=3, server_kills=3, cancels=1.0)
        storm.wait(240)
        account = storm.account()
        log = storm.app.log()
    finally:
        storm.close()
    assert not account.lost, (account, log[-4000:])
    assert not account.twice and not account.without_reason, account
    assert not account.after_cancel, (account, log[-4000:])
    assert account.sent == 12 and account.done + account.failed + account.cancelled == 12
    assert account.failed <= 3, (account, "kills are rare enough that few jobs are lost by servers twice")
    assert account.cancels, (account, "the seed has cancels that are answered")
    assert "Traceback" not in log, log[-4000:]
