"""The security table: attempts against app.py as a real process, expected and actual result.

.venv/bin/python -m benchmarks.security
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.support.attack import LOCKED_ENV, OPEN_ENV
from tests.support.security_cases import CASES
from tests.support.security_site import Site


def main() -> int:
    """Exit status 1 when an actual result differs from the expected one."""
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        running: dict[bool, Site] = {}
        print("| attempt | expected | seen |\n|---|---|---|")
        try:
            running[False] = Site(Path(folder) / "open", **OPEN_ENV)
            running[True] = Site(Path(folder) / "locked", **LOCKED_ENV)
            for case in CASES:
                try:
                    seen = case.run(running[case.locked])
                except Exception as error:
                    seen = f"{type(error).__name__}: {error}"
                wrong += seen != case.expected
                attempt = case.attempt + (" (with WAN_AUTH)" if case.locked else "")
                print(
                    "| "
                    + " | ".join(text.replace("|", "\\|") for text in (attempt, case.expected, seen[:300]))
                    + " |"
                )
        finally:
            for site in running.values():
                site.close()
    print(f"\n{len(CASES)} attempts, {wrong} not as expected.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
