"""Files that an engine may write and no MP4 can hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np

PRIVATE = '{"text": "/home/boat-of-ann/secret"}'


def quicktime(path: Path, frames: int = 5, size: tuple[int, int] = (64, 64)) -> Path:
    """A QuickTime film of a codec that MP4 does not have, with private texts of film and track."""
    options = {"movflags": "+use_metadata_tags"}
    with av.open(str(path), "w", format="mov", container_options=options) as target:
        target.metadata.update({"prompt": PRIVATE, "workflow": PRIVATE})
        stream: Any = target.add_stream("qtrle", rate=16)
        stream.metadata["title"] = stream.metadata["handler_name"] = PRIVATE
        stream.width, stream.height, stream.pix_fmt = *size, "rgb24"
        for number in range(frames):
            pixels = np.full((size[1], size[0], 3), 20 * (number % 12), np.uint8)
            target.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        target.mux(stream.encode(None))
    return path
