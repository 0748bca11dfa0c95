"""The card's buttons that make another job from an earlier one."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from backend.errors import StudioError
from ui.actions.event_data import event_change, own_job
from ui.gradio_fixes.event_errors import sentence
from ui.i18n.texts import text

if TYPE_CHECKING:
    from backend.jobs.views import JobView
    from backend.studio import Studio
    from ui.actions.stage import Stage
    from ui.forms.page_files import PageFiles

log = logging.getLogger("wan.ui")

MORE = 4
"""How many variations "Variations" makes of a clip."""


class Again:
    """Handlers that return the card's new HTML, or gr.skip() when no job was queued."""

    def __init__(self, studio: Studio, files: PageFiles, stage: Stage) -> None:
        self.studio, self.files, self.stage = studio, files, stage

    def again(self, owner: str, event: gr.EventData, request: gr.Request) -> Any:
        """The same settings with a new seed."""
        return self._start(owner, own_job(self.studio, owner, event), {"seed": -1}, request.username)

    def vary(self, owner: str, event: gr.EventData, request: gr.Request) -> Any:
        """Variations of a clip: the same settings, each with another seed."""
        job = own_job(self.studio, owner, event)
        html = self.varied(owner, job, request.username) if job is not None else None
        return gr.skip() if html is None else html

    def varied(self, owner: str, job: JobView, user: str | None = None) -> str | None:
        """The card with variations of this job of the owner; None when they were refused."""
        made = self.submit(owner, job, {"seed": -1}, user=user or "", count=MORE)
        return None if made is None else self.stage.started(owner, made)

    def retry(self, owner: str, event: gr.EventData, request: gr.Request) -> Any:
        """The same settings with the changes that a failure's remedy proposes."""
        job = own_job(self.studio, owner, event)
        html = self.started(owner, job, event, request.username) if job is not None else None
        return gr.skip() if html is None else html

    def started(self, owner: str, job: JobView, event: gr.EventData, user: str | None = None) -> str | None:
        """The card with a retry of this job of the owner; None when it was refused."""
        made = self.submit(owner, job, event_change(event), user or "")
        return None if made is None else self.stage.started(owner, made)

    def _start(
        self, owner: str, job: JobView | None, change: Mapping[str, Any], user: str | None = None
    ) -> Any:
        made = self.submit(owner, job, change, user or "") if job is not None else None
        return gr.skip() if made is None else self.stage.started(owner, made)

    def submit(
        self, owner: str, job: JobView, change: Mapping[str, Any], user: str = "", count: int = 1
    ) -> JobView | None:
        """Queues another job with this one's inputs and settings, and `change` over them.

        user: whom the login let in. count: above 1 that many variations by seed. None, with a message on the
        page, when the job is refused.
        """
        several: dict[str, Any] = {"variations": count} if count > 1 else {}
        try:
            files = self._files(owner, job)
            given = {**job.params, **change}
            return self.studio.submit(owner, job.mode, given, files, job, user, job.titles, **several)
        except StudioError as error:
            gr.Warning(sentence(error))
        except Exception:
            log.exception("A job could not be started again")
            gr.Warning(text("errors.unexpected"))
        return None

    def _files(self, owner: str, job: JobView) -> dict[str, Path]:
        return {name: source.path for name, source in self.files.inputs(owner, job).items()}
