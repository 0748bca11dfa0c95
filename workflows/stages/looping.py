"""Loops: clips whose last frame leads into the first.

From a picture: WAN draws from the picture to the same picture, and the last frame, which repeats the first,
is dropped. From words: windows over the clip's latents wrap from its end to its beginning, so that no part
of the clip is an end (ComfyUI's WanContextWindowsManual). The VAE decodes the first latent of a clip to one
frame and every other to four; decoded behind the last latents of the clip, the first one gives four as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from workflows.graph.builder import Image, Latent, Model, Vae
from workflows.graph.label import Label
from workflows.graph.media_nodes import MediaNodes
from workflows.graph.node_contract import ServerFacts
from workflows.params.sizes import frames_for
from workflows.params.values import InvalidParam
from workflows.stages.diffusion import has_node

NODE = "WanContextWindowsManual"
LATENT_FRAMES = 4
"""Frames of a latent in the middle of a clip."""
TRAINED = 21
"""Latents of the longest window: the 81 frames that WAN was trained for."""
OVERLAP = 30 / 81
"""Share of a window that overlaps the next one, by the node's defaults."""
BEFORE = 4
"""Latents that are decoded before the first one, so that the decoder has its predecessors."""
SECONDS_MIN = 1.0
"""The shortest loop from words: with fewer than four latents the windows cannot overlap."""
NEWER_INPUTS = ("freenoise", "retain_first_frame", "split_conds_to_windows")
"""Inputs that the node has in ComfyUI 0.33 and not in 0.3.64."""


def loop_frames(seconds: float, loop: bool) -> int:
    """Frames of the result: 4n+1 of a clip, 4n of a loop, whose last frame leads into the first."""
    return frames_for(seconds) - (1 if loop else 0)


def without_last(nodes: MediaNodes, images: Image, frames: int) -> Image:
    """The first `frames` frames, without the last one, which repeats the first."""
    return nodes.image_from_batch(images, 0, frames, Label("finish", "Closing the loop"))


def check_windows(seconds: float, loop: bool) -> None:
    """Raises InvalidParam for a loop from words that is too short."""
    if loop and seconds < SECONDS_MIN:
        raise InvalidParam(
            "seconds",
            f"A loop from words must be at least {SECONDS_MIN:g} second long.",
            "Make it longer, or switch Loop off.",
        )


@dataclass(frozen=True)
class Windows:
    """Windows over a loop of `latents` latents, all numbers in latents. A window is shorter than the clip:
    one that covered it would not wrap. `newer`: those of NEWER_INPUTS that the server's node has."""

    latents: int
    length: int
    overlap: int
    newer: tuple[str, ...] = NEWER_INPUTS

    @property
    def count(self) -> int:
        """Windows that are evaluated in each step."""
        return -(-self.latents // (self.length - self.overlap))

    @property
    def work(self) -> float:
        """The work of a step, as a multiple of one evaluation of the whole clip."""
        return self.count * self.length / self.latents

    @property
    def drawn(self) -> int:
        """The length in frames of the latent, of which the node counts the first latent as one frame."""
        return LATENT_FRAMES * self.latents - 3

    def wrap(self, nodes: MediaNodes, models: Iterable[Model]) -> list[Model]:
        """The models, each evaluated in these windows."""
        length, overlap = LATENT_FRAMES * self.length - 3, LATENT_FRAMES * self.overlap
        return [
            nodes.wan_context_windows(model, length, overlap, self.newer, "Setting up the loop")
            for model in models
        ]

    def decode(self, nodes: MediaNodes, samples: Latent, vae: Vae) -> Image:
        """The frames: the last latents are decoded once more before the first, and those frames cut off."""
        label = Label("finish", "Closing the loop")
        before = min(BEFORE, self.latents)
        end = nodes.latent_cut(samples, -before, before, label)
        images = nodes.vae_decode(nodes.latent_concat(end, samples, label), vae)
        return nodes.image_from_batch(images, LATENT_FRAMES * before - 3, LATENT_FRAMES * self.latents, label)


def wrapping(frames: int, server: ServerFacts) -> Windows:
    """The windows of a loop of so many frames. Raises InvalidParam for a server that lacks the node."""
    if not has_node(server, NODE):
        raise InvalidParam(
            "loop",
            "This ComfyUI cannot make loops from words: it has no WanContextWindowsManual node.",
            "Update ComfyUI, or switch Loop off.",
        )
    latents = frames // LATENT_FRAMES
    length = min(TRAINED, latents - 1)
    overlap = max(1, min(length - 1, round(length * OVERLAP)))
    known = server.inputs.get(NODE)
    newer = tuple(name for name in NEWER_INPUTS if known is None or name in known)
    return Windows(latents, length, overlap, newer)
