"""One job per mode and option, for the golden graphs and all tests of compiled graphs.

`python -m tests.support.compile_cases` writes the golden graphs; read the difference before committing it.
"""

from __future__ import annotations

import dataclasses
import json

from backend.notices import words
from tests.support.paths import DATA, GOLDEN
from workflows.catalog import load_catalog
from workflows.compile import Compiled, ServerFacts, compile
from workflows.graph.node_contract import Contract, facts, from_object_info, recorded
from workflows.modes.animate.params import Animate
from workflows.modes.fast_video import FastVideo
from workflows.modes.image_to_video import ImageToVideo
from workflows.modes.sound_to_video import SoundToVideo
from workflows.modes.text import TextToImage, TextToVideo
from workflows.params.media import Media
from workflows.spec import ModeParams

PHOTO = Media("wan-studio/photo.png", 1600, 900)
LAST = Media("wan-studio/last.png", 1600, 900)
COMMON = {"image": PHOTO, "seed": 42, "prompt": "A paper boat drifts across a pond."}


def image(**options: object) -> ImageToVideo:
    return ImageToVideo(**{**COMMON, **options})


def fast(variant: str) -> FastVideo:
    return FastVideo(**COMMON, variant=variant)


CASES: dict[str, ModeParams] = {
    "image_to_video-quality": image(),
    "image_to_video-dynamic": image(motion="dynamic"),
    "image_to_video-subtle": image(motion="subtle"),
    "image_to_video-official": image(motion="official"),
    "image_to_video-high_only": image(experts="high"),
    "image_to_video-low_only": image(experts="low"),
    "image_to_video-fast": image(speed="fast"),
    "image_to_video-fast_dynamic": image(speed="fast", motion="dynamic"),
    "image_to_video-fast_low_only": image(speed="fast", experts="low"),
    "image_to_video-first_last_frame": image(end_image=LAST),
    "image_to_video-first_last_frame_fast": image(end_image=LAST, speed="fast"),
    "image_to_video-clip_vision": image(clip_vision=True),
    "image_to_video-first_last_frame_clip_vision": image(end_image=LAST, clip_vision=True),
    "image_to_video-tiled_decode": image(tiled_decode=True),
    "image_to_video-easy_cache": image(easy_cache=True),
    "image_to_video-own_figures": image(
        steps=30, cfg=5.0, shift=5.0, width=480, height=832, seconds=3.0, negative_prompt=""
    ),
    "image_to_video-draft": image(resolution="draft", seconds=1.0),
    "image_to_video-720p": image(resolution="720p"),
    "image_to_video-loop": image(loop=True),
    "image_to_video-loop_fast": image(loop=True, speed="fast", clip_vision=True, seconds=2.0),
    "fast_video-loop": FastVideo(**COMMON, loop=True),
    "fast_video-balanced": fast("balanced"),
    "fast_video-dynamic": fast("dynamic"),
    "fast_video-subtle": fast("subtle"),
    "fast_video-480p": fast("480p"),
    "fast_video-480p_strong": fast("480p_strong"),
    "fast_video-anti_slow_motion": fast("anti_slow_motion"),
}


SONG = Media("wan-studio/song.mp3", seconds=12.0)
DANCE = Media("wan-studio/dance.mp4", 1280, 720, 450, 30.0, 15.0)
SHORT = Media("wan-studio/short.mp4", 1280, 720, 90, 30.0, 3.0)


def sound(**options: object) -> SoundToVideo:
    return SoundToVideo(**{"audio": SONG, **COMMON, **options})


def animated(**options: object) -> Animate:
    return Animate(**{"video": DANCE, **COMMON, **options})


def text(**options: object) -> TextToVideo:
    return TextToVideo(**{"seed": 42, "prompt": "A paper boat", **options})


def still(**options: object) -> TextToImage:
    return TextToImage(**{"seed": 42, "prompt": "A paper boat", **options})


JOB_MODES = {"sound_to_video": sound, "animate": animated, "text_to_video": text, "text_to_image": still}
HELPERS = {name: Media(f"wan-studio/{name}.mp4", 1280, 720, 240, 16.0, 15.0) for name in ("pose", "face")}
MASK = Media("wan-studio/mask.mp4", 640, 360, 240, 16.0, 15.0)

MODE_CASES: dict[str, ModeParams] = {
    "sound_to_video-quality": sound(),
    "sound_to_video-fast": sound(speed="fast"),
    "sound_to_video-no_picture": sound(image=None),
    "sound_to_video-one_chunk": sound(duration=1.0, start=2.5),
    "sound_to_video-level": sound(level=True, speed="fast"),
    "sound_to_video-own_figures": sound(steps=12, cfg=4.5, shift=5.0, width=480, height=832, seed=7),
    "sound_to_video-two_graphs": sound(audio=Media("wan-studio/talk.wav", seconds=60.0), speed="fast"),
    "animate-move_driving": animated(),
    "animate-move_fast": animated(speed="fast"),
    "animate-move_given": animated(pose_video=HELPERS["pose"], face_video=HELPERS["face"]),
    "animate-mix_given": animated(
        method="mix", pose_video=HELPERS["pose"], face_video=HELPERS["face"], mask=MASK, speed="fast"
    ),
    "animate-mix_mask_only": animated(method="mix", mask=MASK),
    "animate-no_relight": animated(video=SHORT, relight=0.0, start=1.0),
    "animate-own_figures": animated(
        video=SHORT, fps=30.0, steps=10, cfg=2.0, shift=5.0, width=640, height=640
    ),
    "animate-two_graphs": animated(video=Media("wan-studio/long.mp4", 1280, 720, 900, 30.0, 30.0)),
    "animate-silent": animated(video=Media("wan-studio/mute.mp4", 640, 480, 60, 30.0, 2.0, sound=False)),
    "text_to_video-quality": text(),
    "text_to_video-fast": text(speed="fast"),
    "text_to_video-official": text(motion="official"),
    "text_to_video-dynamic": text(motion="dynamic"),
    "text_to_video-loop": text(loop=True),
    "text_to_video-loop_fast": text(loop=True, speed="fast", seconds=8.0),
    "text_to_video-portrait": text(aspect="9:16", resolution="720p", seconds=2.0, negative_prompt=""),
    "text_to_image-wan": still(),
    "text_to_image-wan_square": still(aspect="1:1", steps=30),
    "text_to_image-flux": still(model="flux"),
}

ROUTE_CASES: dict[str, tuple[ModeParams, str]] = {
    f"animate-{route}_{method}": (animated(method=method, speed="fast"), route)
    for route in ("native", "preprocess", "template")
    for method in ("move", "mix")
}
"""Animate jobs for servers with a preparation route: params, and the route."""

ANIMATE_2 = ("wan_animate_2_int8_convrot.safetensors", "wan_animate_2_distill_int8_convrot.safetensors")
SECOND_CASES: dict[str, tuple[ModeParams, tuple[str, ...], int]] = {
    "animate_2-quality": (animated(), ANIMATE_2, 0),
    "animate_2-fast_lora": (animated(speed="fast"), ANIMATE_2[:1], 0),
    "animate_2-distilled": (animated(speed="fast"), ANIMATE_2, 0),
    "animate_2-cache": (animated(speed="fast", video=SHORT), ANIMATE_2, 64_000_000_000),
    "animate_2-own_figures": (
        animated(
            video=SHORT, fps=30.0, steps=12, cfg=2.0, shift=8.0, width=640, height=640, pose_cache="int4"
        ),
        ANIMATE_2,
        0,
    ),
    "animate_2-two_graphs": (
        animated(video=Media("wan-studio/long.mp4", 1280, 720, 900, 30.0, 30.0)), ANIMATE_2, 0
    ),
}  # fmt: skip
"""Animate jobs for servers with Animate 2: params, its files there, and bytes of the server's memory."""


def second_server(
    files: tuple[str, ...] = ANIMATE_2, ram: int = 0, route: str = "native", without: str = ""
) -> ServerFacts:
    """A server with Animate 2 and the route for the first one; `without`: a missing node."""
    base = route_server(route, frozenset({without}))
    first = "Wan2_2-Animate-14B_fp8_e4m3fn_scaled_KJ.safetensors"
    options = {**base.options, ("UNETLoader", "unet_name"): (first, *files)}
    return ServerFacts(base.nodes, options, ram=ram)


def newer() -> Contract:
    """ComfyUI 0.33 with the custom nodes of every route, without model files."""
    info = json.loads((DATA / "object_info_0_33.json").read_text())
    info.update(json.loads((DATA / "object_info_0_33_routes.json").read_text()))
    return from_object_info(info).offline()


_SDPOSE = {"SDPoseKeypointExtractor", "SDPoseDrawKeypoints"}
_FILES = ("sdpose_wholebody_fp16.safetensors", "sam3.1_multiplex_fp16.safetensors")
_ONNX = ("vitpose_h_wholebody_model.onnx", "yolov10m.onnx")


def route_server(route: str, without: frozenset[str] = frozenset()) -> ServerFacts:
    """A server with this route and those after it; `without`: missing nodes or files."""
    full = facts(newer())
    lacking: set[str] = set(without)
    if route in ("preprocess", "template", "none"):
        lacking |= _SDPOSE | {"SAM3_VideoTrack"}
    if route in ("template", "none"):
        lacking |= {"PoseAndFaceDetection"}
    if route == "none":
        lacking |= {"DWPreprocessor", "DownloadAndLoadSAM2Model"}
    listed = {
        ("CheckpointLoaderSimple", "ckpt_name"): _FILES,
        ("OnnxDetectionModelLoader", "vitpose_model"): _ONNX,
        ("OnnxDetectionModelLoader", "yolo_model"): _ONNX,
    }
    options = {key: tuple(n for n in names if n not in lacking) for key, names in listed.items()}
    return ServerFacts(full.nodes - lacking, {**full.options, **options})


def compiled(params: ModeParams, job_id: str = "job", server: ServerFacts | None = None) -> Compiled:
    return compile(params, load_catalog(), server or facts(recorded()), job_id)


PAIR = ("styles/Wan2.2-I2V-paper-cut_HIGH.safetensors", "styles/Wan2.2-I2V-paper-cut_LOW.safetensors")
ORBIT, GRAIN = "camera-orbit.safetensors", "flux-film-grain.safetensors"
OWN = ({"name": PAIR[0], "strength": 0.9, "strength_low": 0.6}, ORBIT)

LORA_CASES: dict[str, ModeParams] = {
    "image_to_video-own_loras": image(loras=OWN),
    "image_to_video-own_loras_fast": image(loras=OWN, speed="fast", experts="low"),
    "fast_video-own_loras": FastVideo(**COMMON, variant="anti_slow_motion", loras=OWN),
    "sound_to_video-own_loras": sound(loras=OWN, speed="fast", duration=1.0),
    "animate-own_loras": animated(loras=OWN, speed="fast", video=SHORT),
    "text_to_video-own_loras": text(loras=OWN, speed="fast"),
    "text_to_image-own_loras": still(loras=OWN),
    "text_to_image-flux_own_loras": still(loras=(GRAIN,), model="flux"),
}
"""Jobs with LoRAs of the creator's own, for a server that lists them."""


def lora_server(*names: str) -> ServerFacts:
    """The recorded ComfyUI with the catalogue's LoRAs and these."""
    own = tuple(file.name for file in load_catalog().files if file.folder == "loras")
    plain = facts(recorded())
    return ServerFacts(plain.nodes, {**plain.options, ("LoraLoaderModelOnly", "lora_name"): (*own, *names)})


CLIP = Media("wan-studio/last-frames.mkv", 832, 480, 13, 16.0, 13 / 16)
CONTINUED: dict[str, ModeParams] = {
    "image_to_video-continued_quality": image(clip=CLIP, width=832, height=480, seconds=2.0),
    "image_to_video-continued_fast": image(clip=CLIP, width=832, height=480, speed="fast"),
    "image_to_video-continued_own_loras": image(
        clip=CLIP, width=640, height=640, speed="fast", loras=OWN, negative_prompt="Blur"
    ),
}
"""Parts that continue the last frames of a clip, for a server with SVI Pro."""


def svi_server(*names: str, without: frozenset[str] = frozenset()) -> ServerFacts:
    """ComfyUI 0.33 with KJNodes, the catalogue's LoRAs and these; `without`: missing nodes or files."""
    full, listed = facts(newer()), lora_server(*names).options
    loras = ("LoraLoaderModelOnly", "lora_name")
    found = tuple(name for name in listed[loras] if name not in without)
    return ServerFacts(full.nodes - without, {**full.options, loras: found})


def golden() -> dict[str, Compiled]:
    """Every golden job, by name."""
    plain = {name: compiled(params) for name, params in {**CASES, **MODE_CASES}.items()}
    routed = {
        name: compiled(params, server=route_server(route)) for name, (params, route) in ROUTE_CASES.items()
    }
    server = lora_server(*PAIR, ORBIT, GRAIN)
    with_loras = {name: compiled(params, server=server) for name, params in LORA_CASES.items()}
    second = {
        name: compiled(params, server=second_server(files, ram))
        for name, (params, files, ram) in SECOND_CASES.items()
    }
    svi = svi_server(*PAIR, ORBIT)
    continued = {name: compiled(params, server=svi) for name, params in CONTINUED.items()}
    return {**plain, **routed, **with_loras, **second, **continued}


def as_text(result: Compiled) -> str:
    """The text of a golden file: the graph, then the data for the studio. One node or label per line."""
    facts_of_job = {
        key: value
        for key, value in dataclasses.asdict(result).items()
        if key not in ("graphs", "labels", "distillation", "resolved")
    }
    facts_of_job["warnings"] = [words(warning) for warning in result.warnings]
    blocks = [f'"{key}": {json.dumps(value, ensure_ascii=False)}' for key, value in facts_of_job.items()]
    for key, parts in (("graphs", result.graphs), ("labels", result.labels)):
        blocks.append(f'"{key}": [{", ".join(_lines(part) for part in parts)}]')
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def _lines(part: dict) -> str:
    rows = []
    for node, value in part.items():
        plain = dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value
        if not plain.get("chunks", 1):  # a job of one chunk
            plain = {key: item for key, item in plain.items() if key not in ("chunk", "chunks")}
        rows.append(f'  "{node}": {json.dumps(plain, ensure_ascii=False)}')
    return "{\n" + ",\n".join(rows) + "\n}"


def main() -> None:
    for old in GOLDEN.glob("*.json"):
        old.unlink()
    for name, result in golden().items():
        (GOLDEN / f"{name}.json").write_text(as_text(result), encoding="utf-8")


if __name__ == "__main__":
    main()
