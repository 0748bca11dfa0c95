"""Extend: the dialog's requests, a new part of a clip, and a part that is drawn again."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from backend.errors import StudioError
from backend.media.facts import PictureFacts
from backend.notices import words
from backend.threads import visitor_of
from ui.actions.event_data import event_text, own_job
from ui.actions.once import Once
from ui.forms.uploads import checked_upload
from ui.gradio_fixes.checked_inputs import is_unicode
from ui.gradio_fixes.event_errors import sentence
from ui.i18n.texts import text
from ui.views import parts
from workflows.params.limits import PROMPT_MAX

if TYPE_CHECKING:
    from backend.jobs.views import ExtendPlan, JobView
    from backend.studio import Studio
    from ui.actions.stage import Stage
    from ui.job_card import Card

log = logging.getLogger("wan.ui")

PICTURES = "image_to_video"
"""The mode whose times a new part takes."""
AUTO, LAST_FRAME = "auto", "last_frame"
DEFAULTS: Mapping[str, Any] = {
    "prompt": "", "seconds": 5.0, "frame": -1, "method": "auto", "speed": "fast", "seed": -1, "part": 0,
}  # fmt: skip


class Extend:
    """Handlers that return the card's new HTML, with the new job or with what is wrong above the stage, and
    the answer to the press for the dialog: JSON of {press, made, problem, field}. `press` is the one that the
    event named, `made` the new job. Another event may replace the card at the same time, but not the answer.
    """

    def __init__(self, studio: Studio, card: Card, stage: Stage) -> None:
        self.studio, self.card, self.stage = studio, card, stage
        self.once = Once()

    def extend(self, owner: str, event: gr.EventData, request: gr.Request) -> Any:
        """Makes a joined video: the clip with a new part after it."""
        given = values(event_text(event, "data"))

        def make(job: JobView) -> JobView:
            return self.studio.extend(
                owner,
                job.id,
                job.key,
                prompt=given["prompt"],
                seconds=given["seconds"],
                frame=given["frame"],
                end_image=self._end(event),
                method=given["method"],
                speed=given["speed"],
                seed=given["seed"],
                user=request.username or "",
            )

        return self._made(owner, event, "extend", make)

    def reroll(self, owner: str, event: gr.EventData, request: gr.Request) -> Any:
        """Makes the joined video with one of its parts drawn again."""
        given = values(event_text(event, "data"))

        def make(job: JobView) -> JobView:
            return self.studio.reroll(
                owner,
                job.id,
                job.key,
                given["part"],
                prompt=given["prompt"],
                seed=given["seed"],
                user=request.username or "",
            )

        return self._made(owner, event, "reroll", make)

    def _made(self, owner: str, event: gr.EventData, act: str, make: Callable[[JobView], JobView]) -> Any:
        job = own_job(self.studio, owner, event)
        if job is None:
            return gr.skip(), _answer(event, problem=text("actions.not_yours"))
        try:
            made = self.once.run(lambda: make(job), owner, act, job.id)
        except StudioError as error:
            return self._refused(owner, job, event, sentence(error), error.field)
        except gr.Error as error:
            return self._refused(owner, job, event, error.message, "end_image")
        except Exception:
            log.exception("A clip could not be extended")
            return self._refused(owner, job, event, text("errors.unexpected"))
        return self.stage.started(owner, made), _answer(event, made=made.id)

    def _refused(
        self, owner: str, job: JobView, event: gr.EventData, problem: str, field: str = ""
    ) -> tuple[str, str]:
        html = self.card.html(owner, job, note=problem, note_field=field)
        return html, _answer(event, problem=problem, field=field)

    def _end(self, event: gr.EventData) -> Path | None:
        """The uploaded end picture. Raises gr.Error for anything that is not an upload."""
        limit = self.studio.settings.max_upload_mb * 1_000_000
        return checked_upload(event_text(event, "path") or None, max_bytes=limit)

    async def plan(self, asked: Any, request: gr.Request | None = None) -> dict[str, Any]:
        """What the dialog shows: {route, reason, length, time, notes, problems: {field: sentence}}, of a part
        that is drawn again notes and problems alone; {gone: true} for a clip that does not exist or is not
        the visitor's."""
        given = asked if isinstance(asked, dict) else {}
        try:
            found: dict[str, Any] = await self.studio.reads.run(visitor_of(request), self.look_up, given)
        except StudioError as error:
            return {"problems": {error.field: sentence(error)}}
        return found

    def look_up(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The answer for {owner, id, key} and the values of the dialog. Raises StudioError."""
        owner, id, key = (str(asked.get(name) or "") for name in ("owner", "id", "key"))
        job = self.studio.job(id, key)
        if not self.studio.is_owner(owner) or not self.studio.owns(owner, job):
            return {"gone": True}
        given, ends = clean(asked), asked.get("end") is True
        if given["part"]:
            again = self.studio.reroll_plan(owner, id, key, given["part"])
            return {"notes": " ".join(map(words, again.notes)), "problems": _problems(again)}
        method = LAST_FRAME if ends and given["method"] == AUTO else given["method"]
        found = self.studio.extend_plan(
            owner,
            id,
            key,
            frame=given["frame"],
            method=method,
            seconds=given["seconds"],
            speed=given["speed"],
        )
        reason = words(found.reason) if found.reason is not None else ""
        problems = _problems(found)
        if ends and found.route != LAST_FRAME:
            problems.setdefault("end_image", text("extend.end_refused"))
        if ends and method != given["method"]:
            reason = text("extend.end_route")
        return {
            "route": "" if reason else parts.route_words(found.route),
            "reason": reason,
            "length": parts.length_words(job, found.seconds_before, found.seconds_after),
            "time": self._time(job, given, found.values),
            "notes": " ".join(map(words, found.notes)),
            "problems": problems,
        }

    def _time(self, job: JobView, given: Mapping[str, Any], drawn: Mapping[str, Any]) -> str:
        """ "About 4 min" for a clip of that length, size and speed; "" while nothing is known. drawn: what
        the part is drawn with."""
        wide, high = job.drawn
        size = {"width": wide, "height": high} if wide and high else {}
        asked = {"prompt": given["prompt"], "seconds": given["seconds"], "speed": given["speed"]}
        wanted = {**size, **drawn, **asked}
        plan = self.studio.plan(PICTURES, wanted, {"image": PictureFacts(wide, high)})
        return plan.estimate.short if plan.estimate is not None else ""


def values(data: str) -> dict[str, Any]:
    """The values that a script sends as JSON; a value of another type is replaced by the default."""
    try:
        found = json.loads(data or "{}")
    except (ValueError, RecursionError):
        found = {}
    return clean(found if isinstance(found, dict) else {})


def clean(given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of DEFAULTS with those of the right type in their place; limits are the studio's."""
    found = dict(DEFAULTS)
    for name, default in DEFAULTS.items():
        value = given.get(name)
        if isinstance(default, str):
            if isinstance(value, str) and is_unicode(value):
                found[name] = value[: PROMPT_MAX + 1]
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            whole = isinstance(default, int)
            if not whole or float(value).is_integer():
                found[name] = int(value) if whole else float(value)
    return found


def _answer(event: gr.EventData, made: str = "", problem: str = "", field: str = "") -> str:
    press = event_text(event, "press")
    return json.dumps({"press": press, "made": made, "problem": problem, "field": field})


def _problems(plan: ExtendPlan) -> dict[str, str]:
    """Field of the dialog -> sentence; "" for a sentence about no field."""
    found: dict[str, str] = {}
    for problem in plan.problems:
        field = problem.arg("field")
        found.setdefault(field if isinstance(field, str) else "", words(problem))
    return found
