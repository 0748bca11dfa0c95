"""What else can be done with a file that a field does not take: another field, or the first frame of a video.

The offers are buttons below the field; ui/actions/offers.py carries them out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from ui.i18n import mode_texts
from ui.i18n.texts import text
from workflows.modes.registry import MODES

FALLBACK = {"picture": "image_to_video", "sound": "sound_to_video", "video": "animate"}
"""Kind of file -> the mode that takes one, for files that no field of the same form takes."""


@dataclass(frozen=True)
class Offer:
    """act: put the file, or its first frame, into this field of this mode."""

    act: Literal["move", "frame"]
    mode: str
    field: str


def offers(mode: str, field: str, kind: str) -> list[Offer]:
    """What to offer for a file of this kind in a field that does not take it; kind "": unknown."""
    wanted = MODES[mode].media[field].kind
    if kind not in FALLBACK or kind == wanted or (kind == "video" and wanted == "sound"):
        return []
    found = [Offer("frame", mode, field)] if kind == "video" and wanted == "picture" else []
    for candidate in (mode, FALLBACK[kind]):
        names = [name for name, spec in MODES[candidate].media.items() if spec.kind == kind]
        if names:
            return [*found, Offer("move", candidate, names[0])]
    return found


def label(offer: Offer, mode: str) -> str:
    """The button's words; mode: of the form that it is in."""
    if offer.act == "frame":
        return text("offers.first_frame")
    name = mode_texts.label(offer.mode, offer.field)
    name = name[:1].lower() + name[1:]
    if offer.mode == mode:
        return text("offers.here", field=name)
    return text("offers.in_tab", field=name, tab=mode_texts.title(offer.mode))


def buttons(found: Sequence[Offer], mode: str, field: str, path: str) -> str:
    """The offers as HTML. mode, field: where the file lies now; path: of the upload."""
    rows = "".join(
        f'<button type="button" class="btn" data-offer="{offer.act}" data-mode="{mode}" data-field="{field}"'
        f' data-to="{offer.mode}" data-into="{offer.field}" data-path="{escape(path)}">'
        f"{escape(label(offer, mode))}</button>"
        for offer in found
    )
    return f'<div class="offers">{rows}</div>' if rows else ""
