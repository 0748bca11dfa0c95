"""What both generations of Animate take from the driving video, and what is pointed out about the files."""

from __future__ import annotations

from workflows.compiled import Derived
from workflows.modes.animate.params import LENGTH_SLACK, Animate
from workflows.notice import Notice, notice
from workflows.params.sizes import crop_fraction
from workflows.stages.segments import cut

RATE_SLACK = 0.1  # frames a second: 30 is not above 29.97
MUCH_CROPPED = 0.25
"""Share of a side whose loss is pointed out."""


def part_sound(params: Animate) -> Derived | None:
    """The driving video's sound, as it goes into the file; None when it is known to have none."""
    if not params.video.sound:
        return None
    seconds = round(params.frames / params.fps, 6)
    return cut(Derived("", "sound", params.video.name, params.start, seconds=seconds), "wav")


def media_warnings(params: Animate) -> list[Notice]:
    """Files that are much longer, slower or of another shape than what is made of them."""
    warnings = []
    for field, media in params.helpers.items():
        if media.seconds > params.video.seconds + LENGTH_SLACK > LENGTH_SLACK:
            warnings.append(
                notice("helper_length", field=field, seconds=media.seconds, driving=params.video.seconds)
            )
    if 0 < params.video.fps < params.fps - RATE_SLACK:
        warnings.append(
            notice("above_driving_rate", driving=round(params.video.fps, 2), fps=round(params.fps, 2))
        )
    guide = params.helpers.get("pose_video", params.video)
    for field, media in (("video", guide), ("image", params.image)):
        if media is params.image and params.fit == "pad":
            continue
        sides, ends = crop_fraction(media.width, media.height, *params.size)
        if max(sides, ends) > MUCH_CROPPED:
            edges = "sides" if sides > ends else "ends"
            warnings.append(notice("cropped", field=field, share=max(sides, ends), edges=edges))
    return warnings
