"""Makes whole pictures of interlaced frames, whose odd and even lines were recorded at different times."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av.filter import Graph
    from av.video.frame import VideoFrame

THREADS = 2
_FILTER = ("bwdif", "mode=send_frame:parity=auto:deint=interlaced")
"""One picture for each frame, so that times and lengths stay. Frames that are whole already pass as they
are."""


def progressive(frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    """The frames, deinterlaced from the first interlaced one on. Holds two frames more."""
    graph: Graph | None = None
    kind: tuple[Any, ...] = ()
    for frame in frames:
        found = (frame.width, frame.height, frame.format.name, frame.time_base)
        if graph is not None and found != kind:
            yield from _pull(graph, last=True)
            graph = None
        if graph is None:
            if not frame.interlaced_frame:
                yield frame
                continue
            graph, kind = _graph(frame), found
        graph.vpush(frame)
        yield from _pull(graph)
    if graph is not None:
        yield from _pull(graph, last=True)


def _graph(frame: VideoFrame) -> Graph:
    from av.filter import Graph

    graph = Graph()
    graph.threads = THREADS
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    graph.link_nodes(source, graph.add(*_FILTER), graph.add("buffersink")).configure()
    return graph


def _pull(graph: Graph, last: bool = False) -> Iterator[VideoFrame]:
    """The pictures that are ready; with `last` all that are left."""
    from av.error import BlockingIOError, EOFError

    if last:
        graph.vpush(None)
    while True:
        try:
            yield graph.vpull()
        except (BlockingIOError, EOFError):
            return
