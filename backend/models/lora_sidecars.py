"""Files beside a LoRA that describe it: trigger words and title, as programs that manage models write them.

    a.civitai.info                Civitai Helper: trainedWords, model.name
    a.json                        A1111 and Forge: "activation text"
    a.metadata.json               LoRA Manager: civitai.trainedWords, model_name
    a.cm-info.json                Stability Matrix: TrainedWords, ModelName
    a.swarm.json                  SwarmUI: modelspec.trigger_phrase, modelspec.title
    a.safetensors.rgthree-info.json   rgthree: trainedWords with their counts

These files come from elsewhere: reading is bounded, and unknown forms are skipped.
"""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.models.lora_words import TITLE_MAX, one_line, split_words

ENDINGS = (".json", ".metadata.json", ".civitai.info", ".cm-info.json", ".swarm.json", ".info")
"""In place of the LoRA's own ending; what its owner wrote comes first."""
ADDED = (".rgthree-info.json", ".json", ".civitai.info", ".metadata.json")
"""After the LoRA's own ending."""
SIZE_MAX = 2 << 20
"""Bytes of a file that is read; Civitai's have up to 0.2 MB."""
REMEMBERED = 5_000
FRESH_SECONDS = 2.0
"""A folder that changed less long ago is not remembered: its time can stay the same at the next change."""
_WORDS = (
    "activation text", "trainedwords", "trained_words", "trigger_words", "triggerwords", "trigger_phrase",
    "modelspec.trigger_phrase",
)  # fmt: skip
_TITLES = ("model_name", "modelname", "modelspec.title")
_INNER = ("civitai", "model", "metadata", "user_metadata")
"""Objects inside, which may have the same keys."""


@dataclass(frozen=True)
class Sidecar:
    """What the files beside a LoRA say."""

    words: tuple[str, ...] = ()
    title: str = ""


NOTHING = Sidecar()


class Folders:
    """The names in folders, read again when a folder has changed. Any thread may ask."""

    def __init__(self, most: int = 500) -> None:
        self._known: OrderedDict[Path, tuple[int, Mapping[str, str]]] = OrderedDict()
        self._most = most
        self._lock = threading.Lock()

    def names(self, folder: Path) -> Mapping[str, str]:
        """Name in small letters -> name, of everything in a folder; empty for one that cannot be read."""
        try:
            stamp = folder.stat().st_mtime_ns
            with self._lock:
                known = self._known.get(folder)
                if known is not None and known[0] == stamp:
                    return known[1]
            names = {path.name.lower(): path.name for path in folder.iterdir()}
        except (OSError, ValueError):
            return {}
        if time.time() - stamp / 1e9 < FRESH_SECONDS:
            return names
        with self._lock:
            self._known[folder] = (stamp, names)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return names

    def beside(self, path: Path, endings: tuple[str, ...], added: tuple[str, ...] = ()) -> Iterator[Path]:
        """The files beside a LoRA with one of these endings in place of its own, or after it, in this
        order."""
        names = self.names(path.parent)
        wanted = [path.stem + ending for ending in endings] + [path.name + ending for ending in added]
        for name in dict.fromkeys(name.lower() for name in wanted):
            if name in names and names[name] != path.name:
                yield path.with_name(names[name])


FOLDERS = Folders()
"""The names that this process has read."""


class Sidecars:
    """Descriptions of LoRAs, by path, size and modification time of each file. Any thread may ask."""

    def __init__(self, folders: Folders = FOLDERS, most: int = REMEMBERED) -> None:
        self._folders = folders
        self._known: OrderedDict[tuple[str, int, int], Sidecar] = OrderedDict()
        self._most = most
        self._lock = threading.Lock()

    def of(self, path: Path) -> Sidecar:
        """What the files beside a LoRA say; the first with words counts, and the first with a title."""
        words: tuple[str, ...] = ()
        title = ""
        for file in self._folders.beside(path, ENDINGS, ADDED):
            found = self._read(file)
            words = words or found.words
            title = title or found.title
        return Sidecar(words, title)

    def _read(self, path: Path) -> Sidecar:
        try:
            status = path.stat()
        except (OSError, ValueError):
            return NOTHING
        key = (str(path), status.st_size, status.st_mtime_ns)
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        found = _said(path) if path.is_file() and status.st_size <= SIZE_MAX else NOTHING
        with self._lock:
            self._known[key] = found
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return found


SIDECARS = Sidecars()
"""The cache of this process."""


def _said(path: Path) -> Sidecar:
    try:
        with path.open("rb") as file:
            data = json.loads(file.read(SIZE_MAX + 1).decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return NOTHING
    objects = list(_objects(data))
    words = next(filter(None, map(_words, objects)), ())
    return Sidecar(words, next(filter(None, map(_title, objects)), ""))


def _objects(data: object) -> Iterator[Mapping[str, Any]]:
    """The object of the file and those in it that can have the same keys, with the keys in small letters."""
    if not isinstance(data, dict):
        return
    lower = {key.lower(): value for key, value in data.items()}
    yield lower
    for name in _INNER:
        inner = lower.get(name)
        if isinstance(inner, dict):
            yield {key.lower(): value for key, value in inner.items()}


def _words(one: Mapping[str, Any]) -> tuple[str, ...]:
    for name in _WORDS:
        value = one.get(name)
        texts = [value] if isinstance(value, str) else value if isinstance(value, list) else []
        named = [text.get("word") if isinstance(text, dict) else text for text in texts]
        words = split_words(",".join(text for text in named if isinstance(text, str)))
        if words:
            return words
    return ()


def _title(one: Mapping[str, Any]) -> str:
    named = next((one[name] for name in _TITLES if isinstance(one.get(name), str)), "")
    model = one.get("model")
    if not named and isinstance(model, dict):
        named = model.get("name")
    return one_line(named, TITLE_MAX) if isinstance(named, str) else ""
