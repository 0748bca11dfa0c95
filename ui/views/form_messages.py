"""The messages of a form as HTML: summary of Advanced, line under Generate, notes, lines below files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from ui.i18n.texts import escaped, text
from ui.views.icons import icon


def advanced_row(mode: str, summary: str) -> str:
    return (
        f'<button type="button" class="advanced" aria-expanded="false" aria-controls="{mode}-advanced">'
        f"<strong>{escaped('form_messages.advanced')}</strong><span>{escape(summary)}</span>{icon('chevron')}</button>"
    )


@dataclass(frozen=True, kw_only=True)
class Hint:
    """The line under Generate, and the data that the script distributes over the form.

    `makes`: size and length of the result. `reason`: why Generate is disabled; `missing`: it is only that
    something has not been given yet; `passing`: it may end without a change of the form, so that the script
    asks again. `estimate`, `each`: how long it takes, and each further video without the place ("" while
    unknown); `count`: videos that are made together, whose time is that of all. `frame`: size and length for
    the empty stage. `wrong`, `needed`: field -> sentence; `advice`: the same for a value that can be used.
    `blanks`: field -> what its empty number shows.
    `scroll`: the first message is brought into view. `short_warning`: the note above Generate in a few words,
    for phones, where Generate is apart from it. `turn`: the number that the script gave to its request, ""
    for another event. `ready`: whether Generate can be pressed; the reason may be a refusal that does not
    disable it.
    """

    makes: str = ""
    reason: str = ""
    missing: bool = False
    passing: bool = False
    estimate: str = ""
    each: str = ""
    count: int = 1
    frame: str = ""
    wrong: Mapping[str, str] = field(default_factory=dict)
    needed: Mapping[str, str] = field(default_factory=dict)
    advice: Mapping[str, str] = field(default_factory=dict)
    blanks: Mapping[str, str] = field(default_factory=dict)
    scroll: bool = False
    asides: Sequence[str] = ()
    short_warning: str = ""
    turn: str = ""
    ready: bool = True


AGAIN_SECONDS = 3
"""Seconds after which the script asks again while the reason is a passing one."""


NO_HINT = Hint()


def hint_line(mode: str, hint: Hint = NO_HINT) -> str:
    """The line under Generate."""
    made = f'<p class="makes">{escape(hint.makes)}</p>' if hint.makes else ""
    if hint.reason and not hint.missing:
        words = f'<p class="warn">{icon("warn", 18)}<span>{escape(hint.reason)}</span></p>'
    elif hint.reason:
        words = f'<div class="hint-row">{made}<p class="missing">{escape(hint.reason)}</p></div>'
    else:
        queued = text("form_messages.queued")
        if hint.each and hint.count > 1:
            queued = text("variations.queued", estimate=hint.each, count=hint.count)
        elif hint.each:
            queued = text("form_messages.queued_each", estimate=hint.each)
        words = (
            f'<div class="hint-row">{made}<p class="idle">{escape(hint.estimate)}</p>'
            f'<p class="busy">{escape(queued)}</p></div>'
        )
    if hint.short_warning and not hint.reason:
        brief = escape(hint.short_warning)
        words = f'<p class="warn short-warning">{icon("warn", 18)}<span>{brief}</span></p>{words}'
    words += "".join(f'<p class="aside">{escape(aside)}</p>' for aside in hint.asides)
    data = {
        "mode": mode,
        "frame": hint.frame,
        "problems": json.dumps(hint.wrong),
        "needed": json.dumps(hint.needed),
        "advice": json.dumps(hint.advice),
        "blanks": json.dumps(hint.blanks),
        "scroll": str(int(hint.scroll)),
        "again": str(AGAIN_SECONDS) if hint.reason and hint.passing else "",
        "turn": hint.turn,
        "ready": "1" if hint.ready else "missing" if hint.missing else "0",
    }
    attributes = "".join(f' data-{name}="{escape(value)}"' for name, value in data.items())
    return f'<div id="{mode}-hint"{attributes} aria-live="polite">{words}</div>'


def notes_html(warnings: Sequence[str], quiet: Sequence[str] = ()) -> str:
    """A list of notes: `warnings` in amber with an icon, `quiet` ones in grey."""
    rows = "".join(
        f'<li class="warn">{icon("warn", 18)}<span>{escape(warning)}</span></li>' for warning in warnings
    )
    rows += "".join(f"<li><span>{escape(note)}</span></li>" for note in quiet)
    return f'<ul class="notes" aria-live="polite">{rows}</ul>' if rows else ""


def file_advice(sentence: str) -> str:
    """What to know about a file that can be used."""
    return f'<p class="advice">{icon("warn", 16)}<span>{escape(sentence)}</span></p>'


def picture_line(facts: list[str], problem: str = "", name: str = "") -> str:
    """`fjord.jpg   1920 × 1080   Fits, nothing is cropped`, or what is wrong with the picture. name: the
    element id of the field."""
    if problem:
        return (
            f'<p class="problem" id="{name}-problem" role="alert">'
            f"{icon('alert', 16)}<span>{escape(problem)}</span></p>"
        )
    return (
        '<p class="facts">' + "".join(f"<span>{escape(f)}</span>" for f in facts if f) + "</p>"
        if facts
        else ""
    )
