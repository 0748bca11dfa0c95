"""A ComfyUI folder whose main.py is the demo engine behind ComfyUI's own options.

While it contains a file `hold`, servers do not get past their imports. If it contains a file `record`,
started and finished prompts are written to notes-<port>, as by recording_engine.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.paths import ROOT

MAIN = """
import argparse, json, os, sys, threading
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--listen", default="127.0.0.1")
parser.add_argument("--port", type=int, default=8188)
parser.add_argument("--disable-auto-launch", action="store_true")
parser.add_argument("--preview-method", default="none")
parser.add_argument("--extra-model-paths-config")
parser.add_argument("--temp-directory")
parser.add_argument("--base-directory")
parser.add_argument("--database-url")
parser.add_argument("--cuda-device")
parser.add_argument("--fail", help="print this and end with status 3")
parser.add_argument("--step-seconds", default="0.1")
known = parser.parse_args()
here = Path(__file__).resolve().parent
facts = {"gpu": os.environ.get("CUDA_VISIBLE_DEVICES"), "argv": sys.argv[1:], "pid": os.getpid()}
part = here / f"part-{known.port}"
part.write_text(json.dumps(facts))
part.replace(here / f"started-{known.port}.json")  # whole when it is seen
if known.fail:
    print(known.fail, flush=True)
    raise SystemExit(3)
print("got started", flush=True)


def last_words():
    # What this server says when it dies: by a file, since a signal leaves no time.
    while True:
        words = here / f"say-{known.port}"
        if words.exists():
            print(words.read_text(), flush=True)
            words.unlink()
        threading.Event().wait(0.02)


threading.Thread(target=last_words, daemon=True).start()
while (here / "hold").exists():
    threading.Event().wait(0.02)
sys.path.insert(0, ROOT)
from backend.engines.demo import server
from backend.engines.demo.__main__ import main
if (here / "record").exists():
    from tests.support import recording_engine
    recording_engine.NOTES = here / f"notes-{known.port}"
    server.Executor = recording_engine.Noting
main(["--port", str(known.port), "--dir", str(here), "--step-seconds", known.step_seconds, "--faults",
      "--host", known.listen])
"""


def make(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "main.py").write_text(MAIN.replace("ROOT", repr(str(ROOT))))
    venv = folder / ".venv" / "bin"
    venv.mkdir(parents=True, exist_ok=True)
    python = venv / "python"
    if not python.exists():
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
    return folder
