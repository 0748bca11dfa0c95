"""The presets of each owner: `presets/<owner>.json` in the data folder, named after the hash of the token.

    {"version": 1, "defaults": {mode: id}, "presets": [{"id": "...", "name": "...", "settings": {...}}]}

Entries that this version cannot read, such as those of a later one, are kept and not shown. Retention leaves
the files alone.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from backend.errors import BadInput, NotAllowed, NotFound, OverQuota, StudioError, from_os_error
from backend.jobs.layout import PART
from backend.security import tokens
from backend.storage import preset_text
from backend.storage.preset_text import clean_name
from workflows.modes.presets import SHIPPED, Preset, Shipped, kept
from workflows.modes.registry import MODES
from workflows.modes.settings_json import to_json

log = logging.getLogger("wan.storage")

FOLDER = "presets"
VERSION = 1
ID = re.compile(r"[0-9a-f]{16,32}")
LOCKS = 64
UNREAD = ".unread"
"""Suffix of a file that could not be read, beside the one that takes its place."""
SHIPPED_IDS = {one.id: one.mode for one in SHIPPED}


@dataclass(frozen=True)
class PresetLimits:
    """`count`: presets of one owner; `bytes`: of the settings of one, with room for two texts and eight LoRAs
    of the longest kind; `owners`: with presets."""

    count: int = 40
    bytes: int = 64_000
    owners: int = 20_000


@dataclass(frozen=True)
class OwnPresets:
    """The presets of one owner. `defaults`: mode -> id of the preset with which a new form starts; it may be
    a shipped one."""

    presets: tuple[Preset, ...] = ()
    defaults: Mapping[str, str] = field(default_factory=dict)


class Presets:
    """Those of one data folder. Methods may be called from any thread, and touch the disk."""

    def __init__(
        self, data_dir: Path, admit: Callable[[str, int], None], limits: PresetLimits = PresetLimits()
    ) -> None:
        """`admit`: raises OverQuota, DiskFull when an owner may not add some bytes."""
        self.root, self._admit, self.limits = data_dir / FOLDER, admit, limits
        self._locks = [threading.Lock() for _ in range(LOCKS)]

    def of(self, token: str) -> OwnPresets:
        """An owner's presets by name; none for a token that is not one. Raises StudioError while the disk
        does not answer."""
        if not tokens.is_token(token):
            return OwnPresets()
        with self._lock(owner := tokens.owner_id(token)):
            return _shown(self._read(owner))

    def find(self, token: str, id: str) -> Preset:
        """One of an owner's presets. Raises NotFound, also for one of another owner."""
        found = next((one for one in self.of(token).presets if one.id == id), None)
        if found is None:
            raise NotFound.of("preset_gone")
        return found

    def save(
        self,
        token: str,
        id: str,
        mode: str,
        name: str,
        values: Mapping[str, Any],
        *,
        sentence: bool = False,
        replaces: bool = False,
        default: bool = False,
    ) -> Preset:
        """Stores a form's values under a name, and makes it the default of its mode.

        `id`: chosen by the caller, so that a repeated call stores the preset once; that of a stored preset
        changes it. `sentence`: with the prompt. `replaces`: takes the place of a preset of this name.
        Raises NotAllowed, BadInput, OverQuota, DiskFull.
        """
        owner, name = _owner(token), clean_name(name)
        if not ID.fullmatch(id):
            raise BadInput.of("preset_id")
        if mode not in MODES:
            raise BadInput.of("no_such_mode", given=mode, names=tuple(MODES), field="mode")
        preset = replace(self._checked(mode, name, kept(mode, values, sentence)), id=id)
        settings = to_json(mode, preset.values)
        size = len(json.dumps(settings, ensure_ascii=False).encode())
        if size > self.limits.bytes:
            raise BadInput.of("preset_large", kilobytes=size / 1000, most=self.limits.bytes / 1000)
        with self._lock(owner):
            data = self._read(owner)
            same = _named(data, mode, name)
            if same is not None and same["id"] != id:
                if not replaces:
                    raise BadInput.of("preset_name_taken", name=name, field="name")
                _drop(data, id)
                id = same["id"]
            entry = {"id": id, "name": name, "settings": settings}
            _put(data, entry)
            if len(data["presets"]) > self.limits.count:
                raise OverQuota.of("presets_full", count=self.limits.count)
            if default:
                data["defaults"][mode] = id
            self._write(owner, data, size)
        return replace(preset, id=id)

    def rename(self, token: str, id: str, name: str) -> None:
        """Gives one of an owner's presets another name. Raises NotAllowed, NotFound, BadInput, DiskFull."""
        owner, name = _owner(token), clean_name(name)
        with self._lock(owner):
            data = self._read(owner)
            entry = _entry(data, id)
            same = _named(data, _mode(entry), name)
            if same is not None and same["id"] != id:
                raise BadInput.of("preset_name_taken", name=name, field="name")
            entry["name"] = name
            self._write(owner, data)

    def remove(self, token: str, id: str) -> None:
        """Removes one of an owner's presets; does nothing if it no longer exists. Raises NotAllowed, BadInput
        (for a shipped one), DiskFull."""
        owner = _owner(token)
        if id in SHIPPED_IDS:
            raise BadInput.of("preset_shipped")
        with self._lock(owner):
            data = self._read(owner)
            _drop(data, id)
            data["defaults"] = {mode: one for mode, one in data["defaults"].items() if one != id}
            self._write(owner, data)

    def set_default(self, token: str, mode: str, id: str) -> None:
        """Makes a preset, also a shipped one, the start of new forms of its mode; "" for none. Raises
        NotAllowed, NotFound, BadInput, DiskFull."""
        owner = _owner(token)
        with self._lock(owner):
            data = self._read(owner)
            if id and (SHIPPED_IDS[id] if id in SHIPPED_IDS else _mode(_entry(data, id))) != mode:
                raise NotFound.of("preset_gone")
            data["defaults"].pop(mode, None)
            if id:
                data["defaults"][mode] = id
            self._write(owner, data)

    def read(self, data: bytes) -> Preset:
        """The preset in a file that was passed on. Raises BadInput."""
        return preset_text.from_file(data)

    def read_link(self, text: str) -> Preset:
        """The preset in the text of a link that was passed on. Raises BadInput."""
        return preset_text.from_link(text)

    def of_product(self, one: Shipped, name: str) -> Preset:
        """A shipped preset under its name on the page."""
        return Preset(id=one.id, mode=one.mode, name=name, values=one.values)

    def shared(self, preset: Preset) -> dict[str, str]:
        """The means of passing a preset on: {file, name: of the file, link, said}. `link` is "" for one that
        is too long, and `said` is the reason."""
        found = {"file": preset_text.to_file(preset).decode(), "name": preset_text.file_name(preset)}
        try:
            return {**found, "link": preset_text.to_link(preset), "said": ""}
        except BadInput as error:
            return {**found, "link": "", "said": f"{error.message} {error.hint}".strip()}

    def _checked(self, mode: str, name: str, values: Mapping[str, Any]) -> Preset:
        """The values, each within its limits. Raises BadInput, which names the first that is not."""
        found = preset_text.loaded(name, to_json(mode, values))
        if found.left_out:
            first = found.left_out[0]
            label = MODES[mode].by_name[first].label
            raise BadInput.of("preset_value", field=first, field_name=label)
        return found

    # -- with the owner's lock held ---------------------------------------------------------------

    def _read(self, owner: str) -> dict[str, Any]:
        """The content of an owner's file, or that of a new one. A file that cannot be read as ours is
        renamed."""
        path = self.root / f"{owner}.json"
        try:
            found = json.loads(path.read_bytes())
        except FileNotFoundError:
            return {"version": VERSION, "defaults": {}, "presets": []}
        except OSError as error:
            raise from_os_error(error, "presets_unread") from error
        except (ValueError, RecursionError):
            found = None
        if _is_sound(found):
            return dict(found)
        log.warning("the presets of an owner cannot be read; they are kept as %s%s", path.name, UNREAD)
        try:
            path.replace(path.with_name(path.name + UNREAD))
        except OSError as error:
            raise from_os_error(error, "presets_unread") from error
        return {"version": VERSION, "defaults": {}, "presets": []}

    def _write(self, owner: str, data: Mapping[str, Any], need: int = 0) -> None:
        path = self.root / f"{owner}.json"
        try:
            if need:
                self._admit(owner, need)
                if not path.exists() and _count(self.root) >= self.limits.owners:
                    raise OverQuota.of("presets_of_all_full")
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            part = path.with_name(path.name + PART)
            with part.open("w", encoding="utf-8") as file:
                json.dump(data, file, ensure_ascii=False)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError as error:
            raise from_os_error(error) from error

    def _lock(self, owner: str) -> threading.Lock:
        return self._locks[hash(owner) % LOCKS]


def _owner(token: str) -> str:
    if not tokens.is_token(token):
        raise NotAllowed.of("preset_token")
    return tokens.owner_id(token)


def _is_sound(data: object) -> bool:
    """Whether this is what `_write` writes; the entries are looked at one by one."""
    if not isinstance(data, dict) or not isinstance(data.get("presets"), list):
        return False
    entries, defaults = data["presets"], data.get("defaults")
    return isinstance(defaults, dict) and all(
        isinstance(one, dict) and isinstance(one.get("id"), str) and isinstance(one.get("name"), str)
        for one in entries
    )


def _shown(data: Mapping[str, Any]) -> OwnPresets:
    found = []
    for entry in data["presets"]:
        try:
            found.append(preset_text.loaded(entry["name"], entry.get("settings"), entry["id"]))
        except StudioError as error:
            log.info("a preset is not shown: %s", error.message)
    found.sort(key=lambda one: one.name.casefold())
    modes = {one.id: one.mode for one in found} | SHIPPED_IDS
    defaults = {mode: id for mode, id in data["defaults"].items() if modes.get(id) == mode}
    return OwnPresets(tuple(found), defaults)


def _mode(entry: Mapping[str, Any]) -> str:
    settings = entry.get("settings")
    return str(settings.get("mode")) if isinstance(settings, Mapping) else ""


def _entry(data: Mapping[str, Any], id: str) -> dict[str, Any]:
    """The entry of an id. Raises NotFound; BadInput for a shipped preset."""
    if id in SHIPPED_IDS:
        raise BadInput.of("preset_shipped")
    found = next((one for one in data["presets"] if one["id"] == id), None)
    if found is None:
        raise NotFound.of("preset_gone")
    entry: dict[str, Any] = found
    return entry


def _named(data: Mapping[str, Any], mode: str, name: str) -> Mapping[str, Any] | None:
    wanted = name.casefold()
    return next(
        (one for one in data["presets"] if one["name"].casefold() == wanted and _mode(one) == mode), None
    )


def _put(data: Mapping[str, Any], entry: Mapping[str, Any]) -> None:
    """Adds an entry, or replaces the one with its id."""
    entries: list[Any] = data["presets"]
    for number, one in enumerate(entries):
        if one["id"] == entry["id"]:
            entries[number] = entry
            return
    entries.append(entry)


def _drop(data: Mapping[str, Any], id: str) -> None:
    data["presets"][:] = [one for one in data["presets"] if one["id"] != id]


def _count(folder: Path) -> int:
    try:
        return sum(1 for entry in os.scandir(folder) if entry.name.endswith(".json"))
    except FileNotFoundError:
        return 0
