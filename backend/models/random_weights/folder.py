"""The folder of a benchmark with random weights: it holds the model files and everything of the ComfyUI that
reads them, and is removed afterwards, also that of a run that was killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil

from backend.errors import from_os_error
from backend.models.errors import ModelStoreError, NoRoom
from backend.models.progress import Progress, Task, size
from backend.models.random_weights.shapes import SCALES, tensors
from backend.models.random_weights.writer import Writer, file_bytes
from workflows.catalog import ModelFile

PREFIX = "wan-studio-random-weights-"
SPARE_BYTES = 2_000_000_000
"""Room for results and the database beside the model files, at full scale."""
IN_MEMORY = frozenset({"tmpfs", "ramfs"})
"""File systems on which the files would take the memory that is measured."""
STOP_SECONDS = 10.0


def needed(files: Sequence[ModelFile], scale: str) -> int:
    """Bytes of the files of these roles."""
    return sum(file_bytes(tensors(file.role, SCALES[scale])) for file in files)


def room(files: Sequence[ModelFile], scale: str) -> int:
    """Bytes that the whole benchmark needs on the disk."""
    return needed(files, scale) + (SPARE_BYTES if scale == "full" else 0)


def candidates(data_dir: Path) -> list[Path]:
    """Where the folder may be made when none is chosen: the temporary folder, the disk of the data folder."""
    places = [Path(tempfile.gettempdir()), _existing(data_dir.parent)]
    return [place for place in dict.fromkeys(places) if os.access(place, os.W_OK)]


def choose(places: Sequence[Path], need: int, kept_out: Sequence[Path]) -> Path:
    """The first place with room on a disk. `kept_out`: folders of models. Raises NoRoom, ModelStoreError."""
    best: tuple[int, Path] = (-1, places[0] if places else Path())
    for place in places:
        real = _existing(place).resolve()
        if any(real.is_relative_to(folder.resolve()) for folder in kept_out):
            raise ModelStoreError.of("weights_in_models", path=str(place))
        if _file_system(real) in IN_MEMORY and len(places) > 1:
            continue
        free = shutil.disk_usage(real).free
        if free >= need:
            return place
        best = max(best, (free, place), key=lambda one: one[0])
    raise NoRoom.of("weights_no_room", size=size(need), path=str(best[1]), free=size(max(0, best[0])))


def _existing(path: Path) -> Path:
    return next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())


def _file_system(path: Path) -> str:
    """The type of the file system of a folder; "" if unknown."""
    mounts = [part for part in psutil.disk_partitions(all=True) if path.is_relative_to(part.mountpoint)]
    return str(max(mounts, key=lambda part: len(part.mountpoint)).fstype) if mounts else ""


Tidying = Callable[[], contextlib.AbstractContextManager[None]]
"""Within it a signal does not interrupt what is removed."""


@contextlib.contextmanager
def folder(
    place: Path, say: Callable[[str], None], tidying: Tidying = contextlib.nullcontext
) -> Iterator[Path]:
    """A new folder that is removed at the end, with the servers that still use it; what cannot be removed is
    reported. Raises DiskFull or StoreError."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    except OSError as error:
        raise from_os_error(error, "path_not_written", path=str(place), reason=str(error.strerror)) from error
    lock = (made / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the system releases it however this process ends
        yield made
    finally:
        with tidying():
            _end_servers(made)
            shutil.rmtree(made, ignore_errors=True)
            lock.close()
            if made.exists():
                say(f"{made} could not be removed. The next run tries again; or remove it by hand.")


def remove_left(places: Sequence[Path], say: Callable[[str], None]) -> None:
    """Removes the folders of runs that were killed, and ends the servers that still use them."""
    for left in sorted(path for place in places for path in place.glob(f"{PREFIX}*")):
        with contextlib.suppress(OSError), (left / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _end_servers(left)
            shutil.rmtree(left, ignore_errors=True)
            say(f"Removed {left}, which an earlier run left behind.")


def _end_servers(left: Path) -> None:
    """Ends this user's processes that were started with the folder as an option."""
    found = []
    for process in psutil.process_iter(["cmdline", "uids"]):
        line, uids = process.info["cmdline"] or [], process.info["uids"]
        if str(left) in line and uids is not None and uids.real == os.getuid():
            with contextlib.suppress(psutil.Error):
                process.terminate()
                found.append(process)
    _, alive = psutil.wait_procs(found, timeout=STOP_SECONDS)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()


def write_files(
    models: Path,
    files: Sequence[ModelFile],
    scale: str,
    progress: Progress,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Writes a file for each of the catalogue's, under its name and folder. `check` is called between pieces
    and may raise. Raises DiskFull or StoreError."""
    writer = Writer()
    for number, file in enumerate(files, 1):
        content = tensors(file.role, SCALES[scale])
        total = file_bytes(content)
        progress.say(f"{number} of {len(files)}: {file.folder}/{file.name}, {size(total)}")
        with progress.task(file.name, total) as task:

            def advance(count: int, task: Task = task) -> None:
                check()
                task.advance(count)

            writer.write(models / file.folder / file.name, content, advance)
