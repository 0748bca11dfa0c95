"""Runs blocking calls of coroutines in threads.

Calls that use the disk or the database go through here, so that they never block the event loop. The threads
are shared fairly: one visitor occupies only a few of them, however many of its calls are stuck, and callers
that make the same call at the same time share one. asyncio.to_thread has one small pool for the whole process
and neither limit.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from backend.errors import TooMany

Value = TypeVar("Value")


@dataclass(frozen=True)
class _Task:
    visitor: str
    work: Callable[[], Any]
    future: Future[Any]
    shared_call: Any = None


class Threads:
    """At most `most` calls at once, `each` of one visitor; up to `waiting` more of a visitor are queued.

    Works with any number of event loops; methods may be called from any thread.
    """

    def __init__(self, name: str = "blocking", most: int = 16, each: int = 4, waiting: int = 64) -> None:
        self._pool = ThreadPoolExecutor(most, thread_name_prefix=name)
        self._each, self._waiting = each, waiting
        self._lock = threading.Lock()
        self._running: Counter[str] = Counter()
        self._queues: dict[str, deque[_Task]] = {}
        self._shared: dict[Any, Future[Any]] = {}
        self._open: set[Future[Any]] = set()
        self._closed = False

    async def run(self, visitor: str, call: Callable[..., Value], *args: Any, join: bool = False) -> Value:
        """Runs `call(*args)` in a thread. join: share a running call with the same arguments; for reads only.

        Raises what the call raises, and TooMany when too many calls of this visitor are queued. Cancelling
        the caller does not stop the call.
        """
        future = self._begin(visitor, call, args, join)
        found: Value = await asyncio.shield(asyncio.wrap_future(future))
        return found

    def close(self) -> None:
        """Cancels queued calls; running ones are not waited for."""
        with self._lock:
            self._closed = True
            left, self._queues = list(self._open), {}
        self._pool.shutdown(wait=False, cancel_futures=True)
        for future in left:
            future.cancel()

    def _begin(
        self, visitor: str, call: Callable[..., Any], args: tuple[Any, ...], join: bool
    ) -> Future[Any]:
        shared_call = (call, args) if join else None
        work = functools.partial(contextvars.copy_context().run, call, *args)
        with self._lock:
            if shared_call is not None and shared_call in self._shared:
                return self._shared[shared_call]
            queue = self._queues.get(visitor)
            if queue is not None and len(queue) >= self._waiting:
                raise TooMany.of("requests_pending")
            task = _Task(visitor, work, Future(), shared_call)
            if self._closed:
                task.future.cancel()
                return task.future
            if shared_call is not None:
                self._shared[shared_call] = task.future
            self._open.add(task.future)
            if self._running[visitor] < self._each:
                self._start(task)
            else:
                self._queues.setdefault(visitor, deque()).append(task)
        return task.future

    def _start(self, task: _Task) -> None:
        """Called with the lock held."""
        self._running[task.visitor] += 1
        self._pool.submit(self._work, task)

    def _work(self, task: _Task) -> None:
        value, problem = None, None
        try:
            value = task.work()
        except BaseException as error:
            problem = error
        with self._lock:
            self._open.discard(task.future)
            if task.shared_call is not None:
                self._shared.pop(task.shared_call, None)
            self._next(task.visitor)
        if not task.future.set_running_or_notify_cancel():
            return  # closed in the meantime
        if problem is not None:
            task.future.set_exception(problem)
        else:
            task.future.set_result(value)

    def _next(self, visitor: str) -> None:
        """Starts the next queued call of a visitor after one has ended. Called with the lock held."""
        self._running[visitor] -= 1
        queue = self._queues.get(visitor)
        if queue and not self._closed:
            self._start(queue.popleft())
        if not queue:
            self._queues.pop(visitor, None)
        if not self._running[visitor]:
            del self._running[visitor]


def visitor_of(request: Any) -> str:
    """The visitor that the middleware identified; "" without it. request: Starlette's or Gradio's."""
    return str(getattr(getattr(request, "state", None), "visitor", "") or "")
