"""The model files: name, folder, size, checksum, source, and which mode needs them (models.yaml)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelFile:
    """One file of the model store. bytes is 0 and sha256 "" where no public figure exists."""

    name: str
    folder: str
    bytes: int
    sha256: str
    source: str
    modes: tuple[str, ...]
    optional: bool
    title: str


@dataclass(frozen=True)
class Catalog:
    """All files, and the words that belong to the models."""

    files: tuple[ModelFile, ...]
    default_negative: str

    def needed(self, mode: str) -> tuple[ModelFile, ...]:
        """The files of one mode, optional ones included."""
        return tuple(file for file in self.files if mode in file.modes)


def load_catalog() -> Catalog:
    """models.yaml, read once."""
    raise NotImplementedError
