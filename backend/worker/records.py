"""The files behind claims on prompts: one record each, on a volume that several machines may share.

A record is created whole (a hard link to a finished file) and changed only through a descriptor whose content
has been checked: one that somebody else has put in its place meanwhile is not touched. It is removed by
renaming it first, so that only one process gets it; what turns out to be another record than expected goes
back.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import time
from dataclasses import dataclass, replace
from pathlib import Path

log = logging.getLogger("wan.worker")

RUNNING, DONE = "running", "done"

_READS, _READ_PAUSE = 10, 0.05  # of a record that is being written
_RECORD_BYTES = 4096


@dataclass(frozen=True)
class Record:
    """What a file says. `job` is "" when it cannot be read; `mark` changes with every beat."""

    job: str
    state: str
    heartbeat: int = 0
    version: tuple[bytes, int] = (b"", 0)


class Records:
    """One folder of records by prompt id. All methods raise OSError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, prompt_id: str) -> Path:
        return self.folder / f"{prompt_id}.json"

    def create(self, prompt_id: str, record: Record) -> bool:
        """Whether the record could be put where none was; it is there whole or not at all."""
        path = self._path(prompt_id)
        self.folder.mkdir(parents=True, exist_ok=True)
        part = _temporary_path(path)
        try:
            part.write_bytes(_content(record))
            return _link(part, path)
        finally:
            part.unlink(missing_ok=True)

    def change(self, prompt_id: str, job_id: str, state: str) -> bool:
        """Counts a beat and sets the state, if the record names this job or cannot be read. Another record
        that takes its place meanwhile is not touched: the change goes into the open file."""
        try:
            descriptor = os.open(self._path(prompt_id), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            found = _read(descriptor)
            if found.job not in ("", job_id):
                return False
            state = DONE if found.state == DONE else state
            changed = _content(replace(found, job=job_id, state=state, heartbeat=found.heartbeat + 1))
            before = os.fstat(descriptor).st_size
            try:
                os.pwrite(descriptor, changed.ljust(before), 0)  # JSON may end in spaces
            except OSError:
                os.utime(descriptor)  # on a full disk a beat is a new time
                if state != found.state:
                    raise
            return os.fstat(descriptor).st_nlink > 0
        finally:
            os.close(descriptor)

    def read(self, prompt_id: str) -> Record | None:
        """The record, read again while it is being written; None when there is none."""
        path = self._path(prompt_id)
        for attempt in range(_READS):
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return None
            try:
                found = _read(descriptor)
            finally:
                os.close(descriptor)
            if found.job:
                break
            if attempt < _READS - 1:
                time.sleep(_READ_PAUSE)
        return found

    def remove(self, prompt_id: str, expected: Record) -> bool:
        """Whether the record is gone. One that has changed since it was read goes back."""
        return self._remove(self._path(prompt_id), expected)

    def _remove(self, path: Path, expected: Record) -> bool:
        aside = _temporary_path(path)
        try:
            path.rename(aside)
        except FileNotFoundError:
            return False
        descriptor = os.open(aside, os.O_RDONLY | os.O_CLOEXEC)
        try:
            same = _read(descriptor).version == expected.version
        finally:
            os.close(descriptor)
        try:
            if not same:  # if the prompt is taken meanwhile, the owner finds that out with its next beat
                _link(aside, path)
        finally:
            aside.unlink(missing_ok=True)
        return same

    def remove_old(self, seconds: float) -> None:
        """Removes what is older than this by the volume's own time: that of a file made now."""
        self.folder.mkdir(parents=True, exist_ok=True)
        probe = _temporary_path(self.folder / "probe")
        try:
            probe.touch()
            oldest = probe.stat().st_mtime - seconds
        finally:
            probe.unlink(missing_ok=True)
        for path in self.folder.iterdir():
            with contextlib.suppress(OSError):  # another worker may be removing it too
                if path.stat().st_mtime >= oldest:
                    continue
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    found = _read(descriptor)
                finally:
                    os.close(descriptor)
                self._remove(path, found)


def _temporary_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.{secrets.token_hex(8)}.tmp")


def _link(source: Path, path: Path) -> bool:
    """Whether the file now also has the name `path`, which must be free."""
    try:
        os.link(source, path)
        return True
    except FileExistsError:
        return False
    except OSError as error:
        log.debug("no hard links in %s: %s", path.parent, error.strerror)
    try:  # a file system without links: others may see the record while it is written, and read it again
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644)
    except FileExistsError:
        return False
    try:
        os.write(descriptor, source.read_bytes())
    except OSError:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    return True


def _content(record: Record) -> bytes:
    """Equally long for every beat of a job, so that a change rewrites all of it at once."""
    fields = {"job": record.job, "state": record.state, "beat": f"{record.heartbeat:012d}"}
    return json.dumps(fields).encode()


def _read(descriptor: int) -> Record:
    """The record in an open file. Records of earlier versions count no beats: their time changes instead."""
    content = os.pread(descriptor, _RECORD_BYTES, 0)
    version = content, os.fstat(descriptor).st_mtime_ns
    try:
        fields = json.loads(content)
        return Record(str(fields["job"]), str(fields["state"]), int(fields.get("beat", 0)), version)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Record("", RUNNING, 0, version)
