"""Which files of this disk a job's models and LoRAs are, and their sha256 for its recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from backend.engines.base import EngineInfo
from backend.engines.kinds import shares_disk
from backend.models.file_hashes import FileKey, file_key
from backend.models.hasher import Hasher
from backend.models.roots import Roots
from workflows.catalog import load_catalog
from workflows.resolved import Digest, Resolved

DETECTION = "detection"
"""ComfyUI's folder of the files that `Resolved.detectors` names."""


class UsedFiles:
    """Methods may be called from any thread, and not from the event loop: they look at files."""

    def __init__(
        self,
        hasher: Hasher,
        roots: Callable[[], Roots],
        is_here: Callable[[EngineInfo], bool] = shares_disk,
    ) -> None:
        """roots: where the ComfyUI of this machine looks for model files, now; is_here: whether the files of
        an engine are on this disk."""
        self._hasher, self._roots, self._is_here = hasher, roots, is_here

    def begin(self, stored: Mapping[str, Any], info: EngineInfo) -> dict[str, FileKey]:
        """The files of a job that was resolved to this, as they are now; those whose hash is not known are
        hashed in the background. Empty for a server whose files are not on this disk."""
        found = Resolved.from_json(stored)
        if found is None or not self._is_here(info):
            return {}
        roots, keys = self._roots(), {}
        for name, (folder, file) in _files(found).items():
            path = roots.path(folder, file)
            key = file_key(path) if path is not None else None
            if key is not None:
                keys[name] = key
        self._hasher.ask(keys.values())
        return keys

    def with_digests(self, stored: dict[str, Any], keys: Mapping[str, FileKey]) -> dict[str, Any]:
        """What a job was resolved to with what is known by now of the files that it began with. Nothing is
        waited for: a file that is still being hashed has only its size."""
        found = Resolved.from_json(stored)
        if found is None or not keys:
            return stored
        digests = {name: Digest(self._hasher.known(key), key.size) for name, key in keys.items()}
        return replace(found, digests=digests).to_json()


def _files(found: Resolved) -> dict[str, tuple[str, str]]:
    """Key in Resolved.digests -> (folder, name below it)."""
    folders = {file.role: file.folder for file in load_catalog().files}
    return {
        **{role: (folders[role], name) for role, name in found.files.items() if role in folders},
        **{key: (DETECTION, name) for key, name in found.detectors.items()},
        **{name: ("loras", name) for name in found.loras},
    }
