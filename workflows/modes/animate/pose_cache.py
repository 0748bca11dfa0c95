"""The cache of what Animate 2 reads from the driving video: whether and how precisely it is kept.

Without it the model reads the driving video again at every step. ComfyUI's node gives its size: 12.5 GB of
the computer's memory for 81 frames of 480 x 832 in bf16, in proportion to width, height and length; half of
it in int8, a quarter in int4.
"""

from __future__ import annotations

from workflows.graph.node_contract import ServerFacts
from workflows.notice import Notice, notice
from workflows.params.field import Choice

NODE = "WanAnimate2Cache"
DEVICE = "cpu"
"""Beside the model it does not fit into the GPU's memory at usual sizes."""
AUTO, OFF = "auto", "off"
CHOICES = (
    Choice(AUTO, "By memory"),
    Choice("full", "Full precision"),
    Choice("int8", "int8, half the memory"),
    Choice("int4", "int4, a quarter"),
    Choice(OFF, "Off"),
)
_DTYPES = {"full": "default", "int8": "int8", "int4": "int4"}
_SHARES = {"default": 1.0, "int8": 0.5}
"""What `auto` chooses from, best first. int4 loses the most detail, so it is only used when asked for."""

BYTES, CELLS = 12_500_000_000, 480 * 832 * 81
RESERVED = 32_000_000_000
"""Bytes of the computer's memory that are left for the models (about 24 GB), the frames and the system."""


def cache_bytes(width: int, height: int, length: int) -> int:
    """The size of the cache for one chunk in full precision."""
    return round(BYTES * (width * height * length) / CELLS)


def cache_dtype(wanted: str, size: tuple[int, int], length: int, steps: int, server: ServerFacts) -> str:
    """The node's `dtype`, "" for no cache. A single step has nothing to reuse; with `auto` the memory has to
    be known and large enough."""
    if wanted == OFF or steps < 2 or NODE not in server.nodes:
        return ""
    if wanted != AUTO:
        return _DTYPES[wanted]
    left = server.ram - RESERVED if server.ram else 0
    need = cache_bytes(*size, length)
    return next((dtype for dtype, share in _SHARES.items() if need * share <= left), "")


def cache_warnings(wanted: str, server: ServerFacts) -> list[Notice]:
    """The warning that a cache which was asked for is not there."""
    if wanted in (AUTO, OFF) or not server.nodes or NODE in server.nodes:
        return []
    return [notice("no_pose_cache")]
