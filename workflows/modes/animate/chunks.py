"""The chunks of a graph of Animate: drawn one after the other, each from the end of the one before.

Both generations of the model share this; they differ in how a chunk is conditioned and sampled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from workflows.compiled import Derived
from workflows.graph.builder import Conditioning, Image, Int, Latent, Vae
from workflows.graph.label import Label
from workflows.graph.media_nodes import MediaNodes
from workflows.modes.animate.params import Animate
from workflows.stages.segments import Span, result_prefix, save_part, tail

Conditioned = tuple[Conditioning, Conditioning, Latent, Int, Int, Int]
"""Positive, negative, latent, latents to trim, frames to trim, offset of the next chunk."""


@dataclass(frozen=True)
class Chunks:
    """Chunks of `length` frames; each but the first repeats the last `continued` frames of the one before."""

    length: int
    continued: int

    @property
    def new(self) -> int:
        """Frames that a chunk adds to the one before."""
        return self.length - self.continued

    def count(self, frames: int) -> int:
        """Chunks that make `frames` frames: n chunks make length + new * (n - 1)."""
        return 1 + max(0, -(-(frames - self.length) // self.new))

    def begin(self, chunk: int) -> int:
        """Number of the first frame of the result that a chunk adds."""
        return 0 if chunk == 0 else self.length + (chunk - 1) * self.new

    def added(self, chunk: int, frames: int) -> int:
        """Frames that a chunk adds to a result of `frames` frames."""
        return min(frames, self.begin(chunk + 1)) - self.begin(chunk)

    def kept(self, span: Span, frames: int) -> int:
        """Frames that a graph adds to a result of `frames` frames."""
        return min(frames, self.begin(span.first + span.chunks)) - self.begin(span.first)

    def overlap(self, span: Span) -> int:
        """Frames of the previous graph that a graph begins with."""
        return 0 if span.is_first else self.continued


@dataclass(frozen=True)
class Drawn:
    """The frames of a graph; `last`: those that its last chunk added, and their number."""

    frames: Image
    last: tuple[Image, int]


@dataclass(frozen=True)
class ChunkGraph:
    """The graph of a span of chunks."""

    nodes: MediaNodes
    chunks: Chunks
    params: Animate
    job_id: str
    span: Span

    @property
    def prefix(self) -> str:
        """Path prefix of its video in ComfyUI's output folder."""
        return result_prefix(self.params.MODE, self.job_id, self.span)

    def previous(self) -> tuple[Image | None, list[Derived]]:
        """The end of the previous graph, and the file that it is read from; nothing for the first graph."""
        if self.span.is_first:
            return None, []
        end = tail(self.job_id, self.span, self.chunks.continued, self.params.fps)
        what = "frame" if self.chunks.continued == 1 else "frames"
        return self.nodes.load_frames(end.name, f"Reading the previous {what}"), [end]

    def draw(
        self,
        steps: int,
        vae: Vae,
        before: Image | None,
        condition: Callable[[int | Int, Image | None], Conditioned],
        sample: Callable[[Label, int, Conditioning, Conditioning, Latent], Latent],
    ) -> Drawn:
        """Draws the chunks.

        before: see `previous`; condition: (frame offset, frames to continue) -> inputs of the sampler;
        sample: (label, seed, positive, negative, latent) -> the drawn latent.
        """
        nodes, span = self.nodes, self.span
        parts: list[Image] = []
        added = 0
        offset: int | Int = self.chunks.overlap(span)
        for chunk in range(span.chunks):
            positive, negative, latent, trim_latent, trim_image, offset = condition(
                offset, parts[-1] if parts else before
            )
            number = span.first + chunk
            label = span.draw_label(chunk, steps)
            drawn = sample(label, self.params.seed + number, positive, negative, latent)
            frames = nodes.vae_decode(nodes.trim_video_latent(drawn, trim_latent), vae)
            added = self.chunks.added(number, self.params.frames)
            parts.append(nodes.image_from_batch(frames, trim_image, added))
        whole = parts[0]
        for part in parts[1:]:
            whole = nodes.image_batch(whole, part)
        return Drawn(whole, (parts[-1], added))

    def save(self, drawn: Drawn, sound: Derived | None) -> list[Derived]:
        """Saves the video and the frames that the next graph continues. Returns the files that it reads."""
        nodes = self.nodes
        audio = None if sound is None else nodes.load_audio(sound.name, "Reading the sound")
        video = nodes.create_video(drawn.frames, self.params.fps, audio)
        save_part(nodes, self.prefix, self.span, video, drawn.last, self.chunks.continued)
        return [] if sound is None else [sound]
