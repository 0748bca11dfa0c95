"""What a run took where its parameters leave it open: for "auto" and 0, and of a server's files and nodes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Resolved:
    """values: parameter -> what was used; files: role -> name as the server spells it; distilled: roles whose
    file had a distillation in its weights; nodes: the optional ones in its graphs; detectors:
    input of their loader -> file; negative: the default negative prompt; loras: files of
    the creator's own LoRAs; free: optional nodes that a run may use although the earlier one did not; sizes:
    bytes of those LoRAs of which they are known."""

    values: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    distilled: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    detectors: Mapping[str, str] = field(default_factory=dict)
    negative: str = ""
    loras: tuple[str, ...] = ()
    free: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)

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
        )

    def without(self, names: Collection[str]) -> Resolved:
        """The same without the values of these parameters."""
        return replace(self, values={k: v for k, v in self.values.items() if k not in names})


def _counts(data: object) -> dict[str, int]:
    found = data.items() if isinstance(data, Mapping) else ()
    return {str(name): count for name, count in found if type(count) is int and count > 0}


def _texts(data: object) -> bool:
    return isinstance(data, Mapping) and all(isinstance(each, str) for each in data.values())
