"""Blocking calls of coroutines, in threads of their own.

A coroutine on the event loop touches memory only; whatever needs the disk or the database goes through here.
The threads are shared fairly: one visitor holds only a few of them, however many calls of theirs are stuck,
and callers that ask the same question at the same time share one call. asyncio.to_thread has neither: its few
threads are the whole process's.
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
    question: Any = None


class Threads:
    """At most `most` calls at once, `each` of one visitor; `waiting` more calls of a visitor wait in line.

    Works with any number of event loops; methods may be called from any thread.
    """

    def __init__(self, name: str = "blocking", most: int = 16, each: int = 4, waiting: int = 64) -> None:
        self._pool = ThreadPoolExecutor(most, thread_name_prefix=name)
        self._each, self._waiting = each, waiting
        self._lock = threading.Lock()
        self._busy: Counter[str] = Counter()
        self._lines: dict[str, deque[_Task]] = {}
        self._asked: dict[Any, Future[Any]] = {}
        self._open: set[Future[Any]] = set()
        self._closed = False

    async def run(self, visitor: str, call: Callable[..., Value], *args: Any, join: bool = False) -> Value:
        """`call(*args)` in a thread. join: share one call with those who ask the same now; for reads only.

        Raises what the call raises, and TooMany when too many calls of this visitor wait. A caller that is
        cancelled leaves; the call itself goes on.
        """
        future = self._begin(visitor, call, args, join)
        found: Value = await asyncio.shield(asyncio.wrap_future(future))
        return found

    def close(self) -> None:
        """Waiting calls are cancelled, those under way are left to themselves."""
        with self._lock:
            self._closed = True
            left, self._lines = list(self._open), {}
        self._pool.shutdown(wait=False, cancel_futures=True)
        for future in left:
            future.cancel()

    def _begin(
        self, visitor: str, call: Callable[..., Any], args: tuple[Any, ...], join: bool
    ) -> Future[Any]:
        question = (call, args) if join else None
        work = functools.partial(contextvars.copy_context().run, call, *args)
        with self._lock:
            if question is not None and question in self._asked:
                return self._asked[question]
            line = self._lines.get(visitor)
            if line is not None and len(line) >= self._waiting:
                raise TooMany("Too many requests of yours are under way.", "Try again in a few seconds.")
            task = _Task(visitor, work, Future(), question)
            if self._closed:
                task.future.cancel()
                return task.future
            if question is not None:
                self._asked[question] = task.future
            self._open.add(task.future)
            if self._busy[visitor] < self._each:
                self._start(task)
            else:
                self._lines.setdefault(visitor, deque()).append(task)
        return task.future

    def _start(self, task: _Task) -> None:
        """Called with the lock held."""
        self._busy[task.visitor] += 1
        self._pool.submit(self._work, task)

    def _work(self, task: _Task) -> None:
        value, problem = None, None
        try:
            value = task.work()
        except BaseException as error:
            problem = error
        with self._lock:
            self._open.discard(task.future)
            if task.question is not None:
                self._asked.pop(task.question, None)
            self._next(task.visitor)
        if not task.future.set_running_or_notify_cancel():
            return  # closed meanwhile
        if problem is not None:
            task.future.set_exception(problem)
        else:
            task.future.set_result(value)

    def _next(self, visitor: str) -> None:
        """One call of this visitor ended; called with the lock held."""
        self._busy[visitor] -= 1
        line = self._lines.get(visitor)
        if line and not self._closed:
            self._start(line.popleft())
        if not line:
            self._lines.pop(visitor, None)
        if not self._busy[visitor]:
            del self._busy[visitor]


def visitor_of(request: Any) -> str:
    """The visitor that the middleware identified; "" without it. request: Starlette's or Gradio's."""
    return str(getattr(getattr(request, "state", None), "visitor", "") or "")
