"""Makes the checked parameters of a mode from the values of a request or of a stored job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.errors import BadInput
from backend.jobs.job import Job
from backend.notices import words
from workflows.modes.parsing import params_from_values
from workflows.modes.registry import MODES, media_fields
from workflows.params.media import Media
from workflows.params.values import InvalidParam
from workflows.spec import RANDOM_SEED, ModeParams


def make_params(mode: str, values: Mapping[str, Any], media: Mapping[str, Media]) -> ModeParams:
    """The checked Params of interface values; absent values take the mode's defaults.

    A whole number may come as a float (a page has no integers). Raises BadInput with the field.
    """
    integers = {field.name for field in MODES[mode].fields if field.type is int} if mode in MODES else set()
    cleaned = {
        name: _whole(value) if name in integers else value
        for name, value in values.items()
        if value is not None
    }
    for name, field in media_fields(mode).items():
        if field.required and name not in media:
            raise BadInput.of(f"choose_{field.kind}", field=name)
    try:
        return params_from_values(mode, cleaned, media)
    except InvalidParam as error:
        raise refused(error) from error


def field_problems(mode: str, values: Mapping[str, Any]) -> dict[str, str]:
    """Field -> sentence for every value that is invalid regardless of the others; {} for an unknown mode."""
    found: dict[str, str] = {}
    for field in MODES[mode].fields if mode in MODES else ():
        value = values.get(field.name)
        if value is None or (field.name == "seed" and value == RANDOM_SEED):
            continue
        try:
            field.check(_whole(value) if field.type is int else value)
        except InvalidParam as error:
            found[field.name] = words(refused(error).notice)
    return found


def _whole(value: Any) -> Any:
    """A whole number that came as a float (a page has no integers) as int; anything else unchanged."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def refused(error: InvalidParam) -> BadInput:
    """The compiler's refusal of a value."""
    code = "seed_refused" if error.field == "seed" else "param_refused"
    return BadInput.of(code, said=error.message, advice=error.hint, field=error.field)


def job_params(job: Job) -> ModeParams:
    """The Params of a stored job."""
    return make_params(job.mode, job.params, {name: item.media for name, item in job.inputs.items()})
