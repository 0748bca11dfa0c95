"""The sha256 of model files, each computed once: stored by path, size and modification time in a JSON file.

The file is shared by all processes that use a data folder. An entry that is lost because two of them write at
the same time is computed again.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backend.settings.model import Settings

log = logging.getLogger("wan.models")

NAME = "model_hashes.json"
"""The file in the data folder."""
ENTRIES_MAX = 5_000
_BYTES_MAX = 8 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, order=True)
class FileKey:
    """One state of a file. path: with links followed; changed: nanoseconds of its last modification."""

    size: int
    path: str
    changed: int


def file_key(path: Path) -> FileKey | None:
    """The state of a file now; None for one that is not there."""
    try:
        real = os.path.realpath(path)
        facts = Path(real).stat()
    except (OSError, ValueError):
        return None
    return FileKey(facts.st_size, real, facts.st_mtime_ns)


class FileHashes:
    """Any thread may ask. path: the file with the hashes; None: they are kept in memory alone."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known: dict[str, tuple[int, int, str]] = {}
        self._read: tuple[int, int] | None = None

    def get(self, key: FileKey) -> str:
        """The sha256 of a file in this state; "" when it has not been computed."""
        with self._lock:
            self._refresh()
            return self._of(key)

    def put(self, key: FileKey, digest: str) -> None:
        """Stores the sha256 of a file in this state. Where it cannot be written it is kept in memory."""
        with self._lock:
            self._refresh()
            if self._of(key) == digest:
                return
            self._known.pop(key.path, None)  # the newest entry is the last one
            self._known[key.path] = (key.size, key.changed, digest)
            while len(self._known) > ENTRIES_MAX:
                del self._known[next(iter(self._known))]
            self._write()

    def note(self, path: Path, digest: str) -> None:
        """Stores the sha256 of a file that was computed elsewhere just now."""
        key = file_key(path)
        if key is not None and _DIGEST.fullmatch(digest):
            self.put(key, digest)

    def _of(self, key: FileKey) -> str:
        size, changed, digest = self._known.get(key.path, (0, 0, ""))
        return digest if (size, changed) == (key.size, key.changed) else ""

    def _refresh(self) -> None:
        """Adds what another process has written."""
        if self._path is None:
            return
        try:
            facts = self._path.stat()
            state = (facts.st_mtime_ns, facts.st_size)
            if state == self._read:
                return
            self._read = state
            if facts.st_size <= _BYTES_MAX:
                self._known |= _parsed(json.loads(self._path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return
        except (OSError, ValueError, RecursionError) as error:
            log.warning("%s cannot be read, files are hashed again: %s", self._path.name, error)

    def _write(self) -> None:
        if self._path is None:
            return
        temporary = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}")
        text = json.dumps({path: list(entry) for path, entry in self._known.items()}, indent=0)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary.touch(0o600)
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(self._path)
            facts = self._path.stat()
            self._read = (facts.st_mtime_ns, facts.st_size)
        except OSError as error:
            log.warning("%s cannot be written: %s", self._path.name, error)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def hashes_of(settings: Settings) -> FileHashes:
    """Those of a data folder."""
    return FileHashes(settings.data_dir / NAME)


def _parsed(data: Any) -> dict[str, tuple[int, int, str]]:
    """The usable entries of a stored object."""
    given = data if isinstance(data, Mapping) else {}
    found = {}
    for path, entry in given.items():
        if isinstance(entry, list) and len(entry) == 3:
            size, changed, digest = entry
            if type(size) is int and type(changed) is int and _DIGEST.fullmatch(str(digest)):
                found[path] = (size, changed, str(digest))
    return found
