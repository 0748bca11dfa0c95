"""What the card says of a job without a result: of every mode, with its files and without, to its owner and
to the holder of a private link."""

from __future__ import annotations

import itertools

import pytest

from tests.support.job_views import job
from ui.views.card import card
from ui.views.card_state import CardState
from ui.views.failure import kept
from workflows.modes.registry import MODES, media_fields

ERROR = {"code": "out_of_memory", "message": "The GPU ran out of memory. Step 2 of 20.", "hint": "Try less."}
KINDS = {"picture", "sound", "video"}
CHOICES = [(status, prompt) for status in ("failed", "cancelled") for prompt in ("", "A boat")]


@pytest.mark.parametrize("mode", MODES)
def test_only_what_is_stored_is_called_kept(mode: str) -> None:
    fields = media_fields(mode)
    given = [chosen for count in range(len(fields) + 1) for chosen in itertools.combinations(fields, count)]
    for files, (status, prompt) in itertools.product(given, CHOICES):
        view = job(mode=mode, status=status, params={"prompt": prompt}, error=ERROR)
        words = kept(view, files)
        assert {kind for kind in KINDS if kind in words} == {fields[name].kind for name in files}
        assert ("prompt" in words) is bool(prompt) and words.endswith("settings are still here.")
        gone, _, more = kept(view, files, inputs_deleted=True).partition(". ")
        assert not {kind for kind in KINDS if kind in gone} and ("prompt" in gone) is bool(prompt)
        assert "keeps no copy of its files" in more


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_each_reader_sees_what_holds_for_them(mode: str, status: str) -> None:
    files = [name for name, field in media_fields(mode).items() if field.required]
    view = job(mode=mode, status=status, error=ERROR if status == "failed" else None)
    own = card(CardState(shown=view, files=files))
    assert "and settings are still here" in own and 'data-act="retry"' in own
    assert ("Try less." in own) is (status == "failed")
    deleted = card(CardState(shown=view, files=files, inputs_deleted=True))
    assert 'data-act="retry"' not in deleted and 'data-act="reuse"' in deleted
    assert ("kept for a day and have been deleted" in deleted) is (status == "failed")
    assert ("keeps no copy of its files" in deleted) is (status == "cancelled")
    for gone in (False, True):
        theirs = card(CardState(shown=view, mine=False, has_picture=False, inputs_deleted=gone))
        assert not [said for said in ("still here", "Your ", "deleted", "Reuse", "Try") if said in theirs]
        assert ("Step 2 of 20." in theirs) is (status == "failed")
