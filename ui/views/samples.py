"""The samples of the empty tabs as HTML, and the words about what a tab makes and needs."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ui.i18n.texts import escaped, table
from ui.samples import Sample


def strips(samples: Sequence[Sample], folder: str) -> str:
    """One strip of tiles for each tab that has samples; the style sheet shows that of the chosen tab. folder:
    address of the pictures."""
    found = ""
    for tab in dict.fromkeys(sample.tab for sample in samples):
        tiles = "".join(_tile(sample, folder) for sample in samples if sample.tab == tab)
        heading = escaped(f"samples.heading.{tab}")
        found += (
            f'<div class="samples" data-tab="{tab}"><h2 class="label">{heading}</h2>'
            f'<div class="strip">{tiles}</div></div>'
        )
    return found


def _tile(sample: Sample, folder: str) -> str:
    data = f'data-act="sample" data-n="{sample.id}"'
    if not sample.tile:
        inside, kind = f"<span>{escape(sample.prompt)}</span>", "starter words"
    else:
        picture = f'<img src="{folder}/{sample.tile}" alt="" loading="lazy">'
        inside, kind = f"{picture}<span>{escape(sample.title)}</span>", "starter"
    return f'<button type="button" class="{kind}" {data}>{inside}</button>'


def lesson(tab: str, begin: str) -> str:
    """What the tab makes, where the table says so, and what it needs for that."""
    makes = table().get(f"samples.makes.{tab}", "")
    first = f"<p>{escape(makes)}</p>" if makes else ""
    return f'<div data-tab="{escape(tab)}">{first}<p class="begin">{escape(begin)}</p></div>'
