"""Reads requirements*.txt and the locks that scripts/lock writes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HASH = re.compile(r"--hash=(\S+)")


@dataclass(frozen=True)
class Locked:
    """One package of a lock. version: None where the line is no `name==version`."""

    name: str
    version: str | None
    requirement: Requirement
    hashes: tuple[str, ...]

    def applies(self, environment: dict[str, str]) -> bool:
        """Whether it is installed on a machine of these markers."""
        marker = self.requirement.marker
        return marker is None or marker.evaluate(environment)


def locked(file: Path) -> list[Locked]:
    """The packages of a lock. Raises InvalidRequirement for a line that is none."""
    text = re.sub(r"\\\n", " ", file.read_text(encoding="utf-8"))
    found = []
    for line in text.splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        if not line:
            continue
        requirement = Requirement(HASH.sub("", line).strip())
        (pin,) = [*requirement.specifier][:1] or [None]
        exact = pin is not None and pin.operator == "==" and not pin.version.endswith("*")
        version = pin.version if exact and len(requirement.specifier) == 1 else None
        found.append(
            Locked(canonicalize_name(requirement.name), version, requirement, tuple(HASH.findall(line)))
        )
    return found


def required(file: Path) -> Iterator[Requirement]:
    """The requirements of a file and of those that it includes."""
    for line in file.read_text(encoding="utf-8").splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("-r "):
            yield from required(file.parent / line[3:].strip())
        elif line:
            yield Requirement(line)
