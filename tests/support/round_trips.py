"""Jobs for the round trip of recipes: every golden case, and every parameter of every mode at values that are
not its default. A parameter that is added to a mode is among them without a change here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any

from backend.errors import StudioError
from backend.jobs.params import make_params
from backend.jobs.recipe import Recipe
from tests.support import compile_cases as cases
from tests.support.least_params import REQUIRED
from workflows.catalog import load_catalog
from workflows.compile import Compiled, ServerFacts, compile
from workflows.modes.registry import MODES
from workflows.params.limits import RANDOM_SEEDS
from workflows.params.media import Media
from workflows.params.values import InvalidParam
from workflows.spec import Field, ModeParams

ONE, OTHER = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
GOLDEN = "golden cases"
SIZES = {"width": 480, "height": 640}
LORAS = [{"name": cases.ORBIT, "strength": 0.5, "strength_low": -0.25}]
TEXT = 'A <b>red</b> boat, "quoted" \\ (near:1.2) \u2013 \u00fc \U0001f6a4\nand a second line'


@dataclass(frozen=True)
class Trip:
    """One job. group: of its parameter, as the page's Advanced has it."""

    mode: str
    group: str
    name: str
    params: ModeParams
    server: ServerFacts


def made_with(params: ModeParams, server: ServerFacts, job_id: str = ONE) -> Compiled:
    """The job compiled for its server."""
    return compile(params, load_catalog(), server, job_id)


@lru_cache(maxsize=1)
def golden() -> Mapping[str, tuple[ModeParams, ServerFacts]]:
    """Every golden job with its server."""
    plain = cases.facts(cases.recorded())
    loras = cases.lora_server(*cases.PAIR, cases.ORBIT, cases.GRAIN)
    return {
        **{name: (params, plain) for name, params in {**cases.CASES, **cases.MODE_CASES}.items()},
        **{name: (one, cases.route_server(route)) for name, (one, route) in cases.ROUTE_CASES.items()},
        **{name: (params, loras) for name, params in cases.LORA_CASES.items()},
        **{
            name: (params, cases.second_server(files, ram))
            for name, (params, files, ram) in cases.SECOND_CASES.items()
        },
    }


def golden_trips() -> Iterator[Trip]:
    """The golden jobs."""
    for name, (params, server) in golden().items():
        yield Trip(params.MODE, GOLDEN, name, params, server)


def changed_trips(mode: str) -> Iterator[Trip]:
    """Each parameter of a mode at each of its other values, in the first job of the mode that takes it."""
    for field in MODES[mode].fields:
        for value in other_values(field):
            changed = SIZES if field.name in SIZES else {field.name: value}
            found = _first(mode, changed)
            if found is not None:
                yield Trip(mode, field.group or "in the form", f"{field.name}={value!r}", *found)


def other_values(field: Field) -> list[Any]:
    """Values of a parameter that are not its default: all of a choice, both limits of a number."""
    if field.name == "seed":
        return [0, RANDOM_SEEDS - 1]
    match field.kind:
        case "choice":
            found: list[Any] = [value for value in field.values if value != field.default]
        case "switch":
            found = [not field.default]
        case "text":
            found = [TEXT[: int(field.high)], *([""] if field.nullable else [])]
        case "loras":
            found = [LORAS]
        case "side":
            found = [SIZES[field.name]]
        case "whole":
            found = [int(field.low), int(field.high), *map(int, field.offered)]
        case _:
            within = [1.25] if field.low <= 1.25 <= field.high else []  # also of a short sound or video
            found = [field.low, field.high, (field.low + field.high) / 3, *within, *field.offered]
    return [value for value in found if value != field.default]


def _first(mode: str, changed: Mapping[str, Any]) -> tuple[ModeParams, ServerFacts] | None:
    """The first job of a mode with these values that its checks and its server accept."""
    for params, server in _bases(mode):
        try:
            tried = replace(params, **changed)  # type: ignore[type-var]
            made_with(tried, server)
        except (InvalidParam, StudioError):
            continue
        return tried, server
    return None


@cache
def _bases(mode: str) -> list[tuple[ModeParams, ServerFacts]]:
    """The least job of a mode and its golden ones."""
    server = cases.lora_server(*cases.PAIR, cases.ORBIT, cases.GRAIN)
    least = MODES[mode].params(**{"seed": 1, **REQUIRED[mode]})
    return [(least, server), *(one for one in golden().values() if mode == one[0].MODE)]


def media_of(params: ModeParams) -> dict[str, Media]:
    """The files of a job by parameter."""
    return {name: one for name in MODES[params.MODE].media if (one := getattr(params, name)) is not None}


def again(found: Recipe, trip: Trip) -> ModeParams:
    """The job that a recipe asks for, from the files of the first one."""
    return make_params(found.mode, found.values, media_of(trip.params))


def same_graphs(one: ModeParams, trip: Trip) -> bool:
    """Whether a job has the graphs of the first one, but for its id."""
    text = json.dumps(made_with(one, trip.server, OTHER).graphs)
    return text.replace(OTHER, ONE) == json.dumps(made_with(trip.params, trip.server).graphs)
