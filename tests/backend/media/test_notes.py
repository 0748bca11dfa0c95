"""Notes about files: codes with arguments that cross the decoder's pipe, and their words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backend.error_texts import media_notes
from backend.media.child import _facts
from backend.media.facts import PictureFacts, SoundFacts, VideoFacts
from backend.media.process import _parsed
from workflows.notice import made

ANIMATION = made("note_first_frame", {})
CUT = made("note_cut_short", {"there_seconds": 4.94, "claimed_seconds": 200.0})
SURROUND = made("note_its_sound_to_stereo", {"channels": 6})
SOUND = made("note_sound_of_video", {})
RATE = made("note_lower_rate", {"from_khz": 176.4, "to_khz": 44.1})


@pytest.mark.parametrize(("op", "facts", "line"), [
    ("picture", PictureFacts(64, 48, "GIF", 3, (ANIMATION, made("note_transparent", {})), 9),
     "First frame of an animation, transparent parts become white"),
    ("picture", PictureFacts(64, 48, "TIFF", 3, (made("note_first_page", {"count": 3}),), 9),
     "First page of 3"),
    ("video", VideoFacts(64, 48, 9, 16.0, 4.94, "h264", "yuv420p", True, notes=(CUT, SURROUND)),
     "Cut short: 4.9 s of 3 min 20 s are there, the 6 channels of its sound become stereo"),
    ("video", VideoFacts(64, 48, 9, 16.0, 4.94, "hevc", "yuv420p", True, notes=(made("note_hdr", {}),)),
     "HDR: its colours become flatter"),
    ("sound", SoundFacts(4.9, 176_400, 2, "flac", 0.5, notes=(SOUND, RATE)),
     "The sound of a video, 176.4 kHz become 44.1 kHz"),
    ("sound", SoundFacts(4.9, 44_100, 2, "flac", 0.5), ""),
])  # fmt: skip
def test_facts_with_notes_cross_the_pipe(
    op: str, facts: PictureFacts | VideoFacts | SoundFacts, line: str
) -> None:
    said = json.dumps({"id": 7, "ok": _facts(facts)}).encode()
    reply = _parsed(said, 7, op)
    assert isinstance(reply, dict) and type(facts)(**reply["ok"]) == facts
    assert facts.note == line


@pytest.mark.parametrize("note", [
    "A sentence of its own", {}, {"code": "text", "args": {"text": "A sentence of its own"}},
    {"code": "note_of_tomorrow", "args": {}}, {"code": "note_cut_short", "args": {}},
    {"code": "note_cut_short", "args": {"there_seconds": "x", "claimed_seconds": 1}},
    {"code": "note_first_page", "args": {"count": ["a", "b"]}}, None, 7,
])  # fmt: skip
def test_a_note_that_is_not_in_the_catalogue_is_an_invalid_reply(note: object) -> None:
    ok: dict[str, Any] = _facts(PictureFacts(64, 48, "PNG"))
    with pytest.raises(ValueError, match=r"^not "):
        _parsed(json.dumps({"id": 7, "ok": ok | {"notes": [note]}}).encode(), 7, "picture")


def test_a_line_of_notes_begins_with_a_capital_and_has_no_full_stop() -> None:
    for code, text in media_notes.TEXTS.items():
        args: dict[str, Any] = dict.fromkeys(text.arguments, 3)
        line = PictureFacts(64, 48, notes=(made(code, args),)).note
        assert line[0] == line[0].upper() and line[-1] != "." and line != code and "{" not in line
