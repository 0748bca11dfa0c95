"""Bounds what Gradio keeps of its sessions. A client chooses the id of its session, and may choose a new one
for each request.

For each session Gradio copies the configuration of every component, which costs 28 ms and half a megabyte, so
that a deep link can restore it; the page has no deep links. It copies the tables of components and events,
14 kB more; here sessions share them and note what they change. And it keeps the messages of each session
until a client reads them.
"""

from __future__ import annotations

from collections import ChainMap, OrderedDict
from types import SimpleNamespace
from typing import Any

import gradio as gr
from gradio.blocks import BlocksConfig
from gradio.state_holder import SessionState
from gradio.utils import LRUCache

from backend.threads import visitor_of

UNREAD_OF_ALL = 5_000
UNREAD_OF_ONE = 200
"""Sessions with messages that may be unread, of all visitors and of one. A tab of the page has one session, a
waiting API call another."""
VISITORS = 20_000

_make = SessionState.__init__


class _Unused(dict[int, dict[str, Any]]):
    """In place of the copied configurations: takes everything and keeps nothing."""

    def __contains__(self, key: object) -> bool:
        return True

    def __getitem__(self, key: int) -> dict[str, Any]:
        return {}

    def __setitem__(self, key: int, value: dict[str, Any]) -> None:
        pass


class _Shared:
    """The tables of the page. A copy holds only what its session changes; the page has no events that a
    session adds (gr.render)."""

    def __init__(self, tables: BlocksConfig) -> None:
        self._tables = tables

    def __copy__(self) -> BlocksConfig:
        new: Any = BlocksConfig(self._tables.root_block)
        new.blocks = ChainMap({}, self._tables.blocks)
        new.fns, new.fn_id = self._tables.fns, self._tables.fn_id
        new.renderables = self._tables.renderables
        return new


def _make_light(self: SessionState, blocks: Any) -> None:
    _make(self, SimpleNamespace(default_config=_Shared(blocks.default_config), blocks={}))
    self.config_values = _Unused()


class UnreadSessions:
    """Which sessions each visitor has in Gradio's queue; the oldest of a visitor with too many is dropped."""

    def __init__(self, queue: Any, most: int = UNREAD_OF_ALL, each: int = UNREAD_OF_ONE) -> None:
        self._queue, self._each = queue, each
        self._of: OrderedDict[str, OrderedDict[str, None]] = OrderedDict()
        queue.pending_messages_per_session = LRUCache(most)
        queue.pending_event_ids_session = LRUCache(most)

    def add(self, visitor: str, session: str) -> None:
        """Called for every event of a session. Programs of this machine share an address and no limit."""
        if not visitor or visitor.startswith("direct:"):
            return
        mine = self._of.setdefault(visitor, OrderedDict())
        self._of.move_to_end(visitor)
        mine[session] = None
        mine.move_to_end(session)
        while len(mine) > self._each:
            oldest, _ = mine.popitem(last=False)
            self._queue.pending_messages_per_session.pop(oldest, None)
            self._queue.pending_event_ids_session.pop(oldest, None)
        while len(self._of) > VISITORS:
            self._of.popitem(last=False)


def bound(blocks: gr.Blocks) -> UnreadSessions:
    """For the sessions of these Blocks."""
    setattr(SessionState, "__init__", _make_light)  # noqa: B010
    queue: Any = blocks._queue
    unread, inner = UnreadSessions(queue), queue.push

    async def push(body: Any, request: Any, username: str | None) -> Any:
        answer = await inner(body=body, request=request, username=username)
        if answer[0]:
            unread.add(visitor_of(request), body.session_hash)
        return answer

    queue.push = push
    return unread
