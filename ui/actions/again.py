"""The card's buttons that make another job from an earlier one."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from backend.errors import StudioError
from backend.jobs.views import SEVERAL
from ui.actions.event_data import event_text, own_job
from ui.gradio_fixes.event_errors import sentence
from ui.i18n.texts import text
from workflows.modes.registry import MODES

if TYPE_CHECKING:
    from backend.jobs.views import JobView
    from backend.studio import Studio
    from ui.actions.stage import Stage
    from ui.forms.page_files import PageFiles

log = logging.getLogger("wan.ui")

SIZE = ("resolution", "width", "height")
"""The parameters that set the size of a result."""


class Again:
    """Handlers that return the card's new HTML, or gr.skip() when no job was queued."""

    def __init__(self, studio: Studio, files: PageFiles, stage: Stage) -> None:
        self.studio, self.files, self.stage = studio, files, stage

    def again(self, owner: str, event: gr.EventData, request: gr.Request) -> Any:
        """The same settings with a new seed."""
        return self._start(owner, own_job(self.studio, owner, event), {"seed": -1}, user=request.username)

    def quality(self, owner: str, event: gr.EventData, request: gr.Request) -> Any:
        """The same seed at quality settings, after a fast run; a draft in the chosen final size."""
        job = own_job(self.studio, owner, event)
        better = in_quality(job, _change(event)) if job is not None else None
        if job is None or better is None:
            return gr.skip()
        mode, change = better
        return self._start(owner, job, change, "" if mode == job.mode else mode, request.username)

    def retry(self, owner: str, event: gr.EventData, request: gr.Request) -> Any:
        """The same settings with the changes that a failure's remedy proposes."""
        job = own_job(self.studio, owner, event)
        html = self.started(owner, job, event, request.username) if job is not None else None
        return gr.skip() if html is None else html

    def started(self, owner: str, job: JobView, event: gr.EventData, user: str | None = None) -> str | None:
        """The card with a retry of this job of the owner; None when it was refused."""
        made = self.submit(owner, job, _change(event), user=user or "")
        return None if made is None else self.stage.started(owner, made)

    def _start(
        self,
        owner: str,
        job: JobView | None,
        change: Mapping[str, Any],
        mode: str = "",
        user: str | None = None,
    ) -> Any:
        made = self.submit(owner, job, change, mode, user or "") if job is not None else None
        return gr.skip() if made is None else self.stage.started(owner, made)

    def submit(
        self, owner: str, job: JobView, change: Mapping[str, Any], mode: str = "", user: str = ""
    ) -> JobView | None:
        """Queues another job with this one's inputs and settings, and `change` over them.

        mode: another mode; `change` then holds all of its values. user: whom the login let in. None, with
        a message on the page, when the job is refused.
        """
        given = dict(change) if mode else {**job.params, **change}
        try:
            files = self._files(owner, job)
            return self.studio.submit(owner, mode or job.mode, given, files, job, user, job.titles)
        except StudioError as error:
            gr.Warning(sentence(error))
        except Exception:
            log.exception("A job could not be started again")
            gr.Warning(text("errors.unexpected"))
        return None

    def _files(self, owner: str, job: JobView) -> dict[str, Path]:
        return {name: source.path for name, source in self.files.inputs(owner, job).items()}


def _change(event: gr.EventData) -> dict[str, Any]:
    """The changes that the event's button proposes; {} for anything malformed."""
    try:
        change = json.loads(event_text(event, "change") or "{}")
    except ValueError:
        return {}
    return change if isinstance(change, dict) else {}


def in_quality(job: JobView, size: Mapping[str, Any] = {}) -> tuple[str, dict[str, Any]] | None:
    """(mode, values over the job's own) of the same in quality; None where there is nothing better.

    size: the final size of a draft, see SIZE.
    """
    better = MODES[job.mode].in_quality if job.mode in MODES else None
    if better is None:
        return None
    mode, change = better(job.settings)
    change = {**change, **{name: size[name] for name in SIZE if name in size}}
    varied = job.params.get("vary") or {}
    several = {name: job.params[name] for name in SEVERAL if name in job.params}
    changed = {name for name, value in change.items() if value != job.params.get(name)}
    if any(name in changed or name not in MODES[mode].by_name for name in varied):
        several = {"variations": 1, "vary": ""}  # what they differ in is gone
    return mode, {**change, **several}
