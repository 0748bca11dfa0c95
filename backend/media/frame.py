"""One frame of a video as a picture, inside the child process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backend.media import check
from backend.media.container import Reader, opened, picture_track
from backend.media.deinterlace import progressive
from backend.media.encode import on_white
from backend.media.orientation import of_frame

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

LAST = -1


def write(path: str, out: str, name: str, field: str, number: int) -> tuple[int, int]:
    """Writes frame `number`, from 0, of the video to `out` as PNG; LAST is the last that can be decoded.

    Returns width, height. Raises BadMedia when there is no such frame.
    """
    found: VideoFrame | None = None
    count = 0
    with opened(path, name) as container:
        track = picture_track(container)
        if track is None:
            raise check.not_a_video(name, field)
        track.thread_count = 1
        for count, frame in enumerate(progressive(Reader(container, track).frames()), 1):
            found = frame
            if count == number + 1:
                break
    if found is None:
        raise check.not_a_video(name, field)
    if number not in (LAST, count - 1):
        raise check.no_frame(number, count, name, field)
    image = on_white(found).to_image()
    image.info.clear()
    image = of_frame(found).of_image(image)
    image.save(out, format="PNG", compress_level=1)
    return image.size
