"""The demo engine, with a log file of each prompt that it starts and finishes.

python -m tests.support.recording_engine NOTES --port 8188 --dir FOLDER [--base-directory FOLDER]

The last option does nothing: clients find it in the engine's answer and use its folders.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from backend.engines.demo import __main__ as demo
from backend.engines.demo import server
from backend.engines.demo.executor import Executor

NOTES = Path()


class Noting(Executor):
    """Writes one line per start and success: the time, and file names that identify the job."""

    def _message(self, prompt: Any, event: str, data: dict[str, Any], *, to_all: bool = False) -> None:
        if event in ("execution_start", "execution_success"):
            names = [
                node["inputs"]["filename_prefix"]
                for node in prompt.queued.graph.values()
                if "filename_prefix" in node["inputs"]
            ]
            with NOTES.open("a", encoding="utf-8") as file:
                note = {"event": event, "at": time.time(), "prompt": prompt.queued.id, "names": names}
                file.write(json.dumps(note) + "\n")
        super()._message(prompt, event, data, to_all=to_all)


if __name__ == "__main__":
    NOTES = Path(sys.argv[1])
    server.Executor = Noting  # type: ignore[misc]
    shown = sys.argv.index("--base-directory") if "--base-directory" in sys.argv else len(sys.argv)
    demo.main(sys.argv[2:shown])
