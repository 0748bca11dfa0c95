"""Inputs of a worker in which one part is of another type, too deep or too large."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from backend.errors import BadInput
from backend.worker.job_input import Limits, labels_of, read_job_input

HALF = "\ud800"


def deep(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


ODD: dict[str, Any] = {
    "null": None, "true": True, "number": 5, "endless": math.inf, "no number": math.nan, "huge": 10**400,
    "text": "x", "half": HALF, "NUL": "\0", "list": [1], "lists": [[[]]], "object": {"a": {"b": None}},
    "deep": deep(20_000), "long": "x" * 100_000,
}  # fmt: skip
NODE = {"class_type": "KSampler", "inputs": {"steps": 4, "image": "a.png", "model": ["1", 0]}}
GRAPH = {"workflow": {"1": NODE}, "images": [{"name": "a.png", "image": "QUJD"}], "prompt_id": "x"}
MODE = {
    "mode": "image_to_video",
    "params": {"prompt": "A boat"},
    "media": {"image": "QUJD"},
    "prompt_id": "x",
}


def variants(given: dict[str, Any], odd: Any) -> list[Any]:
    """The input with one part replaced: each of its own fields, of its nodes and of its files."""
    found: list[Any] = [{**given, name: odd} for name in given]
    if "workflow" in given:
        found += [{**given, "workflow": {"1": odd}}, {**given, "images": [odd]}]
        found += [{**given, "workflow": {"1": {**NODE, name: odd}}} for name in NODE]
        found += [{**given, "workflow": {"1": {**NODE, "inputs": {**NODE["inputs"], "steps": odd}}}}]  # type: ignore[dict-item]
        found += [
            {**given, "images": [{"name": "a.png", "image": "QUJD", name: odd}]}
            for name in ("name", "image", "url")
        ]
    else:
        found += [{**given, "params": {"prompt": odd}}, {**given, "media": {"image": odd}}]
        found += [{**given, "media": {"image": {name: odd}}} for name in ("data", "url", "path", "name")]
    return found


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("given", [GRAPH, MODE], ids=["graph", "mode"])
def test_no_part_of_an_input_raises_anything_else(tmp_path: Path, given: dict[str, Any], kind: str) -> None:
    (tmp_path / "volume").mkdir()

    def fetch(url: str, target: Path, *_: Any) -> None:
        target.write_bytes(b"a picture")

    for number, one in enumerate([ODD[kind], *variants(given, ODD[kind])]):
        try:
            made = read_job_input(
                one, tmp_path / f"work-{number}", Limits(1000, tmp_path / "volume"), lambda: None, fetch
            )
        except BadInput as error:
            assert error.message and len(error.message) < 2000 and error.message.isprintable(), number
            json.dumps(error.to_dict(), ensure_ascii=False).encode()
        else:
            labels_of(made.graph or {})
            assert all(path.is_file() for path in made.files.values())
