"""The input, output and temp folders of a server, and the files that a graph names."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Folders:
    """Absolute paths of the three folders."""

    input: Path
    output: Path
    temp: Path

    @staticmethod
    def below(base: Path) -> Folders:
        """The folders input, output and temp in `base`; creates missing ones."""
        base = base.resolve()
        folders = Folders(base / "input", base / "output", base / "temp")
        for folder in (folders.input, folders.output, folders.temp):
            folder.mkdir(parents=True, exist_ok=True)
        return folders

    def of(self, kind: str) -> Path | None:
        """The folder of a kind (input, output or temp); None for another word."""
        return {"input": self.input, "output": self.output, "temp": self.temp}.get(kind)

    def annotated(self, name: str) -> tuple[str, Path | None]:
        """Splits a name such as "b.png [output]" into name and folder (None without an annotation)."""
        for kind in ("input", "output", "temp"):
            if name.endswith(f" [{kind}]"):
                return name[: -len(kind) - 3], self.of(kind)
        return name, None

    def locate(self, name: str) -> Path:
        """The file for a name in a graph, in the input folder unless it is annotated.

        Raises FileNotFoundError for a file that is missing or outside of the folder.
        """
        plain, marked = self.annotated(name)
        folder = marked or self.input
        path = (folder / plain).resolve()
        if not path.is_relative_to(folder) or not path.is_file():
            raise FileNotFoundError(f"[Errno 2] No such file or directory: '{name}'")
        return path

    def has(self, name: str) -> bool:
        """Whether `locate` finds the file."""
        try:
            return self.locate(name).is_file()
        except (OSError, ValueError):
            return False


def fingerprint(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
