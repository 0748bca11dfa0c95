"""Stores the records of claims as files on a volume that several machines may share.

A record is created atomically (as a hard link to a complete file). It is changed only through a descriptor
whose content has been checked, so a record that replaced it in the meantime is not changed. To remove a
record, a process first renames it, which only one process can do, and restores it if its content is not the
expected one.
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

_READS, _READ_PAUSE = 10, 0.05  # attempts, and seconds between them, to read a record during a write
_RECORD_BYTES = 4096


@dataclass(frozen=True)
class Record:
    """The content of a record. `job` is "" if it is unreadable; `version` changes with every heartbeat."""

    job: str
    state: str
    heartbeat: int = 0
    version: tuple[bytes, int] = (b"", 0)


class Records:
    """A folder of records by prompt id. All methods raise OSError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, prompt_id: str) -> Path:
        return self.folder / f"{prompt_id}.json"

    def create(self, prompt_id: str, record: Record) -> bool:
        """Creates a record atomically. Returns False if there is one already."""
        path = self._path(prompt_id)
        self.folder.mkdir(parents=True, exist_ok=True)
        part = _temporary_path(path)
        try:
            part.write_bytes(_content(record))
            return _link(part, path)
        finally:
            part.unlink(missing_ok=True)

    def change(self, prompt_id: str, job_id: str, state: str) -> bool:
        """Counts a heartbeat and sets the state if the record belongs to this job or is unreadable.

        Returns False if there is no such record, or it was removed in the meantime. The change goes into the
        open file, so a record that replaced it is not affected.
        """
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
                os.pwrite(descriptor, changed.ljust(before), 0)  # JSON may end with spaces
            except OSError:
                os.utime(descriptor)  # on a full disk, the modification time is the heartbeat
                if state != found.state:
                    raise
            return os.fstat(descriptor).st_nlink > 0
        finally:
            os.close(descriptor)

    def read(self, prompt_id: str) -> Record | None:
        """The record, or None if there is none. Reads again while the record is being written."""
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
        """Removes a record unless it has changed since it was read. Returns whether it was removed."""
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
            if not same:  # if the prompt was claimed meanwhile, the owner notices with its next heartbeat
                _link(aside, path)
        finally:
            aside.unlink(missing_ok=True)
        return same

    def remove_old(self, seconds: float) -> None:
        """Removes records older than `seconds`. Ages are measured with the clock of the volume's server."""
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
    """Links the file to `path`, or copies it without hard links. Returns False if `path` exists."""
    try:
        os.link(source, path)
        return True
    except FileExistsError:
        return False
    except OSError as error:
        log.debug("no hard links in %s: %s", path.parent, error.strerror)
    try:  # other processes may read the record while it is being written, and then read it again
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
    """The JSON of a record; its length does not depend on the heartbeat, so that one write replaces it."""
    fields = {"job": record.job, "state": record.state, "beat": f"{record.heartbeat:012d}"}
    return json.dumps(fields).encode()


def _read(descriptor: int) -> Record:
    """The record in an open file. Records of earlier versions have no counter; their modification time
    counts."""
    content = os.pread(descriptor, _RECORD_BYTES, 0)
    version = content, os.fstat(descriptor).st_mtime_ns
    try:
        fields = json.loads(content)
        return Record(str(fields["job"]), str(fields["state"]), int(fields.get("beat", 0)), version)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Record("", RUNNING, 0, version)
