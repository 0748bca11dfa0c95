"""Files of unsent forms: kept in the data folder as long as the draft that a browser tab holds.

`drafts/<owner>/<draft>/<file>`: the hash of the owner's token, the id of the tab's draft, a random id. A
file has no suffix; its name is in `<file>.json` beside it. The draft's folder is touched whenever its page is
used.
"""

from __future__ import annotations

import contextlib
import filecmp
import json
import logging
import os
import re
import secrets
import stat
import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from backend.errors import BadInput, NotAllowed, NotFound, OverQuota, from_os_error
from backend.jobs import folders as files
from backend.jobs.layout import PART, link_or_copy
from backend.security import tokens

log = logging.getLogger("wan.storage")

FOLDER = "drafts"
NAME = ".json"
ID = re.compile(r"[0-9a-f]{32}")
DAY = 86_400.0
LOCKS = 64


@dataclass(frozen=True)
class DraftLimits:
    """`owner_bytes`, `files`: what one owner's drafts may hold together; `days`: how long a draft is kept
    that no page has used."""

    owner_bytes: int = 500_000_000
    files: int = 60
    days: float = 14.0


class Room(Protocol):
    """The disk quota of each owner."""

    def admit(self, owner: str, need: int) -> None:
        """Raises OverQuota, DiskFull when the owner may not add `need` bytes."""

    def count_drafts(self, owner: str, size: int) -> None:
        """The owner's drafts use `size` bytes now."""


@dataclass(frozen=True)
class DraftFile:
    """A kept file and the name that it was uploaded under."""

    path: Path
    name: str


class Drafts:
    """The kept files of one data folder. Methods may be called from any thread, and touch the disk."""

    def __init__(self, data_dir: Path, limits: DraftLimits, room: Room, *, wall: Callable[[], float]) -> None:
        self.root, self.limits, self._room, self._wall = data_dir / FOLDER, limits, room, wall
        self._locks = [threading.Lock() for _ in range(LOCKS)]

    def keep(self, token: str, draft: str, source: Path) -> str:
        """Keeps an uploaded file, by a hard link where that is possible; returns its id. A file that the
        draft has already is not kept twice.

        The owner's oldest other drafts are removed when the limits leave no room for it. Raises NotAllowed,
        BadInput, OverQuota, DiskFull.
        """
        owner = _owner(token)
        _check(draft)
        try:
            with self._lock(owner):
                return self._keep(owner, draft, source)
        except OSError as error:
            raise from_os_error(error) from error

    def retain(self, token: str, draft: str, wanted: Collection[str]) -> None:
        """Marks a draft as used, and removes its files but `wanted` (ids). Raises NotAllowed, BadInput."""
        owner = _owner(token)
        _check(draft)
        with self._lock(owner):
            folder = self.root / owner / draft
            if not _is_folder(folder):
                return
            for name in _names(folder):
                if name.removesuffix(NAME) not in wanted:
                    files.unlink(folder / name, self.root)
            _drop_if_empty(folder)
            with contextlib.suppress(OSError):
                os.utime(folder, (self._wall(), self._wall()), follow_symlinks=False)
            self._count(owner)

    def file(self, token: str, draft: str, id: str) -> DraftFile:
        """A kept file. Raises NotFound for one of another owner as for one that is gone."""
        absent = NotFound.of("draft_file_gone")
        if not tokens.is_token(token) or not all(_is_id(one) for one in (draft, id)):
            raise absent
        folder = self.root / tokens.owner_id(token) / draft
        path = folder / id
        try:
            name = json.loads((folder / f"{id}{NAME}").read_text(encoding="utf-8"))["name"]
            found = _is_folder(folder) and stat.S_ISREG(path.lstat().st_mode)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            raise absent from None
        if not found or not isinstance(name, str) or Path(name).name != name:
            raise absent
        return DraftFile(path, name)

    def remove_expired(self) -> None:
        """Removes drafts that no page has used for the limit of days."""
        before = self._wall() - self.limits.days * DAY
        for owner in _names(self.root):
            with self._lock(owner):
                for draft, changed, _ in _drafts(self.root / owner):
                    if changed < before:
                        log.info("a draft that was not used for %g days is removed", self.limits.days)
                        files.remove(self.root / owner / draft)
                _drop_if_empty(self.root / owner)
                self._count(owner)

    # -- with the owner's lock held ---------------------------------------------------------------

    def _keep(self, owner: str, draft: str, source: Path) -> str:
        folder = self.root / owner / draft
        info = source.stat()
        for name in _names(folder):
            with contextlib.suppress(OSError):
                if _is_id(name) and _same_file(folder / name, source, info):
                    return name
        self._make_room(owner, draft, info.st_size)
        self._room.admit(owner, info.st_size)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_folder(folder):
            raise BadInput.of("draft_folder_unusable")
        id = secrets.token_hex(16)
        part, named = folder / f"{id}{PART}", folder / f"{id}{NAME}"
        try:
            named.write_text(json.dumps({"name": source.name}), encoding="utf-8")
            link_or_copy(source, part)
            part.rename(folder / id)
        except OSError:
            for path in (part, named):
                files.unlink(path, self.root)
            _drop_if_empty(folder)
            raise
        os.utime(folder, (self._wall(), self._wall()))
        self._count(owner)
        return id

    def _make_room(self, owner: str, draft: str, need: int) -> None:
        """Removes the owner's oldest other drafts until `need` bytes and one file fit. Raises OverQuota."""
        held = sorted(_drafts(self.root / owner), key=lambda row: row[1])
        size, count = sum(sum(row[2]) for row in held), sum(len(row[2]) for row in held)
        most = self.limits
        for name, _, sizes in held:
            if size + need <= most.owner_bytes and count < most.files:
                return
            if name != draft and files.remove(self.root / owner / name):
                size, count = size - sum(sizes), count - len(sizes)
        if size + need > most.owner_bytes or count >= most.files:
            raise OverQuota.of("drafts_full", megabytes=most.owner_bytes / 1e6, count=most.files)

    def _count(self, owner: str) -> None:
        self._room.count_drafts(owner, sum(sum(row[2]) for row in _drafts(self.root / owner)))

    def _lock(self, owner: str) -> threading.Lock:
        return self._locks[hash(owner) % LOCKS]


def sizes(data_dir: Path) -> dict[str, int]:
    """Owner -> bytes of all their drafts."""
    root = data_dir / FOLDER
    return {owner: sum(sum(row[2]) for row in _drafts(root / owner)) for owner in _names(root)}


def _owner(token: str) -> str:
    if not tokens.is_token(token):
        raise NotAllowed.of("bad_draft_token")
    return tokens.owner_id(token)


def _check(draft: str) -> None:
    if not _is_id(draft):
        raise BadInput.of("bad_draft_id")


def _is_id(text: object) -> bool:
    return isinstance(text, str) and ID.fullmatch(text) is not None


def _is_folder(path: Path) -> bool:
    """Whether this is a folder, and no link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def _same_file(kept: Path, source: Path, info: os.stat_result) -> bool:
    """Whether a kept file is the source: a hard link to it, or a copy from another disk. Raises OSError."""
    other = kept.lstat()
    if (other.st_dev, other.st_ino) == (info.st_dev, info.st_ino):
        return True
    plain = stat.S_ISREG(other.st_mode) and other.st_size == info.st_size
    return plain and filecmp.cmp(kept, source, shallow=False)


def _names(folder: Path) -> list[str]:
    """The names in a folder that is not a link; [] without one."""
    try:
        with files.opened(folder) as descriptor:
            return files.names_in(descriptor)
    except OSError:
        return []


def _drafts(folder: Path) -> Iterator[tuple[str, float, list[int]]]:
    """(draft, unix seconds of its last use, sizes of its files) of each draft of an owner."""
    for draft in _names(folder):
        with contextlib.suppress(OSError):
            info = (folder / draft).lstat()
            if stat.S_ISDIR(info.st_mode) and _is_id(draft):
                found = [(folder / draft / name).lstat() for name in _names(folder / draft) if _is_id(name)]
                yield draft, info.st_mtime, [one.st_size for one in found]


def _drop_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
