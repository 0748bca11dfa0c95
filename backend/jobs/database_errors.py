"""SQLite's errors as StudioErrors, by their code, or by their text where an error carries no code."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from backend.errors import (
    DiskFull,
    InternalError,
    StoreBusy,
    StoreClosed,
    StoreDamaged,
    StoreDiskError,
    StoreError,
    StoreGone,
    StoreReadOnly,
    StudioError,
)

TEXTS = (
    ("closed database", "CLOSED"),
    ("disk is full", "SQLITE_FULL"),
    ("disk i/o error", "SQLITE_IOERR"),
    ("database is locked", "SQLITE_BUSY"),
    ("table is locked", "SQLITE_LOCKED"),
    ("locking protocol", "SQLITE_PROTOCOL"),
    ("readonly database", "SQLITE_READONLY"),
    ("disk image is malformed", "SQLITE_CORRUPT"),
    ("not a database", "SQLITE_NOTADB"),
    ("unable to open database", "SQLITE_CANTOPEN"),
    ("constraint failed", "SQLITE_CONSTRAINT"),
)
"""A part of the message in lower case -> the code (sqlite3ErrStr in sqlite3.c). CLOSED is Python's own."""
BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")


def code_of(error: Exception) -> str:
    """The symbolic code, extended where SQLite gives one: SQLITE_IOERR_WRITE; "" when it is unknown."""
    name = getattr(error, "sqlite_errorname", None)
    if isinstance(name, str) and name not in ("", "SQLITE_ERROR"):
        return name
    text = str(error).lower()
    return next((code for words, code in TEXTS if words in text), "")


def translated(error: Exception, is_full: Callable[[], bool]) -> StudioError:
    """The error as a StudioError. `is_full`: whether the disk has no room for the database; SQLite reports a
    used-up quota as an I/O error."""
    code, text = code_of(error), f"{type(error).__name__}: {error}"
    detail = f"{code}: {text}" if code else text
    if code.startswith("SQLITE_FULL") or (code.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN")) and is_full()):
        return DiskFull.of("database_full", detail=detail)
    if code.startswith("SQLITE_IOERR"):
        return StoreDiskError.of("database_disk", detail=detail)
    if code.startswith(BUSY):
        return StoreBusy.of("database_busy", detail=detail)
    if code == "SQLITE_READONLY_DBMOVED":
        return StoreGone.of("database_moved", detail=detail)
    if code.startswith("SQLITE_READONLY"):
        return StoreReadOnly.of("database_read_only", detail=detail)
    if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return StoreDamaged.of("database_damaged", reason=str(error), detail=detail)
    if code == "CLOSED":
        return StoreClosed.of("database_closed", detail=detail)
    if code.startswith("SQLITE_CONSTRAINT") or isinstance(error, (sqlite3.IntegrityError, OverflowError)):
        return InternalError.of("job_not_storable", detail=detail)
    return StoreError.of("database_unusable", reason=str(error), detail=detail)
