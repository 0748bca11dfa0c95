"""The node classes that the demo engine implements. Importing it loads the image libraries, so import it
lazily."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from backend.engines.demo import (
    nodes_colour,
    nodes_draw,
    nodes_finish,
    nodes_image,
    nodes_load,
    nodes_pose,
    nodes_save,
    nodes_wan,
    nodes_windows,
)
from backend.engines.demo.cache import Result
from backend.engines.demo.executor import Context

NODES: Mapping[str, Callable[..., Any]] = {
    "UNETLoader": nodes_load.unet_loader,
    "CLIPLoader": nodes_load.clip_loader,
    "VAELoader": nodes_load.vae_loader,
    "CLIPVisionLoader": nodes_load.clip_vision_loader,
    "AudioEncoderLoader": nodes_load.audio_encoder_loader,
    "CheckpointLoaderSimple": nodes_load.checkpoint_loader,
    "LoraLoaderModelOnly": nodes_load.lora_loader,
    "ModelSamplingSD3": nodes_load.same_model,
    "EasyCache": nodes_load.same_model,
    "WanContextWindowsManual": nodes_windows.wan_windows,
    "WanVideoNAG": nodes_load.video_nag,
    "CLIPTextEncode": nodes_load.text_encode,
    "ConditioningZeroOut": nodes_load.zero_out,
    "FluxGuidance": nodes_load.flux_guidance,
    "CLIPVisionEncode": nodes_load.vision_encode,
    "LoadImage": nodes_load.load_image,
    "LoadImageMask": nodes_load.load_image_mask,
    "LoadAudio": nodes_load.load_audio,
    "LoadVideo": nodes_load.load_video,
    "GetVideoComponents": nodes_load.video_components,
    "AudioEncoderEncode": nodes_load.audio_encode,
    "TrimAudioDuration": nodes_load.trim_audio,
    "WanImageToVideo": nodes_wan.image_to_video,
    "WanFirstLastFrameToVideo": nodes_wan.image_to_video,
    "WanImageToVideoSVIPro": nodes_wan.image_to_video_svi_pro,
    "WanSoundImageToVideo": nodes_wan.sound_to_video,
    "WanSoundImageToVideoExtend": nodes_wan.sound_to_video_extend,
    "WanAnimateToVideo": nodes_wan.animate,
    "WanAnimate2ToVideo": nodes_wan.animate_2,
    "WanAnimate2Cache": nodes_load.same_model,
    "EmptyHunyuanLatentVideo": nodes_wan.empty_video,
    "EmptySD3LatentImage": nodes_wan.empty_image,
    "LatentConcat": nodes_wan.latent_concat,
    "LatentCut": nodes_wan.latent_cut,
    "TrimVideoLatent": nodes_wan.trim_latent,
    "KSampler": nodes_draw.sample,
    "KSamplerAdvanced": nodes_draw.sample_advanced,
    "VAEDecode": nodes_draw.decode,
    "VAEDecodeTiled": nodes_draw.decode,
    "VAEEncode": nodes_draw.encode,
    "ImageFromBatch": nodes_image.from_batch,
    "ImageBatch": nodes_image.batch,
    "RepeatImageBatch": nodes_image.repeat,
    "ImageScale": nodes_image.scale,
    "ImageToMask": nodes_image.to_mask,
    "MaskToImage": nodes_image.mask_to_image,
    "GrowMask": nodes_image.grow_mask,
    "ThresholdMask": nodes_image.threshold_mask,
    "EmptyImage": nodes_image.empty_image,
    "ImageCompositeMasked": nodes_image.composite,
    "InvertMask": nodes_image.invert_mask,
    "RebatchImages": nodes_pose.rebatch,
    "SDPoseKeypointExtractor": nodes_pose.keypoints,
    "SDPoseDrawKeypoints": nodes_pose.draw,
    "SDPoseFaceBBoxes": nodes_pose.face_boxes,
    "CropByBBoxes": nodes_pose.crop,
    "SAM3_VideoTrack": nodes_pose.track,
    "SAM3_TrackToMask": nodes_pose.track_mask,
    "BlockifyMask": nodes_pose.blockify,
    "SaveAnimatedWEBP": nodes_pose.save_webp,
    "FrameInterpolationModelLoader": nodes_finish.interpolation_loader,
    "FrameInterpolate": nodes_finish.interpolate,
    "UpscaleModelLoader": nodes_finish.upscale_loader,
    "ImageUpscaleWithModel": nodes_finish.upscale,
    "ImageScaleBy": nodes_finish.scale_by,
    "ColorTransfer": nodes_colour.color_transfer,
    "CreateVideo": nodes_save.create_video,
    "SaveVideo": nodes_save.save_video,
    "SaveImage": nodes_save.save_image,
    "PreviewImage": nodes_save.preview_image,
}


def run_node(class_type: str, context: Context, inputs: dict[str, Any]) -> Result:
    """Runs one node. Raises the node's error, or Interrupted."""
    result = NODES[class_type](context, **inputs)
    return result if isinstance(result, Result) else Result(result)
