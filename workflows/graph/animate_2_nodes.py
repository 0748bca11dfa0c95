"""The vocabulary of Animate 2: the node itself, and the cache of what it reads from the driving video."""

from __future__ import annotations

from workflows.graph.animate_nodes import AnimateNodes
from workflows.graph.builder import ClipVisionOutput, Conditioning, Image, Int, Latent, Model, Vae, Value
from workflows.graph.label import Label


class Animate2Nodes(AnimateNodes):
    """A graph that animates with Animate 2."""

    def wan_animate_2_to_video(
        self,
        positive: Conditioning,
        negative: Conditioning,
        vae: Vae,
        width: int,
        height: int,
        length: int,
        video_frame_offset: int | Int,
        reference_image: Image,
        pose_video: Image,
        clip_vision_output: ClipVisionOutput,
        clip_vision_output_pose: ClipVisionOutput,
        continue_motion: Image | None,
    ) -> tuple[Conditioning, Conditioning, Latent, Int, Int, Int]:
        """One chunk: (positive, negative, latent, latents to trim, frames to trim, next offset).

        `pose_video` is the driving video itself; `continue_motion` is used by its last frame only.
        """
        node = self.add(
            "WanAnimate2ToVideo",
            Label("read", "Preparing the part"),
            {
                "positive": positive,
                "negative": negative,
                "vae": vae,
                "width": width,
                "height": height,
                "length": length,
                "batch_size": 1,
                "video_frame_offset": video_frame_offset,
                "pose_strength": 1.0,
                "pose_start_percent": 0.0,
                "pose_end_percent": 1.0,
                "reference_image_strength": 1.0,
                "reference_image": reference_image,
                "pose_video": pose_video,
                "clip_vision_output": clip_vision_output,
                "clip_vision_output_pose": clip_vision_output_pose,
                "continue_motion": continue_motion,
            },
        )
        outputs = (Conditioning(node, 0), Conditioning(node, 1), Latent(node, 2))
        return *outputs, Int(node, 3), Int(node, 4), Int(node, 5)

    def wan_animate_2_cache(self, model: Model, device: str, dtype: str, text: str) -> Model:
        """The model with a cache of the driving video's activations, kept for the steps of one sampler."""
        inputs: dict[str, Value] = {"model": model, "device": device, "dtype": dtype}
        return Model(self.add_cached("WanAnimate2Cache", Label("load", text), inputs))
