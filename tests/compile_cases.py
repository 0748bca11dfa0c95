"""One job per mode and option: the golden graphs, and what every check of compiled graphs runs over.

`python -m tests.compile_cases` writes the golden graphs anew; read the difference before it is committed.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from workflows.catalog import load_catalog
from workflows.compile import Compiled, compile
from workflows.node_contract import facts, recorded
from workflows.params import FastVideo, ImageToVideo, Media, Params

GOLDEN = Path(__file__).parent / "golden"
PHOTO = Media("wan-studio/photo.png", 1600, 900)
LAST = Media("wan-studio/last.png", 1600, 900)
COMMON = {"image": PHOTO, "seed": 42, "prompt": "A paper boat drifts across a pond."}


def image(**options: object) -> ImageToVideo:
    return ImageToVideo(**{**COMMON, **options})


def fast(variant: str) -> FastVideo:
    return FastVideo(**COMMON, variant=variant)


CASES: dict[str, Params] = {
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
    "fast_video-balanced": fast("balanced"),
    "fast_video-dynamic": fast("dynamic"),
    "fast_video-subtle": fast("subtle"),
    "fast_video-480p": fast("480p"),
    "fast_video-anti_slow_motion": fast("anti_slow_motion"),
}


def compiled(params: Params, job_id: str = "job") -> Compiled:
    return compile(params, load_catalog(), facts(recorded()), job_id)


def as_text(result: Compiled) -> str:
    """The golden form: what the engine gets, then what the studio is told. One node or label a line."""
    facts_of_job = {
        key: value for key, value in dataclasses.asdict(result).items() if key not in ("graphs", "labels")
    }
    blocks = [f'"{key}": {json.dumps(value, ensure_ascii=False)}' for key, value in facts_of_job.items()]
    for key, parts in (("graphs", result.graphs), ("labels", result.labels)):
        blocks.append(f'"{key}": [{", ".join(_lines(part) for part in parts)}]')
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def _lines(part: dict) -> str:
    rows = []
    for node, value in part.items():
        plain = dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value
        rows.append(f'  "{node}": {json.dumps(plain, ensure_ascii=False)}')
    return "{\n" + ",\n".join(rows) + "\n}"


def main() -> None:
    for old in GOLDEN.glob("*.json"):
        old.unlink()
    for name, params in CASES.items():
        (GOLDEN / f"{name}.json").write_text(as_text(compiled(params)), encoding="utf-8")


if __name__ == "__main__":
    main()
