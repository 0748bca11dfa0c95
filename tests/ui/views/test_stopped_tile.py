"""Tiles of failed and cancelled jobs, and what a private link's holder is offered on the card."""

from __future__ import annotations

import html
import json
import re

from tests.support.job_views import job
from ui.views.card import card
from ui.views.card_state import CardState
from ui.views.library import grid

ERROR = {"code": "out_of_memory", "message": "The GPU ran out of <memory>.", "hint": "Try a smaller size."}
OWNERS = ("again", "quality", "reuse", "retry", "frame", "pin", "delete")


def acts(shown: str) -> set[str]:
    return set(re.findall(r'data-act="(\w+)"', shown))


def media(view: object, name: str, download: bool) -> str:
    return f"/media/{name}"


def test_a_failed_job_says_why_and_offers_its_remedy() -> None:
    failed = job(status="failed", error=ERROR, params={"prompt": "A boat", "resolution": "720p"})
    shown = grid([failed], media, 0.0)
    assert "The GPU ran out of &lt;memory&gt;. Try a smaller size." in shown and "Failed" in shown
    assert acts(shown) == {"show", "retry", "delete"} and "media/input" in shown
    assert "Try again at 480p" in shown
    change = json.loads(html.unescape(re.findall(r'data-change="([^"]*)"', shown)[0]))
    assert change["resolution"] == "480p"


def test_without_its_files_only_the_settings_are_offered() -> None:
    cancelled = job(status="cancelled")
    shown = grid([cancelled], media, 0.0, lacking={cancelled.id})
    assert "Cancelled after 1 min 5 s" in shown and acts(shown) == {"show", "reuse", "delete"}
    assert "media/input" not in shown, "no request for a picture that is deleted"


def test_a_filter_that_leaves_nothing_says_so() -> None:
    assert "No video has failed." in grid([], media, 0.0, "No video has failed.")


def test_a_private_link_offers_looking_and_downloading() -> None:
    for status, error in (("done", None), ("failed", ERROR), ("cancelled", None)):
        view = job(status=status, error=error)
        mine, theirs = (acts(card(CardState(shown=view, mine=own))) for own in (True, False))
        assert "delete" in mine and not theirs & set(OWNERS), (status, theirs)
    assert {"pin", "reuse"} <= acts(card(CardState(shown=job(status="done"))))
    assert "unpin" in acts(card(CardState(shown=job(status="done", pinned=True))))
    assert "cancel" in acts(card(CardState(shown=job(status="running"), mine=False)))


def test_a_phone_folds_whatever_has_ended() -> None:
    for status, words in (("done", "Done in"), ("failed", "The GPU ran out of"), ("cancelled", "Cancelled")):
        error = ERROR if status == "failed" else None
        shown = card(CardState(shown=job(status=status, error=error)))
        strip = re.findall(r'<button type="button" class="reopen".*?</button>', shown)
        assert len(strip) == 1 and words in strip[0], (status, strip)
        assert '<small dir="auto">' in strip[0], "a prompt from right to left begins at its beginning"
    assert 'class="reopen"' not in card(CardState(shown=job(status="running")))
