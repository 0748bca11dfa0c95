"""The RunPod SDK is imported without the long look at the processor that it takes by itself."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.full

IMPORT = """
import sys
from pathlib import Path
started = []
PROCESSES = ("subprocess.Popen", "os.fork", "os.posix_spawn", "os.system")
sys.addaudithook(lambda event, args: started.append(args[:2]) if event in PROCESSES else None)
from backend.worker.main import _sdk
_sdk(Path(sys.argv[1]))
from runpod.serverless.utils.rp_debugger import PROCESSOR
print(started, PROCESSOR)
"""


def test_py_cpuinfo_starts_no_process(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", IMPORT, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    started, name = run.stdout.rsplit(maxsplit=1)
    assert "cpuinfo" not in started and name == platform.machine()
