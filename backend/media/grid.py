"""The geometry of a contact sheet: how many cells a row has, and where they are. Pure."""

from __future__ import annotations

import math

MAX_SIDE = 1920
"""Pixels of the longer side of a sheet: what a page shows of nine videos needs no more."""
GAP = 8
"""Pixels between two cells; even, because the colour planes of H.264 have half the size."""
_WIDE = 16 / 9
"""The ratio that a sheet comes near to: that of a page's stage."""


def grid(count: int, width: int, height: int) -> tuple[int, int]:
    """(columns, rows) for `count` cells of this size: no row is empty, and the sheet comes near to 16:9."""

    def miss(columns: int) -> tuple[float, int]:
        rows = math.ceil(count / columns)
        ratio = columns * width / (rows * height)
        return round(abs(math.log(ratio / _WIDE)) + 0.5 * (rows * columns - count), 6), columns

    columns = min(range(1, count + 1), key=miss)
    return columns, math.ceil(count / columns)


def cell(count: int, width: int, height: int) -> tuple[int, int]:
    """The even size of a cell: the source's, scaled down so that the sheet's longer side is at most
    MAX_SIDE."""
    columns, rows = grid(count, width, height)
    across, down = MAX_SIDE - GAP * (columns - 1), MAX_SIDE - GAP * (rows - 1)
    factor = min(1.0, across / (columns * width), down / (rows * height))
    return max(2, 2 * int(width * factor / 2)), max(2, 2 * int(height * factor / 2))


def size(count: int, width: int, height: int) -> tuple[int, int]:
    """The size of the sheet of `count` videos of width x height."""
    columns, rows = grid(count, width, height)
    wide, high = cell(count, width, height)
    return columns * wide + GAP * (columns - 1), rows * high + GAP * (rows - 1)


def places(count: int, width: int, height: int) -> tuple[tuple[int, int], list[tuple[int, int]]]:
    """The sheet's size, and the left upper corner of each cell; a last row that is not full is centred."""
    columns, rows = grid(count, width, height)
    wide, high = cell(count, width, height)
    whole = size(count, width, height)
    found = []
    for index in range(count):
        row, column = divmod(index, columns)
        in_row = columns if row < rows - 1 else count - columns * (rows - 1)
        taken = in_row * wide + GAP * (in_row - 1)
        left = (whole[0] - taken) // 2
        found.append((left - left % 2 + column * (wide + GAP), row * (high + GAP)))
    return whole, found
