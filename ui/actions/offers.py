"""The buttons below a field that does not take its file: to use it, or its first frame, elsewhere."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from backend.errors import StudioError
from ui.actions.event_data import event_text
from ui.forms.uploads import checked_upload, derived, is_fresh
from ui.gradio_fixes.event_errors import sentence
from ui.i18n.texts import text

if TYPE_CHECKING:
    from backend.studio import Studio
    from ui.actions.fill import FillForms
    from ui.actions.recipes import Recipes

log = logging.getLogger("wan.ui")


class Offers:
    """The handler returns component -> update for FillForms.outputs()."""

    def __init__(self, studio: Studio, fill: FillForms, recipes: Recipes) -> None:
        self.studio, self.fill, self.recipes = studio, fill, recipes

    def use(self, owner: str, event: gr.EventData) -> dict[Any, Any]:
        """Carries out an offer. The event names the file, its field and the target field; for a file with a
        recipe only the file."""
        if event_text(event, "act") == "recipe":
            return self.recipes.restore(owner, event)
        mode, field = event_text(event, "mode"), event_text(event, "field")
        to, into = event_text(event, "to"), event_text(event, "into")
        forms = self.fill.forms
        if (
            mode not in forms
            or to not in forms
            or field not in forms[mode].lines
            or into not in forms[to].lines
        ):
            return self.fill.nothing()
        path = checked_upload(event_text(event, "path") or None, "file")
        if path is None:
            return self.fill.nothing()
        if event_text(event, "act") == "frame":
            frame = self._first_frame(path)
            return self.fill.nothing() if frame is None else self.fill.put(to, into, frame)
        updates = self.fill.put(to, into, path)
        if (mode, field) != (to, into):
            updates[forms[mode].widgets[field]] = None
        return updates

    def _first_frame(self, video: Path) -> Path | None:
        """The first frame as an upload; None, with a message on the page, when it cannot be made."""
        try:
            target = derived(video, f"{video.stem}.jpg")
            if not is_fresh(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                self.studio.first_frame(video, target)
        except StudioError as error:
            gr.Warning(sentence(error))
            return None
        except OSError:
            log.exception("The first frame of a video could not be stored")
            gr.Warning(text("errors.unexpected"))
            return None
        return target
