"""The model files: name, folder, size, checksum, source, and which mode needs them (models.yaml)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class ModelFile:
    """One file of the model store."""

    name: str
    folder: str  # below the model store: diffusion_models, loras, ...
    bytes: int  # 0 where no source gives it
    sha256: str  # "" where no public figure exists
    source: str  # "owner/repository/path/in/it" on Hugging Face
    modes: tuple[str, ...]  # that need or can use it
    optional: bool  # no core mode needs it
    title: str  # in a creator's words
    role: str  # what the compiler calls it
    needed_by: tuple[str, ...]  # modes that cannot run without it
    exact: bool = True  # False: `bytes` is a rounded figure
    options: tuple[tuple[str, str], ...] = ()  # (mode, the setting of it that needs the file)
    stands_in_for: str = ""  # role of a file that its modes do not need where this one is
    spares: tuple[tuple[str, str], ...] = ()  # (role, setting that alone needs it where this is there)
    distilled: bool = False  # a 4-step distillation is in its weights: no speed LoRA, no guidance
    format: str = ""  # of a file in another format than the one that is usually fetched: fp16, Q4_K_M, ...

    @property
    def url(self) -> str:
        """Where it can be downloaded."""
        owner, repo, path = self.source.split("/", 2)
        return f"https://huggingface.co/{owner}/{repo}/resolve/main/{path}"

    @property
    def size_text(self) -> str:
        """The size for people, decimal: "14.3 GB", "254 MB"; in words where no source gives it."""
        if not self.bytes:
            return "unknown size"
        if self.bytes >= 1_000_000_000:
            return f"{self.bytes / 1e9:.1f} GB"
        return f"{self.bytes / 1e6:.0f} MB"

    def replaces(self, mode: str) -> str:
        """Role of the file that the mode does not need where this one is; "" for none."""
        return self.stands_in_for if mode in self.modes else ""

    def spares_for(self, mode: str) -> Mapping[str, str]:
        """role -> the setting of the mode that alone needs that role's file where this one is there."""
        return dict(self.spares) if mode in self.modes else {}

    def option(self, mode: str) -> str:
        """The setting of the mode that needs this file, such as "speed=fast"; "" for all of them."""
        return dict(self.options).get(mode, "")


@dataclass(frozen=True)
class Catalog:
    """All files, and the words that belong to the models."""

    files: tuple[ModelFile, ...]
    default_negative: str
    core_modes: tuple[
        str, ...
    ] = ()  # whose files count as missing; files that only other modes need are optional
    other_formats: tuple[ModelFile, ...] = ()  # further files for some roles, best first

    def needed(self, mode: str) -> tuple[ModelFile, ...]:
        """The files without which the mode cannot run (for all of its settings), catalog order."""
        return tuple(file for file in self.files if mode in file.needed_by)

    def modes(self) -> tuple[str, ...]:
        """All modes that any file is for, in the order in which they first appear."""
        return tuple(dict.fromkeys(mode for file in self.files for mode in file.modes))

    def options(self, mode: str, ready: Collection[str]) -> Mapping[str, str]:
        """role -> the setting of the mode that needs its file, "" for all of them. `ready`: roles whose files
        are there."""
        found = {file.role: file.option(mode) for file in self.files}
        for file in self.files:
            if file.role in ready:
                found.update(file.spares_for(mode))
        return found

    def sets(self, mode: str) -> tuple[tuple[str, tuple[ModelFile, ...]], ...]:
        """(setting, files) of which one complete set lets the mode run; the first is the mode's default.

        One set, with setting "", for most modes; Text-to-Image has one for each of its models.
        """
        needed = self.needed(mode)
        if needed:
            return (("", needed),)
        settings = dict.fromkeys(file.option(mode) for file in self.files if file.option(mode))
        return tuple((one, tuple(f for f in self.files if f.option(mode) == one)) for one in settings)

    def file(self, role: str) -> ModelFile:
        """The file of a role. Raises KeyError."""
        for file in self.files:
            if file.role == role:
                return file
        raise KeyError(role)

    def formats(self, role: str) -> tuple[ModelFile, ...]:
        """Files in other formats for a role, best first."""
        return tuple(file for file in self.other_formats if file.role == role)

    def with_files(self, names: Mapping[str, str], distilled: Collection[str]) -> Catalog:
        """The catalogue with other names for some roles, as one server has them, and distilled roles."""
        changed = [
            replace(file, name=names.get(file.role, file.name), distilled=file.role in distilled)
            for file in self.files
        ]
        return replace(self, files=tuple(changed)) if names else self

    def by_name(self, name: str) -> ModelFile | None:
        """The file of that name, None when the catalog does not know it."""
        return next((file for file in self.files if file.name == name), None)


def parse_catalog(data: Mapping[str, Any]) -> Catalog:
    """The content of models.yaml as a Catalog. Raises KeyError for a missing entry."""
    core_modes = tuple(data["core_modes"])
    files = tuple(_file(entry, core_modes) for entry in data["files"])
    own = {file.role: file for file in files}
    others = data.get("other_formats", {})
    return Catalog(
        files,
        data["default_negative"].replace("， ", "，"),
        core_modes,
        tuple(_other(entry, own[role]) for role, entries in others.items() for entry in entries),
    )


@lru_cache(maxsize=1)
def load_catalog() -> Catalog:
    """models.yaml, read once."""
    text = (Path(__file__).parent / "models.yaml").read_text(encoding="utf-8")
    return parse_catalog(yaml.safe_load(text))


def _file(entry: Mapping[str, Any], core_modes: Collection[str]) -> ModelFile:
    needed_by = tuple(entry.get("needed_by", ()))
    return ModelFile(
        name=entry["name"],
        folder=entry["folder"],
        bytes=entry["bytes"],
        sha256=entry.get("sha256", ""),
        source=f"{entry['repo']}/{entry['path']}",
        modes=needed_by + tuple(entry.get("used_by", ())),
        optional=not any(mode in core_modes for mode in needed_by),
        title=entry["title"],
        role=entry["role"],
        needed_by=needed_by,
        exact=entry.get("exact", True),
        options=tuple(entry.get("options", {}).items()),
        stands_in_for=entry.get("stands_in_for", ""),
        spares=tuple(entry.get("spares", {}).items()),
    )


def _other(entry: Mapping[str, Any], own: ModelFile) -> ModelFile:
    """A file in another format for the role of `own`."""
    return replace(
        own,
        name=entry["path"].rsplit("/", 1)[-1],
        bytes=entry.get("bytes", 0),
        sha256=entry.get("sha256", ""),
        source=f"{entry['repo']}/{entry['path']}",
        exact=entry.get("exact", False),
        distilled=entry.get("distilled", False),
        format=entry["format"],
    )
