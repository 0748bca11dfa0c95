"""Results of other jobs that a caller names as the files of a new job:
`{"image": {"id": "...", "key": "...", "frame": -1}}`, as JSON text or as an object. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from backend.errors import BadInput
from backend.jobs.job import LAST_FRAME, ResultOf
from workflows.modes.registry import MODES
from workflows.params.values import shown

PARAMETER = "results"
"""The name of the parameter that names them, and of their entry in a job's record."""
MEMBERS = ("id", "key", "frame")
TEXT_LONGEST = 20_000
"""Characters of the JSON text; an entry has about 120."""
WORD_LONGEST = 200
"""Characters of an id or a key, which have 32 and 24."""


def read(mode: str, given: Any) -> dict[str, ResultOf]:
    """Media parameter -> the result that is named for it; none for "" and None. Raises BadInput."""
    entries = _object(given)
    if mode not in MODES:
        return {}  # refused with the mode
    known = tuple(MODES[mode].media)
    if entries and not known:
        raise BadInput.of("results_none", mode=mode, field=PARAMETER)
    found = {}
    for name, entry in entries.items():
        if name not in known:
            raise BadInput.of("result_parameter", given=shown(name), names=known, field=PARAMETER)
        if entry is not None:
            found[name] = _result(name, entry)
    return found


def _object(given: Any) -> Mapping[str, Any]:
    if given is None or (isinstance(given, str) and not given.strip()):
        return {}
    if isinstance(given, str):
        if len(given) > TEXT_LONGEST:
            raise BadInput.of("results_too_long", most=TEXT_LONGEST, field=PARAMETER)
        try:
            given = json.loads(given)
        except (ValueError, RecursionError) as error:
            raise BadInput.of("results_not_json", field=PARAMETER) from error
    if not isinstance(given, Mapping):
        raise BadInput.of("results_not_json", field=PARAMETER)
    return given


def _result(name: str, entry: Any) -> ResultOf:
    if not isinstance(entry, Mapping):
        raise BadInput.of("result_entry", parameter=name, field=name)
    for member in entry:
        if member not in MEMBERS:
            raise BadInput.of("result_member", parameter=name, given=shown(member), names=MEMBERS, field=name)
    job, key = (_word(name, entry.get(member)) for member in ("id", "key"))
    return ResultOf(job, _frame(name, entry.get("frame")), key)


def _word(name: str, value: Any) -> str:
    word = value.strip() if isinstance(value, str) else ""
    if not word or len(word) > WORD_LONGEST:
        raise BadInput.of("result_entry", parameter=name, field=name)
    return word


def _frame(name: str, value: Any) -> int:
    """A whole number, which may have come as 3.0; whether there is such a frame is checked with the job."""
    if value is None:
        return LAST_FRAME
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadInput.of("result_frame", parameter=name, given=shown(value), field=name)
    return value
