"""Finals of clips: what they will be, and the events that make them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from backend.errors import NotAllowed, NotFound, StudioError
from ui.actions.answers import answered
from ui.actions.event_data import event_change, event_text, event_values
from ui.gradio_fixes.checked_inputs import is_unicode
from ui.gradio_fixes.event_errors import sentence
from ui.i18n.texts import text
from ui.views import final, wording
from workflows.finals import QUALITY, RESOLUTIONS, SAME, SPEEDS, sizes

if TYPE_CHECKING:
    from backend.jobs.views import JobView
    from backend.studio import Studio
    from ui.actions.stage import Stage

log = logging.getLogger("wan.ui")

MOST = 16
"""Most clips of one press."""


class Finish:
    """The handlers return the card's new HTML, or gr.skip() when no job was queued."""

    def __init__(self, studio: Studio, stage: Stage) -> None:
        self.studio, self.stage = studio, stage

    def finish(self, owner: str, event: gr.EventData, request: gr.Request) -> Any:
        """The finals of one or several clips. Each refusal is shown with the clip's title; the other clips
        are still made."""
        values = event_values(event)
        resolution = event_text(event, "resolution") or RESOLUTIONS[0]
        speed = event_text(event, "speed") or QUALITY
        return self._made(owner, pairs_of(values), resolution, speed, request)

    def quality(self, owner: str, event: gr.EventData, request: gr.Request) -> Any:
        """The same in Quality, after a fast run: in the clip's own size, or in the event's resolution."""
        wanted = event_change(event).get("resolution")
        resolution = wanted if wanted in RESOLUTIONS else SAME
        return self._made(owner, pairs_of(event_values(event)), str(resolution), QUALITY, request)

    def _made(
        self, owner: str, pairs: Sequence[tuple[str, str]], resolution: str, speed: str, request: gr.Request
    ) -> Any:
        made = [
            job
            for pair in pairs
            if (job := self._submit(owner, *pair, resolution, speed, request.username or "", len(pairs)))
        ]
        return self.stage.started(owner, made[0], len(made)) if made else gr.skip()

    def _submit(
        self, owner: str, job_id: str, key: str, resolution: str, speed: str, user: str, count: int
    ) -> JobView | None:
        """None, with a message on the page, when it is refused."""
        title = ""
        try:
            title = wording.title(self.studio.job(job_id, key))
            return self.studio.finish(owner, job_id, key, resolution=resolution, speed=speed, user=user)
        except NotFound as error:
            said = sentence(error) if title else text("actions.job_gone")
        except NotAllowed:
            said = text("actions.not_yours")
        except StudioError as error:
            said = sentence(error)
        except Exception:
            log.exception("A final could not be started")
            said = text("errors.unexpected")
        named = count > 1 and title
        gr.Warning(text("final.problem_of", title=title, problem=said) if named else said)
        return None

    # -- before it is made ------------------------------------------------------------------

    async def answer(self, asked: Any, request: gr.Request | None = None) -> dict[str, Any]:
        """What the dialog shows for {jobs: [{id, key}]}; {gone: true} when none of them is there."""
        pairs = tuple(pairs_of(asked if isinstance(asked, Mapping) else {}))
        return await answered(self.studio, request, self.look_up, pairs)

    def look_up(self, pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
        """The answer for clips that are opened by their keys. Raises NotFound for none."""
        jobs = [job for pair in pairs if (job := self._open(*pair)) is not None]
        if not jobs:
            raise NotFound.of("video_gone")
        offered = {name for job in jobs for name in sizes(final.clip_of(job))} or {RESOLUTIONS[0]}
        plans = {
            (size, speed): [self.studio.final_plan(job.id, job.key, size, speed) for job in jobs]
            for size in RESOLUTIONS
            if size in offered
            for speed in SPEEDS
        }
        return final.answer(jobs, tuple(offered), plans)

    def _open(self, job_id: str, key: str) -> JobView | None:
        try:
            return self.studio.job(job_id, key)
        except NotFound:
            return None


def pairs_of(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(id, key) of the clips that an event or a question is about: `jobs`, else its own `id` and `key`.
    Malformed entries are left out, and so are repeated ones."""
    given = values.get("jobs")
    rows = given if isinstance(given, list) else [values]
    found = [(row.get("id"), row.get("key")) for row in rows if isinstance(row, Mapping)]
    pairs = [
        (job_id, key)
        for job_id, key in found
        if isinstance(job_id, str) and isinstance(key, str) and is_unicode(job_id) and is_unicode(key)
    ]
    return list(dict.fromkeys(pairs))[:MOST]
