"""What Generate would make of the settings at hand: size, length, crop, time, and what stands in its way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from backend.dispatch import compile_for, make_params, missing_text
from backend.engines.base import EngineInfo, engine_name, silent_words
from backend.errors import StudioError
from backend.estimate import Work, stage_seconds
from backend.jobs import Job
from backend.views import Plan, crop_text, duration_text
from workflows.compile import Compiled, ServerFacts
from workflows.params import MEDIA, TITLES, Media, crop_fraction

STAND_INS = {
    "picture": Media("picture"),
    "sound": Media("sound", seconds=5.0),
    "video": Media("video", 832, 480, 80, 16.0, 5.0),
}
"""What is planned with while nothing is chosen: the frame to be made is shown before the picture is there."""
History = Callable[[str, str], Iterable[Job]]
"""(engine name, mode) -> the jobs that it has finished"""


def plan(
    mode: str,
    values: Mapping[str, Any],
    sizes: Mapping[str, Media],
    engines: Sequence[EngineInfo],
    history: History,
    *,
    server: ServerFacts,
    absent: bool = False,
) -> Plan:
    """Never raises: what is wrong is in the plan, beside its field. `sizes`: the media that are there;
    `absent`: no server has answered since the start, and none is being started."""
    kinds = MEDIA.get(mode, {})
    media = {name: STAND_INS[kind] for name, (kind, required) in kinds.items() if required}
    media.update(sizes)
    seed = values.get("seed", -1)
    try:
        params = make_params(mode, {**values, "seed": 0 if seed in (-1, None) else seed}, media)
        compiled = compile_for(params, server, "plan")
    except StudioError as error:
        sentence = f"{error.message} {error.hint}".strip()
        return Plan(problems={error.field or next(iter(kinds), "prompt"): sentence}, obstacle=sentence)
    picture = sizes.get("image", Media("none"))
    crop = crop_text(*crop_fraction(picture.width, picture.height, compiled.width, compiled.height))
    if getattr(params, "fit", "crop") == "pad" and not crop.startswith("Fits"):
        crop = "Padded to the frame, nothing is cropped"
    return Plan(
        width=compiled.width,
        height=compiled.height,
        frames=compiled.frames,
        fps=compiled.fps,
        seconds=compiled.frames / compiled.fps if compiled.fps else 0.0,
        steps=compiled.steps,
        parts=len(compiled.graphs),
        crop_text=crop if "image" in sizes else "",
        estimate_text=_estimate(mode, compiled, engines[0], history),
        obstacle=_obstacle(mode, compiled, engines, absent),
        warnings=(*compiled.warnings, *dict.fromkeys(info.note for info in engines if info.note)),
        route=compiled.route,
    )


def _obstacle(mode: str, compiled: Compiled, engines: Sequence[EngineInfo], absent: bool) -> str:
    if absent or all(info.state == "lost" for info in engines):
        return silent_words(engines[0])
    known = next((info for info in engines if info.models), None)
    if known is None:
        return ""
    seen = {name for names in known.models.values() for name in names}
    missing = [name for name in compiled.models if name not in seen]
    return f"{TITLES[mode]} needs {missing_text(missing)}." if missing else ""


def _estimate(mode: str, compiled: Compiled, info: EngineInfo, history: History) -> str:
    if info.state != "ok":
        return ""
    work = Work(compiled.evaluations, compiled.width, compiled.height, compiled.frames)
    seconds = stage_seconds(work, history(engine_name(info), mode))
    where = "in the demo" if info.kind == "demo" else "on this GPU" if info.gpu else "here"
    if not seconds:
        return f"No estimate yet: this will be the first video {where}"
    return f"About {duration_text(sum(seconds.values()))} {where}"
