"""Results of other jobs on the command line of `run`: image=job:ID, job:ID:KEY, job:ID@FRAME.

A file whose name begins like that is given with its folder: image=./job:1.png.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from backend.cli import run_studio
from backend.cli.run_client import Call
from backend.errors import BadInput
from backend.jobs.named_results import PARAMETER
from backend.settings.model import Settings
from workflows.params.values import InvalidParam
from workflows.spec import RANDOM_SEED, Field, ModeSpec

PREFIX = "job:"
_FORM = re.compile(r"job:(?P<id>[\w-]+)(?::(?P<key>[\w-]+))?(?:@(?P<frame>-?\d{1,9}))?", re.ASCII)


def named(mode: ModeSpec, given: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Media parameter -> the result that is named for it, with the key "" where none is given. Raises
    BadInput."""
    texts = {name: given[name] for name in mode.media if given.get(name, "").startswith(PREFIX)}
    return {name: _read(name, text) for name, text in texts.items()}


def _read(name: str, text: str) -> dict[str, Any]:
    found = _FORM.fullmatch(text)
    if found is None:
        raise BadInput.of("run_job_unreadable", name=name, given=text, field=name)
    entry: dict[str, Any] = {"id": found["id"], "key": found["key"] or ""}
    return entry | ({"frame": int(found["frame"])} if found["frame"] else {})


def check(mode: ModeSpec, given: Mapping[str, str]) -> None:
    """Checks each of these values alone, and that no required file is missing: what depends on the measures
    of a result is for the studio. Raises BadInput."""
    for name in given:
        if name not in mode.by_name:
            raise BadInput.of("run_unknown_value", name=name, names=tuple(mode.by_name), field=name)
    try:
        for spec in mode.all:
            if isinstance(spec, Field) and spec.name in given:
                value = spec.parse(given[spec.name])
                if spec.name != "seed" or value != RANDOM_SEED:
                    spec.check(value)
            elif not isinstance(spec, Field) and not given.get(spec.name):
                spec.check(None)
    except InvalidParam as error:
        raise BadInput.of(
            "param_refused", said=error.message, advice=error.hint, field=error.field
        ) from error


def opened(call: Call, settings: Settings | None) -> Call:
    """The call with the keys of the jobs that it names, in place of files or as the clip to go on from.
    `settings`: of the studio of this machine, whose data folder they are made with; None for another one,
    where they have to be given. Raises BadInput, StudioError."""
    if call.values.get("id") and not call.values.get("key"):
        if settings is None:
            raise BadInput.of("run_needs", what=call.endpoint, name="key")
        return replace(call, values={**call.values, "key": run_studio.job_key(settings, call.values["id"])})
    entries = call.values.get(PARAMETER, {})
    closed = [name for name, entry in entries.items() if not entry["key"]]
    if not closed:
        return call
    if settings is None:
        raise BadInput.of("run_job_without_key", name=closed[0], id=entries[closed[0]]["id"], field=closed[0])
    keyed = {
        name: {**entry, "key": entry["key"] or run_studio.job_key(settings, entry["id"])}
        for name, entry in entries.items()
    }
    return replace(call, values={**call.values, PARAMETER: keyed})
