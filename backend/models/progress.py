"""Progress of long work on files: a bar on a terminal, a line of text every few seconds elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bars
from rich.table import Column

from backend.formatting import duration_text

LINE_SECONDS = 5.0
"""Least time between two lines of text."""

Say = Callable[[str], None]
"""Prints a line of text."""
Watch = Callable[[str, int, int, bool], Callable[[int], None]]
"""Name, total and done bytes of a file and whether it is only checked -> takes the bytes as they come."""

Verified = Callable[[Path, str], None]
"""Takes a file and its sha256, which was computed just now."""


class Progress:
    """Prints lines of text, and shows how far the work on a file is."""

    def __init__(
        self,
        say: Say,
        terminal: Console | None = None,
        *,
        every: float = LINE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        watch: Watch | None = None,
        verified: Verified = lambda path, sha256: None,
    ) -> None:
        """`terminal`: where bars are drawn; without it `say` gets a line of text every `every` seconds.
        `watch`: called for each file, and what it returns for all bytes of that file.
        `verified`: called with each file that has been read whole."""
        self.say, self.verified = say, verified
        self._terminal, self._every, self._clock, self._watch = terminal, every, clock, watch

    @contextlib.contextmanager
    def task(self, name: str, total: int, done: int = 0, *, checking: bool = False) -> Iterator[Task]:
        """Work on `total` bytes, `done` of which were there before. A bar is removed at the end.
        checking: the bytes are only read again."""
        bars = Bars(
            TextColumn(
                "  {task.description}",
                markup=False,
                table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),  # the figures stay whole
            ),
            BarColumn(20),
            TaskProgressColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
            console=self._terminal,
            disable=self._terminal is None,
            transient=True,
            expand=True,
            get_time=self._clock,
        )
        say = self.say if self._terminal is None else None
        came = self._watch(name, total, done, checking) if self._watch is not None else None
        try:
            yield Task(bars, name, total, done, say, self._every, came)
        finally:
            bars.stop()


class Task:
    """Work on one file. Counts bytes."""

    def __init__(
        self,
        bars: Bars,
        name: str,
        total: int,
        done: int,
        say: Say | None,
        every: float,
        came: Callable[[int], None] | None = None,
    ) -> None:
        self._bars, self._name, self._say, self._every, self._came = bars, name, say, every, came
        self._first = done
        self._id = bars.add_task(name, total=max(total, 1), completed=done)
        self._task = bars.tasks[0]
        bars.advance(self._id, 0)  # begins the first interval of the rate
        self._last_line = self._task.get_time()

    @property
    def done(self) -> int:
        return int(self._task.completed)

    def advance(self, count: int) -> None:
        """Adds bytes. The first call starts to draw the bar."""
        if self._came is not None:
            self._came(count)
        self._bars.start()
        self._bars.advance(self._id, count)
        now = self._task.get_time()
        if self._say is not None and now - self._last_line >= self._every and not self._task.finished:
            self._last_line = now
            self._say(self.line())

    def go_back(self, done: int) -> None:
        """Sets the count to a smaller number of bytes, from which the work starts again."""
        if self._came is not None:
            self._came(done - self.done)
        self._first = done
        self._bars.reset(self._id, completed=done)
        self._bars.advance(self._id, 0)

    def line(self) -> str:
        """ "  wan_2.1_vae.safetensors  42 %  107 MB of 254 MB  31 MB/s  5 s left" """
        task = self._task
        figures = [f"{min(99, int(task.percentage))} %", f"{size(self.done)} of {size(task.total or 0)}"]
        if task.speed and task.time_remaining:
            figures += [f"{size(task.speed)}/s", f"{duration_text(task.time_remaining)} left"]
        return "  ".join((f"  {self._name}", *figures))

    def summary(self) -> str:
        """ "254 MB in 8 s, 31 MB/s": without what was there before."""
        seconds = max(self._task.elapsed or 0.0, 1e-9)
        count = max(self.done - self._first, 0)
        return f"{size(count)} in {duration_text(seconds)}, {size(count / seconds)}/s"


def size(count: float) -> str:
    """Bytes in decimal units: "14.3 GB", "254 MB", "12 kB", "7 bytes"."""
    for unit, factor, digits in (("GB", 1e9, 1), ("MB", 1e6, 0), ("kB", 1e3, 0)):
        if count >= 0.9995 * factor:
            return f"{count / factor:.{digits}f} {unit}"
    return f"{count:.0f} bytes"
