"""Measured seams in words: those of loops and those between the parts of a joined video."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ui.i18n.texts import text
from ui.views import wording

if TYPE_CHECKING:
    from backend.jobs.views import SeamView
    from backend.media.facts import LoopSeam

MOST_STEPS = 99
"""A jump of more times the usual step is shown as this one."""


def loop_words(seam: LoopSeam) -> str:
    """ "No doubled frame, step 1.2 times the usual one, brightness changes by 0.4 of 255, colour by 0.2 of
    255"."""
    said = [text("seams.doubled" if seam.doubled else "seams.not_doubled")]
    if not seam.doubled:
        said.append(text("seams.step", step=wording.number(min(seam.step, MOST_STEPS), 1)))
    said += [level("brightness", seam.brightness), level("colour", seam.colour)]
    return wording.listed(said)


def part_words(seam: SeamView) -> str:
    """ "No doubled frame, brightness changes by 0.4 of 255, colour by 0.2 of 255, motion 1.1 times the usual
    one"."""
    motion = text("seams.motion", value=wording.number(min(seam.motion, MOST_STEPS), 1))
    return wording.listed(
        [
            text("seams.doubled" if seam.doubled else "seams.not_doubled"),
            level("brightness", seam.brightness),
            level("colour", seam.colour),
            motion,
        ]
    )


def level(kind: str, value: float) -> str:
    """A difference of brightness or colour in steps of 255."""
    figure = wording.number(value, 1)
    return text("seams.colour", value=figure) if kind == "colour" else text("seams.brightness", value=figure)
