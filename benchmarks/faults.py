"""The fault table: app and servers are killed during a stream of jobs, half of the time after a cancel.

.venv/bin/python -m benchmarks.faults [--app-kills 20] [--server-kills 20] [--jobs 60] [--seed 1]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.support.storm import Account, Storm

COLUMNS = (
    "fault", "how often", "seed", "jobs sent", "done", "cancelled", "failed with reason", "lost", "run twice",
    "cancels answered", "made after a cancel",
)  # fmt: skip


def storm(jobs: int, app_kills: int, server_kills: int, servers: int, seed: int, seconds: float) -> Account:
    with tempfile.TemporaryDirectory(prefix="wan-faults-") as folder:
        weather = Storm(Path(folder), servers=servers, seed=seed)
        weather.start()
        try:
            sys.stderr = (Path(folder) / "noise").open("w")  # the client prints errors when the app is killed
            weather.run(jobs, app_kills, server_kills)
            weather.wait(seconds)
            return weather.account()
        finally:
            sys.stderr = sys.__stderr__
            weather.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--app-kills", type=int, default=20)
    parser.add_argument("--server-kills", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=60)
    parser.add_argument("--servers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=900.0, help="for jobs, after the last kill")
    options = parser.parse_args()
    print(f"| {' | '.join(COLUMNS)} |")
    print("|---" * len(COLUMNS) + "|", flush=True)
    bad = 0
    for name, app_kills, server_kills in (
        ("kill -9 of the app", options.app_kills, 0),
        ("kill -9 of a server", 0, options.server_kills),
    ):
        if not app_kills + server_kills:
            continue
        found = storm(options.jobs, app_kills, server_kills, options.servers, options.seed, options.seconds)
        reasons = ", ".join(f"{code} {count}" for code, count in found.reasons.items())
        failed = f"{found.failed}" + (f" ({reasons})" if reasons else "")
        lost, twice, after = len(found.lost), len(found.twice), len(found.after_cancel)
        row = (
            name, app_kills + server_kills, options.seed, found.sent, found.done, found.cancelled, failed,
            lost, twice, found.cancels, after,
        )  # fmt: skip
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)
        bad += lost + twice + after + len(found.without_reason)
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
