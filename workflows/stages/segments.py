"""Long jobs: a sequence of graphs, each of which draws some chunks and continues the previous one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from workflows.compiled import Compiled, Derived
from workflows.graph.builder import Image, Video
from workflows.graph.label import Label
from workflows.graph.media_nodes import MediaNodes
from workflows.graph.nodes import Nodes
from workflows.notice import Notice
from workflows.stages.diffusion import file_prefix


@dataclass(frozen=True)
class Span:
    """The chunks of one graph. Numbers count from 0 across the whole job."""

    number: int  # of the graph
    graphs: int  # in the job
    first: int  # chunk
    chunks: int
    of: int  # chunks in the job

    @property
    def is_first(self) -> bool:
        """Whether it is the first graph of the job."""
        return self.number == 0

    @property
    def is_last(self) -> bool:
        """Whether it is the last graph of the job."""
        return self.number == self.graphs - 1

    @property
    def name(self) -> str:
        """ "part 2 of 5" when a graph draws one, "parts 1 to 7 of 13"; "" when it is the whole job."""
        if self.graphs == 1:
            return ""
        if self.chunks == 1:
            return f"part {self.first + 1} of {self.of}"
        return f"parts {self.first + 1} to {self.first + self.chunks} of {self.of}"

    def draw_label(self, chunk: int, steps: int) -> Label:
        """The label of the sampler of a chunk of this graph: which part it is, steps over the whole job."""
        number = self.first + chunk
        text = "Generating" if self.of == 1 else f"Generating, part {number + 1} of {self.of}"
        place = (0, 0) if self.of == 1 else (number + 1, self.of)
        return Label("draw", text, steps, number * steps, *place)


@dataclass(frozen=True)
class Segment:
    """One graph of a job, finished."""

    span: Span
    nodes: Nodes
    kept: int  # frames of the result that it makes
    derived: tuple[Derived, ...]


def spans(chunks: int, most: int) -> tuple[Span, ...]:
    """Distributes `chunks` evenly over the fewest graphs of at most `most` chunks each.

    Even shares keep the last graph long enough for the sound encoder, which fails on a very short sound.
    """
    graphs = -(-chunks // most)
    rows = []
    first = 0
    for number in range(graphs):
        share = chunks // graphs + (1 if number < chunks % graphs else 0)
        rows.append(Span(number, graphs, first, share, chunks))
        first += share
    return tuple(rows)


def result_prefix(mode: str, job_id: str, span: Span) -> str:
    """Where the graph's video goes: the job's id, and the graph's number when there are several."""
    prefix = file_prefix(mode, job_id)
    return prefix if span.graphs == 1 else f"{prefix}-{span.number + 1}"


def save_part(
    nodes: MediaNodes, prefix: str, span: Span, video: Video, last: tuple[Image, int], count: int
) -> None:
    """Saves the video of a graph and, for the next graph, the `count` frames from which that continues.

    last: the drawn frames that the graph ends with, and their number.
    """
    nodes.save_video(video, prefix)
    if not span.is_last:
        frames, length = last
        kept = nodes.image_from_batch(frames, length - count, count)
        nodes.save_image(kept, f"{prefix}-tail", "Saving the last frames for the next part")


def tail(job_id: str, span: Span, frames: int, fps: float) -> Derived:
    """The last frames of the previous graph, as a file for the graph of `span`."""
    name = f"wan-studio/{job_id}-{span.number}-tail.mkv"
    return Derived(name, "tail", frames=frames, fps=fps)


def cut(derived: Derived, extension: str) -> Derived:
    """The same with a name derived from its content, so that equal cuts of equal files are one file."""
    key = repr(replace(derived, name=""))
    digest = hashlib.sha256(key.encode()).hexdigest()[:32]
    return replace(derived, name=f"wan-studio/{digest}-{derived.kind}.{extension}")


def joined(
    segments: Sequence[Segment],
    size: tuple[int, int],
    fps: float,
    steps: int,
    evaluations: int,
    warnings: tuple[Notice, ...],
    sound: Derived | None,
    route: str = "",
) -> Compiled:
    """The graphs as one compiled job. evaluations: of the model, in all graphs."""
    graphs = [segment.nodes for segment in segments]
    return Compiled(
        graphs=tuple(nodes.nodes for nodes in graphs),
        labels=tuple(nodes.labels for nodes in graphs),
        inputs=tuple(dict.fromkeys(name for nodes in graphs for name in nodes.media)),
        sampling_steps=sum(label.steps for nodes in graphs for label in nodes.labels.values()),
        evaluations=evaluations,
        models=tuple(dict.fromkeys(name for nodes in graphs for name in nodes.models)),
        width=size[0],
        height=size[1],
        frames=sum(segment.kept for segment in segments),
        fps=fps,
        steps=steps,
        warnings=warnings,
        derived=tuple(tuple(dict.fromkeys(segment.derived)) for segment in segments),
        kept=tuple(segment.kept for segment in segments),
        sound=sound,
        segment_names=tuple(segment.span.name for segment in segments),
        route=route,
    )
