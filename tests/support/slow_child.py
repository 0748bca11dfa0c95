"""A child process of the decoder that is controlled by its input files: `python slow_child.py FOLDER`.

Each request is written to FOLDER/log ("picture a.png") when it starts. While FOLDER/hold exists, a request
waits until it is removed, or until FOLDER/go-<name> exists. A file that begins with "error CODE" or
"transient" produces that error, "die" ends the process, "hang" gets no response until there is FOLDER/awake.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

SIZE = {"width": 64, "height": 48}
CLIP = {**SIZE, "frames": 17, "fps": 16.0}
VIDEO = {
    **CLIP, "seconds": 1.0, "codec": "h264", "pix_fmt": "yuv420p", "has_audio": False, "rotated": 0,
    "variable": False, "notes": [], "mirrored": False, "channels": 0, "sound_lost": False,
}  # fmt: skip
ANSWERS: dict[str, dict[str, Any]] = {
    "ping": {},
    "picture": {**SIZE, "format": "PNG", "frames": 1, "notes": [], "bytes": 1},
    "sound": {
        "seconds": 1.0, "rate": 8000, "channels": 1, "codec": "pcm", "peak": 0.5, "silent": False,
        "notes": [],
    },
    "video": VIDEO,
    "result": VIDEO,
    "waveform": {"peaks": [0.5]},
    "cut_sound": {"seconds": 1.0},
}  # fmt: skip


def main(folder: Path) -> None:
    for line in sys.stdin:
        request = json.loads(line)
        path, name = Path(request["path"]), request["name"]
        with (folder / "log").open("a") as log:
            log.write(f"{request['op']} {name}\n")
        while (folder / "hold").exists() and not (folder / f"go-{name}").exists():
            time.sleep(0.005)
        said = path.read_bytes()[:40].decode("latin-1").split() if path.is_file() else []
        if said[:1] == ["die"]:
            os._exit(1)
        while said[:1] == ["hang"] and not (folder / "awake").exists():
            time.sleep(0.05)
        if request.get("out"):
            Path(request["out"]).write_bytes(b"written")
        reply: dict[str, Any] = {"id": request["id"]}
        if said[:1] in (["error"], ["transient"]):
            code = said[1] if said[0] == "error" else "bad_media"
            reply["error"] = {"code": code, "message": f"{name}: no", "hint": "", "field": request["field"]}
            if said[0] == "transient":
                reply["error"]["transient"] = "yes"
        else:
            reply["ok"] = ANSWERS.get(request["op"], CLIP)
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
