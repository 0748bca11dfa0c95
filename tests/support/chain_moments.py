"""The moments of jobs and parents in a studio of this process: each calls `strikes.at(moment, job)`."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.engines.comfy import submit
from backend.events import Accepted, Progress
from backend.jobs import execution, extension_parent, folders, kept_children, layout, result_inputs, segments
from backend.jobs.job import DONE
from backend.jobs.layout import SOURCES

if TYPE_CHECKING:
    from backend.studio import Studio
    from tests.support.killed_chain import Strikes


Hook = Callable[..., None] | None


def around(owner: Any, name: str, *, before: Hook = None, after: Hook = None) -> None:
    """Calls these with the arguments of a function of `owner`, whenever it is called or has returned."""
    real = getattr(owner, name)

    @functools.wraps(real)
    def call(*args: Any, **options: Any) -> Any:
        if before is not None:
            before(*args, **options)
        found = real(*args, **options)
        if after is not None:
            after(*args, **options)
        return found

    setattr(owner, name, call)


def watch(studio: Studio, strikes: Strikes) -> None:
    """Reports the moments of this studio, which has not been started."""
    of_lane = threading.local()

    def at(moment: str) -> None:
        strikes.at(moment, of_lane.job)

    _of_records(studio, strikes)
    _of_files(studio, strikes)
    real_run = execution.run_prompt

    def run_prompt(engine: Any, job: Any, *rest: Any) -> Any:
        of_lane.job, strikes.address.now = job.id, engine.info().address
        return real_run(engine, job, *rest)

    execution.run_prompt = run_prompt
    around(segments.Segments, "collect", after=lambda *_: at("fetched"))
    around(submit, "post", after=lambda *_: at("posted"))
    for engine in studio.scheduler.engines:
        _of_engine(engine, at)


def _of_engine(engine: Any, at: Callable[[str], None]) -> None:
    def heard(real: Callable[..., Any], posts: bool) -> Callable[..., Any]:
        def call(prompt: Any, on_event: Callable[[Any], None]) -> Any:
            def listener(event: Any) -> None:
                if isinstance(event, Accepted):
                    at("sent")
                on_event(event)
                if isinstance(event, Accepted):
                    at("posted")
                if isinstance(event, Progress) and event.step >= 2:
                    at("mid-steps")

            if posts:
                at("before the post")
            found = real(prompt, listener)
            at("result")
            return found

        return call

    engine.run, engine.resume = heard(engine.run, True), heard(engine.resume, False)


def _of_records(studio: Studio, strikes: Strikes) -> None:
    store = studio.store

    def ends(moment: str) -> Callable[..., None]:
        def reached(job: Any) -> None:
            if job.status == DONE:
                strikes.at(moment.format("the parent's" if job.assembly else "its"), job.id)

        return reached

    around(
        store, "add",
        before=lambda *jobs: strikes.at("before it is on disk", jobs[0].id),
        after=lambda *jobs: strikes.at("submitted", jobs[0].id),
    )  # fmt: skip
    around(store, "save", before=ends("before {} end is saved"), after=ends("{} end is saved"))
    around(store, "link_inputs", after=lambda job: strikes.at("inputs are made", job.id))
    around(store, "delete_later", after=lambda job_id, _: strikes.at("hidden", job_id))
    around(store, "delete", after=lambda job_id: strikes.at("record is removed", job_id))


def _of_files(studio: Studio, strikes: Strikes) -> None:
    decoder = studio.decoder

    def recipe(_: Any, result: Any, *rest: Any) -> None:
        folder = Path(result).parent
        if (folder / "work").is_dir():
            strikes.at("recipe is written", folder.name)

    around(decoder, "with_metadata", before=recipe)
    _in_middle(decoder, "video_sheet", lambda job: strikes.at("sheet is made", job))
    _in_middle(decoder, "extension", lambda job: strikes.at("parts are joined", job))

    def waiting(moment: str) -> Callable[..., None]:
        def reached(_: Any, target: Any) -> None:
            if Path(target).parent.name == SOURCES:
                strikes.at(moment, Path(target).parent.parent.name)

        return reached

    around(layout, "link_or_copy", after=waiting("half linked"))
    around(
        result_inputs, "link",
        before=lambda _, jobs_dir, target: strikes.at("before the link", target.parent.parent.name),
        after=lambda _, jobs_dir, target: strikes.at("linked", target.parent.parent.name),
    )  # fmt: skip
    around(
        extension_parent, "link_or_copy",
        after=lambda _, target: strikes.at("a part is linked", Path(target).parent.parent.name),
    )  # fmt: skip
    around(
        kept_children, "link_whole",
        after=lambda _, target: strikes.at("a result is taken over", Path(target).parent.name),
    )  # fmt: skip
    around(folders, "mark_removed", after=lambda folder: strikes.at("folder is renamed", folder.name))
    around(
        folders, "empty",
        after=lambda folder, keep=(): keep or strikes.at("files are removed", folder.name.split(".")[0]),
    )  # fmt: skip


def _in_middle(decoder: Any, name: str, reached: Callable[[str], None]) -> None:
    """Reports when the work on a parent's file has got so far that it reports progress, else its end."""
    real = getattr(decoder, name)

    def call(source: Any, target: Any, *rest: Any, **options: Any) -> Any:
        told = options.get("on_progress") or (lambda share: None)
        job = Path(target).parent.parent.name

        def on_progress(share: float) -> None:
            if share > 0:
                reached(job)
            told(share)

        found = real(source, target, *rest, **{**options, "on_progress": on_progress})
        reached(job)
        return found

    setattr(decoder, name, call)
