"""The three folders of a server, and the files behind names in a graph."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Folders:
    input: Path
    output: Path
    temp: Path

    @staticmethod
    def below(base: Path) -> Folders:
        """input/, output/ and temp/ in this folder, made when they are not there."""
        base = base.resolve()
        folders = Folders(base / "input", base / "output", base / "temp")
        for folder in (folders.input, folders.output, folders.temp):
            folder.mkdir(parents=True, exist_ok=True)
        return folders

    def of(self, kind: str) -> Path | None:
        """input, output or temp; None for another word."""
        return {"input": self.input, "output": self.output, "temp": self.temp}.get(kind)

    def annotated(self, name: str) -> tuple[str, Path | None]:
        """A name such as "b.png [output]" as name and folder; without a mark the folder is None."""
        for kind in ("input", "output", "temp"):
            if name.endswith(f" [{kind}]"):
                return name[: -len(kind) - 3], self.of(kind)
        return name, None

    def locate(self, name: str) -> Path:
        """The file behind a name in a graph, below the input folder unless it is marked.

        Raises FileNotFoundError for one that is not there or lies outside of the folder.
        """
        plain, marked = self.annotated(name)
        folder = marked or self.input
        path = (folder / plain).resolve()
        if not path.is_relative_to(folder) or not path.is_file():
            raise FileNotFoundError(f"[Errno 2] No such file or directory: '{name}'")
        return path

    def has(self, name: str) -> bool:
        try:
            return self.locate(name).is_file()
        except (OSError, ValueError):
            return False


def fingerprint(path: Path) -> str:
    """SHA-256 of the bytes: a file that was replaced under its name counts as changed."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
