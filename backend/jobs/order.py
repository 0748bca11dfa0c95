"""The order of one owner's waiting jobs. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from backend.jobs.job import Job


def moved(jobs: Sequence[Job], job_id: str, by: int) -> list[Job]:
    """The jobs with one of them `by` places later (negative: earlier), at most to the end of the line."""
    order = list(jobs)
    at = next((index for index, job in enumerate(order) if job.id == job_id), None)
    if at is None:
        return order
    job = order.pop(at)
    order.insert(min(max(at + by, 0), len(order)), job)
    return order


def places(order: Sequence[Job]) -> dict[str, float]:
    """job id -> place, ascending in this order.

    The places are those that the jobs have already, in a new order: a job that is queued later is created
    later and comes behind all of them.
    """
    free = sorted(place(job) for job in order)
    dealt: dict[str, float] = {}
    last = -math.inf
    for job, own in zip(order, free, strict=True):
        last = own if own > last else math.nextafter(last, math.inf)
        dealt[job.id] = last
    return dealt


def place(job: Job) -> float:
    """What the jobs of an owner are sorted by: the place that a move gave, else the time of creation."""
    return job.created if job.place is None else job.place
