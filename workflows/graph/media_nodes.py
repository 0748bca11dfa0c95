"""The vocabulary for sound, video files, frames and latents: one small typed method per ComfyUI node."""

from __future__ import annotations

from collections.abc import Iterable

from workflows.graph.builder import (
    Audio,
    AudioEncoder,
    AudioFeatures,
    Conditioning,
    Image,
    Int,
    Latent,
    Model,
    Vae,
    Value,
    Video,
)
from workflows.graph.label import Label
from workflows.graph.nodes import Nodes


class MediaNodes(Nodes):
    """A graph that also reads sound and video, or edits latents and frames."""

    # models

    def wan_context_windows(
        self, model: Model, context_length: int, context_overlap: int, newer: Iterable[str], text: str
    ) -> Model:
        """Evaluates the model in windows of `context_length` frames that wrap from the clip's end to its
        beginning. newer: inputs that this server's node has and older ones lack; they keep their defaults."""
        defaults: dict[str, Value] = {
            "freenoise": True,
            "retain_first_frame": False,
            "split_conds_to_windows": False,
        }
        inputs: dict[str, Value] = {
            "model": model,
            "context_length": context_length,
            "context_overlap": context_overlap,
            "context_schedule": "looped_uniform",
            "context_stride": 1,
            "closed_loop": True,
            "fuse_method": "pyramid",
            **{name: defaults[name] for name in newer},
        }
        return Model(self.add_cached("WanContextWindowsManual", Label("load", text), inputs))

    # files

    def load_audio(self, audio: str, text: str) -> Audio:
        """A sound of the engine's input folder."""
        return Audio(self.add("LoadAudio", Label("read", text), {"audio": self._media(audio)}))

    def load_frames(self, file: str, text: str) -> Image:
        """All frames of a video of the engine's input folder."""
        label = Label("read", text)
        video = Video(self.add("LoadVideo", label, {"file": self._media(file)}))
        return Image(self.add("GetVideoComponents", label, {"video": video}))

    # sound

    def audio_encoder_loader(self, audio_encoder_name: str) -> AudioEncoder:
        """The sound encoder."""
        inputs: dict[str, Value] = {"audio_encoder_name": self._file(audio_encoder_name)}
        label = Label("load", "Loading the sound encoder")
        return AudioEncoder(self.add_cached("AudioEncoderLoader", label, inputs))

    def audio_encoder_encode(self, audio_encoder: AudioEncoder, audio: Audio) -> AudioFeatures:
        """The sound that the model receives."""
        inputs: dict[str, Value] = {"audio_encoder": audio_encoder, "audio": audio}
        return AudioFeatures(self.add("AudioEncoderEncode", Label("read", "Encoding the sound"), inputs))

    def wan_sound_image_to_video(
        self,
        positive: Conditioning,
        negative: Conditioning,
        vae: Vae,
        width: int,
        height: int,
        length: int,
        audio_encoder_output: AudioFeatures,
        ref_image: Image | None,
        ref_motion: Image | None,
    ) -> tuple[Conditioning, Conditioning, Latent]:
        """Conditions the first chunk: (positive, negative, empty latent)."""
        node = self.add(
            "WanSoundImageToVideo",
            Label("read", "Preparing the first part"),
            {
                "positive": positive,
                "negative": negative,
                "vae": vae,
                "width": width,
                "height": height,
                "length": length,
                "batch_size": 1,
                "audio_encoder_output": audio_encoder_output,
                "ref_image": ref_image,
                "ref_motion": ref_motion,
            },
        )
        return Conditioning(node, 0), Conditioning(node, 1), Latent(node, 2)

    def wan_sound_image_to_video_extend(
        self,
        positive: Conditioning,
        negative: Conditioning,
        vae: Vae,
        length: int,
        video_latent: Latent,
        audio_encoder_output: AudioFeatures,
        ref_image: Image | None,
    ) -> tuple[Conditioning, Conditioning, Latent]:
        """Conditions the chunk after `video_latent`: (positive, negative, empty latent)."""
        node = self.add(
            "WanSoundImageToVideoExtend",
            Label("read", "Preparing the next part"),
            {
                "positive": positive,
                "negative": negative,
                "vae": vae,
                "length": length,
                "video_latent": video_latent,
                "audio_encoder_output": audio_encoder_output,
                "ref_image": ref_image,
            },
        )
        return Conditioning(node, 0), Conditioning(node, 1), Latent(node, 2)

    # latents

    def latent_concat(self, samples1: Latent, samples2: Latent, label: Label | None = None) -> Latent:
        """One after the other in time."""
        inputs: dict[str, Value] = {"samples1": samples1, "samples2": samples2, "dim": "t"}
        return Latent(self.add("LatentConcat", label or Label("read", "Joining the parts"), inputs))

    def latent_cut(self, samples: Latent, index: int, amount: int, label: Label | None = None) -> Latent:
        """`amount` latents in time from `index` on, from the end where it is negative."""
        inputs: dict[str, Value] = {"samples": samples, "dim": "t", "index": index, "amount": amount}
        return Latent(self.add("LatentCut", label or Label("read", "Taking the first frames"), inputs))

    def trim_video_latent(self, samples: Latent, trim_amount: Int) -> Latent:
        """Without the first latents."""
        inputs: dict[str, Value] = {"samples": samples, "trim_amount": trim_amount}
        return Latent(self.add("TrimVideoLatent", Label("finish", "Removing the reference frame"), inputs))

    def wan_image_to_video_svi_pro(
        self,
        positive: Conditioning,
        negative: Conditioning,
        length: int,
        anchor_samples: Latent,
        prev_samples: Latent,
        motion_latent_count: int,
    ) -> tuple[Conditioning, Conditioning, Latent]:
        """Conditions on a reference picture and the last latents of the clip before: (positive, negative,
        empty latent). The first frame drawn is the reference picture (ComfyUI-KJNodes)."""
        node = self.add(
            "WanImageToVideoSVIPro",
            Label("read", "Preparing the next part"),
            {
                "positive": positive,
                "negative": negative,
                "length": length,
                "anchor_samples": anchor_samples,
                "motion_latent_count": motion_latent_count,
                "prev_samples": prev_samples,
            },
        )
        return Conditioning(node, 0), Conditioning(node, 1), Latent(node, 2)

    def vae_encode(self, pixels: Image, vae: Vae, text: str = "Reading the previous frames") -> Latent:
        """Frames to latents."""
        label = Label("read", text)
        return Latent(self.add("VAEEncode", label, {"pixels": pixels, "vae": vae}))

    # frames

    def image_from_batch(
        self, image: Image, batch_index: int | Int, length: int, label: Label | None = None
    ) -> Image:
        """`length` frames from `batch_index` on, as far as there are."""
        inputs: dict[str, Value] = {"image": image, "batch_index": batch_index, "length": length}
        return Image(self.add("ImageFromBatch", label or Label("finish", "Cutting the frames"), inputs))

    def image_batch(self, image1: Image, image2: Image, label: Label | None = None) -> Image:
        """One after the other."""
        inputs: dict[str, Value] = {"image1": image1, "image2": image2}
        return Image(self.add("ImageBatch", label or Label("finish", "Joining the parts"), inputs))

    def image_scale(self, image: Image, method: str, width: int, height: int, label: Label) -> Image:
        """Scaled to fill the size, centre cut out."""
        inputs: dict[str, Value] = {
            "image": image,
            "upscale_method": method,
            "width": width,
            "height": height,
            "crop": "center",
        }
        return Image(self.add("ImageScale", label, inputs))
