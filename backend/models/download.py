"""Downloads model files into the store: checks disk space, resumes, verifies, then renames."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from backend.errors import StudioError
from backend.formatting import duration_text
from backend.models import partial
from backend.models.arrived import arrived
from backend.models.errors import (
    ModelDownloadCancelled,
    ModelDownloadFailed,
    ModelMismatch,
    ModelStoreError,
    NoRoom,
    store_error,
)
from backend.models.hub import Hub, Offer
from backend.models.inventory import (
    DAMAGED,
    MISSING,
    READY,
    UNSEEN,
    UNSUITABLE,
    WRONG_SIZE,
    FileState,
    to_get,
)
from backend.models.meter import Meter
from backend.models.needs import room
from backend.models.progress import Progress, Say, Task, size
from backend.models.verify import header_problem, sha256, size_matches
from backend.notices import brief
from workflows.catalog import ModelFile
from workflows.notice import Notice, made

WAITS = (2.0, 5.0, 15.0, 30.0, 60.0)
"""Seconds before each retry after a broken connection; starts over once bytes have arrived."""
ENDING = (ModelDownloadFailed, ModelDownloadCancelled, NoRoom)
"""Errors that end the download of all files."""


def download(
    files: Iterable[ModelFile],
    found: Sequence[FileState],
    store: Path,
    hub: Hub,
    progress: Progress,
    wait: Callable[[float], None] = time.sleep,
    meter: Meter | None = None,
    check: Callable[[], None] = lambda: None,
) -> list[StudioError]:
    """Downloads the files that are missing or bad; returns an error for each that could not be downloaded.

    meter: says how long the rest takes; it counts if `progress` reports to it. check: raises an error of
    ENDING to end the download where nothing is being read. Raises NoRoom before the first byte when they do
    not fit; NoRoom or ModelDownloadFailed when the download cannot continue. Only verified files get their
    final name.
    """
    say = progress.say
    by_role = {state.file.role: state for state in found}
    refused: list[StudioError] = []
    offers: list[Offer] = []
    for file in files:
        check()
        state = by_role[file.role]
        if state.state in (READY, UNSEEN):
            say(f"{file.name} already exists.")
            continue
        try:
            _may_be_fetched(state, store)
            offers.append(_checked_offer(hub.offer(file), store))
        except ENDING:
            raise
        except StudioError as error:
            refused.append(error)
    check_room(offers, store)
    if offers:
        total, free = sum(offer.size for offer in offers), room(store)[0]
        say(f"{size(total)} from {hub.endpoint} into {store}, which has {size(free)} free.")
        if meter is not None:
            meter.begin(sum(offer.size - arrived(offer, store) for offer in offers))
    for number, offer in enumerate(offers, 1):
        seconds = meter.flow().seconds if meter is not None else None
        left = f"; {duration_text(seconds)} left for all files" if seconds else ""
        place = f"{number} of {len(offers)}: {offer.file.name}, {size(offer.size)}"
        say(f"{place}, into {offer.file.folder}{left}")
        try:
            _fetch_one(offer, store, hub, progress, wait, check)
        except ENDING:
            raise
        except StudioError as error:
            refused.append(error)
    return refused


def check_room(offers: Sequence[Offer], store: Path) -> None:
    """Raises NoRoom when the remaining bytes exceed the free space on the store's disk."""
    need = sum(offer.size - arrived(offer, store) for offer in offers)
    free, total = room(store)
    if total and need > free:
        raise NoRoom.of("download_no_room", size=size(need), store=str(store), free=size(free))


def _may_be_fetched(state: FileState, store: Path) -> None:
    """Raises ModelStoreError where a download would not help."""
    if state.elsewhere is not None:
        raise ModelStoreError.of("not_to_be_fetched", why=state.problem or to_get(state.file))
    if state.state == UNSUITABLE and state.path is None:
        return
    if state.state in (MISSING, WRONG_SIZE, DAMAGED) and (state.path is None or store in state.path.parents):
        return
    if state.path is not None and state.state in (WRONG_SIZE, DAMAGED):
        raise ModelStoreError.of("other_copy_first", path=str(state.path))
    raise ModelStoreError.of("fix_first", why=state.problem or to_get(state.file))


def _checked_offer(offer: Offer, store: Path) -> Offer:
    """The offer, if it matches the catalogue. Raises ModelMismatch."""
    file = offer.file
    other_hash = bool(file.sha256 and offer.sha256) and offer.sha256 != file.sha256
    if other_hash or not size_matches(offer.size, file.bytes, file.exact):
        raise ModelMismatch.of(
            "other_file_offered", file=file.name, size=size(offer.size), expected=file.size_text
        )
    return offer


def _fetch_one(
    offer: Offer,
    store: Path,
    hub: Hub,
    progress: Progress,
    wait: Callable[[float], None],
    check: Callable[[], None],
) -> None:
    say = progress.say
    final = store / offer.file.folder / offer.file.name
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        waits = "  another download of it is running; waiting for that one"
        with partial.exclusive(final, lambda: say(waits), check):
            if _came_meanwhile(final, offer):
                say("  the other download has fetched it")
                return
            _into_place(offer, final, hub, progress, wait)
    except OSError as error:
        raise store_error(error, final, "download_full") from error


def _into_place(
    offer: Offer, final: Path, hub: Hub, progress: Progress, wait: Callable[[float], None]
) -> None:
    say = progress.say
    for again in (True, False):
        part = partial.claim(final, offer.tag)
        have = part.stat().st_size
        if have > offer.size:
            os.truncate(part, 0)
            have = 0
        if have:
            say(f"  resuming at {size(have)}")
        with progress.task(offer.file.name, offer.size, have) as task:
            _bytes(offer, part, hub, task, say, wait)
            figures = task.summary()
        problem = _problem(offer, part, progress)
        if problem is None:
            kept = _replace(part, final, offer.size)
            if expected := _expected(offer):
                progress.verified(final, expected)
            partial.clean(final)
            say(f"  done: {figures}" + (f"; the other file of this name is now {kept.name}" if kept else ""))
            return
        part.unlink()
        if not (again and have):
            raise ModelMismatch.of("download_damaged", file=offer.file.name, problem=problem)
        say(f"  the earlier part {brief(problem)}; starting again")


def _bytes(offer: Offer, part: Path, hub: Hub, task: Task, say: Say, wait: Callable[[float], None]) -> None:
    """Downloads the remaining bytes of the partial file; retries after broken connections."""
    tries = 0
    while True:
        with part.open("r+b") as file:
            have = file.seek(0, os.SEEK_END)
            try:
                hub.fetch(offer, cast(BinaryIO, _Counted(file, task)), have)
                file.flush()
                os.fsync(file.fileno())
                return
            except ModelDownloadFailed as error:
                file.flush()
                came = file.seek(0, os.SEEK_END) > have
                tries = 1 if came else tries + 1
                if tries > len(WAITS):
                    raise
                reason = error.message
        pause = WAITS[tries - 1]
        say(f"  {reason} Trying again in {pause:.0f} s.")
        wait(pause)


class _Counted:
    """The file as http_get needs it; counts the bytes that are written."""

    def __init__(self, file: BinaryIO, task: Task) -> None:
        self._file = file
        self._task = task

    def write(self, data: bytes) -> int:
        count = self._file.write(data)
        self._task.advance(count)
        return count

    def seek(self, offset: int) -> int:
        return self._file.seek(offset)

    def tell(self) -> int:
        return self._file.tell()

    def truncate(self) -> int:
        """Called when the server sends the whole file although it was asked to continue."""
        end = self._file.truncate()
        self._task.go_back(end)
        return end


def _expected(offer: Offer) -> str:
    """The sha256 that the file is checked by, "" where none is known."""
    return offer.file.sha256 or offer.sha256


def _problem(offer: Offer, part: Path, progress: Progress) -> Notice | None:
    """What is wrong with the partial file, read back from disk; None when it is the offered file."""
    if part.stat().st_size != offer.size:
        return made("fault_other_size", {})
    if expected := _expected(offer):
        if offer.size > 1_000_000_000:
            progress.say("  checking its sha256")
        os.utime(part)  # marks it as in use for other machines
        with progress.task(f"checking {offer.file.name}", offer.size, checking=True) as task:
            found = sha256(part, task.advance)
        if found != expected:
            return made("fault_other_hash", {})
    return header_problem(part) if offer.file.name.endswith(".safetensors") else None


def _replace(part: Path, final: Path, count: int) -> Path | None:
    """Renames the partial file to its final name. A valid model of another size under that name is kept
    beside it; returns its path."""
    kept: Path | None = None
    if final.is_file() and final.stat().st_size != count and _valid(final):
        number = 1
        kept = final.with_name(f"{final.name}.other")
        while os.path.lexists(kept):
            number += 1
            kept = final.with_name(f"{final.name}.other{number}")
        final.rename(kept)
    part.replace(final)
    folder = os.open(final.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return kept


def _came_meanwhile(final: Path, offer: Offer) -> bool:
    return final.is_file() and final.stat().st_size == offer.size and _valid(final)


def _valid(path: Path) -> bool:
    """Whether the header of a file is right; those of GGUF files are not read."""
    return path.suffix != ".safetensors" or header_problem(path) is None
