"""A download in a separate process, which tests kill.

python -m tests.support.download_child STORE HUB ROLE SIZE
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from backend.errors import StudioError
from backend.models.download import download
from backend.models.hub import Hub
from backend.models.inventory import inventory
from backend.models.progress import Progress
from tests.support.model_files import model, model_bytes
from workflows.catalog import Catalog


def main(store: str, url: str, role: str, size: str) -> int:
    file = model(role, model_bytes(role, int(size)), "animate")
    catalog = Catalog((file,), "")
    try:
        refused = download(
            [file],
            inventory(Path(store), catalog=catalog),
            Path(store),
            Hub(url),
            Progress(lambda text: print(text, flush=True)),
        )
    except StudioError as error:
        refused = [error]
    for error in refused:
        print(error.message, file=sys.stderr)
    return 1 if refused else 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    sys.exit(main(*sys.argv[1:]))
