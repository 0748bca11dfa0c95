"""The messages of a form as HTML: summary of Advanced, line under Generate, notes, lines below files."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ui.i18n.texts import escaped, text
from ui.views.icons import icon


def advanced_row(mode: str, summary: str) -> str:
    return (
        f'<button type="button" class="advanced" aria-expanded="false" aria-controls="{mode}-advanced">'
        f"<strong>{escaped('form_messages.advanced')}</strong><span>{escape(summary)}</span>{icon('chevron')}</button>"
    )


def hint_line(
    mode: str,
    estimate: str = "",
    each: str = "",
    obstacle: str = "",
    frame: str = "",
    problems: str = "{}",
    scroll: bool = False,
    asides: Sequence[str] = (),
    short_warning: str = "",
) -> str:
    """The line under Generate, and what the script spreads over the page: frame and problems (JSON).

    each: what each further video takes, without the place; "" while it is not known.
    short_warning: the note above Generate in a few words, for phones, where Generate stands apart from it.
    """
    if obstacle:
        words = f'<p class="warn">{icon("warn", 18)}<span>{escape(obstacle)}</span></p>'
    else:
        queued = text("form_messages.queued")
        if each:
            queued = text("form_messages.queued_each", estimate=each)
        words = f'<p class="idle">{escape(estimate)}</p><p class="busy">{escape(queued)}</p>'
    if short_warning and not obstacle:
        words = (
            f'<p class="warn short-warning">{icon("warn", 18)}<span>{escape(short_warning)}</span></p>{words}'
        )
    words += "".join(f'<p class="aside">{escape(aside)}</p>' for aside in asides)
    return (
        f'<div data-mode="{mode}" data-frame="{escape(frame)}" data-problems="{escape(problems)}"'
        f' data-scroll="{int(scroll)}" aria-live="polite">{words}</div>'
    )


def notes_html(warnings: Sequence[str], quiet: Sequence[str] = ()) -> str:
    """A list of notes: `warnings` in amber with an icon, `quiet` ones in grey."""
    rows = "".join(
        f'<li class="warn">{icon("warn", 18)}<span>{escape(warning)}</span></li>' for warning in warnings
    )
    rows += "".join(f"<li><span>{escape(note)}</span></li>" for note in quiet)
    return f'<ul class="notes" aria-live="polite">{rows}</ul>' if rows else ""


def beware_line(words: str) -> str:
    """A sentence in amber below a file that can be used all the same."""
    return f'<p class="beware">{icon("warn", 16)}<span>{escape(words)}</span></p>'


def picture_line(facts: list[str], problem: str = "") -> str:
    """`fjord.jpg   1920 × 1080   Fits, nothing is cropped`, or what is wrong with the picture."""
    if problem:
        return f'<p class="problem" role="alert">{icon("alert", 16)}<span>{escape(problem)}</span></p>'
    return (
        '<p class="facts">' + "".join(f"<span>{escape(f)}</span>" for f in facts if f) + "</p>"
        if facts
        else ""
    )
