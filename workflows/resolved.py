"""What a run took where its parameters leave it open: for "auto" and 0, and of a server's files and nodes."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Digest:
    """A file by its content. sha256: "" when it was not computed; size: bytes, 0 when unknown."""

    sha256: str = ""
    size: int = 0

    def to_json(self) -> list[Any]:
        """As it is stored."""
        return [self.sha256, self.size]


@dataclass(frozen=True)
class Resolved:
    """values: parameter -> what was used; files: role -> name as the server spells it; distilled: roles whose
    file had a distillation in its weights; nodes: the optional ones in its graphs; detectors:
    input of their loader -> file; negative: the default negative prompt; loras: files of
    the creator's own LoRAs; free: optional nodes that a run may use although the earlier one did not; sizes:
    bytes of those LoRAs of which they are known; digests: of the files on this machine's disk, by role, input
    of a detector's loader, or name of a LoRA."""

    values: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    distilled: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    detectors: Mapping[str, str] = field(default_factory=dict)
    negative: str = ""
    loras: tuple[str, ...] = ()
    free: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    digests: Mapping[str, Digest] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "values": dict(self.values),
            "files": dict(self.files),
            "distilled": list(self.distilled),
            "nodes": list(self.nodes),
            "detectors": dict(self.detectors),
            "negative": self.negative,
            "loras": list(self.loras),
            **({"free": list(self.free)} if self.free else {}),
            **({"sizes": dict(self.sizes)} if self.sizes else {}),
            **(
                {"digests": {name: one.to_json() for name, one in self.digests.items()}}
                if self.digests
                else {}
            ),
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Resolved | None:
        """A stored one; None for {} and for what this version cannot read."""
        if not data:
            return None
        values, files, detectors = (data.get(name) for name in ("values", "files", "detectors"))
        distilled, nodes, loras = data.get("distilled"), data.get("nodes"), data.get("loras")
        free = data.get("free")
        if not (isinstance(values, Mapping) and _texts(files) and _texts(detectors)):
            return None
        if not (isinstance(distilled, list) and isinstance(nodes, list)):
            return None
        return Resolved(
            dict(values),
            dict(files or {}),
            tuple(map(str, distilled)),
            tuple(map(str, nodes)),
            dict(detectors or {}),
            str(data.get("negative") or ""),
            tuple(map(str, loras if isinstance(loras, list) else ())),
            tuple(map(str, free if isinstance(free, list) else ())),
            _counts(data.get("sizes")),
            _digests(data.get("digests")),
        )

    def without(self, names: Collection[str]) -> Resolved:
        """The same without the values of these parameters."""
        return replace(self, values={k: v for k, v in self.values.items() if k not in names})


def _counts(data: object) -> dict[str, int]:
    found = data.items() if isinstance(data, Mapping) else ()
    return {str(name): count for name, count in found if type(count) is int and count > 0}


def _digests(data: object) -> dict[str, Digest]:
    given = data.items() if isinstance(data, Mapping) else ()
    return {str(name): one for name, pair in given if (one := _digest(pair)) is not None}


def _digest(pair: object) -> Digest | None:
    if not isinstance(pair, (list, tuple)) or len(pair) != 2:
        return None
    sha256, size = pair
    known = isinstance(sha256, str) and (not sha256 or _SHA256.fullmatch(sha256) is not None)
    return Digest(sha256, size) if known and type(size) is int and size >= 0 else None


def _texts(data: object) -> bool:
    return isinstance(data, Mapping) and all(isinstance(each, str) for each in data.values())
