"""How long jobs and their database wait for what. Seconds; tests make them short."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """One object for a whole studio, given to its constructor."""

    room: float = 15.0  # after a full disk or a held database, until a job is tried again
    broken: float = 300.0  # a disk that fails may recover for so long before a job ends with the reason
    bound: float = 60.0  # how long a job is kept for the server that may still have its prompt
    refusal: float = 30.0  # until a server that refused a job is asked again
    absent: float = 600.0  # how long a job that all servers refuse waits for one that is not up
    silent: float = 10.0  # a server that we did not start and that has not answered for so long is not there
    busy: float = 10.0  # how long a call waits for another program that holds the database
    close: float = 5.0  # for lanes and housekeeping to end, each
    fetch: tuple[float, ...] = (0.5, 2.0, 6.0)  # between tries to fetch a result
