"""Keeps Gradio's records of files from growing.

Gradio notes the path of every upload, and of every file that a component has shown, so that `delete_cache`
can remove them; it notes the id of every cancelled event until that event has ended. The page does not use
`delete_cache` (backend/storage removes old uploads), and an event that has ended already never takes its id
back.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, MutableSet
from typing import Any

import gradio as gr

CANCELLED_MAX = 1_000


class Nothing(set[str]):
    """A set that stays empty."""

    def add(self, element: str) -> None:
        pass

    def update(self, *others: Iterable[str]) -> None:
        pass

    def __ior__(self, other: object) -> Nothing:  # type: ignore[override]
        return self


class Latest(MutableSet[str]):
    """The last `most` elements that were added."""

    def __init__(self, most: int = CANCELLED_MAX) -> None:
        self._most = most
        self._elements: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, element: object) -> bool:
        return element in self._elements

    def __iter__(self) -> Iterator[str]:
        return iter(self._elements)

    def __len__(self) -> int:
        return len(self._elements)

    def add(self, value: str) -> None:
        self._elements[value] = None
        while len(self._elements) > self._most:
            self._elements.popitem(last=False)

    def discard(self, value: str) -> None:
        self._elements.pop(value, None)


def keep_none(blocks: gr.Blocks) -> None:
    """For the uploads and shown files of these Blocks."""
    blocks.upload_file_set = Nothing()
    for block in blocks.blocks.values():
        block.temp_files = Nothing()
    blocks.temp_file_sets = [blocks.upload_file_set]


def keep_latest(app: Any, most: int = CANCELLED_MAX) -> None:
    """For the cancelled events of Gradio's ASGI app."""
    app.iterators_to_reset = Latest(most)
