"""Who may do what: every handler of the page, every server function and every endpoint.

- visitor: it is about what the visitor has or makes: the visitor's own form, library, queue
- link: also about another visitor's job, by its id and key: looking, downloading, cancelling
- owner: about a job of the visitor's own
- admin: for the machine's admin
"""

from __future__ import annotations

from typing import Literal

Who = Literal["visitor", "link", "owner", "admin"]

HANDLERS: dict[str, Who] = {
    "Visit.on_load": "link",
    "Visit.report_admin_link": "visitor",
    "plan_on.<locals>.plan": "visitor",
    "submit_on_generate.<locals>.submit": "visitor",
    "InputFolder.wire.<locals>.pick": "admin",
    "Stage.show": "link",
    "Stage.cancel": "link",
    "Stage.finished": "link",
    "Stage.redraw": "link",
    "Again.again": "owner",
    "Finish.quality": "owner",
    "Finish.finish": "owner",
    "Again.retry": "owner",
    "Extend.extend": "owner",
    "Extend.reroll": "owner",
    "Again.vary": "owner",
    "FillForms.reuse": "owner",
    "FillForms.use_picture": "owner",
    "FillForms.send": "owner",
    "FillForms.use_frame": "visitor",
    "FillForms.use_starter": "visitor",
    "FillForms.use_sample": "visitor",
    "Offers.use": "visitor",
    "LibraryActions.show": "link",
    "LibraryActions.retry": "owner",
    "LibraryActions.vary": "owner",
    "Library.fill": "visitor",
    "Library.more": "visitor",
    "Keeping.delete": "owner",
    "Keeping.keep": "owner",
    "Keeping.undo": "owner",
    "Keeping.pin": "owner",
    "Keeping.unpin": "owner",
    "Queue.listed": "visitor",
    "Queue.up": "owner",
    "Queue.down": "owner",
    "Queue.cancel": "link",
    "Queue.cancel_all": "visitor",
    "Queue.pause": "admin",
    "Queue.resume": "admin",
    "System.fill": "visitor",
    "System.machine": "visitor",
    "ModelDownload.look": "admin",
    "ModelDownload.plan": "admin",
    "ModelDownload.start": "admin",
    "ModelDownload.cancel": "admin",
    "SystemActions.choose": "admin",
    "SystemActions.pause": "admin",
    "SystemActions.resume": "admin",
    "RestoreForms.restore": "visitor",
    "LoadPreset.apply": "visitor",
    "_Page._wire_card.<locals>.<lambda>": "visitor",
    "part.<locals>.<lambda>": "visitor",
}
"""Qualified name of a handler -> who may use it."""

EVENTS: dict[tuple[str, str], str] = {
    ("ws-card", "show"): "Stage.show",
    ("ws-card", "cancel"): "Stage.cancel",
    ("ws-card", "finished"): "Stage.finished",
    ("ws-card", "redraw"): "Stage.redraw",
    ("ws-card", "again"): "Again.again",
    ("ws-card", "quality"): "Finish.quality",
    ("ws-card", "finish"): "Finish.finish",
    ("ws-card", "retry"): "Again.retry",
    ("ws-card", "extend"): "Extend.extend",
    ("ws-card", "reroll"): "Extend.reroll",
    ("ws-card", "vary"): "Again.vary",
    ("ws-card", "keep_picked"): "Keeping.keep",
    ("ws-card", "reuse"): "FillForms.reuse",
    ("ws-card", "picture"): "FillForms.use_picture",
    ("ws-card", "send"): "FillForms.send",
    ("ws-card", "delete"): "Keeping.delete",
    ("ws-card", "pin"): "Keeping.pin",
    ("ws-card", "unpin"): "Keeping.unpin",
    ("ws-library", "show"): "LibraryActions.show",
    ("ws-library", "retry"): "LibraryActions.retry",
    ("ws-library", "vary"): "LibraryActions.vary",
    ("ws-library", "reuse"): "FillForms.reuse",
    ("ws-library", "send"): "FillForms.send",
    ("ws-library", "delete"): "Keeping.delete",
    ("ws-library", "pin"): "Keeping.pin",
    ("ws-library", "unpin"): "Keeping.unpin",
    ("ws-undo", "undo"): "Keeping.undo",
    ("ws-queue", "up"): "Queue.up",
    ("ws-queue", "down"): "Queue.down",
    ("ws-queue", "cancel"): "Queue.cancel",
}
"""(component, event) -> its handler, of all that are about a job by its id and key."""

SERVER_FUNCTIONS: dict[str, Who] = {
    "poll": "link",
    "choices": "link",
    "finals": "link",
    "compared": "link",
    "extend_plan": "owner",
    "keep": "visitor",
    "retain": "visitor",
    "find": "visitor",
    "pictures": "visitor",
    "presets": "visitor",
    "preset_save": "visitor",
    "preset_rename": "visitor",
    "preset_remove": "visitor",
    "preset_default": "visitor",
    "preset_share": "visitor",
    "preset_read": "visitor",
}

ENDPOINTS: dict[str, Who] = {
    "image_to_video": "visitor",
    "fast_video": "visitor",
    "sound_to_video": "visitor",
    "animate": "visitor",
    "text_to_video": "visitor",
    "text_to_image": "visitor",
    "job": "link",
    "result": "link",
    "cancel": "link",
    "finish": "owner",
    "extend": "owner",
    "reroll": "owner",
    "loras": "visitor",
    "presets": "visitor",
    "models": "admin",
    "use_model": "admin",
    "recipe": "owner",
}
"""Endpoints, which are also the MCP tools."""


def events(who: Who) -> list[tuple[str, str]]:
    """The events about a job that these may use."""
    return [event for event, handler in EVENTS.items() if HANDLERS[handler] == who]
