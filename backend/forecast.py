"""What Generate would make of the settings at hand: size, length, crop, time, and what stands in its way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from backend.dispatch import PICTURES, TITLES, compile_for, make_params, missing_text
from backend.engines.base import EngineInfo, engine_name
from backend.errors import StudioError
from backend.estimate import Work, stage_seconds
from backend.jobs import Job
from backend.views import Plan, crop_text, duration_text
from workflows.compile import Compiled
from workflows.node_contract import facts, recorded
from workflows.params import Media, crop_fraction

History = Callable[[str, str], Iterable[Job]]
"""(engine name, mode) -> the jobs that it has finished"""


def plan(
    mode: str,
    values: Mapping[str, Any],
    sizes: Mapping[str, Media],
    engines: Sequence[EngineInfo],
    history: History,
) -> Plan:
    """Never raises: what is wrong is in the plan, beside its field. `sizes`: the pictures that are there."""
    first = PICTURES.get(mode, ("image",))[0]
    picture = sizes.get(first, Media("picture.png"))
    seed = values.get("seed", -1)
    try:
        chosen = {**values, "seed": 0 if seed in (-1, None) else seed}
        params = make_params(mode, chosen, {**sizes, first: picture})
        compiled = compile_for(params, facts(recorded()), "plan")
    except StudioError as error:
        sentence = f"{error.message} {error.hint}".strip()
        return Plan(problems={error.field or first: sentence}, obstacle=sentence)
    crop = crop_text(*crop_fraction(picture.width, picture.height, compiled.width, compiled.height))
    if params.fit == "pad" and not crop.startswith("Fits"):
        crop = "Padded to the frame, nothing is cropped"
    return Plan(
        width=compiled.width,
        height=compiled.height,
        frames=compiled.frames,
        fps=compiled.fps,
        seconds=compiled.frames / compiled.fps,
        steps=compiled.steps,
        crop_text=crop if first in sizes else "",
        estimate_text=_estimate(mode, compiled, engines[0], history),
        obstacle=_obstacle(mode, compiled, engines),
        warnings=compiled.warnings,
    )


def _obstacle(mode: str, compiled: Compiled, engines: Sequence[EngineInfo]) -> str:
    if all(info.state == "lost" for info in engines):
        return f"ComfyUI does not answer at {engines[0].address}. Check that it is running."
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
