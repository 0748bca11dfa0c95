"""Plans a job from the current settings: size, length, crop, estimated time, warnings and obstacles.

With several servers it is not known yet which one will run the job. The plan is for the least capable one,
and names the servers that cannot run it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from backend.engines.base import EngineInfo
from backend.engines.kinds import location, silent, takes_whole
from backend.errors import BadInput, StudioError
from backend.jobs import bundle
from backend.jobs.cards import CardOf, has_card, no_card
from backend.jobs.estimate import History, expected, expected_bytes, fits, workload
from backend.jobs.job import Job
from backend.jobs.offers import Offer
from backend.jobs.params import field_problems, job_params, make_params
from backend.jobs.preflight import compile_for
from backend.jobs.views import Basis, Crop, Estimate, Plan
from workflows.compile import Compiled, model_obstacle
from workflows.modes.registry import MODES, media_fields
from workflows.notice import ROUTE_CODES, Notice, notice
from workflows.params.media import Media
from workflows.params.sizes import crop_fraction
from workflows.resolved import Resolved
from workflows.spec import ModeParams
from workflows.stages.lora_fit import OBSTACLES
from workflows.stages.picture_fit import picture_warnings

STAND_INS = {
    "picture": Media("picture"),
    "sound": Media("sound", seconds=5.0),
    "video": Media("video", 832, 480, 80, 16.0, 5.0),
}
"""Media to plan with until files are chosen, so that the page shows the frame before there is a picture."""
LENGTH_SLACK = 0.5  # seconds; 5 s are 81 frames, which is 5.06 s
GIB = 1 << 30
VRAM_RECOMMENDED = 22 * GIB
"""The WAN 2.2 guide recommends 24 GB or more for the 14B models; a 24 GB card reports slightly less."""
DIFFERENT = notice("servers_differ")


@dataclass(frozen=True)
class Outlook:
    """A job compiled for the least capable server that can run it. `able`: all servers that can;
    `obstacle`: the missing files when none can."""

    compiled: Compiled
    able: tuple[EngineInfo, ...]
    warnings: tuple[Notice, ...]
    obstacle: Notice | None = None


def outlook(
    mode: str, params: ModeParams, offers: Sequence[Offer], job_id: str, keep: Resolved | None = None
) -> Outlook:
    """Compiles for every server. `keep`: of an earlier run that is repeated. Raises the first server's
    StudioError when none can run the job."""
    offers = [offer for offer in offers if offer.info.state != "lost"] or offers
    made: list[tuple[EngineInfo, Compiled, Notice | None]] = []
    refused: list[Notice] = []
    fault: BadInput | None = None
    for offer in offers:
        try:
            compiled = compile_for(params, offer.facts, job_id, keep=keep)
            if takes_whole(offer.info):
                compiled = replace(compiled, warnings=bundle.warnings(compiled))
            made.append((offer.info, compiled, model_obstacle(params, compiled, offer.facts, keep)))
        except BadInput as error:
            fault = fault or error
            refused.append(notice("server_refuses", address=offer.info.address, reason=error.notice))
    if fault is not None and not made:
        raise fault
    plainest = max((compiled for _, compiled, _ in made), key=_faults)
    able: list[EngineInfo] = []
    obstacle: Notice | None = None
    for info, compiled, unusable in made:
        if unusable is not None:
            obstacle = obstacle or unusable
            refused.append(notice("server_refuses", address=info.address, reason=unusable))
            continue
        missing = _missing(compiled, info)
        if missing:
            obstacle = obstacle or notice("missing_files", mode=mode, files=missing)
            refused.append(notice("server_lacks_files", address=info.address, mode=mode, files=missing))
        else:
            able.append(info)
    warnings = [*plainest.warnings]
    warnings += picture_warnings(params, media_fields(mode), plainest.width, plainest.height)
    if len({compiled.route for _, compiled, _ in made}) > 1:
        warnings.append(DIFFERENT)
    if able:
        warnings += refused
    return Outlook(plainest, tuple(able), tuple(warnings), None if able else obstacle)


def _faults(compiled: Compiled) -> int:
    """The number of warnings that point at something that is worse than it could be."""
    return sum(one.code not in ROUTE_CODES for one in compiled.warnings)


def plan(
    mode: str,
    values: Mapping[str, Any],
    sizes: Mapping[str, Media],
    engines: Sequence[EngineInfo],
    history: History,
    *,
    offers: Sequence[Offer],
    absent: bool = False,
    longest: float = math.inf,
    cards: CardOf = no_card,
) -> Plan:
    """Never raises: errors are in the plan, by field. `sizes`: the media that are given; `offers`: the
    servers that have answered, or one; `absent`: no server has answered since the start, and none is being
    started; `longest`: the longest video that is allowed, in seconds; `cards`: the measurements of a server's
    GPU."""
    kinds = media_fields(mode)
    media = {name: STAND_INS[field.kind] for name, field in kinds.items() if field.required}
    media.update(sizes)
    seed = values.get("seed", -1)
    try:
        params = make_params(mode, {**values, "seed": 0 if seed in (-1, None) else seed}, media)
        found = outlook(mode, params, offers, "plan")
        check_length(mode, found.compiled, longest)
    except StudioError as error:
        sentence = f"{error.message} {error.hint}".strip()
        first = {error.field or next(iter(kinds), "prompt"): sentence}
        return Plan(problems={**first, **field_problems(mode, values)}, obstacle=error.notice)
    compiled = found.compiled
    trim = MODES[mode].trim
    follows = kinds[trim.media].kind if trim is not None and trim.media not in sizes else ""
    picture = sizes.get("image", Media("none"))
    cut = crop_fraction(picture.width, picture.height, compiled.width, compiled.height)
    crop = Crop(*cut, padded=getattr(params, "fit", "crop") == "pad")
    return Plan(
        width=compiled.width,
        height=compiled.height,
        frames=0 if follows else compiled.frames,
        fps=compiled.fps,
        seconds=compiled.frames / compiled.fps if compiled.fps and not follows else 0.0,
        steps=compiled.steps,
        segments=len(compiled.graphs),
        crop=crop if "image" in sizes else None,
        estimate=None if follows else _estimate(mode, compiled, found.able or engines[:1], history, cards),
        obstacle=silent(engines[0]) if absent or _all_lost(engines) else found.obstacle,
        warnings=(
            *found.warnings,
            *_memory(mode, compiled, found.able or engines, cards),
            *dict.fromkeys(info.note for info in engines if info.note),
        ),
        route=compiled.route,
        chunks=workload(compiled).chunks,
        follows=follows,
        own=MODES[mode].figures(params, compiled.route),
        bytes=expected_bytes(compiled),
    )


def accepted(job: Job, offers: Sequence[Offer], longest: float) -> tuple[Compiled, tuple[Notice, ...]]:
    """A stored job compiled for the least capable server that can run it, with warnings. Raises BadInput for
    LoRAs that cannot be used and for a video of more than `longest` seconds."""
    found = outlook(job.mode, job_params(job), offers, job.id, Resolved.from_json(job.resolved))
    if found.obstacle is not None and found.obstacle.code in OBSTACLES:
        raise BadInput.because(found.obstacle, field="loras")
    check_length(job.mode, found.compiled, longest)
    return found.compiled, found.warnings


def check_length(mode: str, compiled: Compiled, longest: float) -> None:
    """Raises BadInput with the field for a video of more than `longest` seconds."""
    seconds = compiled.frames / compiled.fps if compiled.fps and not compiled.still else 0.0
    if seconds <= longest + LENGTH_SLACK:
        return
    raise BadInput.of(
        "part_too_long" if MODES[mode].trim else "too_long",
        length=seconds,
        longest=longest,
        field=MODES[mode].length_field,
    )


def _all_lost(engines: Sequence[EngineInfo]) -> bool:
    return all(info.state == "lost" for info in engines)


def _memory(mode: str, compiled: Compiled, infos: Sequence[EngineInfo], cards: CardOf) -> tuple[Notice, ...]:
    """A warning if this was too large for a GPU that may run the job; where nothing like it was measured, if
    the smallest GPU has less memory than recommended."""
    work = workload(compiled)
    unknown: list[int] = []
    for info in infos:
        if not has_card(info) or not info.vram_total:
            continue
        known = fits(work, mode, cards(info))
        if known is False:
            return (notice("too_large_for_gpu", gigabytes=round(info.vram_total / GIB)),)
        if known is None:
            unknown.append(info.vram_total)
    if not unknown or min(unknown) >= VRAM_RECOMMENDED:
        return ()
    return (notice("small_gpu", gigabytes=round(min(unknown) / GIB)),)


def _missing(compiled: Compiled, info: EngineInfo) -> tuple[str, ...]:
    """The job's model files that the server does not list; () when the server lists nothing."""
    seen = {name for names in info.models.values() for name in names}
    return tuple(name for name in compiled.models if name not in seen) if info.models else ()


def _estimate(
    mode: str, compiled: Compiled, infos: Sequence[EngineInfo], history: History, cards: CardOf
) -> Estimate | None:
    """The longest estimate of the servers that are up; None when none is."""
    there = [info for info in infos if info.state == "ok"]
    if not there:
        return None
    work = workload(compiled)
    each = [(expected(work, mode, info, history, cards(info)), info) for info in there]
    known = [(sum(found.stages.values()), info, found.card) for found, info in each if found.stages]
    if not known:
        return Estimate(mode, basis="no_card" if any(map(has_card, there)) else "")
    longest, info, card = max(known, key=lambda one: one[0])
    alone = len({one.address for one in there}) == 1
    basis: Basis = "" if card is None else "own_card" if card.own else "card"
    source = card.source if card is not None else ""
    return Estimate(mode, longest, location(info) if alone else "slowest", basis, source)
