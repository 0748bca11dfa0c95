"""Waiting time per visitor: 20 visitors, 200 jobs, 4 lanes on demo engines; four visitors have 40 jobs each.

    .venv/bin/python -m benchmarks.visitors [--step-seconds 0.02]

The eight visitors with one job come last. Waits are from submitting a job to its start, in seconds and as a
share of the whole run: shares are comparable between machines.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from pathlib import Path
from statistics import median

from PIL import Image

from backend.settings.model import Settings
from backend.studio import Studio
from tests.support.demo_server import start_demo

OWNERS = [(f"visitor-with-forty-{n}", 40) for n in range(4)]
OWNERS += [(f"visitor-with-four-{n:02}", 4) for n in range(8)]
OWNERS += [(f"visitor-with-one-{n:03}", 1) for n in range(8)]
SMALL = {"width": 64, "height": 64, "seconds": 0.5}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--step-seconds", type=float, default=0.02)
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wan-visitors-")))
        demos = [stack.enter_context(start_demo(step_seconds=options.step_seconds)) for _ in range(4)]
        picture = folder / "picture.png"
        Image.effect_noise((96, 96), 60).convert("RGB").save(picture)
        settings = Settings.from_env(
            {
                "WAN_DATA_DIR": str(folder / "data"),
                "COMFYUI_URL": ",".join(demo.url for demo in demos),
                "WAN_MAX_QUEUED": "1000",
                "WAN_MAX_QUEUED_PER_OWNER": "1000",
                "WAN_LOG_LEVEL": "warning",
            },
            folder,
        )
        studio = Studio(settings)
        stack.callback(studio.close)
        jobs = []
        for owner, count in OWNERS:
            for _ in range(count):
                job = studio.submit(owner, "fast_video", SMALL, {"image": picture})
                jobs.append((owner, job.id, job.key))
        began = time.time()
        studio.start()
        while studio.queue().waiting or studio.queue().running:
            time.sleep(0.2)
        whole = time.time() - began
        waits: dict[str, float] = {}
        failed = 0
        for owner, job_id, _ in jobs:
            stored = studio.store.get(job_id)
            failed += stored is None or stored.status != "done" or stored.started is None
            if stored is not None and stored.started is not None:
                waits[owner] = max(waits.get(owner, 0.0), stored.started - began)
    print(f"{len(jobs)} jobs, {len(OWNERS)} visitors, 4 lanes: {whole:.1f} s, {failed} not done")
    print("| visitors with | longest wait | share of the run | median of their longest waits |")
    print("|---|---|---|---|")
    for kind in ("one", "four", "forty"):
        found = [wait for owner, wait in waits.items() if f"-{kind}-" in owner]
        longest = max(found)
        print(f"| {kind} | {longest:.1f} s | {longest / whole:.0%} | {median(found):.1f} s |")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
