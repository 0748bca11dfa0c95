"""`app.py bench --random-weights` from start to end, with a ComfyUI that is the demo engine."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from backend.models.random_weights.folder import PREFIX
from tests.support import comfyui_folder
from tests.support.paths import ROOT
from tests.support.waiting import until

pytestmark = pytest.mark.full


def start(tmp_path: Path, *arguments: str, **environ: str) -> subprocess.Popen[str]:
    comfyui = comfyui_folder.make(tmp_path / "ComfyUI")
    (tmp_path / "tmp").mkdir(exist_ok=True)
    given = {
        "PATH": "/usr/bin:/bin", "COMFYUI_DIR": str(comfyui), "TMPDIR": str(tmp_path / "tmp"),
        "WAN_DATA_DIR": str(tmp_path / "data"), "WAN_MODELS_DIR": str(tmp_path / "models"),
        "COMFYUI_ARGS": "--step-seconds 0.01", **environ,
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, str(ROOT / "app.py"), "bench", "--random-weights", "--scale", "tiny", *arguments],
        cwd=ROOT, env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # tests under nohup ignore it
    )  # fmt: skip


def servers(tmp_path: Path) -> list[dict]:
    """What the started ComfyUIs were started with."""
    return [json.loads(path.read_text()) for path in (tmp_path / "ComfyUI").glob("started-*.json")]


def test_a_row_is_measured_and_nothing_stays(tmp_path: Path) -> None:
    out = tmp_path / "card.json"
    run = start(tmp_path, "--row", "text_to_video,64x64,5,2", "--repeat", "1", "--out", str(out))
    output, errors = run.communicate(timeout=180)
    assert run.returncode == 0, errors
    data = json.loads(out.read_text())
    (row,) = data["rows"]
    assert data["scale"] == "tiny" and data["complete"] is True and "say nothing" in data["note"]
    assert (row["mode"], row["width"], row["frames"], row["steps"]) == ("text_to_video", 64, 5, 2)
    assert len(row["runs"]) == 2 and row["error"] == "" and row["stages"]["draw"] > 0 < row["per_evaluation"]
    assert row["ram_peak"] > 1_000_000
    assert "text_to_video" in output and f"Written to {out}." in output
    (started,) = servers(tmp_path)
    base = started["argv"][started["argv"].index("--base-directory") + 1]
    assert base.startswith(str(tmp_path / "tmp" / PREFIX)) and not Path(base).exists()
    assert list((tmp_path / "tmp").glob(f"{PREFIX}*")) == []
    assert not psutil.pid_exists(started["pid"]) and not (tmp_path / "data").exists()
    assert not (tmp_path / "models").exists(), "the model store is not touched"


@pytest.mark.deep
def test_it_cleans_up_when_it_is_stopped_and_after_a_crash(tmp_path: Path) -> None:
    def running() -> Path | None:
        found = list((tmp_path / "tmp").glob(f"{PREFIX}*"))
        return found[0] if found and servers(tmp_path) else None

    slow = ("--row", "text_to_video,64x64,5,100", "--repeat", "0")
    first = start(tmp_path, *slow, COMFYUI_ARGS="--step-seconds 5")
    until(lambda: running() is not None)
    left, (killed,) = running(), servers(tmp_path)
    first.kill()
    first.wait()
    assert left is not None and left.exists()
    for path in (tmp_path / "ComfyUI").glob("started-*.json"):
        path.unlink()
    second = start(tmp_path, *slow, COMFYUI_ARGS="--step-seconds 5")
    until(lambda: not left.exists() and running() is not None)
    until(lambda: not psutil.pid_exists(killed["pid"]))
    (stopped,) = servers(tmp_path)
    second.send_signal(signal.SIGHUP)
    for _ in range(3):  # impatient: each of these interrupts whatever is being closed
        with contextlib.suppress(subprocess.TimeoutExpired):
            second.wait(0.1)
        if second.poll() is None:
            second.send_signal(signal.SIGINT)
    second.communicate(timeout=60)
    assert list((tmp_path / "tmp").glob(f"{PREFIX}*")) == []
    until(lambda: not psutil.pid_exists(stopped["pid"]))
