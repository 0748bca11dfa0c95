"""What start.sh and its shell functions say on machines where something is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.shell_project import make_project, run_functions

pytestmark = pytest.mark.full

NO_WRITING = "for folder in /tmp /var/tmp /usr/tmp; do mount -t tmpfs -o ro none $folder 2>/dev/null; done; "


def _environment(folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHON": sys.executable, **more}


def shell(folder: Path, script: str, **env: str) -> subprocess.CompletedProcess[str]:
    return run_functions(folder, script, _environment(folder, env))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that requires a package that no Python has."""
    folder = make_project(tmp_path / "project")
    (folder / "start.sh").write_bytes((ROOT / "start.sh").read_bytes())
    for name in ("requirements", "requirements-worker"):
        (folder / f"{name}.txt").write_text("no-such-package==1\n")
        (folder / f"{name}.lock").write_text("no-such-package==1 --hash=sha256:" + "0" * 64 + "\n")
    return folder


def start(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(folder / "start.sh"), *arguments], capture_output=True, text=True, timeout=120,
        env=_environment(folder, env),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "env"), [(["worker"], {}), ([], {"RUNPOD_WEBHOOK_GET_JOB": "https://example.org"})]
)
def test_the_image_of_the_page_is_no_worker(project: Path, arguments: list[str], env: dict[str, str]) -> None:
    done = start(project, *arguments, STUDIO_IMAGE="page", **env)
    assert done.returncode == 1 and done.stdout == ""
    assert "has the page alone and cannot be the worker" in done.stderr and "-t wan-studio ." in done.stderr
    assert "python3-venv" not in done.stderr and not (project / ".venv").exists()


def test_the_image_of_the_page_with_code_of_another_version(project: Path) -> None:
    done = start(project, "serve", STUDIO_IMAGE="page")
    assert done.returncode == 1 and "Build it again" in done.stderr and "worker" not in done.stderr
    assert not (project / ".venv").exists()


def test_a_python_without_venv(project: Path, tmp_path: Path) -> None:
    python = tmp_path / "python3"
    python.write_text(f'#!/bin/sh\ncase "$*" in *ensurepip*) exit 1 ;; esac\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    done = start(project, "serve", PYTHON=str(python))
    assert done.returncode == 1
    assert (
        "its venv module is not installed.\nOn Debian and Ubuntu: apt-get install python3-venv."
        in done.stderr
    )
    assert not (project / ".venv").exists()


def test_a_folder_for_packages_that_cannot_be_made(project: Path) -> None:
    (project / ".venv").write_text("in the way")
    done = start(project, "serve")
    assert done.returncode == 1 and "where Wan Studio's packages go, cannot be written to." in done.stderr
    assert "Traceback" not in done.stderr and "python3-venv" not in done.stderr


def test_a_home_that_is_not_there(project: Path) -> None:
    done = shell(project, 'give_identity; echo "$HOME"', HOME="/nonexistent", TMPDIR=str(project))
    assert done.stdout == f"{project}/home-{os.getuid()}\n"
    assert (
        done.stderr
        == f"The home folder /nonexistent cannot be written to: caches go into {done.stdout[:-1]}.\n"
    )
    again = shell(project, 'unset HOME; give_identity; echo "$HOME"', TMPDIR=str(project))
    assert again.stdout == done.stdout and again.stderr.startswith("There is no home folder (HOME): caches")
    (project / f"home-{os.getuid()}").rmdir()
    (project / f"home-{os.getuid()}").symlink_to("/")
    other = shell(project, 'give_identity; echo "$HOME"', HOME="/nonexistent", TMPDIR=str(project))
    assert other.stdout.startswith(f"{project}/home-{os.getuid()}-"), "a link of someone else is not followed"


@pytest.mark.skipif(os.getuid() != 0, reason="takes root to mount")
@pytest.mark.skipif(ROOT.is_relative_to("/tmp"), reason="the test hides what is in /tmp")
def test_a_read_only_machine_without_a_temporary_folder() -> None:
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-c", f"{NO_WRITING} exec bash {ROOT / 'start.sh'} --help"],
        cwd="/proc", capture_output=True, text=True, timeout=120,
        env={"PATH": os.environ["PATH"], "HOME": "/proc", "PYTHON": sys.executable},
    )  # fmt: skip
    if "unshare" in done.stderr:
        pytest.skip("no mount namespace can be made here")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("No folder for temporary files can be written to.\n")
    assert "--tmpfs /tmp" in done.stderr and "mktemp" not in done.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="takes root to become another user")
def test_a_user_without_an_entry_starts_the_page_s_python(tmp_path: Path) -> None:
    """As `docker run --user 54321`: no name, a home that is `/`, code of root."""
    functions = (ROOT / "scripts" / "environment.sh").read_text()
    script = (
        f'{functions}\ngive_identity\nvenv_folder\nprintf \'%s\\n\' "$USER" "$HOME" "$venv"; rmdir "$HOME"'
    )
    done = subprocess.run(
        ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "bash", "-euc", script],
        cwd="/usr", capture_output=True, text=True, timeout=120,
        env={"PATH": os.environ["PATH"], "HOME": "/"},
    )  # fmt: skip
    assert done.stdout.split() == ["wan", "/tmp/home-54321", "/tmp/home-54321/.cache/wan-studio/venv"], (
        done.stderr
    )
    assert done.returncode == 0
