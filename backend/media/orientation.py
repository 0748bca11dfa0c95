"""How a picture or frame is to be shown: one of the eight orientations, as EXIF numbers them. Pure.

Each is a transposition (rows become columns) or none, then a mirror from left to right or none, then one from
top to bottom or none.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


class Orientation(NamedTuple):
    """The steps that make a stored picture upright, in this order."""

    transposed: bool = False
    mirrored: bool = False
    flipped: bool = False

    @property
    def degrees(self) -> int:
        """Clockwise rotation (0, 90, 180, 270), of one that mirrors too without its mirror from left to
        right."""
        if not self.transposed:
            return 180 if self.flipped else 0
        return 270 if self.flipped else 90

    @property
    def turned_over(self) -> bool:
        """Whether text in it would be mirrored without it."""
        return self.transposed ^ self.mirrored ^ self.flipped

    def size(self, width: int, height: int) -> tuple[int, int]:
        return (height, width) if self.transposed else (width, height)

    def of_image(self, image: Image.Image) -> Image.Image:
        method = _METHODS.get(self)
        return image if method is None else image.transpose(method)

    def of_planes(self, planes: np.ndarray) -> np.ndarray:
        """An array (planes, rows, columns)."""
        if self.transposed:
            planes = planes.swapaxes(1, 2)
        if self.mirrored:
            planes = planes[:, :, ::-1]
        if self.flipped:
            planes = planes[:, ::-1]
        return np.ascontiguousarray(planes)


UPRIGHT = Orientation()
BY_EXIF = {
    1: UPRIGHT,
    2: Orientation(mirrored=True),
    3: Orientation(mirrored=True, flipped=True),
    4: Orientation(flipped=True),
    5: Orientation(transposed=True),
    6: Orientation(transposed=True, mirrored=True),
    7: Orientation(transposed=True, mirrored=True, flipped=True),
    8: Orientation(transposed=True, flipped=True),
}
"""Value of EXIF's orientation tag -> what makes the picture upright."""
_METHODS = {
    BY_EXIF[2]: Image.Transpose.FLIP_LEFT_RIGHT,
    BY_EXIF[3]: Image.Transpose.ROTATE_180,
    BY_EXIF[4]: Image.Transpose.FLIP_TOP_BOTTOM,
    BY_EXIF[5]: Image.Transpose.TRANSPOSE,
    BY_EXIF[6]: Image.Transpose.ROTATE_270,
    BY_EXIF[7]: Image.Transpose.TRANSVERSE,
    BY_EXIF[8]: Image.Transpose.ROTATE_90,
}


def of_frame(frame: VideoFrame) -> Orientation:
    """That of a video's frame, from the display matrix of its container."""
    try:
        data: Any = frame.side_data.get("DISPLAYMATRIX")
    except (KeyError, ValueError):  # side data of a kind that PyAV does not know
        data = None
    if data is None:
        return BY_EXIF[{0: 1, 90: 6, 180: 3, 270: 8}[round(-frame.rotation / 90) * 90 % 360]]
    return of_matrix(struct.unpack("=9i", bytes(data)[:36]))


def of_matrix(matrix: tuple[int, ...]) -> Orientation:
    """The orientation nearest to a display matrix (a, b, u, c, d, v, x, y, w): a stored point (p, q) is shown
    at (a p + c q + x, b p + d q + y)."""
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, a < 0, d < 0)
    return Orientation(True, c < 0, b < 0)
