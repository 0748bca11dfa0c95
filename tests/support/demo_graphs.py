"""The graphs behind the recorded transcripts: same node ids, classes and wiring. Small, so they run fast."""

from __future__ import annotations

from typing import Any

NEGATIVE = "over-saturated, static, low quality"
PICTURE, OTHER, SOUND = "rig_image.png", "rig_image_wide.jpg", "rig_audio_1s.wav"
CORRUPT, CORRUPT_SOUND = "rig_corrupt.png", "rig_audio_corrupt.wav"
Graph = dict[str, dict[str, Any]]


class Sheet:
    """A graph whose nodes are numbered in the order of their creation."""

    def __init__(self, text: str) -> None:
        self.graph: Graph = {}
        self.add("CLIPLoader", clip_name="umt5_xxl_fp8_e4m3fn_scaled.safetensors", type="wan")
        self.add("CLIPTextEncode", text=text, clip=["1", 0])
        self.add("CLIPTextEncode", text=NEGATIVE, clip=["1", 0])
        self.add("VAELoader", vae_name="wan_2.1_vae.safetensors")

    def add(self, class_type: str, **inputs: Any) -> str:
        id = str(len(self.graph) + 1)
        self.graph[id] = {"class_type": class_type, "inputs": inputs}
        return id

    def model(self, unet: str, *loras: tuple[str, float], shift: float = 8.0) -> str:
        last = self.add("UNETLoader", unet_name=unet, weight_dtype="default")
        for name, strength in loras:
            last = self.add("LoraLoaderModelOnly", model=[last, 0], lora_name=name, strength_model=strength)
        return self.add("ModelSamplingSD3", model=[last, 0], shift=shift)

    def save(self, images: str, prefix: str, audio: list[Any] | None = None, fps: float = 16.0) -> Graph:
        sound = {} if audio is None else {"audio": audio}
        video = self.add("CreateVideo", images=[images, 0], fps=fps, **sound)
        self.add("SaveVideo", video=[video, 0], filename_prefix=prefix, format="mp4", codec="h264")
        return self.graph


def two_experts(
    sheet: Sheet, positive: list[Any], negative: list[Any], latent: list[Any], experts: tuple[str, str],
    steps: int, hand_over: int, seed: int,
) -> str:  # fmt: skip
    """Adds both samplers and the decoder."""
    common: dict[str, Any] = {
        "noise_seed": seed, "steps": steps, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple",
        "positive": positive, "negative": negative,
    }  # fmt: skip
    first = sheet.add(
        "KSamplerAdvanced", model=[experts[0], 0], add_noise="enable", **common, latent_image=latent,
        start_at_step=0, end_at_step=hand_over, return_with_leftover_noise="enable",
    )  # fmt: skip
    second = sheet.add(
        "KSamplerAdvanced", model=[experts[1], 0], add_noise="disable", **common, latent_image=[first, 0],
        start_at_step=hand_over, end_at_step=10000, return_with_leftover_noise="disable",
    )  # fmt: skip
    return sheet.add("VAEDecode", samples=[second, 0], vae=["4", 0])


def image_to_video(
    *, seed: int = 1, prompt: str = "a slow push in", image: str = PICTURE, strength: float = 1.0,
    width: int = 64, height: int = 64, length: int = 9, steps: int = 4, hand_over: int = 2,
    prefix: str = "rig/i2v4", end_image: str = "",
) -> Graph:  # fmt: skip
    sheet = Sheet(prompt)
    sheet.add("LoadImage", image=image)
    size = {"width": width, "height": height, "length": length, "batch_size": 1}
    sheet.add(
        "WanImageToVideo", positive=["2", 0], negative=["3", 0], vae=["4", 0], **size, start_image=["5", 0]
    )
    lora = "wan2.2_i2v_lightx2v_4steps_lora_v1_{}_noise.safetensors"
    unet = "wan2.2_i2v_{}_noise_14B_fp8_scaled.safetensors"
    high = sheet.model(unet.format("high"), (lora.format("high"), strength))
    low = sheet.model(unet.format("low"), (lora.format("low"), 1.0))
    if end_image:
        sheet.graph["6"]["class_type"] = "WanFirstLastFrameToVideo"
        sheet.graph["6"]["inputs"]["end_image"] = [sheet.add("LoadImage", image=end_image), 0]
    decoded = two_experts(
        sheet, ["6", 0], ["6", 1], ["6", 2], (high, low), steps, hand_over, seed
    )  # fmt: skip
    return sheet.save(decoded, prefix)


def text_to_video(
    *, seed: int = 1, prompt: str = "a sea at dawn", length: int = 9, steps: int = 4, width: int = 64,
    height: int = 64, prefix: str = "rig/t2v4", unet: str = "",
) -> Graph:  # fmt: skip
    sheet = Sheet(prompt)
    sheet.add("EmptyHunyuanLatentVideo", width=width, height=height, length=length, batch_size=1)
    lora = "wan2.2_t2v_lightx2v_4steps_lora_v1.1_{}_noise.safetensors"
    name = "wan2.2_t2v_{}_noise_14B_fp8_scaled.safetensors"
    high = sheet.model(unet or name.format("high"), (lora.format("high"), 1.0))
    low = sheet.model(name.format("low"), (lora.format("low"), 1.0))
    return sheet.save(
        two_experts(sheet, ["2", 0], ["3", 0], ["5", 0], (high, low), steps, steps // 2, seed), prefix
    )


def one_expert(*, image: str = PICTURE, seed: int = 1, prompt: str = "one expert") -> Graph:
    """13 nodes, as in error_corrupt_image."""
    sheet = Sheet(prompt)
    sheet.add("LoadImage", image=image)
    size = {"width": 64, "height": 64, "length": 9, "batch_size": 1}
    sheet.add(
        "WanImageToVideo", positive=["2", 0], negative=["3", 0], vae=["4", 0], **size, start_image=["5", 0]
    )
    model = sheet.model(
        "wan2.2_i2v_high_noise_14B_fp8_scaled.safetensors",
        ("wan2.2_i2v_lightx2v_4steps_lora_v1_high_noise.safetensors", 1.0),
    )
    sampler = sheet.add("KSampler", model=[model, 0], **sampling(seed, 4, "6", "euler"))
    return sheet.save(sheet.add("VAEDecode", samples=[sampler, 0], vae=["4", 0]), "rig/one")


def sampling(seed: int, steps: int, guide: str, sampler: str = "uni_pc") -> dict[str, Any]:
    return {
        "seed": seed, "steps": steps, "cfg": 1.0, "sampler_name": sampler, "scheduler": "simple",
        "positive": [guide, 0], "negative": [guide, 1], "latent_image": [guide, 2], "denoise": 1.0,
    }  # fmt: skip


def sound_to_video(
    *, chunks: int = 3, steps: int = 4, lora: bool = True, seed: int = 1, sound: str = SOUND,
    length: int = 17, encoder: str = "wav2vec2_large_english_fp16.safetensors", prompt: str = "she speaks",
    width: int = 64, height: int = 64,
) -> Graph:  # fmt: skip
    sheet = Sheet(prompt)
    sheet.add("LoadImage", image=PICTURE)
    sheet.add("LoadAudio", audio=sound)
    sheet.add("AudioEncoderLoader", audio_encoder_name=encoder)
    sheet.add("AudioEncoderEncode", audio_encoder=["7", 0], audio=["6", 0])
    loras = [("wan2.2_t2v_lightx2v_4steps_lora_v1.1_high_noise.safetensors", 1.0)] if lora else []
    model = sheet.model("wan2.2_s2v_14B_fp8_scaled.safetensors", *loras)
    guide: dict[str, Any] = {"positive": ["2", 0], "negative": ["3", 0], "vae": ["4", 0], "length": length}
    given = {"audio_encoder_output": ["8", 0], "ref_image": ["5", 0]}
    first = sheet.add("WanSoundImageToVideo", **guide, width=width, height=height, batch_size=1, **given)
    last = sheet.add("KSampler", model=[model, 0], **sampling(seed, steps, first))
    for chunk in range(1, chunks):
        more = sheet.add("WanSoundImageToVideoExtend", **guide, video_latent=[last, 0], **given)
        drawn = sheet.add("KSampler", model=[model, 0], **sampling(seed + chunk, steps, more))
        last = sheet.add("LatentConcat", samples1=[last, 0], samples2=[drawn, 0], dim="t")
    front = sheet.add("LatentCut", samples=[last, 0], dim="t", index=0, amount=1)
    joined = sheet.add("LatentConcat", samples1=[front, 0], samples2=[last, 0], dim="t")
    decoded = sheet.add("VAEDecode", samples=[joined, 0], vae=["4", 0])
    kept = sheet.add("ImageFromBatch", image=[decoded, 0], batch_index=3, length=4096)
    return sheet.save(kept, "rig/s2v", audio=["6", 0])


def animate(*, seed: int = 1, steps: int = 2, length: int = 9, chunks: int = 2, mix: bool = True) -> Graph:
    """31 nodes with two chunks and `mix`. The picture is the fifth node, as in Sound-to-Video."""
    sheet = Sheet("she dances")
    sheet.add("LoadImage", image=PICTURE)
    sheet.add("CLIPVisionLoader", clip_name="clip_vision_h.safetensors")
    sheet.add("CLIPVisionEncode", clip_vision=["6", 0], image=["5", 0], crop="none")
    for file in ("rig_ref.mp4", "rig_pose.mp4", "rig_face.mp4"):
        sheet.add("GetVideoComponents", video=[sheet.add("LoadVideo", file=file), 0])
    distilled = "lightx2v_I2V_14B_480p_cfg_step_distill_rank64_bf16.safetensors"
    loras = ((distilled, 1.0), ("WanAnimate_relight_lora_fp16.safetensors", 1.0))
    model = sheet.model("Wan2_2-Animate-14B_fp8_e4m3fn_scaled_KJ.safetensors", *loras)
    given: dict[str, Any] = {
        "clip_vision_output": ["7", 0], "reference_image": ["5", 0], "face_video": ["13", 0],
        "pose_video": ["11", 0], "continue_motion_max_frames": 5,
    }  # fmt: skip
    if mix:
        mask = sheet.add("LoadImageMask", image="rig_mask.png", channel="red")
        given |= {"background_video": ["9", 0], "character_mask": [mask, 0]}
    guide: dict[str, Any] = {
        "positive": ["2", 0], "negative": ["3", 0], "vae": ["4", 0], "width": 64, "height": 64,
        "length": length, "batch_size": 1,
    }  # fmt: skip
    done = last = wan = ""
    for chunk in range(chunks):
        before: dict[str, Any] = {"video_frame_offset": 0}
        if chunk:
            before = {"continue_motion": [done, 0], "video_frame_offset": [wan, 5]}
        wan = sheet.add("WanAnimateToVideo", **guide, **given, **before)
        drawn = sheet.add("KSampler", model=[model, 0], **sampling(seed + chunk, steps, wan, "euler"))
        trimmed = sheet.add("TrimVideoLatent", samples=[drawn, 0], trim_amount=[wan, 3])
        decoded = sheet.add("VAEDecode", samples=[trimmed, 0], vae=["4", 0])
        last = sheet.add("ImageFromBatch", image=[decoded, 0], batch_index=[wan, 4], length=4096)
        done = sheet.add("ImageBatch", image1=[done, 0], image2=[last, 0]) if chunk else last
    return sheet.save(done, "rig/anim_mix2", audio=["9", 1])


def flux(*, seed: int = 1, prompt: str = "a quiet forest", width: int = 96, height: int = 64) -> Graph:
    graph: Graph = {}

    def add(class_type: str, **inputs: Any) -> str:
        graph[str(len(graph) + 1)] = {"class_type": class_type, "inputs": inputs}
        return str(len(graph))

    add("CheckpointLoaderSimple", ckpt_name="flux1-dev-fp8.safetensors")
    add("CLIPTextEncode", text=prompt, clip=["1", 1])
    add("CLIPTextEncode", text="", clip=["1", 1])
    add("FluxGuidance", conditioning=["2", 0], guidance=3.5)
    add("EmptySD3LatentImage", width=width, height=height, batch_size=1)
    add(
        "KSampler", model=["1", 0], seed=seed, steps=4, cfg=1.0, sampler_name="euler", scheduler="simple",
        positive=["4", 0], negative=["3", 0], latent_image=["5", 0], denoise=1.0,
    )  # fmt: skip
    add("VAEDecode", samples=["6", 0], vae=["1", 2])
    add("SaveImage", images=["7", 0], filename_prefix="rig/flux")
    return graph
