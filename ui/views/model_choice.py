"""The files that can take a role, below its row in System, with buttons for the admin."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ui.i18n.texts import escaped, plural

if TYPE_CHECKING:
    from backend.models.state import ModelState

AUTO, AS_NAMED, DISTILLED, FULL = "auto", "named", "distilled", "full"
"""What a button asks for."""


def shown_file(state: ModelState) -> str:
    """The name of the file that a role uses, without folders; the catalogue's when it uses none."""
    return state.used.replace("\\", "/").rsplit("/", 1)[-1] if state.used else state.name


def details(state: ModelState, admin: bool) -> str:
    """What is used in place of the catalogue's file, why a file cannot be used, and what else was found."""
    parts = ""
    if state.used and shown_file(state).casefold() != state.name.casefold():
        parts += f"<small>{escaped('model_choice.instead', name=state.name)}</small>"
    if state.state == "unsuitable" and state.words:
        parts += f"<small>{escape(state.words)}</small>"
    parts += _servers(state)
    more = len(state.others) + len(state.asked)
    if not more and not state.chosen:
        return parts
    rows = "".join(_row(state.role, name, (AS_NAMED,), admin) for name in state.others)
    rows += "".join(_row(state.role, name, (DISTILLED, FULL), admin) for name in state.asked)
    if state.chosen and admin:
        rows += f"<li>{_button(state.role, '', AUTO)}</li>"
    summary = escape(plural("model_choice.found", more)) if more else escaped("model_choice.chosen")
    return f"{parts}<details><summary>{summary}</summary><ul>{rows}</ul></details>"


def _servers(state: ModelState) -> str:
    """Where a file is missing, and which servers use another one, where there are several servers."""
    said = ""
    missing = [one.address for one in state.servers if one.state != "ready"]
    if missing and len(missing) < len(state.servers):
        said += f"<small>{escaped('model_choice.missing_on', servers=', '.join(missing))}</small>"
    for one in state.servers:
        if one.state == "ready" and one.used != state.used:
            said += f"<small>{escaped('model_choice.on_server', server=one.address, name=one.used)}</small>"
    return said


def _row(role: str, name: str, changes: tuple[str, ...], admin: bool) -> str:
    buttons = "".join(_button(role, name, change) for change in changes) if admin else ""
    return f"<li><code>{escape(name)}</code>{buttons}</li>"


def _button(role: str, name: str, change: str) -> str:
    return (
        f'<button type="button" class="btn quiet" data-role="{escape(role)}" data-file="{escape(name)}"'
        f' data-change="{change}">{escaped(f"model_choice.button.{change}")}</button>'
    )
