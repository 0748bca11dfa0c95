"""The endpoints about model files: which file each role uses, and the choice by hand; for the admin.

The names of the functions are the names of the MCP tools.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import gradio as gr

from backend.threads import visitor_of
from ui.api.calls import Calls, as_text, asked
from ui.gradio_fixes.event_errors import refusal
from ui.i18n.texts import text

if TYPE_CHECKING:
    from backend.models.state import ModelState
    from backend.studio import Studio

SAMPLING: dict[str, bool | None] = {"named": None, "distilled": True, "full": False}
"""How a file is sampled -> whether a 4-step distillation is in its weights; None: as its name says."""
_STRING: dict[str, Any] = {"type": "string"}
USE_SCHEMA: dict[str, Any] = {
    "role": _STRING,
    "file": _STRING,
    "sampling": {"type": "string", "enum": list(SAMPLING)},
}


def _documented(summary: str, arguments: tuple[str, ...] = ()) -> Callable[[Any], Any]:
    """Sets the docstring, which MCP shows. summary: a key of the text table."""

    def mark(function: Any) -> Any:
        lines = [text(summary)]
        if arguments:
            lines += [
                "",
                "Args:",
                *(f"    {name}: {text(f'model_api.argument.{name}')}" for name in arguments),
            ]
        function.__doc__ = "\n".join(lines)
        return function

    return mark


class ModelEndpoints:
    """Both refuse everyone but the admin."""

    def __init__(self, studio: Studio, calls: Calls) -> None:
        self._studio, self._calls = studio, calls

    @_documented("model_api.list")
    async def models(self, request: gr.Request = None) -> dict:
        owner, user = self._calls.caller(request)
        found: dict[str, Any] = await asked(self._studio.reads, visitor_of(request), self._list, owner, user)
        return found

    @_documented("model_api.use", ("role", "file", "sampling"))
    async def use_model(
        self, role: str, file: str = "", sampling: str = "named", request: gr.Request = None
    ) -> dict:
        if sampling not in SAMPLING:
            raise refusal(text("model_api.bad_sampling", names=", ".join(SAMPLING)))
        owner, user = self._calls.caller(request)
        found: dict[str, Any] = await asked(
            self._studio.writes, visitor_of(request), self._use, owner, user, as_text(role), as_text(file),
            SAMPLING[sampling],
        )  # fmt: skip
        return found

    def _list(self, owner: str, user: str) -> dict[str, Any]:
        states = self._studio.model_choices(owner, user)
        return {"models": [_record(state) for state in states]}

    def _use(self, owner: str, user: str, role: str, file: str, distilled: bool | None) -> dict[str, Any]:
        self._studio.choose_model(owner, role, file, distilled, user)
        return next(_record(one) for one in self._studio.model_choices(owner, user) if one.role == role)


def _record(state: ModelState) -> dict[str, Any]:
    """One role: what it uses, what else was found, and what is missing."""
    return {
        "role": state.role,
        "title": state.title,
        "file": state.name,
        "folder": state.folder,
        "bytes": state.bytes,
        "modes": list(state.modes),
        "state": state.state,
        "used": state.used,
        "chosen": state.chosen,
        "others": list(state.others),
        "ask": list(state.asked),
        "words": state.words,
        "servers": [asdict(one) for one in state.servers],
    }
