"""The endpoint that reads recipes: of a file, or of a job of the caller's own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import gradio as gr

from backend.jobs.recipe import HERE
from backend.threads import visitor_of
from ui.api.calls import Calls, as_text, asked
from ui.forms.page_files import PageFiles
from ui.forms.uploads import FILE_META, checked_upload
from ui.gradio_fixes.event_errors import refusal
from ui.i18n.texts import text
from ui.views.recipe import lacking_text
from workflows.modes.registry import MODES

if TYPE_CHECKING:
    from backend.jobs.recipe import Recipe
    from backend.studio import Studio


class RecipeEndpoint:
    """A file can be read by all who have it, the recipe of a job by its owner alone."""

    def __init__(self, studio: Studio, calls: Calls) -> None:
        self._studio, self._calls, self._files = studio, calls, PageFiles(studio)

    async def recipe(
        self, file: dict | None = None, id: str = "", key: str = "", request: gr.Request = None
    ) -> dict:
        owner, _ = self._calls.caller(request)
        found: dict[str, Any] = await asked(
            self._studio.writes, visitor_of(request), self._record, owner, file, as_text(id), as_text(key)
        )
        return found

    recipe.__doc__ = "\n".join(
        (
            text("recipes.api.summary"), "", "Args:",
            *(f"    {name}: {text(f'recipes.api.{name}')}" for name in ("file", "id", "key")),
        )
    )  # fmt: skip

    def _record(self, owner: str, file: Any, id: str, key: str) -> dict[str, Any]:
        found = self._found(owner, file, id, key)
        lacks = self._studio.recipe_lacks(owner, found)
        record = {**found.record(), "values": arguments(self._studio.recipe_here(found))}
        for name, source in self._studio.recipe_sources(owner, found).items():
            path = self._files.source(source, MODES[found.mode].media[name].file_name, found.mode, name)
            if path is not None:
                record["media"][name]["file"] = {
                    "path": str(path), "orig_name": path.name, "meta": FILE_META
                }  # fmt: skip
        said = [
            {"kind": one.kind, "name": one.name, "field": one.field, "message": lacking_text(found.mode, one)}
            for one in lacks
        ]
        record["missing"] = [one for one in said if one["kind"] not in HERE]
        record["notes"] = [one for one in said if one["kind"] in HERE]
        return record

    def _found(self, owner: str, file: Any, id: str, key: str) -> Recipe:
        limit = self._studio.settings.max_upload_mb * 1_000_000
        path = checked_upload(file, "file", limit) if file else None
        if path is not None:
            return self._studio.recipe(path)
        if not id:
            raise refusal(text("recipes.api.nothing"))
        return self._studio.recipe_of(owner, id, key)


def arguments(found: Recipe) -> dict[str, Any]:
    """The values as the mode's endpoint takes them. What only the page offers is left out where it has its
    default."""
    page_only = {field.name: field.default for field in MODES[found.mode].fields if not field.in_api}
    values = {name: one for name, one in found.values.items() if page_only.get(name, ...) != one}
    if isinstance(values.get("vary"), dict):
        values["vary"] = json.dumps(values["vary"])
    return values
