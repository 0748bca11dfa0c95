"""Facts for the menus of a result that its record lacks: whether it has a sound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backend.errors import NotFound, StudioError
from ui.actions.answers import answered
from ui.views.wording import is_still

if TYPE_CHECKING:
    import gradio as gr

    from backend.jobs.views import JobView
    from backend.studio import Studio
    from ui.forms.page_files import PageFiles


class Choices:
    """Answers a server function of the job card. Asking needs the job's key."""

    def __init__(self, studio: Studio, files: PageFiles) -> None:
        self.studio, self.files = studio, files

    async def answer(self, asked: Any, request: gr.Request | None = None) -> dict[str, Any]:
        """{sound: whether there is one}; {gone: true} for a wrong key."""
        given = asked if isinstance(asked, dict) else {}
        pair = (str(given.get("id") or ""), str(given.get("key") or ""))
        return await answered(self.studio, request, self.look_up, *pair)

    def look_up(self, job_id: str, key: str) -> dict[str, Any]:
        """The answer for one job. Raises NotFound for a wrong id or key."""
        return {"sound": self.has_sound(self.studio.job(job_id, key))}

    def has_sound(self, job: JobView) -> bool:
        """Whether a finished result has a sound track."""
        if job.status != "done" or is_still(job):
            return False
        try:
            return self.files.has_sound(job, self.studio.result_path(job.id, job.key))
        except (StudioError, NotFound):
            return False
