"""WAN's conditioning and latent nodes.

The sizes were measured on ComfyUI 0.3.64: sides are rounded down to multiples of 8, a length of L frames
gives (L - 1) // 4 + 1 latent frames, and n latent frames decode to 4 * n - 3 frames.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from backend.engines.demo.executor import Context
from backend.engines.demo.faults import OUT_OF_MEMORY
from backend.engines.demo.scene import RenderedScene
from backend.engines.demo.values import Conditioning, FrameRange, Frames, Latent, Scene, Sound

PIXELS = 8  # pixels per latent, horizontally and vertically
MEMORY = 64 << 30  # bytes; a larger latent fails with an out-of-memory error


def latents(length: int) -> int:
    """The number of latent frames for a length in frames."""
    return (length - 1) // 4 + 1


def _empty(width: int, height: int, length: int, batch: int, video: bool = True) -> Latent:
    latent = Latent(width // PIXELS, height // PIXELS, length, batch, video)
    size = 16 * latent.width * latent.height * length * batch * 4
    if size > MEMORY:
        raise RuntimeError(OUT_OF_MEMORY.format(size=size))
    return latent


def _guided(positive: Conditioning, negative: Conditioning, **add: Any) -> tuple[Conditioning, Conditioning]:
    add = {key: value for key, value in add.items() if value is not None}
    return (
        replace(positive, guide=replace(positive.guide, **add)),
        replace(negative, guide=replace(negative.guide, **add)),
    )


def image_to_video(
    ctx: Context,
    positive: Conditioning,
    negative: Conditioning,
    vae: Any,
    width: int,
    height: int,
    length: int,
    batch_size: int,
    start_image: Frames | None = None,
    end_image: Frames | None = None,
    clip_vision_output: Any = None,
    clip_vision_start_image: Any = None,
    clip_vision_end_image: Any = None,
) -> tuple[Any, ...]:
    """Implements WanImageToVideo and WanFirstLastFrameToVideo."""
    both = _guided(positive, negative, start=start_image, end=end_image)
    return (*both, _empty(width, height, latents(length), batch_size))


def image_to_video_svi_pro(
    ctx: Context,
    positive: Conditioning,
    negative: Conditioning,
    length: int,
    anchor_samples: Latent,
    motion_latent_count: int,
    prev_samples: Latent | None = None,
) -> tuple[Any, ...]:
    """Implements WanImageToVideoSVIPro. Raises RuntimeError as it does: for a length with less latents than
    anchor and motion have, and for latents of two sizes."""
    anchor = _shown(anchor_samples)
    before: Frames | None = None
    motion = 0 if prev_samples is None else min(motion_latent_count, prev_samples.length)
    if prev_samples is not None and motion:
        for name in ("height", "width"):
            wanted, given = getattr(anchor_samples, name), getattr(prev_samples, name)
            if wanted != given:
                raise RuntimeError(
                    f"Sizes of tensors must match except in dimension 2. Expected size {wanted} but got"
                    f" size {given} for tensor number 1 in the list."
                )
        frames = _shown(prev_samples)
        count = min(4 * motion, frames.count)
        before = FrameRange(frames, frames.count - count, count)
    padding = latents(length) - anchor_samples.length - motion
    if padding < 0:
        shape = [1, 16, padding, anchor_samples.height, anchor_samples.width]
        raise RuntimeError(f"Trying to create tensor with negative dimension {padding}: {shape}")
    start = anchor if before is None else FrameRange(before, before.count - 1, 1)
    both = _guided(positive, negative, start=start, anchor=anchor, again=before)
    return (*both, replace(anchor_samples, length=latents(length), source=None, scene=None))


def _shown(latent: Latent) -> Frames:
    """The frames that a latent decodes to."""
    if latent.source is not None:
        return latent.source
    width, height = latent.width * PIXELS, latent.height * PIXELS
    return RenderedScene(latent.scene or Scene(), width, height, latent.frames)


def empty_video(ctx: Context, width: int, height: int, length: int, batch_size: int) -> tuple[Any, ...]:
    """Implements EmptyHunyuanLatentVideo."""
    return (_empty(width, height, latents(length), batch_size),)


def empty_image(ctx: Context, width: int, height: int, batch_size: int) -> tuple[Any, ...]:
    """Implements EmptySD3LatentImage."""
    return (_empty(width, height, 1, batch_size, video=False),)


def sound_to_video(
    ctx: Context,
    positive: Conditioning,
    negative: Conditioning,
    vae: Any,
    width: int,
    height: int,
    length: int,
    batch_size: int,
    audio_encoder_output: Sound | None = None,
    ref_image: Frames | None = None,
    control_video: Frames | None = None,
    ref_motion: Frames | None = None,
) -> tuple[Any, ...]:
    """Implements WanSoundImageToVideo."""
    both = _guided(positive, negative, start=ref_image, sound=audio_encoder_output, driving=control_video)
    return (*both, _empty(width, height, latents(length), batch_size))


def sound_to_video_extend(
    ctx: Context,
    positive: Conditioning,
    negative: Conditioning,
    vae: Any,
    length: int,
    video_latent: Latent,
    audio_encoder_output: Sound | None = None,
    ref_image: Frames | None = None,
    control_video: Frames | None = None,
) -> tuple[Any, ...]:
    """Implements WanSoundImageToVideoExtend."""
    both = _guided(positive, negative, start=ref_image, sound=audio_encoder_output, driving=control_video)
    width, height = video_latent.width * PIXELS, video_latent.height * PIXELS
    return (*both, _empty(width, height, latents(length), video_latent.batch))


def animate(
    ctx: Context,
    positive: Conditioning,
    negative: Conditioning,
    vae: Any,
    width: int,
    height: int,
    length: int,
    batch_size: int,
    continue_motion_max_frames: int,
    video_frame_offset: int,
    clip_vision_output: Any = None,
    reference_image: Frames | None = None,
    face_video: Frames | None = None,
    pose_video: Frames | None = None,
    background_video: Frames | None = None,
    character_mask: Any = None,
    continue_motion: Frames | None = None,
) -> tuple[Any, ...]:
    """Implements WanAnimateToVideo."""
    trim_image = 0
    if continue_motion is not None:
        kept = min(continue_motion.count, continue_motion_max_frames)
        video_frame_offset = max(0, video_frame_offset - kept)
        trim_image = 4 * latents(kept) - 3
    both = _guided(
        positive,
        negative,
        start=reference_image,
        driving=_from(pose_video, video_frame_offset),
        offset=video_frame_offset,
    )
    reference = 1  # latent frames of the reference image, at the beginning
    latent = _empty(width, height, latents(length) + reference, batch_size)
    return (*both, latent, reference, trim_image, video_frame_offset + length)


def animate_2(
    ctx: Context,
    positive: Conditioning,
    negative: Conditioning,
    vae: Any,
    width: int,
    height: int,
    length: int,
    batch_size: int,
    video_frame_offset: int,
    pose_strength: float = 1.0,
    pose_start_percent: float = 0.0,
    pose_end_percent: float = 1.0,
    reference_image_strength: float = 1.0,
    reference_image: Frames | None = None,
    pose_video: Frames | None = None,
    clip_vision_output: Any = None,
    positive_pose: Conditioning | None = None,
    clip_vision_output_pose: Any = None,
    continue_motion: Frames | None = None,
) -> tuple[Any, ...]:
    """Implements WanAnimate2ToVideo, which continues from one frame. Raises ValueError as it does."""
    if pose_start_percent > pose_end_percent:
        raise ValueError(
            f"pose_start_percent ({pose_start_percent}) must not be greater than"
            f" pose_end_percent ({pose_end_percent})."
        )
    trim_image = 0
    if continue_motion is not None:
        video_frame_offset = max(0, video_frame_offset - 1)
        trim_image = 1
    if pose_video is not None and pose_video.count <= video_frame_offset:
        raise ValueError(
            f"pose_video has {pose_video.count} frames but video_frame_offset is {video_frame_offset}"
            " -- nothing left to read."
        )
    both = _guided(
        positive,
        negative,
        start=reference_image,
        driving=_from(pose_video, video_frame_offset),
        offset=video_frame_offset,
    )
    reference = 1  # latent frames of the reference image, at the beginning
    latent = _empty(width, height, latents(length) + reference, batch_size)
    return (*both, latent, reference, trim_image, video_frame_offset + length)


def _from(frames: Frames | None, offset: int) -> Frames | None:
    if frames is None or frames.count <= offset:
        return None
    return FrameRange(frames, offset, frames.count - offset)


def _require_same(first: Latent, second: Latent, dim: str) -> None:
    sides = {"x": first.height == second.height, "y": first.width == second.width}
    if not sides.get(dim, (first.width, first.height) == (second.width, second.height)):
        raise RuntimeError("Sizes of tensors must match except in the dimension that is joined")


def latent_concat(ctx: Context, samples1: Latent, samples2: Latent, dim: str) -> tuple[Any, ...]:
    """Implements LatentConcat."""
    axis = dim.strip("-")
    _require_same(samples1, samples2, axis)
    scene = samples1.scene or samples2.scene
    joined = replace(samples1, scene=scene, source=None)
    if axis == "x":
        return (replace(joined, width=samples1.width + samples2.width),)
    if axis == "y":
        return (replace(joined, height=samples1.height + samples2.height),)
    return (replace(joined, length=samples1.length + samples2.length),)


def latent_cut(ctx: Context, samples: Latent, dim: str, index: int, amount: int) -> tuple[Any, ...]:
    """Implements LatentCut."""
    size = {"x": samples.width, "y": samples.height, "t": samples.length}[dim]
    left = size - min(index, size - 1) if index >= 0 else -max(index, -size)
    amount = min(left, amount)
    cut = replace(samples, source=None)
    if dim == "x":
        return (replace(cut, width=amount),)
    if dim == "y":
        return (replace(cut, height=amount),)
    start = min(index, size - 1) if index >= 0 else size + max(index, -size)
    return (replace(cut, length=amount, first=samples.first + start),)


def trim_latent(ctx: Context, samples: Latent, trim_amount: int) -> tuple[Any, ...]:
    """Implements TrimVideoLatent."""
    return (samples.with_length(max(0, samples.length - trim_amount)),)
