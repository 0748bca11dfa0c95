"""The job card: a gr.HTML that polls by a server function; ui/actions handles its buttons.

The page calls `poll` with {id, key, seen}; the answer comes from memory, and jobs that are not there are
looked up in a thread. Everything else is a short event.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from backend.errors import NotFound, StudioError
from backend.jobs.final_views import Relations
from backend.threads import visitor_of
from ui.forms.job_inputs import has_picture, stored_files
from ui.views import engine_badge, progress
from ui.views.card import card
from ui.views.card_state import CardState, Starter
from ui.views.skeleton import skeleton
from ui.views.thumbs import RECENT
from ui.views.wording import is_set

if TYPE_CHECKING:
    from backend.jobs.snapshot import Snapshot
    from backend.jobs.views import JobView
    from backend.studio import Studio

log = logging.getLogger("wan.ui")

EVENTS = (
    "show", "cancel", "again", "quality", "finish", "retry", "reuse", "frame", "picture", "send", "starter",
    "sample", "library", "finished", "engine", "redraw", "system", "pin", "unpin", "delete",
    "extend", "reroll", "vary", "keep_picked",
)  # fmt: skip
"""The events that the card's script triggers. `finished`: a job that the page follows ended; `engine`: the
engine's state or files changed; `redraw`: another job of the page started; `system`: the System tab is open
and due for an update."""

JS = (
    f"const events = {list(EVENTS)!r};\n"
    "const start = () => window.wanStudio\n"
    "  ? window.wanStudio.card({element, trigger, server, watch, upload, events}) : setTimeout(start, 15);\n"
    "start();"
)
MOST_FOLLOWED = 16  # jobs that a poll may ask for beside the one on the stage
PATIENCE = 2.0  # seconds that a poll waits for database lookups; the next poll asks again
LOOK_BACK = 40  # jobs read to find the recent clips among failed and cancelled ones


Pair = tuple[str, str]
"""A job's id and key."""


class Card:
    """Builds the card's HTML for an owner and answers its poll."""

    def __init__(
        self,
        studio: Studio,
        starters: Sequence[Starter] = (),
        begin: Mapping[str, str] = {},
        folder: str = "",
        patience: float = PATIENCE,
    ) -> None:
        """begin: tab -> how to start there, shown while the stage is empty; folder: address of the samples'
        pictures; patience: see PATIENCE."""
        self.studio, self.starters, self.begin, self.patience = studio, tuple(starters), begin, patience
        self.folder = folder

    def component(self, *more: Callable[..., Any]) -> gr.HTML:
        """The component; its events are in EVENTS. more: server functions besides the poll."""

        # Gradio sets attributes on the function, which a bound method does not allow
        async def poll(asked: Any = None, request: gr.Request = None) -> dict[str, Any]:
            return await self.poll(asked, visitor_of(request))

        return gr.HTML(
            skeleton(),
            elem_id="ws-card",
            apply_default_css=False,
            js_on_load=JS,
            server_functions=[poll, *more],
        )

    def state(self, owner: str, shown: JobView | None, whole: JobView | None = None) -> CardState:
        """The card's state for this owner with `shown` on the stage. whole: the set that it was opened from,
        if it is not the owner's."""
        known = self.studio.is_owner(owner)
        jobs = self.studio.jobs(owner, limit=LOOK_BACK) if known else []
        active = self.studio.active(owner) if known else None
        under_way = [j for j in reversed(jobs) if j.status == "running" and (not shown or j.id != shown.id)]
        done = [job for job in jobs if job.status == "done"]
        mine = shown is None or self.studio.owns(owner, shown)
        snapshot, preview = None, ""
        if shown is not None and shown.status != "done":
            snapshot = self.studio.progress(shown.id, shown.key, owner)
            preview = data_url(self.studio.preview(shown.id, shown.key))
        stopped = shown if shown is not None and shown.status in ("failed", "cancelled") else None
        children = self.children(shown)
        if whole is None and mine and shown is not None and shown.parent:
            whole = self.studio.whole(owner, shown.id, shown.key)
        files, deleted = stored_files(self.studio, stopped) if stopped is not None and mine else ((), False)
        return CardState(
            shown=shown,
            active=active,
            recent=[*under_way, *done][:RECENT],
            line=self.studio.line(owner) if known else (),
            paused=self.studio.paused(),
            snapshot=snapshot,
            preview=preview,
            starters=self.starters,
            begin=self.begin,
            folder=self.folder,
            mine=mine,
            media=self.studio.media_url,
            relations=self.studio.relations(owner, shown) if shown is not None else Relations(),
            has_picture=mine and shown is not None and has_picture(self.studio, shown),
            files=files,
            inputs_deleted=deleted,
            children=children,
            progress={
                child.id: self.studio.progress(child.id, child.key, owner)
                for child in children
                if child.status in ("queued", "running")
            },
            whole=whole,
        )

    def html(
        self,
        owner: str,
        shown: JobView | None,
        autoplay: bool = False,
        note: str = "",
        note_field: str = "",
        made: str = "",
        whole: JobView | None = None,
    ) -> str:
        """The card for this owner with `shown` on the stage. whole: see `state`; the others: see
        CardState."""
        state = self.state(owner, shown, whole)
        return card(replace(state, autoplay=autoplay, note=note, note_field=note_field, made=made))

    def children(self, shown: JobView | None) -> list[JobView]:
        """The variations of a set, without those that are deleted meanwhile."""
        found = []
        for part in shown.children if shown is not None and is_set(shown) else ():
            with contextlib.suppress(NotFound):
                found.append(self.studio.job(part.id, part.key))
        return found

    def on_load(self, owner: str, job_id: str = "", key: str = "") -> str:
        """The card with the job of a private link; else with the latest one. A note above the stage reports
        a link that opens nothing."""
        if not job_id and not key:
            return self.html(owner, self.latest(owner))
        try:
            return self.html(owner, self.studio.job(job_id, key))
        except NotFound as error:
            return self.html(owner, self.latest(owner), note=f"{error.message} {error.hint}".strip())

    def latest(self, owner: str) -> JobView | None:
        """The owner's active job, else the last one that is done or failed."""
        if not self.studio.is_owner(owner):
            return None
        jobs = self.studio.jobs(owner, limit=LOOK_BACK)
        return self.studio.active(owner) or next((j for j in jobs if j.status in ("done", "failed")), None)

    async def poll(self, request: Any = None, visitor: str = "") -> dict[str, Any]:
        """The engine, the queue, one job, and the progress of other jobs on the page; the preview only when
        it is newer than `seen`. Read from memory, except for jobs of an earlier run of the app: those are
        looked up in a thread, and left out while the database does not answer."""
        asked = request if isinstance(request, dict) else {}
        job_id, key = str(asked.get("id") or ""), str(asked.get("key") or "")
        owner = str(asked.get("owner") or "")
        others = _pairs(asked.get("more"))
        found = await self._progress([*([(job_id, key)] if job_id else []), *others], visitor, owner)
        paused = self.studio.paused()
        answer: dict[str, Any] = {"paused": paused, "more": _more(others, found)}
        percent = None
        snapshot = found.get((job_id, key))
        if snapshot is not None:
            job = answer["job"] = progress.progress(
                snapshot, paused, engine_badge.server(self.studio.engines())
            )
            if snapshot.status == "running":
                percent = snapshot.percent
            if snapshot.preview_version and snapshot.preview_version != asked.get("seen"):
                job["image"] = data_url(self.studio.preview(job_id, key))
        elif (job_id, key) in found:
            answer["gone"] = True
        badge = engine_badge.badge(self.studio.engines(), self.studio.trouble())
        long, short = engine_badge.queue(self.studio.queue(), percent, paused)
        answer["models"] = self._models_seen()
        answer["badge"] = [badge.state, badge.name, badge.detail, badge.demo, badge.tip]
        answer["queue"] = [long, short, percent]
        return answer

    async def _progress(self, jobs: Sequence[Pair], visitor: str, owner: str) -> dict[Pair, Snapshot | None]:
        """The progress of these jobs, None for a deleted one. A job that could not be looked up in time is
        left out. owner: the token of who asks, "" if the page does not know it yet."""
        found: dict[Pair, Snapshot | None] = {}
        absent: list[Pair] = []
        for pair in dict.fromkeys(jobs):
            try:
                snapshot = self.studio.live_progress(*pair, owner)
            except NotFound:
                found[pair] = None
            else:
                if snapshot is None:
                    absent.append(pair)
                else:
                    found[pair] = snapshot
        if absent:
            tasks = [asyncio.ensure_future(self._look_up(pair, visitor, found)) for pair in absent]
            done, late = await asyncio.wait(tasks, timeout=self.patience)
            for task in late:
                task.cancel()
            for task in done:
                task.result()
        return found

    async def _look_up(self, pair: Pair, visitor: str, found: dict[Pair, Snapshot | None]) -> None:
        """Adds a job that is not in memory to `found`, unless the database does not answer."""
        try:
            found[pair] = await self.studio.reads.run(visitor, self.studio.progress, *pair, join=True)
        except NotFound:
            found[pair] = None
        except StudioError as error:
            log.warning("poll: %s: %s %s", error.code, error.message, error.detail)

    def _models_seen(self) -> int:
        """A number that changes when the model files of an engine change."""
        return (
            hash(tuple((e.address, frozenset(e.models.items())) for e in self.studio.engines())) & 0xFFFFFFFF
        )


def _pairs(asked: object) -> list[Pair]:
    """(id, key) of the jobs that a page asks for beside the followed one; malformed entries are left out."""
    given = asked[:MOST_FOLLOWED] if isinstance(asked, list) else []
    return [(str(one[0]), str(one[1])) for one in given if isinstance(one, list) and len(one) == 2]


def _more(others: Sequence[Pair], found: Mapping[Pair, Snapshot | None]) -> dict[str, list[Any]]:
    """id -> [status, place in the queue, percent, time left], without jobs that could not be looked up."""
    answer: dict[str, list[Any]] = {}
    for pair in others:
        if pair not in found:
            continue
        snapshot = found[pair]
        if snapshot is None:
            answer[pair[0]] = ["gone", "", 0, ""]
        else:
            shown = progress.progress(snapshot)
            answer[pair[0]] = [shown["status"], shown["place"], shown["percent"], shown["left"]]
    return answer


def data_url(preview: tuple[bytes, str] | None) -> str:
    """A preview (bytes, media type) as a data URL; "" for anything but JPEG, PNG and WebP."""
    if not preview or preview[1] not in ("image/jpeg", "image/png", "image/webp"):
        return ""
    return f"data:{preview[1]};base64,{base64.b64encode(preview[0]).decode()}"
