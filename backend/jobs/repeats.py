"""Requests that arrive more than once: every arrival gets the job that the first one made.

A page or a client that lost the connection cannot know whether its request arrived, and sends it again under
the same id. The id of the job follows from that of the request, so a repetition finds the job in the
database, also after a restart, for as long as the job exists.
"""

from __future__ import annotations

import contextlib
import json
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from backend import requester
from backend.jobs.job import Job, ResultOf
from backend.security import tokens

NAMESPACE = uuid.UUID("5e0c1c39-5f1f-4d0c-9a4e-2b9a4f8d7a11")


def asked(
    values: Mapping[str, Any], files: Mapping[str, object], more: Mapping[str, Any]
) -> Mapping[str, Any]:
    """What distinguishes two submissions with one id: the values, the results of jobs among the files, and
    `more`. Uploads are left out: a repetition may send them again."""
    results = {name: [of.job, of.frame] for name, of in files.items() if isinstance(of, ResultOf)}
    return {**values, **more, **({"results": results} if results else {})}


def job_id(owner_id: str, submission: str, mode: str, values: Mapping[str, Any]) -> str:
    """The id of the job that this submission makes.

    submission: from `requester.next_submission`. Mode and values are part of it: an id that a client uses for
    another request makes another job.
    """
    wanted = json.dumps([owner_id, submission, mode, values], sort_keys=True, default=str)
    return uuid.uuid5(NAMESPACE, wanted).hex


def known(owner: str, mode: str, values: Mapping[str, Any], find: Callable[[str], Job | None]) -> Job | None:
    """The job that an earlier try of the current request made for this owner (token): it counts as submitted
    by this try too. None for a request that is new, or sent only once."""
    submission = requester.this_submission()
    if not submission or not tokens.is_token(owner):
        return None
    job = find(job_id(tokens.owner_id(owner), submission, mode, values))
    if job is not None:
        requester.next_submission()
    return job


class OneAtATime:
    """Locks by name, so that two arrivals of one request are handled one after the other. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, tuple[threading.Lock, int]] = {}  # name -> its lock, who holds or waits for it

    @contextlib.contextmanager
    def holding(self, name: str) -> Iterator[None]:
        """Waits until no other thread is inside with this name."""
        with self._lock:
            lock, users = self._held.get(name, (threading.Lock(), 0))
            self._held[name] = lock, users + 1
        try:
            with lock:
                yield
        finally:
            with self._lock:
                lock, users = self._held[name]
                if users == 1:
                    del self._held[name]
                else:
                    self._held[name] = lock, users - 1

    def __len__(self) -> int:
        with self._lock:
            return len(self._held)
