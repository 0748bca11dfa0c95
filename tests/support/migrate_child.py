"""Migrations that kill themselves, each in a fork of one process.

with forked() as migrate:
    status, lines = migrate(source, store, line, "copy")

`line` counts the lines run in backend/models/migrate.py and move.py; at that one the process gets SIGKILL. 0:
never. `lines`: how many were run, 0 after a kill. With "copy" no file can be linked, as across filesystems.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from backend.models import move as move_module
from backend.models.migrate import migrate
from backend.models.progress import Progress
from backend.models.verify import CHUNK
from tests.support.paths import ROOT

Migrate = Callable[[Path, Path, int, str], tuple[int, int]]


@contextlib.contextmanager
def forked() -> Iterator[Migrate]:
    """A function that migrates and returns its exit status and the number of lines."""
    command = [sys.executable, "-m", "tests.support.migrate_child"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdin is not None and parent.stdout is not None
        given, answers = parent.stdin, parent.stdout

        def run(source: Path, store: Path, line: int, how: str) -> tuple[int, int]:
            given.write(json.dumps([str(source), str(store), line, how == "copy"]) + "\n")
            given.flush()
            status, lines = json.loads(answers.readline())
            return status, lines

        yield run
        given.close()


def main() -> None:
    for asked in sys.stdin:
        read, write = os.pipe()
        if not (pid := os.fork()):
            status = 2
            try:
                status, lines = migration(*json.loads(asked))
                os.write(write, str(lines).encode())
            finally:
                os._exit(status)
        os.close(write)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(json.dumps([status, int(os.read(read, 20) or 0)]), flush=True)
        os.close(read)


def migration(source: str, store: str, line: int, across: bool) -> tuple[int, int]:
    count = 0

    def counted(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        if event == "line":
            count += 1
            if count == line:
                os.kill(os.getpid(), signal.SIGKILL)
        return counted

    def called(frame: FrameType, event: str, _: Any) -> Any:
        name = Path(frame.f_code.co_filename)
        return counted if name.parent.name == "models" and name.stem in ("migrate", "move") else None

    if across:
        real = os.link

        def link(old: Any, new: Any, **options: Any) -> None:
            if not str(old).endswith(move_module.ENDING):
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            real(old, new, **options)

        os.link = link
    sys.settrace(called)
    report = migrate(Path(source), Path(store), Progress(lambda text: None), chunk=400 if across else CHUNK)
    sys.settrace(None)
    return (1 if report.problems else 0), count


if __name__ == "__main__":
    main()
