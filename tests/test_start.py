"""start.sh and its shell functions: what it installs and serves, and that it ends all that it started."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT
from tests.support.shell_project import make_project, run_functions

pytestmark = pytest.mark.full


def scene(name: str, folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.start_scene", name, str(folder)],
        cwd=ROOT, capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    if "unshare" in done.stderr or "'ip'" in done.stderr:
        pytest.skip("no network namespace can be made here")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def ended_well(seen: dict[str, Any]) -> None:
    assert seen["status"] == 0
    assert seen["left"] == []


def test_the_page_is_there_while_comfyui_starts_and_jobs_wait_for_it(tmp_path: Path) -> None:
    seen = scene("starting", tmp_path)
    assert seen["first"]["status"] == "starting" and seen["first"]["engine"] == "comfyui"
    assert seen["waiting"]["queue"] == {"waiting": 1, "running": 0} or seen["still"] in ("queued", "running")
    assert seen["still"] != "failed" and seen["done"] == "done" and seen["last"]["status"] == "ok"
    assert "--extra-model-paths-config" in seen["arguments"]
    assert "Traceback" not in seen["log"]
    ended_well(seen)


def test_on_a_pod_the_pods_own_comfyui_is_awaited_and_adopted(tmp_path: Path) -> None:
    seen = scene("pod", tmp_path)
    assert seen["first"]["status"] == "starting" and seen["done"] == "done"
    assert "base_path: /workspace/models" in seen["paths"], "for when it is restarted"
    assert len(seen["videos"]) == 1 and seen["videos"][0].startswith("/workspace/wan-studio/jobs/")
    assert "https://abc123-7860.proxy.runpod.net/" in seen["log"] and "WAN_AUTH" in seen["log"]
    assert "a second one" not in seen["log"] and seen["theirs_runs"]
    ended_well(seen)


@pytest.mark.deep
def test_comfyuis_that_ignore_signals_are_killed_together(tmp_path: Path) -> None:
    ended_well(scene("stubborn", tmp_path))


@pytest.mark.deep
def test_a_job_that_was_running_is_made_after_the_next_start(tmp_path: Path) -> None:
    seen = scene("interrupted", tmp_path)
    ended_well(seen["first"])
    assert seen["done"] == "done" and seen["videos"] == 1
    ended_well(seen)


def test_where_it_cannot_run_it_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    seen = scene("refused", tmp_path)
    ended_well(seen.pop("first"))
    says = {
        "second": f"Another Wan Studio ({socket.gethostname()}, process",
        "port": "Port 7860 is taken. Stop what uses it",
        "read_only": f"The data folder {tmp_path / 'data'} cannot be written: Read-only file system.",
    }
    for name, words in says.items():
        assert seen[name]["status"] == 1 and seen[name]["left"] == [], name
        assert words in seen[name]["log"] and "Traceback" not in seen[name]["log"], seen[name]["log"]


def shell(folder: Path, script: str, **env: str) -> subprocess.CompletedProcess[str]:
    return run_functions(folder, script, {**os.environ, **env})


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose requirements are one package that every Python has."""
    folder = make_project(tmp_path / "project")
    (folder / "requirements.lock").write_text("# nothing\n")
    return folder


def test_packages_that_are_there_are_used_without_an_environment(project: Path) -> None:
    from importlib.metadata import version

    (project / "requirements.txt").write_text(f"# ours\npytest=={version('pytest')}  # why\n")
    done = shell(project, 'prepare_python requirements.txt; echo "$studio_python"', PYTHON=sys.executable)
    assert done.stdout.strip() == sys.executable and done.stderr == ""
    assert not (project / ".venv").exists()


def test_other_versions_and_missing_extras_are_not_taken_for_ours(project: Path) -> None:
    for line in ("pytest==0.1", "no-such-package==1", "pytest", "pytest[dev]==0"):
        (project / "requirements.txt").write_text(line + "\n")
        done = subprocess.run([sys.executable, "scripts/installed.py", "requirements.txt"], cwd=project)
        assert done.returncode == 1, line


def test_an_environment_is_made_once_and_again_for_another_python(project: Path) -> None:
    (project / "requirements.txt").write_text("# nothing\n")
    say = 'prepare_environment requirements.txt; echo "$venv"'
    first = shell(project, say, PYTHON=sys.executable)
    assert "Setting up Wan Studio in .venv" in first.stdout, first.stderr
    assert shell(project, say, PYTHON=sys.executable).stdout == ".venv\n"
    stamp = project / ".venv" / "installed-requirements"
    stamp.write_text(stamp.read_text().replace("3.", "2."))  # as if made by another Python
    assert "Setting up" in shell(project, say, PYTHON=sys.executable).stdout
    wheel = project / "no_such_package-1-py3-none-any.whl"
    wheel.write_bytes(b"other contents than those that were locked")
    lock = f"no-such-package==1 --hash=sha256:{hashlib.sha256(b'locked').hexdigest()}\n"
    (project / "requirements.lock").write_text(lock)
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(project), "PIP_CONFIG_FILE": os.devnull}
    refused = shell(project, say, PYTHON=sys.executable, **offline)
    assert refused.returncode == 1 and "requirements.lock could not be installed" in refused.stderr
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in refused.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="takes root to become somebody without a name")
def test_a_user_without_a_name_gets_one_and_a_home(project: Path, tmp_path: Path) -> None:
    functions = (project / "scripts" / "environment.sh").read_text()
    script = functions + '\ngive_identity; echo "$USER $LOGNAME $HOME"; [ -w "$HOME" ]; rmdir "$HOME"'
    done = subprocess.run(
        ["env", "-i", f"PATH={os.environ['PATH']}", "HOME=/", "bash", "-euc", script],
        user=54_321, group=54_321, extra_groups=[], cwd="/", capture_output=True, text=True,
    )  # fmt: skip
    user, login, home = done.stdout.split()
    assert done.returncode == 0 and (user, login) == ("wan", "wan") and home not in ("/", "")
    mine = shell(project, 'give_identity; echo "${USER:-none} $HOME"', HOME=str(tmp_path), USER="me")
    assert mine.stdout.split() == ["me", str(tmp_path)], "who has both keeps them"


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to(project: Path) -> None:
    project.chmod(0o555)
    assert shell(project, 'venv_folder; echo "$venv"', HOME="/h").stdout == "/h/.cache/wan-studio/venv\n"


def test_a_python_that_is_too_old_is_reported(project: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("python3", "python"):
        old = tmp_path / "bin" / name
        old.write_text("#!/bin/sh\nexit 1\n")
        old.chmod(0o755)
    for name in ("bash", "cat", "cksum"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or "")
    (project / "requirements.txt").write_text("nothing-that-is==1\n")
    done = shell(project, "prepare_python requirements.txt", PATH=f"{tmp_path}/bin", PYTHON="")
    assert done.returncode != 0 and done.stderr.count("needs Python 3.11 to 3.13") == 1, done.stderr
