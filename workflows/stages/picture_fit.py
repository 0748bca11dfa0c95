"""Warnings about a picture, or a shape, that makes a poor video although nothing is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from workflows.notice import Notice, notice
from workflows.params.field import MediaField
from workflows.params.media import Media

ENLARGED = 1.5
"""From this factor on an enlarged picture looks soft in the video."""
STRIP = 3.0
"""Long side to short side from which a video is a strip; WAN was trained for shapes up to 16:9."""


def picture_warnings(
    params: Any, media: Mapping[str, MediaField], width: int, height: int
) -> tuple[Notice, ...]:
    """The warnings about the pictures among `media` in a video of width x height pixels, and about its shape.

    A picture of unknown size has none.
    """
    given = {name: getattr(params, name, None) for name, field in media.items() if field.kind == "picture"}
    pictures = [
        (name, one) for name, one in given.items() if isinstance(one, Media) and one.width and one.height
    ]
    padded = getattr(params, "fit", "crop") == "pad"
    return (*_enlarged(pictures, padded, width, height), *_strip(pictures, width, height))


def _enlarged(pictures: list[tuple[str, Media]], padded: bool, width: int, height: int) -> Iterator[Notice]:
    for name, picture in pictures:
        scales = (width / picture.width, height / picture.height)
        scale = min(scales) if padded else max(scales)
        if scale >= ENLARGED:
            yield notice(
                "picture_enlarged",
                field=name,
                width=picture.width,
                height=picture.height,
                times=round(scale, 1),
            )


def _strip(pictures: list[tuple[str, Media]], width: int, height: int) -> Iterator[Notice]:
    if _ratio(width, height) < STRIP:
        return
    for name, picture in pictures:
        if _ratio(picture.width, picture.height) >= STRIP:
            shape = _shape(picture.width, picture.height)
            yield notice("picture_strip", field=name, shape=shape, width=width, height=height)
            return
    yield notice("strip", shape=_shape(width, height), width=width, height=height)


def _ratio(width: int, height: int) -> float:
    return max(width, height) / max(1, min(width, height))


def _shape(width: int, height: int) -> str:
    """ "5:1" or "1:3.5"."""
    ratio = f"{_ratio(width, height):.1f}".removesuffix(".0")
    return f"{ratio}:1" if width >= height else f"1:{ratio}"
