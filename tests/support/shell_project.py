"""A project folder with the functions of start.sh, and a shell that has them."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support.paths import ROOT


def make_project(folder: Path) -> Path:
    """A folder with scripts/environment.sh and what it calls."""
    (folder / "scripts").mkdir(parents=True)
    for name in ("environment.sh", "installed.py"):
        (folder / "scripts" / name).write_bytes((ROOT / "scripts" / name).read_bytes())
    return folder


def run_functions(folder: Path, script: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs the script in the project, with the functions of environment.sh and exactly this environment."""
    return subprocess.run(
        ["bash", "-c", f"set -euo pipefail; . scripts/environment.sh; {script}"],
        cwd=folder, capture_output=True, text=True, timeout=120, env=dict(env),
    )  # fmt: skip
