"""Parses and validates the input of a job, and brings its files to this machine.

There are two forms: {"workflow": graph, "images": [{"name", "image"}]}, as in runpod-workers/worker-comfyui,
and {"mode", "params", "media": {parameter: file}}. A file is base64 (plain, as a data URL, or {"data"}), an
https URL (plain or {"url"}), or a path on the volume (plain or {"path"}).
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from backend.errors import BadInput, from_os_error
from backend.worker import encoded_files
from backend.worker.downloads import download
from workflows.graph.label import Label
from workflows.modes.registry import MODES

GRAPH_BYTES = 4_000_000
MOST_TEXT = 4  # times as long as the file may its text be: percent-encoded, with line breaks
MOUNTS = ("/runpod-volume", "/workspace")
"""Mount points of the volume on a worker and on a pod; a path may begin with either."""
_ADDRESS_MAX = 8000


@dataclass(frozen=True)
class JobInput:
    """A validated input: either `graph` or `mode` is set. files: name in the graph, or parameter -> file.
    titles: parameter -> what the file is called in messages. resolved: of the earlier run that it repeats."""

    prompt_id: str
    graph: Mapping[str, Any] | None
    mode: str
    params: Mapping[str, Any]
    files: Mapping[str, Path]
    titles: Mapping[str, str] = field(default_factory=dict)
    resolved: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """Maximum size of one file in bytes, and the folder of the volume."""

    file_bytes: int
    volume: Path


Download = Callable[[str, Path, int, str, Callable[[], None]], None]


def read_job_input(
    given: object, folder: Path, limits: Limits, stop: Callable[[], None], fetch: Download = download
) -> JobInput:
    """Parses an input and writes its files into `folder`. `stop` may raise to abort. Raises BadInput,
    DiskFull."""
    if not isinstance(given, Mapping):
        raise BadInput.of("input_not_object")
    folder.mkdir(parents=True, exist_ok=True)
    files = _Files(folder, limits, stop, fetch)
    named = given.get("prompt_id")
    prompt_id = named if isinstance(named, str) else ""
    if "workflow" in given:
        graph = _graph(given["workflow"])
        graph, renamed = _with_files(graph, given, files)
        return JobInput(prompt_id, graph, "", {}, renamed)
    mode = given.get("mode")
    if not isinstance(mode, str) or mode not in MODES:
        raise BadInput.of("input_without_mode", names=tuple(MODES), field="mode")
    params, media = given.get("params") or {}, given.get("media") or {}
    if not isinstance(params, Mapping) or not isinstance(media, Mapping):
        raise BadInput.of("input_params_not_objects", field="params")
    unknown = sorted(set(media) - set(MODES[mode].media))
    if unknown:
        raise _media_unknown(mode, unknown[0])
    found = {name: files.take(name, source) for name, source in media.items() if source not in (None, "")}
    titles = {name: title_of(media[name], MODES[mode].media[name].label) for name in found}
    values = {k: v for k, v in params.items() if k not in MODES[mode].media}
    resolved = given.get("resolved")
    kept = resolved if isinstance(resolved, Mapping) else {}
    return JobInput(prompt_id, None, mode, values, found, titles, kept)


def _media_unknown(mode: str, given: str) -> BadInput:
    taken = tuple(MODES[mode].media)
    if not taken:
        return BadInput.of("input_no_media", endpoint=mode, parameter=given, field="media")
    return BadInput.of("input_media_unknown", endpoint=mode, parameter=given, names=taken, field="media")


class _Files:
    """Writes input files into a folder."""

    def __init__(self, folder: Path, limits: Limits, stop: Callable[[], None], fetch: Download) -> None:
        self._folder, self._limits, self._stop, self._fetch = folder, limits, stop, fetch
        self._count = 0

    def take(self, field: str, source: object) -> Path:
        """Writes the file that `source` describes. Raises BadInput, DiskFull."""
        self._stop()
        self._count += 1
        target = self._folder / f"file-{self._count}"
        kind, text = self._kind(field, source)
        if kind == "url":
            self._fetch(text, target, self._limits.file_bytes, field, self._stop)
        elif kind == "path":
            self._from_volume(field, text, target)
        else:
            self._decode(field, text, target)
        return target

    def _kind(self, field: str, source: object) -> tuple[str, str]:
        if isinstance(source, Mapping):
            for key, kind in (("data", "data"), ("image", "data"), ("url", "url"), ("path", "path")):
                if isinstance(source.get(key), str):
                    text = str(source[key]) if kind != "url" else str(source[key]).strip()
                    data = kind == "url" and encoded_files.is_data_address(text)
                    return ("data" if data else kind), text
        if isinstance(source, str):
            if re.match(r"\s*[a-z][a-z0-9+.-]*://", source, re.IGNORECASE):
                return "url", source.strip()
            if source.startswith(tuple(f"{mount}/" for mount in (*MOUNTS, str(self._limits.volume)))):
                return "path", source
            return "data", source
        raise BadInput.of("input_not_file", parameter=field, field=field)

    def _decode(self, field: str, text: str, target: Path) -> None:
        if encoded_files.largest(text) > MOST_TEXT * self._limits.file_bytes:
            raise self._too_large(field)
        try:
            data = encoded_files.decoded(text)
        except ValueError as error:
            raise BadInput.of("input_not_base64", parameter=field, field=field) from error
        if len(data) > self._limits.file_bytes:
            raise self._too_large(field)
        if not data:
            raise BadInput.of("input_empty", parameter=field, field=field)
        try:
            target.write_bytes(data)
        except OSError as error:
            raise from_os_error(error) from error

    def _from_volume(self, field: str, text: str, target: Path) -> None:
        root = self._limits.volume.resolve()
        path = PurePosixPath(text)
        for mount in MOUNTS:
            if path.is_relative_to(mount) and not path.is_relative_to(str(self._limits.volume)):
                path = path.relative_to(mount)
                break
        try:
            found = (root / path).resolve()
            there = found.is_relative_to(root) and found.is_file()
        except (OSError, RuntimeError, ValueError):  # too long, a loop of links, a NUL
            there = False
        if not there:
            shown = text[:200].encode("unicode_escape").decode() if not text.isprintable() else text[:200]
            raise BadInput.of("input_not_on_volume", path=shown, field=field)
        if found.stat().st_size > self._limits.file_bytes:
            raise self._too_large(field)
        try:
            shutil.copyfile(found, target)
        except OSError as error:
            raise from_os_error(error) from error

    def _too_large(self, field: str) -> BadInput:
        megabytes = self._limits.file_bytes / 1e6
        return BadInput.of("input_too_large", parameter=field, megabytes=megabytes, field=field)


def title_of(source: object, label: str) -> str:
    """What a file is called in messages: the name that came with it, else that in its address or path, else
    that of its field."""
    given = source.get("name") if isinstance(source, Mapping) else None
    if isinstance(given, str) and given.strip():
        return given
    text = source
    if isinstance(source, Mapping):
        text = source.get("url") or source.get("path")
    if isinstance(text, str) and (re.match(r"\w+://", text) or text.startswith("/")):
        last = unquote(urlsplit(text).path if "//" in text else text).rstrip("/").rpartition("/")[2]
        if "." in last and len(text) <= _ADDRESS_MAX:
            return last
    return f"The {label.lower()}"


def _graph(value: object) -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        raise BadInput.of("workflow_not_object", field="workflow")
    if isinstance(value.get("nodes"), list):
        raise BadInput.of("workflow_saved_by_page", field="workflow")
    whole = all(isinstance(n, dict) and isinstance(n.get("class_type"), str) for n in value.values())
    if not whole or _length(value) > GRAPH_BYTES:
        raise BadInput.of("workflow_not_api_format", field="workflow")
    return {
        str(key): {**node, "inputs": dict(node["inputs"]) if isinstance(node.get("inputs"), dict) else {}}
        for key, node in value.items()
    }


def _length(value: object) -> float:
    """The length of the JSON text of a value; infinite for one that is nested too deeply for it."""
    try:
        return len(json.dumps(value))
    except RecursionError:
        return math.inf


def _with_files(
    graph: dict[str, Any], given: Mapping[str, Any], files: _Files
) -> tuple[dict[str, Any], dict[str, Path]]:
    """Replaces file names in the graph by names made from the hash of the content, which cannot collide with
    other files on the server. Returns the graph and the files by new name."""
    images, media = given.get("images") or [], given.get("media") or {}
    if not isinstance(images, list) or not isinstance(media, Mapping):
        raise BadInput.of("input_images_not_list", field="images")
    sources: dict[str, object] = {}
    for item in images:
        if not isinstance(item, Mapping) or not isinstance(item.get("name"), str):
            raise BadInput.of("input_image_without_name", field="images")
        sources[item["name"]] = item
    sources.update(media)
    found: dict[str, Path] = {}
    for name, source in sources.items():
        path = files.take(name, source)
        suffix = re.sub(r"[^.\w]", "", PurePosixPath(name).suffix.lower())[:8]
        inner = f"wan-studio/{hashlib.sha256(path.read_bytes()).hexdigest()[:32]}{suffix}"
        found[inner] = path
        for node in graph.values():
            node["inputs"] = {k: inner if v == name else v for k, v in node["inputs"].items()}
    return graph, found


def labels_of(graph: Mapping[str, Any]) -> dict[str, Label]:
    """Labels for the nodes of an unknown graph, derived from their class names, for the progress."""
    labels: dict[str, Label] = {}
    done = 0
    for key, node in graph.items():
        name, inputs = str(node["class_type"]), node["inputs"]
        if "Sampler" in name and isinstance(inputs.get("steps"), int):
            first, last = inputs.get("start_at_step", 0), inputs.get("end_at_step", inputs["steps"])
            span = (first, last) if isinstance(first, int) and isinstance(last, int) else (0, inputs["steps"])
            steps = max(0, min(span[1], inputs["steps"]) - span[0])
            labels[key] = Label("draw", "Generating", steps=steps, first_step=done)
            done += steps
        elif name.startswith("Save"):
            labels[key] = Label("save", "Saving")
        elif name.startswith("VAEDecode"):
            labels[key] = Label("finish", "Turning the drawing into pictures")
        elif "Encode" in name or name in ("LoadImage", "LoadAudio", "LoadVideo"):
            labels[key] = Label("read", "Reading")
        elif "Load" in name:
            labels[key] = Label("load", "Loading models")
    return labels
