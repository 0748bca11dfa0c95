"""Restores a form from a file that carries its recipe, which was dropped, pasted or chosen."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from backend.errors import StudioError
from ui.actions.event_data import event_text
from ui.forms import schema, variations
from ui.forms.uploads import checked_upload
from ui.gradio_fixes.event_errors import sentence
from ui.views.recipe import lacking_text, notes_for_script
from workflows.modes.registry import MODES

if TYPE_CHECKING:
    from backend.jobs.recipe import Lacking, Recipe
    from backend.studio import Studio
    from ui.actions.fill import FillForms


class Recipes:
    """The handler returns component -> update for FillForms.outputs() and the box with what is missing, for
    the script."""

    def __init__(self, studio: Studio, fill: FillForms, box: Any) -> None:
        self.studio, self.fill, self.box = studio, fill, box

    def restore(self, owner: str, event: gr.EventData) -> dict[Any, Any]:
        """Fills the form of the recipe's mode with all of its settings and with those of its files that this
        owner has here."""
        path = checked_upload(event_text(event, "path") or None, "file", self._limit)
        if path is None:
            return self.fill.nothing()
        try:
            found = self.studio.recipe(path)
            sources = self.studio.recipe_sources(owner, found)
            lacks = self.studio.recipe_lacks(owner, found)
            found = self.studio.recipe_here(found)
        except StudioError as error:
            gr.Warning(sentence(error))
            return self.fill.nothing()
        if found.mode not in self.fill.forms:
            return self.fill.nothing()
        files = self.fill.files
        filled: dict[str, Any] = schema.from_params(
            found.mode, found.values, self.fill.planner.default_negative
        )
        draft = found.values.get("resolution") == "draft"
        filled[variations.NAME] = variations.from_values(found.mode, found.values, draft)
        if found.origin == "settings":  # the other fields stay as they are
            filled = {name: one for name, one in filled.items() if name in found.values}
        if found.origin == "wan_studio":  # others do not say which files of this machine they mean
            for name, field in MODES[found.mode].media.items():
                source = sources.get(name)
                filled[name] = (
                    files.source(source, field.file_name, found.mode, name) if source is not None else None
                )
        return {**self.fill.settings(found.mode, filled), self.box: self._notes(found, lacks, path)}

    @property
    def _limit(self) -> int:
        return self.studio.settings.max_upload_mb * 1_000_000

    def _notes(self, found: Recipe, lacks: Sequence[Lacking], path: Path) -> str:
        """What is missing, for the script: beside its field, or above the form."""
        by_field: dict[str, str] = {}
        general: list[str] = []
        for one in lacks:
            words = lacking_text(found.mode, one)
            if one.field in MODES[found.mode].by_name:
                by_field[one.field] = f"{by_field.get(one.field, '')} {words}".strip()
            else:
                general.append(words)
        return notes_for_script(found.mode, path.name, by_field, general, secrets.token_hex(4))
