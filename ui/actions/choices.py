"""What the menus of a result show beyond its record: the time that each final size takes, and its sound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backend.errors import NotFound, StudioError
from backend.threads import visitor_of
from ui.actions.again import in_quality
from ui.forms.schema import file_names
from ui.views.next_steps import final_sizes
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
        """{times: resolution -> estimate, sound: whether there is one}; {gone: true} for a wrong key."""
        given = asked if isinstance(asked, dict) else {}
        pair = (str(given.get("id") or ""), str(given.get("key") or ""))
        try:
            found: dict[str, Any] = await self.studio.reads.run(
                visitor_of(request), self.look_up, *pair, join=True
            )
        except StudioError:
            return {"gone": True}
        return found

    def look_up(self, job_id: str, key: str) -> dict[str, Any]:
        """The answer for one job. Raises NotFound for a wrong id or key."""
        job = self.studio.job(job_id, key)
        return {"times": self._times(job), "sound": self._sound(job)}

    def _times(self, job: JobView) -> dict[str, str]:
        """resolution -> "About 4 min", without sizes of which nothing is known."""
        sizes = final_sizes(job)
        if not sizes:
            return {}
        try:
            paths = {name: self.studio.input_path(job.id, job.key, name) for name in file_names(job.mode)}
            measured = {name: path for name, path in paths.items() if path is not None}
            facts = {name: self.files.measure(job.mode, name, path).facts for name, path in measured.items()}
        except StudioError:  # the job itself will say what is wrong with its files
            return {}
        times = {}
        for name, size in sizes.items():
            better = in_quality(job, size)
            if better is None:
                continue
            mode, change = better
            given = {**(job.settings if mode == job.mode else {}), **change}
            count = int(given.pop("variations", 1))
            given.pop("vary", None)
            plan = self.studio.plan(mode, given, facts)
            if plan.estimate is not None and plan.estimate.short:
                times[name] = plan.estimate.times(count).short
        return times

    def _sound(self, job: JobView) -> bool:
        if job.status != "done" or is_still(job):
            return False
        try:
            return self.files.has_sound(job, self.studio.result_path(job.id, job.key))
        except (StudioError, NotFound):
            return False
