"""Puts stored values and kept files into forms: after a reload, for Clear, and for Undo."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from backend.errors import StudioError
from ui.actions.event_data import event_text, event_values
from ui.forms import draft_values
from ui.forms.uploads import cached_copy, checked_upload
from ui.i18n.texts import text

if TYPE_CHECKING:
    from backend.studio import Studio
    from ui.actions.fill import FillForms


class RestoreForms:
    """The handler of the event that the drafts' script triggers."""

    def __init__(self, studio: Studio, fill: FillForms) -> None:
        self.studio, self.fill = studio, fill

    def restore(self, owner: Any, event: gr.EventData) -> dict[Any, Any]:
        """component -> update. The event's data is what a browser stored, and may be anything:
        {draft, forms: {mode: {values, media: {field: {id, upload}}, part}}, kinds: {tab: mode}}. An upload
        is a path; Gradio itself would refuse the whole event for one named "path" that is not an upload's.

        A form that is named is filled as a whole: what is not given, or cannot be used, gets its initial
        value. With `part` only the values that are given and can be used are filled in. Files are those of
        `owner` only.
        """
        data = event_values(event)
        updates: dict[Any, Any] = {}
        lost = 0
        for mode, given in _mapping(data.get("forms")).items():
            if (form := self.fill.forms.get(mode)) is None or not isinstance(given, Mapping):
                continue
            values = draft_values.restored(mode, given.get("values"), form.start)
            filled: dict[str, Any] = {name: one for name, one in values.items() if name in form.widgets}
            if given.get("part") is True:
                some = _mapping(given.get("values"))
                updates |= self.fill.widget_updates(
                    mode, {name: one for name, one in filled.items() if name in some}
                )
                continue
            media = _mapping(given.get("media"))
            for name in form.lines:
                filled[name] = self._file(owner, event_text(event, "draft"), _mapping(media.get(name)))
                lost += name in media and filled[name] is None
            updates |= self.fill.widget_updates(mode, filled)
        for tab, kind in _mapping(data.get("kinds")).items():
            if tab in self.fill.choosers and kind in self.fill.forms:
                updates[self.fill.choosers[tab]] = kind
        if lost:
            gr.Info(text("drafts.lost"))
        return updates or self.fill.nothing()

    def _file(self, owner: Any, draft: str, given: Mapping[str, Any]) -> Path | None:
        """A file where a drop zone can load it: the kept one, else the upload itself while it exists."""
        try:
            path, name = self.studio.draft_file(str(owner or ""), draft, str(given.get("id") or ""))
            return cached_copy(path, name)
        except (OSError, StudioError):
            pass
        try:
            return checked_upload(given.get("upload") or None)
        except gr.Error:
            return None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
