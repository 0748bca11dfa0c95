"""Converts jobs to database rows and back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import MISSING, fields, replace
from typing import Any

from backend.errors import in_current_words
from backend.jobs.job import FAILED, LEGAL, TERMINAL, Job, StoredInput
from backend.jobs.parts import Part
from workflows.modes.earlier import VERSION, at_present
from workflows.notice import Notice

_RENAMED = {"segments_done": "part"}
"""Field -> column, where the table keeps the name of an earlier version."""
_COLUMN_OF = {field.name: _RENAMED.get(field.name, field.name) for field in fields(Job)}
COLUMNS = tuple(_COLUMN_OF.values())
_JSON = frozenset({"params", "inputs", "warnings", "error", "timings", "resolved", "reused", "parts", "seam"})
_REQUIRED: dict[str, Any] = {"owner": "", "mode": "", "params": {}, "inputs": {}, "created": 0.0}


class UnreadableRow(ValueError):
    """A column holds a value that its field cannot have; the message names it."""


def _numbers(value: object) -> bool:
    return isinstance(value, dict) and all(_figure(number) for number in value.values())


def _figure(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "str": lambda value: isinstance(value, str),
    "Status": lambda value: value in LEGAL,
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "float": _figure,
    "bool": lambda value: value in (0, 1),
    "float | None": lambda value: value is None or _figure(value),
    "dict[str, Any]": lambda value: isinstance(value, dict),
    "dict[str, StoredInput]": lambda value: (
        isinstance(value, dict)
        and all(isinstance(item, dict) and StoredInput.from_json(item) for item in value.values())
    ),
    "tuple[Notice, ...]": lambda value: (
        isinstance(value, list) and all(Notice.from_json(item) is not None for item in value)
    ),
    "tuple[Part, ...]": lambda value: isinstance(value, list) and all(Part.from_json(item) for item in value),
    "dict[str, Any] | None": lambda value: value is None or isinstance(value, dict),
    "dict[str, float]": _numbers,
}
"""The type of a job's field, as written there -> whether a value can be one."""


def row_of(job: Job) -> tuple[Any, ...]:
    """The values of all columns."""
    return tuple(
        _utf8(_dumped(value) if name in _JSON and value is not None else value)
        for name in _COLUMN_OF
        for value in (getattr(job, name),)
    )


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=lambda item: item.to_json())


def _utf8(value: Any) -> Any:
    """Replaces lone surrogates, which a server's text may hold and SQLite refuses."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def job_of(row: sqlite3.Row) -> Job:
    """The job of a row. Raises UnreadableRow."""
    job, faults = _read(row)
    if faults:
        raise UnreadableRow("; ".join(faults))
    return job


def salvaged(row: sqlite3.Row, error: dict[str, Any]) -> Job:
    """The readable columns of a damaged row, defaults for the others; an unfinished job becomes failed."""
    job, _ = _read(row)
    return job if job.status in TERMINAL else replace(job, status=FAILED, error=error)


def _read(row: sqlite3.Row) -> tuple[Job, list[str]]:
    values: dict[str, Any] = {}
    faults = []
    for field in fields(Job):
        name = field.name
        try:
            value = row[_COLUMN_OF[name]]
            if name in _JSON and value is not None:
                value = json.loads(value)
            if not _CHECKS[str(field.type)](value):
                raise ValueError(f"has another type or value: {value!r:.40}")
        except (TypeError, ValueError, RecursionError) as error:
            faults.append(f"{_COLUMN_OF[name]}: {error}")
            if field.default_factory is not MISSING:
                value = field.default_factory()
            else:
                value = _REQUIRED.get(name, field.default)
                value = FAILED if name == "status" else dict(value) if isinstance(value, dict) else value
        values[name] = value
    values["inputs"] = {name: StoredInput.from_json(item) for name, item in values["inputs"].items()}
    values["parts"] = tuple(Part.from_json(item) for item in values["parts"])
    values["warnings"] = tuple(Notice.from_json(item) for item in values["warnings"])
    if values["error"] is not None:
        values["error"] = in_current_words(values["error"])
    values["demo"], values["pinned"] = bool(values["demo"]), bool(values["pinned"])
    if values["params_version"] < VERSION:
        version, values["params_version"] = values["params_version"], VERSION
        values["params"] = at_present(values["mode"], values["params"], values["inputs"], version)
    return Job(**values), faults
