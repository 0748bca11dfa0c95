"""A chosen sound or driving video as HTML: its wave or picture, a play button, two handles.

assets/media.js moves the handles and writes their times into the number fields; the server draws them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from ui.i18n.texts import escaped
from ui.views.icons import icon
from ui.views.media_text import clock_exact

BARS = 140
"""Bars of a wave: three CSS pixels each in the narrow column."""
FILE_ROUTE = "gradio_api/file="
"""Gradio's route for uploads, relative: the page may be served below a proxy's path."""


@dataclass(frozen=True)
class Trim:
    """The chosen part of a file, and the fields that hold it. Seconds; length 0: to the end."""

    start_field: str
    length_field: str
    start: float = 0.0
    length: float = 0.0

    def part(self, seconds: float) -> tuple[float, float]:
        """(start, end) in seconds inside a file of `seconds`; values outside it select the whole file."""
        start = self.start if 0 <= self.start < seconds else 0.0
        end = start + self.length if self.length > 0 else seconds
        return start, min(end, seconds)


def empty(heading: str, hint: str, kind: str) -> str:
    """The content of an empty drop zone."""
    return (
        f'<div class="drop-words">{icon({"sound": "wave", "video": "film"}[kind], 22)}'
        f"<h2>{escape(heading)}</h2><p>{escape(hint)}</p></div>"
    )


def chosen(
    mode: str,
    name: str,
    kind: str,
    path: str,
    seconds: float = 0.0,
    peaks: Sequence[float] = (),
    trim: Trim | None = None,
) -> str:
    """The chosen file. kind: sound or video; seconds 0: it could not be read and can only be removed."""
    address = escape(FILE_ROUTE + quote(path))
    label = escaped(f"media.remove.{kind}")
    remove = (
        f'<button type="button" class="remove" data-m="remove" aria-label="{label}"'
        f' title="{label}">{icon("close")}</button>'
    )
    if not seconds:
        return f'<div class="media {kind} bad" data-media="{mode}-{name}">{remove}</div>'
    start, end = trim.part(seconds) if trim else (0.0, seconds)
    fields = ""
    if trim:
        fields = f' data-start="{mode}-{trim.start_field}" data-length="{mode}-{trim.length_field}"'
    shares = f"--from:{start / seconds:.5f};--to:{end / seconds:.5f}"
    play = (
        f'<button type="button" class="toggle" data-m="play" aria-label="{escaped("media.play")}">'
        f"{icon('play', 20)}{icon('pause', 20)}</button>"
    )
    words = clock_exact(seconds)
    if trim:
        words = escaped("media.part", start=clock_exact(start), end=clock_exact(end))
    times = f'<span class="part" data-m="at">{words}</span>'
    if kind == "sound":
        screen = f'<audio preload="none" src="{address}"></audio>'
        track = wave(peaks, f"{mode}-{name}-wave")
    else:
        screen = (
            f'<div class="screen"><video muted playsinline preload="metadata" src="{address}#t={start:.3f}"'
            f' tabindex="-1" aria-label="{escaped("media.driving_video")}"></video>'
            f'<p class="unplayable">{escaped("media.unplayable")}</p></div>'
        )
        track = '<i class="rail"></i>'
    handles = ""
    if trim:
        handles = _handle("from", escaped("media.start"), start, seconds)
        handles += _handle("to", escaped("media.end"), end, seconds)
    track = f'<div class="track" style="{shares}">{track}<i class="head"></i>{handles}</div>'
    return (
        f'<div class="media {kind}" data-media="{mode}-{name}" data-seconds="{seconds:.3f}"'
        f' data-from="{start:.3f}" data-to="{end:.3f}"{fields} data-paused>{screen}{track if trim else ""}'
        f'<div class="row">{play}{times}{remove}</div></div>'
    )


def _handle(side: str, label: str, value: float, seconds: float) -> str:
    return (
        f'<span class="handle {side}" role="slider" tabindex="0" data-side="{side}" aria-label="{label}"'
        f' aria-valuemin="0" aria-valuemax="{seconds:.1f}" aria-valuenow="{value:.1f}"'
        f' aria-valuetext="{clock_exact(value)}"></span>'
    )


def wave(peaks: Sequence[float], key: str) -> str:
    """Peaks (0 to 1) as bars, drawn twice: all in grey, the chosen part in the accent colour."""
    bars = loudest(peaks, BARS)
    path = "".join(f"M{n + 0.5:g} {50 - h:g}V{50 + h:g}" for n, h in enumerate(1 + 47 * b for b in bars))
    path = path or "M0 50H1"
    box = f'viewBox="0 0 {max(1, len(bars))} 100" preserveAspectRatio="none" aria-hidden="true"'
    return (
        f'<svg class="wave" {box}><path id="{key}" d="{path}"/></svg>'
        f'<svg class="wave chosen" {box}><use href="#{key}"/></svg>'
    )


def loudest(peaks: Sequence[float], count: int) -> list[float]:
    """At most `count` values, each the largest of its share of `peaks`, 0 to 1, two decimals."""
    if not peaks:
        return []
    count = min(count, len(peaks))
    edges = [n * len(peaks) // count for n in range(count + 1)]
    found = [max(peaks[a:b]) for a, b in itertools.pairwise(edges)]
    return [round(min(1.0, max(0.0, value)), 2) for value in found]
