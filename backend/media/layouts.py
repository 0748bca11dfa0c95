"""Channel layouts of decoded sound, inside the child process."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av.audio.layout import AudioLayout

_LISTED = (" channels (", "ambisonic ")


def kept(layout: AudioLayout) -> AudioLayout:
    """The layout, which is never freed if it lists its channels one by one.

    PyAV's object shares that list with the frame or decoder that it is read from, and both free it: the
    process would end. What is kept is about a hundred bytes for each frame of such a sound.
    """
    if any(mark in layout.name for mark in _LISTED):
        one_more = ctypes.pythonapi.Py_IncRef
        one_more.argtypes = [ctypes.py_object]
        one_more(layout)
    return layout


def keep_of(frames: list[Any]) -> list[Any]:
    """Frames as they are, of sound with their layouts kept."""
    for frame in frames:
        if (layout := getattr(frame, "layout", None)) is not None:
            kept(layout)
    return frames
