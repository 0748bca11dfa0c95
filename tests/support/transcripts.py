"""Recorded websocket transcripts of ComfyUI as frames."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.paths import DATA
from workflows.graph.label import Label

FILES = sorted([*(DATA / "transcripts").glob("*.jsonl"), *(DATA / "transcripts-0.33").glob("*.jsonl")])

JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 16


@dataclass
class Transcript:
    """One transcript file: its records, and its prompts in the order of submission."""

    path: Path
    records: list[dict[str, Any]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.path.parent.name}/{self.path.stem}"

    def posted(self) -> list[str]:
        return [
            record["body"]["prompt_id"]
            for record in self.records
            if record.get("http") == "POST /prompt" and "prompt_id" in record.get("body", {})
        ]

    def frames(self) -> Iterator[str | bytes]:
        """Binary frames have the recorded header and a short image instead of the recorded one."""
        for record in self.records:
            frame = frame_of(record)
            if frame is not None:
                yield frame

    def history(self, prompt_id: str) -> dict[str, Any] | None:
        """The last body of /history/<prompt id> that was not empty."""
        for record in self.records:
            if record.get("http") == f"GET /history/{prompt_id}" and record.get("body"):
                return dict(record["body"])
        return None

    def labels(self, prompt_id: str) -> dict[str, Label]:
        """Labels as the compiler creates them: nodes that report steps are samplers, in order."""
        labels: dict[str, Label] = {}
        done = 0
        for record in self.records:
            if "ws" not in record:
                continue
            data = record["ws"]["data"]
            if data.get("prompt_id", prompt_id) != prompt_id:
                continue
            kind, node = record["ws"]["type"], data.get("node")
            if kind == "executing" and node is not None:
                labels.setdefault(node, Label("load", f"Node {node}"))
            elif kind == "progress" and (node not in labels or labels[node].steps == 0):
                labels[node] = Label("draw", f"Sampler {node}", steps=data["max"], first_step=done)
                done += data["max"]
        return labels


def frame_of(record: dict[str, Any]) -> str | bytes | None:
    if "ws" in record:
        return json.dumps(record["ws"])
    if record.get("binary") == 1:
        return struct.pack(">II", 1, record["image_format"]) + JPEG
    if record.get("binary") == 4:
        metadata = json.dumps(record["metadata"]).encode()
        return struct.pack(">II", 4, len(metadata)) + metadata + JPEG
    return None


def load(path: Path) -> Transcript:
    lines = path.read_text(encoding="utf-8").splitlines()
    return Transcript(path, [json.loads(line) for line in lines])


def named(name: str) -> Transcript:
    """`success_t2v`, or `transcripts-0.33/success_i2v_two_expert_4step`."""
    folder, _, stem = name.rpartition("/")
    return load(DATA / (folder or "transcripts") / f"{stem}.jsonl")
