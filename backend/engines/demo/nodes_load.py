"""Nodes that load models, encode texts and load input files."""

from __future__ import annotations

from typing import Any

from backend.engines.demo.executor import Context
from backend.engines.demo.media_reader import open_video, read_channel, read_picture, read_sound
from backend.engines.demo.nodeinfo import MODEL_INPUTS
from backend.engines.demo.values import Conditioning, ModelHandle, Sound, StillImage, Video


def _model(ctx: Context, key: str, name: str, kind: str) -> ModelHandle:
    folder = MODEL_INPUTS[(ctx.class_type, key)]
    if name != "pixel_space":
        ctx.info.find_model(folder, name)
    return ModelHandle(kind, name)


def unet_loader(ctx: Context, unet_name: str, weight_dtype: str = "default") -> tuple[Any, ...]:
    """Implements UNETLoader."""
    return (_model(ctx, "unet_name", unet_name, "model"),)


def clip_loader(ctx: Context, clip_name: str, type: str, device: str = "default") -> tuple[Any, ...]:
    """Implements CLIPLoader."""
    return (_model(ctx, "clip_name", clip_name, "clip"),)


def vae_loader(ctx: Context, vae_name: str) -> tuple[Any, ...]:
    """Implements VAELoader."""
    return (_model(ctx, "vae_name", vae_name, "vae"),)


def clip_vision_loader(ctx: Context, clip_name: str) -> tuple[Any, ...]:
    """Implements CLIPVisionLoader."""
    return (_model(ctx, "clip_name", clip_name, "clip_vision"),)


def audio_encoder_loader(ctx: Context, audio_encoder_name: str) -> tuple[Any, ...]:
    """Implements AudioEncoderLoader."""
    return (_model(ctx, "audio_encoder_name", audio_encoder_name, "audio_encoder"),)


def checkpoint_loader(ctx: Context, ckpt_name: str) -> tuple[Any, ...]:
    """Implements CheckpointLoaderSimple."""
    _model(ctx, "ckpt_name", ckpt_name, "model")
    return tuple(ModelHandle(kind, ckpt_name) for kind in ("model", "clip", "vae"))


def lora_loader(ctx: Context, model: ModelHandle, lora_name: str, strength_model: float) -> tuple[Any, ...]:
    """Implements LoraLoaderModelOnly."""
    _model(ctx, "lora_name", lora_name, "lora")
    return (ModelHandle(model.kind, model.name, (*model.loras, f"{lora_name}:{strength_model}")),)


def same_model(ctx: Context, model: ModelHandle, **settings: Any) -> tuple[Any, ...]:
    """Implements ModelSamplingSD3, EasyCache and WanAnimate2Cache."""
    return (model,)


def video_nag(
    ctx: Context,
    model: ModelHandle,
    conditioning: Conditioning,
    nag_scale: float,
    nag_alpha: float,
    nag_tau: float,
    input_type: str = "default",
    inplace: bool = False,
) -> tuple[Any, ...]:
    """Implements WanVideoNAG of ComfyUI-KJNodes, which leaves the model as it is at scale 0."""
    if nag_scale == 0:
        return (model,)
    return (ModelHandle(model.kind, model.name, (*model.loras, f"nag:{nag_scale}:{conditioning.text}")),)


def text_encode(ctx: Context, text: str, clip: ModelHandle) -> tuple[Any, ...]:
    """Implements CLIPTextEncode: a backslash before a parenthesis is an escape."""
    return (Conditioning(text.replace("\\(", "(").replace("\\)", ")")),)


def zero_out(ctx: Context, conditioning: Conditioning) -> tuple[Any, ...]:
    """Implements ConditioningZeroOut."""
    return (Conditioning("", conditioning.guide),)


def flux_guidance(ctx: Context, conditioning: Conditioning, guidance: float) -> tuple[Any, ...]:
    """Implements FluxGuidance."""
    return (conditioning,)


def vision_encode(ctx: Context, clip_vision: ModelHandle, image: Any, crop: str) -> tuple[Any, ...]:
    """Implements CLIPVisionEncode."""
    return (ModelHandle("clip_vision_output", clip_vision.name),)


def load_image(ctx: Context, image: str) -> tuple[Any, ...]:
    """Implements LoadImage."""
    path = ctx.folders.locate(image)
    return (StillImage(read_picture(path)), StillImage(read_channel(path)))


def load_image_mask(ctx: Context, image: str, channel: str) -> tuple[Any, ...]:
    """Implements LoadImageMask."""
    return (StillImage(read_channel(ctx.folders.locate(image), channel)),)


def load_audio(ctx: Context, audio: str) -> tuple[Any, ...]:
    """Implements LoadAudio."""
    return (read_sound(ctx.folders.locate(audio)),)


def load_video(ctx: Context, file: str) -> tuple[Any, ...]:
    """Implements LoadVideo."""
    path = ctx.folders.locate(file)
    video_file = open_video(path)
    return (Video(video_file, video_file.fps, read_sound(path, need=False)),)


def video_components(ctx: Context, video: Video) -> tuple[Any, ...]:
    """Implements GetVideoComponents."""
    return (video.frames, video.sound, video.fps)


def audio_encode(ctx: Context, audio_encoder: ModelHandle, audio: Sound | None) -> tuple[Any, ...]:
    """Implements AudioEncoderEncode."""
    if audio is None:
        raise TypeError("'NoneType' object is not subscriptable")
    if audio.seconds < 0.03:  # measured: 20 ms fails in wav2vec2, 200 ms works
        raise RuntimeError(
            "Calculated padded input size per channel: (1). Kernel size: (2). "
            "Kernel size can't be greater than actual input size"
        )
    return (audio,)


def trim_audio(ctx: Context, audio: Sound, start_index: float, duration: float) -> tuple[Any, ...]:
    """Implements TrimAudioDuration. Raises ValueError, as ComfyUI does."""
    first = round(start_index * audio.rate)
    if first < 0:
        first += audio.samples.shape[1]
    cut = audio.samples[:, first : first + round(duration * audio.rate)]
    if cut.shape[1] == 0:
        raise ValueError("AudioTrim: Start time must be less than end time and be within the audio length.")
    return (Sound(cut, audio.rate),)
