"""Moves an old models folder into the store: every file, under the same relative name.

Files are moved first, then links, which are rewritten where they point into the old folder. What cannot be
moved stays in place and is reported. After a kill at any point it can be run again."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from backend.models.errors import FULL, MigrateRefused, NoRoom, store_error
from backend.models.move import CHANGED, CONFLICT, SAME, is_temporary, move, remove_abandoned
from backend.models.needs import room
from backend.models.progress import Progress, Say, size
from backend.models.verify import CHUNK
from backend.notices import words
from workflows.notice import Notice, made


@dataclass
class Report:
    """What was done. `problems`: files that could not be moved; `notes`: files that were left on purpose."""

    moved: int = 0
    same: int = 0  # already in the store with the same content
    bytes: int = 0
    problems: list[Notice] = field(default_factory=list)
    notes: list[Notice] = field(default_factory=list)


@dataclass(frozen=True)
class _Found:
    """The content of the old folder, as sorted relative names."""

    files: tuple[str, ...]
    links: tuple[str, ...]  # to files and folders
    problems: tuple[Notice, ...]
    notes: tuple[Notice, ...]


def migrate(
    source: Path, store: Path, progress: Progress, *, dry_run: bool = False, chunk: int = CHUNK
) -> Report:
    """Moves everything below `source` to the same place below `store`.

    dry_run: only report what would be done. chunk: bytes to copy at a time.
    Raises MigrateRefused for folders that cannot be merged; NoRoom before the start when the files to copy to
    another filesystem do not fit, or when the disk becomes full (moved files stay moved, the rest stays in
    place); ModelStoreError when the store cannot be created.
    """
    source, store = _resolved(source, store)
    found = _scan(source)
    report = Report(problems=list(found.problems), notes=list(found.notes))
    _check_room(source, store, found.files)
    if not dry_run:
        try:
            store.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise store_error(error, store) from error
    for name in found.files:
        if dry_run:
            _predict(source / name, store / name, name, report, progress.say)
        else:
            _move_file(source / name, store / name, name, report, progress, chunk)
    for name in _in_order(source, found.links):
        _move_link(source, store, name, report, progress.say, dry_run)
    return report


def _resolved(source: Path, store: Path) -> tuple[Path, Path]:
    if not source.is_dir():
        raise MigrateRefused.of("move_no_folder", path=str(source))
    old, new = source.resolve(), store.resolve()
    if new.exists() and os.path.samestat(old.stat(), new.stat()):
        raise MigrateRefused.of("move_store_itself", path=str(source))
    if old in new.parents or new in old.parents:
        raise MigrateRefused.of("move_nested", path=str(source), store=str(store))
    return old, new


def _scan(source: Path) -> _Found:
    files: list[str] = []
    links: list[str] = []
    problems: list[Notice] = []
    notes: list[Notice] = []

    def unreadable(error: OSError) -> None:
        problems.append(made("unread_folder", {"file": str(error.filename), "reason": str(error.strerror)}))

    for folder, folders, names in os.walk(source, onerror=unreadable):
        folders.sort()
        for name in sorted([*names, *folders]):
            path = Path(folder) / name
            try:
                mode = path.lstat()
            except OSError as error:
                problems.append(made("unread_file", {"file": str(path), "reason": str(error.strerror)}))
                continue
            relative = str(path.relative_to(source))
            if stat.S_ISLNK(mode.st_mode):
                links.append(relative)
            elif stat.S_ISREG(mode.st_mode):
                if not _placeholder(name, mode.st_size) and not is_temporary(name):
                    files.append(relative)
            elif not stat.S_ISDIR(mode.st_mode):
                notes.append(made("kept_special", {"file": relative}))
    return _Found(tuple(files), tuple(links), tuple(problems), tuple(notes))


def _placeholder(name: str, count: int) -> bool:
    """Whether it is one of ComfyUI's empty files that keep folders in git, such as put_vae_here."""
    return count == 0 and (re.fullmatch(r"put_.*_here(\.txt)?", name) is not None or name == ".gitkeep")


def _check_room(source: Path, store: Path, files: Iterable[str]) -> None:
    """Raises NoRoom. Only files that move to another filesystem need space."""
    device = _device(store)
    need = 0
    for name in files:
        try:
            facts = (source / name).stat()
        except OSError:
            continue
        if facts.st_dev != _device((store / name).parent, device) and not os.path.lexists(store / name):
            need += facts.st_size
    free, total = room(store)
    if total and need > free:
        raise NoRoom.of("move_no_room", size=size(need), store=str(store), free=size(free))


def _device(folder: Path, otherwise: int = -1) -> int:
    """The device of the filesystem that the folder is on, or would be created on."""
    for place in (folder, *folder.parents):
        try:
            return place.stat().st_dev
        except FileNotFoundError:
            continue
        except OSError:
            break
    return otherwise


def _move_file(source: Path, target: Path, name: str, report: Report, progress: Progress, chunk: int) -> None:
    try:
        count = source.stat().st_size
        remove_abandoned(target.parent)
        with progress.task(f"copying {name}", count) as task:
            outcome = move(source, target, task.advance, chunk, progress.verified)
    except OSError as error:
        if error.errno in FULL:
            raise NoRoom.of("move_full", file=name, detail=str(error)) from error
        report.problems.append(made("unmoved_file", {"file": name, "reason": error.strerror or str(error)}))
        return
    if outcome == CONFLICT:
        report.problems.append(_conflict(source, target, name))
    elif outcome == CHANGED:
        report.problems.append(made("unmoved_changing", {"file": name}))
    elif outcome == SAME:
        report.same += 1
        progress.say(words(made("moved_same", {"file": name})))
    else:
        report.moved += 1
        report.bytes += count
        progress.say(words(made("moved_file", {"file": name, "size": size(count)})))


def _predict(source: Path, target: Path, name: str, report: Report, say: Say) -> None:
    """Reports what _move_file would do, judging by names and sizes."""
    try:
        here = source.stat()
        there = target.stat() if os.path.lexists(target) else None
    except OSError as error:
        report.problems.append(made("unread_file", {"file": name, "reason": str(error.strerror)}))
        return
    if there is None:
        report.moved += 1
        report.bytes += here.st_size
        code = "would_move_file" if here.st_dev == _device(target.parent) else "would_copy_file"
        say(words(made(code, {"file": name, "size": size(here.st_size)})))
    elif os.path.samestat(here, there) or (stat.S_ISREG(there.st_mode) and here.st_size == there.st_size):
        report.same += 1
        say(words(made("would_compare", {"file": name})))
    else:
        report.problems.append(_conflict(source, target, name))


def _conflict(source: Path, target: Path, name: str) -> Notice:
    try:
        if target.is_dir():
            return made("unmoved_folder", {"file": name})
        there, here = target.stat().st_size, source.stat().st_size
    except OSError:
        return made("unmoved_broken_link", {"file": name})
    return made("unmoved_other_file", {"file": name, "there_bytes": there, "here_bytes": here})


def _in_order(source: Path, links: Iterable[str]) -> list[str]:
    """Sorts links so that a link to another link comes after it; cycles come last."""
    waiting = {source / name: name for name in links}
    ordered: list[str] = []
    while waiting:
        free = [link for link in waiting if _meant(link) not in waiting] or list(waiting)
        ordered += [waiting.pop(link) for link in free]
    return ordered


def _meant(link: Path) -> Path:
    """The path that the link names, without following further links; the link itself if it cannot be read."""
    try:
        path = Path(os.path.normpath(link.parent / link.readlink()))
        return path.parent.resolve() / path.name
    except (OSError, RuntimeError):  # RuntimeError: a cycle, in Python before 3.13
        return link


def _move_link(source: Path, store: Path, name: str, report: Report, say: Say, dry_run: bool) -> None:
    """Recreates the link in the store; a link into the old folder then points to the moved file."""
    link, target = source / name, store / name
    meant = _meant(link)
    inside = source in meant.parents
    there = store / meant.relative_to(source) if inside else meant
    if store == meant or store in meant.parents:
        report.notes.append(made("kept_link_into_store", {"file": name}))
    elif not _exists(there) and not (dry_run and _exists(meant)):
        report.notes.append(made("kept_broken_link", {"file": name}))
    elif inside and not dry_run and os.path.lexists(meant) and not meant.is_dir():
        report.notes.append(made("kept_link_to_unmoved", {"file": name}))
    else:
        new = os.path.relpath(there, target.parent) if inside else str(there)
        try:
            if os.path.lexists(target) and not (target.is_symlink() and str(target.readlink()) == new):
                report.problems.append(made("unmoved_link_taken", {"file": name}))
                return
            if not dry_run:
                target.parent.mkdir(parents=True, exist_ok=True)
                if not os.path.lexists(target):
                    target.symlink_to(new)
                link.unlink()
        except OSError as error:
            report.problems.append(made("unmoved_link", {"file": name, "reason": str(error.strerror)}))
            return
        report.moved += 1
        say(words(made("would_move_link" if dry_run else "moved_link", {"file": name, "target": new})))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a cycle, or no permission
        return False
