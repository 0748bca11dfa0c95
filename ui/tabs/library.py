"""The Library tab: filter, search and the grid of clips."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from ui.forms.job_inputs import stored_files
from ui.gradio_fixes.no_form import no_form
from ui.i18n.texts import text
from ui.tabs.registry import TABS
from ui.views.card_state import ACTIVE, Starter
from ui.views.library import grid, heading

if TYPE_CHECKING:
    from backend.jobs.job import Status
    from backend.jobs.views import JobView
    from backend.studio import Studio

EVENTS = ("show", "reuse", "send", "retry", "delete", "pin", "unpin", "more", "starter", "vary")
JS = (
    f"const events = {list(EVENTS)!r};\n"
    "const start = () => window.wanStudio\n"
    "  ? window.wanStudio.grid({element, trigger, watch, events}) : setTimeout(start, 15);\n"
    "start();"
)
PAGE, MOST = 60, 3000
CLIPS = "clips"
STATUSES: dict[str, tuple[Status, ...]] = {
    CLIPS: ("queued", "running", "done"),
    "failed": ("failed",),
    "cancelled": ("cancelled",),
    "any": (),
}
"""Value of the filter -> what it shows; all when empty."""


def _nothing(status: str) -> str:
    """What an empty grid of failed or cancelled videos says."""
    if status == "failed":
        return text("library.nothing_failed")
    return text("library.nothing_cancelled") if status == "cancelled" else ""


def filters() -> list[tuple[str, str]]:
    """(text, tab id) of each filter; the id is "" for all clips."""
    return [(text("library_tab.all"), ""), *((tab.short, tab.id) for tab in TABS)]


@dataclass
class Library:
    """The tab's components and how they are filled. `starters`: offered while there is no clip."""

    studio: Studio
    starters: Sequence[Starter] = ()
    head: Any = None
    mode: Any = None
    search: Any = None
    status: Any = None
    limit: Any = None
    tiles: Any = None

    def build(self) -> None:
        with gr.Row(elem_classes=["ws-library-head"]):
            self.head = gr.HTML(heading(None, 0, self.studio.settings.keep_days), apply_default_css=False)
            self.mode = no_form(
                gr.Radio(
                    filters(),
                    value="",
                    label=text("library_tab.show"),
                    show_label=False,
                    interactive=True,
                    elem_id="library-mode",
                    elem_classes=["ws-seg"],
                    min_width=0,
                )
            )
            self.search = no_form(
                gr.Textbox(
                    label=text("library_tab.find"),
                    show_label=False,
                    placeholder=text("library_tab.find_placeholder"),
                    interactive=True,
                    elem_id="library-search",
                    elem_classes=["ws-search"],
                    min_width=0,
                    max_lines=1,
                )
            )
            self.status = no_form(
                gr.Radio(
                    [(text(f"library_tab.statuses.{name}"), name) for name in STATUSES],
                    value=CLIPS,
                    label=text("library_tab.status"),
                    show_label=False,
                    interactive=True,
                    elem_id="library-status",
                    elem_classes=["ws-seg", "ws-status"],
                    min_width=0,
                )
            )
        self.limit = no_form(gr.Number(PAGE, visible=False))
        self.tiles = gr.HTML("", apply_default_css=False, elem_id="ws-library", js_on_load=JS)

    def inputs(self, owner: Any) -> list[Any]:
        """What `fill` reads."""
        return [owner, self.mode, self.search, self.limit, self.status]

    def outputs(self) -> list[Any]:
        """What `fill` writes."""
        return [self.head, self.tiles]

    def fill(
        self, owner: str, mode: str = "", search: str = "", limit: float = PAGE, status: str = CLIPS
    ) -> list[str]:
        """The heading and the grid."""
        count = max(PAGE, min(int(limit or PAGE), MOST))
        if not self.studio.is_owner(owner):
            return [
                heading(0, 0, self.studio.settings.keep_days),
                grid([], self.studio.media_url, 0.0, first=self.starters),
            ]
        status = status if status in STATUSES else CLIPS
        found = self._jobs(owner, count, mode or "", search or "", STATUSES[status])
        under_way = [job for job in found if job.status in ACTIVE]
        ended = [job for job in found if job.status not in ACTIVE]
        clips, size = self.studio.totals(owner)
        tiles = grid(
            [*sorted(under_way, key=lambda job: (job.status != "running", job.created)), *ended],
            self.studio.media_url,
            time.time(),
            nothing=text("library.no_match") if mode or search else _nothing(status),
            first=self.starters,
            more=len(found) == count,
            lacking=frozenset(
                job.id for job in ended if job.status != "done" and stored_files(self.studio, job)[1]
            ),
        )
        return [heading(clips, size, self.studio.settings.keep_days), tiles]

    def _jobs(
        self, owner: str, count: int, mode: str, search: str, statuses: Sequence[Status]
    ) -> list[JobView]:
        """Newest first. mode: a tab's id, "" for all."""
        modes = next((tab.modes for tab in TABS if tab.id == mode), (mode,))
        found = [job for m in modes for job in self.studio.jobs(owner, count, m, search, statuses)]
        return sorted(found, key=lambda job: job.created, reverse=True)[:count]

    def more(self, limit: float) -> int:
        """The number of clips to show after Show more."""
        return min(int(limit or PAGE) + PAGE, MOST)
