"""Makes the contact sheets of sets again, once clips of them were deleted or brought back.

A set whose sheet no longer shows its clips is noted in the database before they change, so that a restart
makes it again too. The new sheet is made beside the old one and takes its place in one step; a sheet that was
interrupted is begun again.
"""

from __future__ import annotations

import json
import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from backend import requester
from backend.errors import BadMedia, DiskFull, MediaBusy, ShuttingDown, StoreError, StudioError, from_os_error
from backend.jobs import recipes, results, set_values
from backend.jobs.assembly import assemble, write_graphs
from backend.jobs.job import DONE, TERMINAL, VARIATIONS, Job
from backend.jobs.layout import POSTER, WORK, WORKFLOW, result_name
from backend.jobs.limits import Limits
from backend.jobs.store import Store
from backend.media.decoder import Decoder
from workflows.modes.registry import makes_still

log = logging.getLogger("wan.jobs")

SETTING = "sheets"
"""The setting in the database with the ids of the sets, as JSON."""
AGAIN = "again"
"""Subfolder of the work folder of a set in which its new sheet is made."""
SHEET = "whole"
"""The new sheet there. No .mp4 besides the result is in a job's folder."""


class Sheets:
    """The sheets of one data folder that are out of date. Methods may be called from any thread."""

    def __init__(
        self,
        store: Store,
        decoder: Decoder,
        jobs_dir: Path,
        limits: Limits,
        *,
        recipes: bool = True,
        able: Callable[[], bool] = lambda: True,
        remeasure: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`recipes`: whether results carry their recipe; `able`: whether the data folder may be written;
        `remeasure`: called with the id of a set whose files have changed."""
        self._store, self._decoder, self._jobs_dir, self._limits = store, decoder, jobs_dir, limits
        self._recipes, self._able, self._remeasure = recipes, able, remeasure
        self._changed = threading.Condition()
        self._due: dict[str, float] = {}  # id of a set -> when to look at it, by the monotonic clock
        self._leaving: dict[str, str] = {}  # id of a clip that is being removed -> id of its set
        self._closing = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Starts the thread, with the sets that an earlier process left."""
        with self._changed:
            for set_id in _ids(self._store.setting(SETTING)):
                self._due.setdefault(set_id, 0.0)
        self._thread = threading.Thread(target=self._loop, name="sheets", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread soon."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def join(self, seconds: float) -> bool:
        """Waits for the thread to end; False if it has not in time."""
        if self._thread is None:
            return True
        self._thread.join(timeout=seconds)
        return not self._thread.is_alive()

    @contextmanager
    def changing(self, clip: Job) -> Iterator[None]:
        """A clip is hidden or brought back inside. Raises StoreError, DiskFull: then nothing has changed."""
        self.leaves(clip)
        try:
            yield
        finally:
            self.left(clip.id)

    def leaves(self, clip: Job) -> None:
        """A clip is about to be removed, until `left`: notes the set that it is in. Raises as `changing`."""
        parent = self._store.get(clip.parent) if clip.parent else None
        if parent is None or parent.assembly != VARIATIONS or parent.delete_after is not None:
            return
        with self._changed:
            if parent.id not in self._due:
                self._write({*self._due, parent.id})
            self._due[parent.id] = time.monotonic() + self._limits.room
            self._leaving[clip.id] = parent.id

    def left(self, clip_id: str) -> None:
        """What `leaves` said has happened."""
        with self._changed:
            if (set_id := self._leaving.pop(clip_id, None)) is not None:
                self._due[set_id] = time.monotonic() + self._limits.sheet
                self._changed.notify_all()

    def waits(self, set_id: str) -> bool:
        """Whether the sheet of a set is to be made again (memory). Without the lock, which is held while the
        database is written: the event loop asks too."""
        return set_id in self._due

    def wait(self, set_id: str, seconds: float) -> None:
        """Waits until the sheet of a set shows its clips, for so many seconds at most."""
        with self._changed:
            self._changed.wait_for(lambda: set_id not in self._due or self._closing, seconds)

    def _write(self, ids: set[str]) -> None:
        """The lock must be held."""
        self._store.set_setting(SETTING, json.dumps(sorted(ids)) if ids else "")

    # -- the thread -----------------------------------------------------------------------

    def _loop(self) -> None:
        while (set_id := self._next()) is not None:
            begun = self._due.get(set_id)
            again = None
            try:
                again = self._look(set_id)
            except ShuttingDown:
                return
            except (DiskFull, MediaBusy, StoreError) as error:
                again = self._limits.room
                log.warning("job %s: its contact sheet is made again later: %s", set_id, error.message)
            except StudioError as error:
                log.warning(
                    "job %s: its contact sheet stays as it is: %s %s", set_id, error.message, error.detail
                )
            except Exception:  # without the thread no sheet would be made again
                log.exception("job %s: unexpected error", set_id)
            self._looked(set_id, begun, again)

    def _next(self) -> str | None:
        """Waits for a set to look at; None when the thread is to end."""
        with self._changed:
            while not self._closing:
                now = time.monotonic()
                first = min(self._due, key=self._due.__getitem__, default=None)
                if first is not None and self._due[first] <= now:
                    return first
                self._changed.wait(self._due[first] - now if first is not None else None)
        return None

    def _looked(self, set_id: str, begun: float | None, again: float | None) -> None:
        """Drops a set that was looked at, unless it changed meanwhile or is to be looked at `again` in so
        many seconds."""
        with self._changed:
            if again is not None:
                self._due[set_id] = max(self._due.get(set_id, 0.0), time.monotonic() + again)
            elif self._due.get(set_id) == begun:
                try:
                    self._write(self._due.keys() - {set_id})
                except StudioError as error:  # made once more after the next start
                    log.warning("the list of contact sheets is not saved: %s", error.message)
                del self._due[set_id]
            self._changed.notify_all()

    def _look(self, set_id: str) -> float | None:
        """Makes the sheet of a set again; the seconds until the next look where it cannot be made yet."""
        if not self._able():
            return self._limits.room
        parent = self._store.get(set_id)
        if parent is None:
            return None
        if parent.status not in TERMINAL or parent.delete_after is not None:
            return self._limits.sheet
        children = self._store.children(set_id)[set_id]
        done = [child for child in children if child.status == DONE and self._result(child).is_file()]
        if parent.status == DONE and done:
            with requester.job(parent.owner, self._check):
                self._make(parent, children, done)
        return None

    def _check(self, share: float = 0.0) -> None:
        if self._closing:
            raise ShuttingDown.of("closing")

    def _make(self, parent: Job, children: Sequence[Job], done: Sequence[Job]) -> None:
        folder = self._jobs_dir / parent.id
        work = folder / WORK / AGAIN
        try:
            (folder / WORK).mkdir(exist_ok=True)
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            made = self._assembled(parent, children, done, work)
            for name in (POSTER, WORKFLOW):
                if (work / name).is_file():
                    (work / name).replace(folder / name)
            (work / SHEET).replace(folder / result_name(parent.mode))
        except OSError as error:
            raise from_os_error(error) from error
        finally:
            shutil.rmtree(work, ignore_errors=True)
            with suppress(OSError):
                work.parent.rmdir()
        self._store.set_result(made)
        self._remeasure(parent.id)
        log.info("job %s: its contact sheet shows %d clips", parent.id, len(done))

    def _assembled(self, parent: Job, children: Sequence[Job], done: Sequence[Job], work: Path) -> Job:
        """Makes the files of the set in `work`: the parent with their facts."""
        sheet = work / SHEET
        try:
            assemble(self._decoder, parent, [self._result(child) for child in done], sheet, self._check)
        except MediaBusy:
            raise
        except BadMedia:
            done = [child for child in done if self._opens(child, work)]
            if not done:
                raise
            assemble(self._decoder, parent, [self._result(child) for child in done], sheet, self._check)
        params, seed = set_values.shown(parent, done), done[0].seed
        made = replace(parent, params=params, seed=seed, fps=done[0].fps)
        made = results.measured(self._decoder, made, sheet, makes_still(parent.mode))
        write_graphs(work, [self._jobs_dir / child.id / WORKFLOW for child in done])
        recipe = set_values.narrowed(made, children)
        recipes.finish(self._decoder, recipe, sheet, done, recipes=self._recipes)
        return replace(made, size=sheet.stat().st_size)

    def _opens(self, child: Job, work: Path) -> bool:
        """Whether the result of a child can be decoded to its end."""
        try:
            if makes_still(child.mode):
                self._decoder.picture(self._result(child))
            else:
                self._decoder.frame(self._result(child), work / "frame")
        except MediaBusy:
            raise
        except BadMedia as error:
            log.warning("job %s: its result is left out: %s", child.id, error.message)
            return False
        return True

    def _result(self, job: Job) -> Path:
        return self._jobs_dir / job.id / result_name(job.mode)


def _ids(text: str) -> list[str]:
    try:
        found = json.loads(text or "[]")
    except ValueError:
        return []
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []
