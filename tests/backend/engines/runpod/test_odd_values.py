"""Values that JSON can hold and no worker means, in the status of a RunPod job."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import pytest

from backend.engines.json_values import decoded
from backend.engines.runpod import responses
from backend.engines.runpod.responses import JobProgress
from backend.events import Preview, Progress

HALF = "\ud800"
DEEP = "[" * 100_000 + "]" * 100_000
ODD = (None, True, math.inf, math.nan, 10**250, -1, 1.5, "7", HALF, "a\0b", [], {}, [[1]], decoded(DEEP))


def utf8(value: Any) -> bytes:
    """As it is stored and sent to a browser."""
    return json.dumps(value, ensure_ascii=False).encode()


@pytest.mark.parametrize("odd", ODD, ids=lambda value: repr(value)[:20].encode("ascii", "replace").decode())
def test_no_field_of_a_report_raises_or_is_shown_as_it_came(odd: Any) -> None:
    report = {
        "stage": "draw", "text": "Generating", "chunk": 1, "chunks": 2, "preparing": False, "step": 3,
        "steps": 9, "preview": "", "percent": 4.0,
    }  # fmt: skip
    for field in report:
        status = {"status": "IN_PROGRESS", "output": {**report, field: odd}}
        progress, events = responses.read_status(status, JobProgress(started=True))
        for event in events:
            if isinstance(event, Progress):
                assert type(event.step) is int and 0 < event.step <= event.steps <= responses.STEPS_MAX
        if progress.stage is not None:
            utf8([progress.stage.text, progress.stage.chunk, progress.stage.chunks])
            assert type(progress.stage.chunk) is int and "\0" not in progress.stage.text
    responses.job_error({"status": "FAILED", "error": odd}, JobProgress(), 5, 5)
    responses.result_files({"images": odd})
    responses.counts({"workers": odd}, "workers")
    utf8([notice.to_json() for notice in responses.warnings({"warnings": [odd], "notices": [odd]})])


def test_only_pictures_are_previews() -> None:
    for data, count in ((b"RIFF\0\0\0\0WAVEfmt ", 0), (b"\x89PNG", 0), (b"\xff\xd8\xff\xe0", 1), (b"", 0)):
        output = {"preview": base64.b64encode(data).decode()}
        _, events = responses.read_status(
            {"status": "IN_PROGRESS", "output": output}, JobProgress(started=True)
        )
        assert sum(isinstance(event, Preview) for event in events) == count, data


def test_an_error_that_is_nested_without_end_is_read_as_text() -> None:
    for text in (DEEP, '{"code": "out_of_memory", "more": ' + DEEP + "}", "[" * 100_000):
        assert responses.failed_job_error(text).message
