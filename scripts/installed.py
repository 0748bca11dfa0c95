"""Exit status 0 when this Python has exactly the packages that a requirements file pins, extras included."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

PIN = re.compile(r"([A-Za-z0-9._-]+)(?:\[([\w,-]+)\])?==([^\s;#]+)")
NEED = re.compile(r"([A-Za-z0-9._-]+)")


def has(file: Path) -> bool:
    """Whether every `name[extras]==version` line is installed. Any other line counts as missing."""
    for line in file.read_text(encoding="utf-8").splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("-r "):
            if not has(file.parent / line[3:].strip()):
                return False
        elif line:
            pin = PIN.fullmatch(line)
            if not pin or not _installed(pin[1], pin[3], (pin[2] or "").split(",")):
                return False
    return True


def _installed(name: str, version: str, extras: list[str]) -> bool:
    try:
        if metadata.version(name) != version:
            return False
        for need in metadata.requires(name) or ():
            if any(extra and re.search(rf"extra == ['\"]{re.escape(extra)}['\"]", need) for extra in extras):
                metadata.version(NEED.match(need)[1])  # type: ignore[index]
    except metadata.PackageNotFoundError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(0 if has(Path(sys.argv[1])) else 1)
