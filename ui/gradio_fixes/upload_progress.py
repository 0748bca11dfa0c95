"""Bounds what Gradio keeps of the progress of uploads.

Gradio keeps an entry for every id that is asked for or sent with an upload, made up or not, until a client
reads the progress of that upload to its end. Here the oldest entries are dropped; an upload without an entry
only shows no progress.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque

from gradio import routes
from gradio.route_utils import FileUploadProgress, FileUploadProgressTracker

ENTRIES_MAX = 1_000
ID_MAX = 200
"""Characters of an id. Gradio's script sends eleven."""


class BoundedProgress(FileUploadProgress):
    """The progress of the last `most` uploads."""

    def __init__(self, most: int = ENTRIES_MAX) -> None:
        super().__init__()
        self._most = most
        self._entries: OrderedDict[str, FileUploadProgressTracker] = OrderedDict()
        self._statuses = self._entries
        self._waiting: dict[str, set[asyncio.Event]] = {}

    def track(self, upload_id: str) -> None:
        if upload_id in self._entries or len(upload_id) > ID_MAX:
            return
        self._entries[upload_id] = FileUploadProgressTracker(deque(), False)
        for event in self._waiting.get(upload_id, ()):
            event.set()
        while len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def append(self, upload_id: str, filename: str, message_bytes: bytes) -> None:
        """Counts bytes; nothing for an upload whose entry was dropped."""
        if upload_id in self._entries:
            super().append(upload_id, filename, message_bytes)

    def set_done(self, upload_id: str) -> None:
        if upload_id in self._entries:
            super().set_done(upload_id)

    async def is_tracked(self, upload_id: str) -> bool:
        """Waits until the upload has begun; the caller limits the time."""
        if upload_id not in self._entries:
            event, events = asyncio.Event(), self._waiting.setdefault(upload_id, set())
            events.add(event)
            try:
                await event.wait()
            finally:
                events.discard(event)
                if not events:
                    self._waiting.pop(upload_id, None)
        return True

    @property
    def size(self) -> int:
        """Entries and ids that are waited for."""
        return len(self._entries) + len(self._waiting)


def bound(most: int = ENTRIES_MAX) -> BoundedProgress:
    """Replaces Gradio's own. Repeated calls have no effect."""
    found = routes.file_upload_statuses
    if not isinstance(found, BoundedProgress):
        found = routes.file_upload_statuses = BoundedProgress(most)
    return found
