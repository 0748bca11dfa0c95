"""Uploads as the creator sent them: kept with the job under no extension, each content once per owner.

A sound or video is used as it was sent. A picture is converted for the engine, so its upload is kept beside
that copy. Files of equal content are hard links to one file, as far as they are of one owner.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from backend.jobs.job import Job, StoredInput
from workflows.params.media import Media

CHUNK = 1 << 20
FILENAME_BYTES = 120
HASH_CHARACTERS = 32
"""Length of the content hash in the name of a stored picture."""


@dataclass(frozen=True)
class OriginalLimits:
    """The largest picture that is kept as it was sent, and the most that one job keeps, in bytes."""

    file: int = 64_000_000
    job: int = 128_000_000


@dataclass(frozen=True)
class Upload:
    """A file to make a job from. `twins`: files of the owner's jobs with the same content. `copy_of`: the
    input of an earlier job whose smaller copy this is, because its upload is gone. `unchanging`: a file of
    the studio that is never changed in place."""

    path: Path
    size: int
    digest: str
    filename: str
    twins: tuple[Path, ...] = ()
    copy_of: StoredInput | None = None
    unchanging: bool = False


Find = Callable[[str, str], Iterable[Job]]
"""(owner id, text) -> that owner's jobs whose inputs mention the text."""


def plain(path: Path) -> Upload:
    """A file of which nothing else is stored. Raises OSError."""
    return Upload(path, path.stat().st_size, digest_of(path), filename_of(path))


def look(path: Path, owner: str, find: Find, jobs_dir: Path, media: Media, title: str = "") -> Upload:
    """What is known of a file before it is stored. `media`: its measures; `title`: the owner's name for it,
    "" for the file's own. Raises OSError."""
    upload = plain(path)
    digest = upload.digest
    twins: list[Path] = []
    copy_of, known = None, ""
    for job in find(owner, digest[:HASH_CHARACTERS]):
        for item in job.inputs.values():
            if item.upload and item.digest == digest:
                twins.append(jobs_dir / job.id / item.upload)
                known = known or item.title
            elif not item.upload and _is_copy(item, digest, media):
                copy_of = copy_of or item
                known = known or item.title
    stored = path.is_relative_to(jobs_dir)  # its own name there is that of the parameter
    name = known if stored or copy_of is not None else upload.filename
    name = filename_of(Path(title)) if title and not known else name
    return replace(upload, filename=name, twins=tuple(twins), copy_of=copy_of, unchanging=stored)


def _is_copy(item: StoredInput, digest: str, media: Media) -> bool:
    """Whether a file of this content is the stored copy of a larger picture."""
    stored = item.copy or item.media
    if digest[:HASH_CHARACTERS] not in stored.name:
        return False
    return item.copy is not None or item.media.width * item.media.height > media.width * media.height


def kept(uploads: Mapping[str, Upload], limits: OriginalLimits) -> frozenset[str]:
    """Which of these pictures are kept as they were sent: those within the limits, in their order."""
    total, found = 0, []
    for name, upload in uploads.items():
        if upload.copy_of is None and upload.size <= limits.file and total + upload.size <= limits.job:
            total += upload.size
            found.append(name)
    return frozenset(found)


def store(upload: Upload, target: Path) -> None:
    """Stores the upload as `target`: as a link to a twin or to the upload itself, else as a copy.

    An upload is linked only while nothing else links to it, because another name of it may be in a folder
    where files are changed in place. Raises OSError.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for source in upload.twins:
        if _linked(source, target, upload.size, links=None):
            return
    if not _linked(upload.path, target, upload.size, links=None if upload.unchanging else 1):
        shutil.copyfile(upload.path, target)
    with contextlib.suppress(OSError), target.open("rb") as file:
        os.fsync(file.fileno())


def _linked(source: Path, target: Path, size: int, links: int | None) -> bool:
    try:
        facts = source.lstat()
        if not stat.S_ISREG(facts.st_mode) or facts.st_size != size or links not in (None, facts.st_nlink):
            return False
        os.link(source, target)
    except OSError:
        return False
    return True


def digest_of(path: Path) -> str:
    """SHA-256 of a file's content. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def filename_of(path: Path) -> str:
    """The file's own name as text that can be shown and stored: no control or direction characters, at most
    FILENAME_BYTES bytes with its extension."""
    text = unicodedata.normalize("NFC", path.name.encode("utf-8", "replace").decode())
    text = "".join(char for char in text if unicodedata.category(char)[0] != "C" and char not in "/\\")
    text = " ".join(text.split()).strip()
    if len(text.encode()) > FILENAME_BYTES:
        suffix = Path(text).suffix[:12]
        room = FILENAME_BYTES - len(suffix.encode())
        text = text.encode()[:room].decode("utf-8", "ignore").rstrip() + suffix
    return text if text.strip(".") else ""
