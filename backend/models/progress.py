"""Progress of long work on files, in plain lines: a bar, percent, rate, time left."""

from __future__ import annotations

import time
from collections.abc import Callable

LINE_SECONDS = 5.0
"""At most one line in this time; the last one always comes."""
BAR = 20
"""Signs of a full bar."""

Say = Callable[[str], None]


class Progress:
    """Counts bytes of one piece of work and says how far it is."""

    def __init__(
        self,
        what: str,
        total: int,
        say: Say,
        *,
        done: int = 0,
        every: float = LINE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.what = what
        self.total = max(total, 1)
        self.done = done
        self._say = say
        self._every = every
        self._clock = clock
        self._from = done
        self._began = self._spoke = clock()

    def add(self, count: int) -> None:
        """`count` bytes more; fewer after a start from the beginning."""
        self.done += count
        now = self._clock()
        if now - self._spoke >= self._every and self.done < self.total:
            self._spoke = now
            self._say(self.line(now))

    def line(self, now: float) -> str:
        """ "wan_2.1_vae.safetensors  [########            ]  42 %  107 MB of 254 MB  31 MB/s  5 s left" """
        seconds = now - self._began
        rate = (self.done - self._from) / seconds if seconds > 0 else 0.0
        left = f"  {duration((self.total - self.done) / rate)} left" if rate > 0 else ""
        percent = min(99, int(100 * self.done / self.total))
        bar = "#" * (percent * BAR // 100)
        figures = f"{percent} %  {size(self.done)} of {size(self.total)}  {size(rate)}/s{left}"
        return f"  {self.what}  [{bar:<{BAR}}]  {figures}"

    def finish(self) -> str:
        """The closing figures: "254 MB in 8 s, 31 MB/s"."""
        seconds = max(self._clock() - self._began, 1e-9)
        moved = max(self.done - self._from, 0)
        return f"{size(moved)} in {duration(seconds)}, {size(moved / seconds)}/s"


def size(count: float) -> str:
    """Bytes for people, decimal: "14.3 GB", "254 MB", "12 kB", "7 bytes"."""
    for unit, factor, digits in (("GB", 1e9, 1), ("MB", 1e6, 0), ("kB", 1e3, 0)):
        if count >= 0.9995 * factor:
            return f"{count / factor:.{digits}f} {unit}"
    return f"{count:.0f} bytes"


def duration(seconds: float) -> str:
    """ "8 s", "3 min 20 s", "2 h 5 min" """
    whole = round(seconds)
    if whole < 60:
        return f"{max(whole, 1)} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
