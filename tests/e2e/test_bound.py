"""A page that hangs costs its own test, with a clear word, and no other."""

from __future__ import annotations

import pytest
from playwright.sync_api import Error

from tests.e2e.chromium import Chromium, _family
from tests.support.waiting import until


@pytest.mark.parametrize(
    ("script", "word", "patience"),
    [("for (;;) {}", "runs without end", 2.0), ("new Promise(() => {})", "the test waits", 60.0)],
)
def test_a_page_that_hangs_is_ended(
    chromium: Chromium, monkeypatch: pytest.MonkeyPatch, script: str, word: str, patience: float
) -> None:
    monkeypatch.setattr(chromium, "patience", patience)
    page = chromium.browser().new_page()
    mark = chromium.mark
    with chromium.watch(2), pytest.raises(Error):
        page.evaluate(script)
    assert "not finished after 2 s" in chromium.fault and word in chromium.fault
    until(lambda: not _family(mark))  # no process is left
    page = chromium.browser().new_page()
    assert page.evaluate("6 * 7") == 42 and not chromium.fault
    page.close()
