"""A migration that kills itself: python -m tests.support.migrate_child SOURCE STORE LINE [copy].

LINE counts the lines run in backend/models/migrate.py and move.py; at that one the process gets SIGKILL. 0:
never, and the number of lines is printed. With `copy` no file can be linked, as across filesystems.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from backend.models import move as move_module
from backend.models.migrate import migrate
from backend.models.progress import Progress
from backend.models.verify import CHUNK


def main(source: str, store: str, line: int, across: bool) -> int:
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
    if not line:
        print(count)
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), "copy" in sys.argv[4:]))
