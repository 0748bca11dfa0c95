"""Finds the model files and LoRAs of a recipe on this disk by their content, whatever they are called here.

Files are compared by size first. What has to be hashed for that is waited for a little; what takes longer
goes on in the background, and is known when the recipe is opened again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from backend.jobs.recipe import Lacking, Recipe, RecipeLora, RecipeModel
from backend.models.file_hashes import FileKey, file_key
from backend.models.hasher import Hasher
from backend.models.roots import Roots
from workflows.catalog import load_catalog
from workflows.graph.lora_file import spelled
from workflows.params.expert_names import parts_of
from workflows.params.loras import Lora, check_loras, loras_text, plain
from workflows.params.values import InvalidParam

LORAS = "loras"
"""The folder of LoRAs, and the parameter."""


@dataclass(frozen=True)
class Disk:
    """The files of this machine's ComfyUI. lists: folder -> names as it spells them; used: role -> the file
    that takes it."""

    roots: Roots
    lists: Mapping[str, Sequence[str]]
    used: Mapping[str, str]


@dataclass(frozen=True)
class Matched:
    """What was found. recipe: with the names that its LoRAs have here; notices: about LoRAs and models;
    models: role -> name of the file here that has the content of the recipe's."""

    recipe: Recipe
    notices: tuple[Lacking, ...] = ()
    models: Mapping[str, str] = field(default_factory=dict)


def matched(found: Recipe, disk: Disk, hasher: Hasher, seconds: float) -> Matched:
    """Compares the files of a recipe with those on a disk. seconds: how long files are waited for that have
    to be hashed first."""
    match = _Match(disk, hasher, time.monotonic() + seconds)
    folders = {file.role: file.folder for file in load_catalog().files}
    models = [one for one in found.models if one.sha256 and one.role in folders]
    match.hash((LORAS, spelled(one.name, match.names(LORAS)), one) for one in _lora_files(found))
    match.hash((folders[one.role], disk.used.get(one.role, ""), one) for one in models)
    notices: list[Lacking] = []
    names: dict[str, str] = {}
    for lora in _loras(found):
        notices += match.lora(lora, names)
    at: dict[str, str] = {}
    for model in models:
        notices += match.model(model, folders[model.role], at)
    return Matched(_renamed(found, names), tuple(dict.fromkeys(notices)), at)


def _loras(found: Recipe) -> list[RecipeLora]:
    """Those LoRAs that the settings name and whose content the recipe knows."""
    several = found.values.get("vary")
    varied = several.get(LORAS, ()) if isinstance(several, Mapping) else ()
    given = {plain(lora.name) for value in (found.values.get(LORAS), *varied) for lora in _given(value)}
    return [one for one in found.loras if one.sha256 and plain(one.name) in given]


def _lora_files(found: Recipe) -> list[RecipeModel]:
    """The files of these LoRAs."""
    files = []
    for lora in _loras(found):
        files.append(RecipeModel(lora.name, "", lora.sha256, lora.bytes))
        if lora.partner is not None and lora.partner.sha256:
            files.append(lora.partner)
    return files


def _given(value: Any) -> tuple[Lora, ...]:
    try:
        return check_loras(LORAS, "", value)
    except InvalidParam:
        return ()


def _renamed(found: Recipe, names: Mapping[str, str]) -> Recipe:
    """The recipe with these names of its LoRAs. names: plain name -> name here."""
    if not names:
        return found

    def changed(value: Any) -> str:
        given = _given(value)
        return loras_text([replace(one, name=names.get(plain(one.name), one.name)) for one in given])

    values = {**found.values, LORAS: changed(found.values.get(LORAS))}
    several = values.get("vary")
    if isinstance(several, Mapping) and LORAS in several:
        values["vary"] = {LORAS: [changed(value) for value in several[LORAS]]}
    return replace(found, values=values)


class _Match:
    def __init__(self, disk: Disk, hasher: Hasher, until: float) -> None:
        self._disk, self._hasher, self._until = disk, hasher, until
        self._keys: dict[tuple[str, str], FileKey | None] = {}

    def names(self, folder: str) -> Sequence[str]:
        return self._disk.lists.get(folder, ())

    def key(self, folder: str, name: str) -> FileKey | None:
        if (folder, name) not in self._keys:
            path = self._disk.roots.path(folder, name) if name else None
            self._keys[folder, name] = file_key(path) if path is not None else None
        return self._keys[folder, name]

    def same(self, folder: str, name: str, sha256: str, size: int) -> bool | None:
        """Whether a file has this content; None while that is not known."""
        key = self.key(folder, name)
        if key is None:
            return None
        if size and key.size != size:
            return False
        known = self._hasher.known(key)
        return known == sha256 if known else None

    def of_size(self, folder: str, size: int) -> list[str]:
        """The files that can have the content of one of this size."""
        keys = {name: self.key(folder, name) for name in self.names(folder)} if size else {}
        return [name for name, key in keys.items() if key is not None and key.size == size]

    def hash(self, wanted: Iterable[tuple[str, str, RecipeModel]]) -> None:
        """Hashes the file that is used here and, where it is another one, all of the right size. wanted:
        folder, name of the file that is used, file of the recipe."""
        wanted = [each for each in wanted if not self._surely(*each)]
        self._wait(self.key(folder, name) for folder, name, one in wanted if self._open(folder, name, one))
        self._wait(
            self.key(folder, name)
            for folder, own, one in wanted
            if not self.same(folder, own, one.sha256, one.bytes) and not self._open(folder, own, one)
            if not self._found(folder, one.sha256, one.bytes)
            for name in self.of_size(folder, one.bytes)
        )

    def _surely(self, folder: str, name: str, one: RecipeModel) -> bool:
        """Whether both are the published file of their name, by name and size."""
        key = self.key(folder, name)
        named = key is not None and key.size == one.bytes and _last(name) == _last(one.name)
        return named and _published().get(_last(name)) == one.sha256

    def _open(self, folder: str, name: str, one: RecipeModel) -> bool:
        """Whether a file has to be hashed to be compared."""
        return self.key(folder, name) is not None and self.same(folder, name, one.sha256, one.bytes) is None

    def _wait(self, keys: Iterable[FileKey | None]) -> None:
        wanted = [key for key in keys if key is not None]
        self._hasher.ask(wanted)
        self._hasher.wait(wanted, max(0.0, self._until - time.monotonic()))

    def _found(self, folder: str, sha256: str, size: int) -> list[str]:
        return [name for name in self.of_size(folder, size) if self.same(folder, name, sha256, size)]

    def _unread(self, folder: str, sha256: str, size: int) -> bool:
        return any(self.same(folder, name, sha256, size) is None for name in self.of_size(folder, size))

    def lora(self, one: RecipeLora, names: dict[str, str]) -> list[Lacking]:
        """Notices about a LoRA; its name here goes into `names` by its plain name in the recipe."""
        own = spelled(one.name, self.names(LORAS))
        right = self.same(LORAS, own, one.sha256, one.bytes)
        if right is None and own:
            return self._partner(one)  # it is not on this disk, or is being hashed
        found = [] if right else self._found(LORAS, one.sha256, one.bytes)
        taken = {plain(name) for name in names.values()}
        free = [name for name in found if plain(name) not in taken]
        if free:
            best = min(free, key=lambda name: (_last(name) != _last(one.name), name))
            names[plain(one.name)] = best
            return [Lacking("renamed_lora", one.name, LORAS, best), *self._partner(one)]
        if right:
            return self._partner(one)
        if self._unread(LORAS, one.sha256, one.bytes):
            return [Lacking("unread_lora", one.name, LORAS)]
        return [Lacking("other_lora", one.name, LORAS)] if own else []

    def _partner(self, one: RecipeLora) -> list[Lacking]:
        """The notice about the other file of a pair, which is taken by its name."""
        pair = one.partner
        if pair is None or not pair.sha256:
            return []
        here = spelled(pair.name, self.names(LORAS))
        if not here and not self._found(LORAS, pair.sha256, pair.bytes):
            return [Lacking("lora", pair.name, LORAS)]
        other = here and self.same(LORAS, here, pair.sha256, pair.bytes) is False
        return [Lacking("other_lora", pair.name, LORAS)] if other else []

    def usual(self, one: RecipeModel) -> bool:
        """Whether the file of its role has its name and, as far as is known by now, its content."""
        used = self._disk.used.get(one.role, "")
        folder = load_catalog().file(one.role).folder
        if _last(used) != _last(one.name) or self.key(folder, used) is None:
            return False
        return self.same(folder, used, one.sha256, one.bytes) is not False

    def model(self, one: RecipeModel, folder: str, at: dict[str, str]) -> list[Lacking]:
        """Notices about a model file; its name here goes into `at` by its role."""
        used = self._disk.used.get(one.role, "")
        if self.usual(one):
            at[one.role] = used
            return []
        if used and self.same(folder, used, one.sha256, one.bytes):
            at[one.role] = used
            return [Lacking("renamed_model", one.name, here=used)]
        found = self._found(folder, one.sha256, one.bytes)
        if found:
            at[one.role] = best = min(found, key=lambda name: (_last(name) != _last(one.name), name))
            return [Lacking("unused_model", one.name, here=best, used=used)]
        own = [name for name in self.names(folder) if _last(name) == _last(one.name)]
        if one.published:  # nothing is known of the file that was used
            return []
        if self._unread(folder, one.sha256, one.bytes):
            return [Lacking("unread_model", one.name)]
        differs = [name for name in own if self.same(folder, name, one.sha256, one.bytes) is False]
        return [Lacking("other_model", one.name, used=used)] if differs else []


@lru_cache(maxsize=1)
def _published() -> dict[str, str]:
    """Plain name -> sha256 of the published files."""
    catalog = load_catalog()
    return {plain(file.name): file.sha256 for file in (*catalog.files, *catalog.other_formats) if file.sha256}


def _last(name: str) -> str:
    return plain(parts_of(name)[-1]) if name.strip("/\\") else ""
