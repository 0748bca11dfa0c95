"""Answers the page's question about two clips that are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from backend.errors import NotFound
from ui.actions.answers import answered
from ui.actions.finish import pairs_of
from ui.views import compare
from ui.views.wording import title

if TYPE_CHECKING:
    import gradio as gr

    from backend.jobs.views import JobView
    from backend.studio import Studio
    from ui.actions.choices import Choices


class Compare:
    """A server function of the job card. A question needs the key of each clip; every answer has fresh
    addresses."""

    def __init__(self, studio: Studio, choices: Choices) -> None:
        self.studio, self.choices = studio, choices

    async def answer(self, asked: Any, request: gr.Request | None = None) -> dict[str, Any]:
        """{clips: two of them, differs: rows of (name, value, value)} for {clips: [{id, key}, {id, key}]};
        {gone: true} when one of them is not there, {unfinished: its title} when one is not done."""
        given = asked.get("clips") if isinstance(asked, Mapping) else None
        pairs = tuple(pairs_of({"jobs": given}))
        return await answered(self.studio, request, self.look_up, pairs)

    def look_up(self, pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
        """The answer for two clips that are opened by their keys. Raises NotFound, also for another number of
        clips."""
        if len(pairs) != 2:
            raise NotFound.of("wrong_link")
        jobs = [self.studio.job(*pair) for pair in pairs]
        waiting = next((job for job in jobs if job.status != "done"), None)
        if waiting is not None:
            return {"unfinished": title(waiting)}
        return {
            "clips": [self._clip(job) for job in jobs],
            "differs": [list(row) for row in compare.differing(jobs[0], jobs[1])],
        }

    def _clip(self, job: JobView) -> dict[str, Any]:
        return compare.clip(job, self.studio.media_url, self.choices.has_sound(job))
