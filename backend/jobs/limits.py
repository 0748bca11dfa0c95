"""Time limits of the job queue and its database, in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """One object for the whole studio, injected through its constructor."""

    room: float = 15.0  # delay before a retry after a full disk or a locked database
    broken: float = 300.0  # how long a failing disk is retried before the job fails
    bound: float = 60.0  # how long a job is kept for the server that may still have its prompt
    refusal: float = 30.0  # how long a refusal by a server holds
    absent: float = 600.0  # how long a job that all servers refuse waits for one that is not up
    silent: float = 10.0  # after which a server that was not started here and never answered is absent
    busy: float = 10.0  # how long a call waits for a locked database
    close: float = 5.0  # for lanes and housekeeping to stop, each
    undo: float = 15.0  # how long a deletion can be undone; the page offers it for 10
    sheet: float = 1.0  # after the last change of a set until its contact sheet is made again
    fetch: tuple[float, ...] = (0.5, 2.0, 6.0)  # delays between attempts to fetch a result
