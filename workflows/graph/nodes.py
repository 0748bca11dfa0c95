"""The vocabulary: one small typed method per ComfyUI node that we use. Nothing is decided here.

Argument names are the node's own. Loaders are shared between their users.
"""

from __future__ import annotations

from workflows.graph.builder import (
    Audio,
    Clip,
    ClipVision,
    ClipVisionOutput,
    Conditioning,
    Graph,
    Image,
    Latent,
    Model,
    Vae,
    Value,
    Video,
)
from workflows.graph.label import Label

GGUF = ".gguf"


class Nodes(Graph):
    """A graph that is written node by node. `models` and `media`: the files it loads, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.models: list[str] = []
        self.media: list[str] = []

    def _file(self, name: str) -> str:
        if name not in self.models:
            self.models.append(name)
        return name

    def _media(self, name: str) -> str:
        if name not in self.media:
            self.media.append(name)
        return name

    # loading

    def unet_loader(self, unet_name: str, text: str) -> Model:
        """A diffusion model (one expert); a GGUF file by the loader of ComfyUI-GGUF."""
        if unet_name.lower().endswith(GGUF):
            quantised: dict[str, Value] = {"unet_name": self._file(unet_name)}
            return Model(self.add_cached("UnetLoaderGGUF", Label("load", text), quantised))
        inputs: dict[str, Value] = {"unet_name": self._file(unet_name), "weight_dtype": "default"}
        return Model(self.add_cached("UNETLoader", Label("load", text), inputs))

    def lora_loader(self, model: Model, lora_name: str, strength: float, text: str) -> Model:
        """A LoRA on a model, text encoder untouched."""
        inputs: dict[str, Value] = {
            "model": model,
            "lora_name": self._file(lora_name),
            "strength_model": strength,
        }
        return Model(self.add_cached("LoraLoaderModelOnly", Label("load", text), inputs))

    def model_sampling_sd3(self, model: Model, shift: float, text: str) -> Model:
        """Sets the noise schedule's shift."""
        inputs: dict[str, Value] = {"model": model, "shift": shift}
        return Model(self.add_cached("ModelSamplingSD3", Label("load", text), inputs))

    def easy_cache(self, model: Model, threshold: float, start: float, end: float, text: str) -> Model:
        """Reuses the model's answer in steps where little changes; start and end are shares 0..1."""
        inputs: dict[str, Value] = {
            "model": model,
            "reuse_threshold": threshold,
            "start_percent": start,
            "end_percent": end,
            "verbose": False,
        }
        return Model(self.add_cached("EasyCache", Label("load", text), inputs))

    def wan_video_nag(
        self, model: Model, conditioning: Conditioning, scale: float, alpha: float, tau: float, text: str
    ) -> Model:
        """Steers the model's attention away from a negative prompt (ComfyUI-KJNodes)."""
        inputs: dict[str, Value] = {
            "model": model,
            "conditioning": conditioning,
            "nag_scale": scale,
            "nag_alpha": alpha,
            "nag_tau": tau,
            "input_type": "default",
            "inplace": False,
        }
        return Model(self.add_cached("WanVideoNAG", Label("load", text), inputs))

    def clip_loader(self, clip_name: str) -> Clip:
        """The text encoder; a GGUF file by the loader of ComfyUI-GGUF."""
        if clip_name.lower().endswith(GGUF):
            quantised: dict[str, Value] = {"clip_name": self._file(clip_name), "type": "wan"}
            return Clip(
                self.add_cached("CLIPLoaderGGUF", Label("load", "Loading the text encoder"), quantised)
            )
        inputs: dict[str, Value] = {"clip_name": self._file(clip_name), "type": "wan", "device": "default"}
        return Clip(self.add_cached("CLIPLoader", Label("load", "Loading the text encoder"), inputs))

    def vae_loader(self, vae_name: str) -> Vae:
        """The video encoder and decoder."""
        label = Label("load", "Loading the video decoder")
        return Vae(self.add_cached("VAELoader", label, {"vae_name": self._file(vae_name)}))

    def checkpoint_loader(self, ckpt_name: str, text: str) -> tuple[Model, Clip, Vae]:
        """A file that holds model, text encoder and VAE."""
        inputs: dict[str, Value] = {"ckpt_name": self._file(ckpt_name)}
        node = self.add_cached("CheckpointLoaderSimple", Label("load", text), inputs)
        return Model(node, 0), Clip(node, 1), Vae(node, 2)

    def clip_vision_loader(self, clip_name: str) -> ClipVision:
        """The picture encoder."""
        label = Label("load", "Loading the image encoder")
        return ClipVision(self.add_cached("CLIPVisionLoader", label, {"clip_name": self._file(clip_name)}))

    # reading

    def clip_text_encode(self, clip: Clip, prompt: str, text: str) -> Conditioning:
        """A sentence as the model understands it."""
        return Conditioning(self.add("CLIPTextEncode", Label("read", text), {"text": prompt, "clip": clip}))

    def flux_guidance(self, conditioning: Conditioning, guidance: float) -> Conditioning:
        """How closely Flux keeps to the prompt."""
        inputs: dict[str, Value] = {"conditioning": conditioning, "guidance": guidance}
        return Conditioning(self.add("FluxGuidance", Label("read", "Applying guidance"), inputs))

    def conditioning_zero_out(self, conditioning: Conditioning) -> Conditioning:
        """A prompt that says nothing."""
        label = Label("read", "Preparing an empty prompt")
        return Conditioning(self.add("ConditioningZeroOut", label, {"conditioning": conditioning}))

    def load_image(self, image: str, text: str) -> Image:
        """A picture of the engine's input folder."""
        return Image(self.add("LoadImage", Label("read", text), {"image": self._media(image)}))

    def clip_vision_encode(self, clip_vision: ClipVision, image: Image, text: str) -> ClipVisionOutput:
        """A picture's content; the whole picture is squeezed into the encoder's square, as WAN does."""
        inputs: dict[str, Value] = {"clip_vision": clip_vision, "image": image, "crop": "none"}
        return ClipVisionOutput(self.add("CLIPVisionEncode", Label("read", text), inputs))

    def wan_image_to_video(
        self,
        positive: Conditioning,
        negative: Conditioning,
        vae: Vae,
        width: int,
        height: int,
        length: int,
        start_image: Image,
        clip_vision_output: ClipVisionOutput | None = None,
    ) -> tuple[Conditioning, Conditioning, Latent]:
        """Conditions on a first frame: (positive, negative, empty latent of `length` frames)."""
        node = self.add(
            "WanImageToVideo",
            Label("read", "Preparing the picture"),
            {
                "positive": positive,
                "negative": negative,
                "vae": vae,
                "width": width,
                "height": height,
                "length": length,
                "batch_size": 1,
                "clip_vision_output": clip_vision_output,
                "start_image": start_image,
            },
        )
        return Conditioning(node, 0), Conditioning(node, 1), Latent(node, 2)

    def wan_first_last_frame_to_video(
        self,
        positive: Conditioning,
        negative: Conditioning,
        vae: Vae,
        width: int,
        height: int,
        length: int,
        start_image: Image,
        end_image: Image,
        clip_vision_start_image: ClipVisionOutput | None = None,
        clip_vision_end_image: ClipVisionOutput | None = None,
    ) -> tuple[Conditioning, Conditioning, Latent]:
        """Conditions on a first and a last frame: (positive, negative, empty latent)."""
        node = self.add(
            "WanFirstLastFrameToVideo",
            Label("read", "Preparing the pictures"),
            {
                "positive": positive,
                "negative": negative,
                "vae": vae,
                "width": width,
                "height": height,
                "length": length,
                "batch_size": 1,
                "clip_vision_start_image": clip_vision_start_image,
                "clip_vision_end_image": clip_vision_end_image,
                "start_image": start_image,
                "end_image": end_image,
            },
        )
        return Conditioning(node, 0), Conditioning(node, 1), Latent(node, 2)

    def empty_latent_video(self, width: int, height: int, length: int) -> Latent:
        """Where a video of `length` frames is drawn from words alone."""
        inputs: dict[str, Value] = {"width": width, "height": height, "length": length, "batch_size": 1}
        return Latent(
            self.add("EmptyHunyuanLatentVideo", Label("read", "Preparing the empty latent"), inputs)
        )

    def empty_latent_image(self, width: int, height: int) -> Latent:
        """Where Flux draws a picture."""
        inputs: dict[str, Value] = {"width": width, "height": height, "batch_size": 1}
        return Latent(self.add("EmptySD3LatentImage", Label("read", "Preparing the empty latent"), inputs))

    # drawing

    def ksampler(
        self,
        label: Label,
        model: Model,
        positive: Conditioning,
        negative: Conditioning,
        latent_image: Latent,
        seed: int,
        cfg: float,
        sampler_name: str,
    ) -> Latent:
        """All steps of a schedule (label.steps of them), scheduler simple."""
        inputs: dict[str, Value] = {
            "model": model,
            "seed": seed,
            "steps": label.steps,
            "cfg": cfg,
            "sampler_name": sampler_name,
            "scheduler": "simple",
            "positive": positive,
            "negative": negative,
            "latent_image": latent_image,
            "denoise": 1.0,
        }
        return Latent(self.add("KSampler", label, inputs))

    def ksampler_advanced(
        self,
        label: Label,
        model: Model,
        positive: Conditioning,
        negative: Conditioning,
        latent_image: Latent,
        noise_seed: int,
        steps: int,
        cfg: float,
        start_at_step: int,
        end_at_step: int,
        add_noise: bool,
        leftover_noise: bool,
    ) -> Latent:
        """Steps start_at_step..end_at_step of a schedule of `steps`, euler / simple."""
        node = self.add(
            "KSamplerAdvanced",
            label,
            {
                "model": model,
                "add_noise": "enable" if add_noise else "disable",
                "noise_seed": noise_seed,
                "steps": steps,
                "cfg": cfg,
                "sampler_name": "euler",
                "scheduler": "simple",
                "positive": positive,
                "negative": negative,
                "latent_image": latent_image,
                "start_at_step": start_at_step,
                "end_at_step": end_at_step,
                "return_with_leftover_noise": "enable" if leftover_noise else "disable",
            },
        )
        return Latent(node)

    # finishing and saving

    def vae_decode(self, samples: Latent, vae: Vae) -> Image:
        """Latents to frames, in one piece."""
        return Image(self.add("VAEDecode", Label("finish", "Finishing"), {"samples": samples, "vae": vae}))

    def vae_decode_tiled(self, samples: Latent, vae: Vae) -> Image:
        """Latents to frames in tiles (the node's own sizes): less memory, visible seams in time."""
        inputs: dict[str, Value] = {
            "samples": samples,
            "vae": vae,
            "tile_size": 512,
            "overlap": 64,
            "temporal_size": 64,
            "temporal_overlap": 8,
        }
        return Image(self.add("VAEDecodeTiled", Label("finish", "Finishing in tiles"), inputs))

    def create_video(self, images: Image, fps: float, audio: Audio | None = None) -> Video:
        """Frames to a video; sound that is longer than it is cut."""
        inputs: dict[str, Value] = {"images": images, "fps": fps, "audio": audio}
        return Video(self.add("CreateVideo", Label("finish", "Assembling the frames"), inputs))

    def save_video(self, video: Video, filename_prefix: str) -> None:
        """Writes the MP4. format and codec are flat values, which old and new servers take."""
        inputs: dict[str, Value] = {
            "video": video,
            "filename_prefix": filename_prefix,
            "format": "mp4",
            "codec": "h264",
        }
        self.add("SaveVideo", Label("save", "Saving"), inputs)

    def save_image(self, images: Image, filename_prefix: str, text: str) -> None:
        """Writes every frame as a PNG."""
        self.add("SaveImage", Label("save", text), {"images": images, "filename_prefix": filename_prefix})
