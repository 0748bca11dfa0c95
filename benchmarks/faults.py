"""The fault table: app and servers are killed during a stream of jobs; what became of each job.

.venv/bin/python -m benchmarks.faults [--kills 20] [--jobs 60] [--servers 2] [--seed 1]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.support.storm import Account, Storm


def storm(jobs: int, app_kills: int, server_kills: int, servers: int, seed: int) -> Account:
    with tempfile.TemporaryDirectory(prefix="wan-faults-") as folder:
        weather = Storm(Path(folder), servers=servers, seed=seed)
        weather.start()
        try:
            sys.stderr = (Path(folder) / "noise").open("w")  # the client prints what a killed app does to it
            weather.run(jobs, app_kills, server_kills)
            weather.wait(900)
            return weather.account()
        finally:
            sys.stderr = sys.__stderr__
            weather.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=60)
    parser.add_argument("--servers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("| fault | how often | jobs sent | done | failed with reason | lost | run twice |")
    print("|---|---|---|---|---|---|---|")
    bad = 0
    for name, app_kills, server_kills in (
        ("kill -9 of the app", options.kills, 0),
        ("kill -9 of a server", 0, options.kills),
    ):
        found = storm(options.jobs, app_kills, server_kills, options.servers, options.seed)
        reasons = ", ".join(f"{code} {count}" for code, count in found.reasons.items())
        failed = f"{found.failed}" + (f" ({reasons})" if reasons else "")
        lost, twice = len(found.lost), len(found.twice)
        row = (name, app_kills + server_kills, found.sent, found.done, failed, lost, twice)
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)
        bad += lost + twice + len(found.without_reason)
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
