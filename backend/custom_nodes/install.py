"""Installs the pinned custom nodes into a ComfyUI: by git at a commit, then the packages that they lack.

Existing packs and existing packages of ComfyUI's Python are never changed. A pack gets its final folder name
only after its packages are installed; until then, and after a kill, the name ends in `.disabled`, which
ComfyUI does not load.

`python -m backend.custom_nodes.install DIR` needs only the standard library: the container image is built
with it before the rest of the code is copied."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.custom_nodes.pins import PACKS, REPOSITORIES, Pack, constraints, normal, wanted
from backend.error_texts.custom_nodes import TEXTS

Say = Callable[[str], None]
GIT_SECONDS = 600
PIP_SECONDS = 3600
UNFINISHED = ".wan-studio.disabled"


class NodesNotInstalled(Exception):
    """Custom nodes could not be installed; ComfyUI is unchanged. `detail`: output of the failed program.

    Not a StudioError: those need more than the standard library."""

    def __init__(self, message: str, hint: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.message, self.hint, self.detail = message, hint, detail

    @classmethod
    def of(cls, code: str, *, detail: str = "", **args: str | int) -> NodesNotInstalled:
        """The error with the text of this code in backend/error_texts/custom_nodes.py."""
        text = TEXTS[code]
        return cls(text.message.format(**args), text.hint.format(**args), detail=detail)


@dataclass(frozen=True)
class Found:
    """The state of a pack in a ComfyUI. folder: None when it is not installed; commit: "" when unknown."""

    pack: Pack
    folder: Path | None
    commit: str = ""

    @property
    def words(self) -> str:
        name = self.pack.name
        if self.folder is None:
            return f"{name}: will be installed, {self.pack.about}"
        if self.commit == self.pack.commit:
            return f"{name}: installed at the pinned commit"
        at = f" at commit {self.commit[:10]}" if self.commit else ""
        return f"{name}: installed{at}, left unchanged (pinned: {self.pack.commit[:10]})"


def look(comfyui: Path, packs: Sequence[Pack] = PACKS) -> list[Found]:
    """The state of each pack. Raises NodesNotInstalled when the folder is not a ComfyUI."""
    if not (comfyui / "main.py").is_file():
        raise NodesNotInstalled.of("nodes_not_comfyui", folder=str(comfyui))
    folder = comfyui / "custom_nodes"
    try:
        there = {path.name.casefold(): path for path in folder.iterdir()} if folder.is_dir() else {}
    except OSError as error:
        raise NodesNotInstalled.of(
            "nodes_not_readable", folder=str(folder), reason=str(error.strerror)
        ) from error
    found = []
    for pack in packs:
        path = there.get(pack.name.casefold())  # ComfyUI-Manager writes some names in lower case
        found.append(Found(pack, path, _commit(path) if path else ""))
    return found


def install(
    comfyui: Path,
    python: str,
    say: Say,
    *,
    packs: Sequence[Pack] = PACKS,
    base: str = REPOSITORIES,
) -> list[Pack]:
    """Installs the missing packs and returns them. Raises NodesNotInstalled; custom_nodes is then unchanged,
    but packages that pip has installed stay."""
    missing = [found.pack for found in look(comfyui, packs) if found.folder is None]
    if not missing:
        return []
    if shutil.which("git") is None:
        raise NodesNotInstalled.of("nodes_without_git")
    folder = comfyui / "custom_nodes"
    fresh: dict[Pack, Path] = {}
    try:
        folder.mkdir(exist_ok=True)
        for left in folder.glob(f"*{UNFINISHED}"):
            shutil.rmtree(left, ignore_errors=True)  # of a run that was killed
        for pack in missing:
            say(f"Fetching {pack.name} at {pack.commit[:10]}")
            fresh[pack] = folder / f"{pack.name}.{secrets.token_hex(4)}{UNFINISHED}"
            _fetch(pack, fresh[pack], base)
        _packages(python, list(fresh.values()), say)
        for pack, path in fresh.items():
            path.rename(folder / pack.name)
    except OSError as error:
        raise NodesNotInstalled.of(
            "nodes_not_writable", folder=str(folder), reason=str(error.strerror)
        ) from error
    finally:
        for path in fresh.values():
            shutil.rmtree(path, ignore_errors=True)
    return missing


def _fetch(pack: Pack, target: Path, base: str) -> None:
    """Fetches the pinned commit without its history."""
    target.mkdir()
    _git(pack, target, "init", "-q")
    _git(pack, target, "remote", "add", "origin", pack.url(base))
    _git(pack, target, "fetch", "-q", "--depth", "1", "origin", pack.commit)
    _git(pack, target, "checkout", "-q", "--detach", pack.commit)
    if _commit(target) != pack.commit:
        raise NodesNotInstalled.of("nodes_other_commit", pack=pack.name)


def _git(pack: Pack, folder: Path, *arguments: str) -> None:
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True, text=True, errors="replace", timeout=GIT_SECONDS, env=environment,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise NodesNotInstalled.of("nodes_fetch_late", pack=pack.name, minutes=GIT_SECONDS // 60) from error
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        if not lines:
            raise NodesNotInstalled.of("nodes_fetch_failed", pack=pack.name)
        raise NodesNotInstalled.of("nodes_not_fetched", pack=pack.name, reason=lines[-1], detail=done.stderr)


def _packages(python: str, folders: Sequence[Path], say: Say) -> None:
    """Installs the packages that the packs need and ComfyUI's Python lacks; respects PIP_CONSTRAINT."""
    installed = _installed(python)
    lines: list[str] = []
    for folder in folders:
        file = folder / "requirements.txt"
        if file.is_file():
            lines += file.read_text(encoding="utf-8", errors="replace").splitlines()
    needed = wanted(lines, installed)
    if not needed:
        return
    say(f"Installing {len(needed)} packages for them: {', '.join(needed)}")
    with tempfile.TemporaryDirectory(prefix="wan-nodes-") as place:
        requirements, keep = Path(place) / "requirements.txt", Path(place) / "constraints.txt"
        requirements.write_text("\n".join(needed) + "\n", encoding="utf-8")
        keep.write_text("\n".join(constraints(installed)) + "\n", encoding="utf-8")
        environment = {
            **os.environ,
            "PIP_CONSTRAINT": f"{os.environ.get('PIP_CONSTRAINT', '')} {keep}".strip(),
        }
        command = [
            python,
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "-q",
            "-r",
            str(requirements),
        ]
        _pip(command, environment)


def _installed(python: str) -> dict[str, str]:
    """Normalised name -> version of the packages of this Python."""
    command = [python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"]
    done = _pip(command, dict(os.environ))
    try:
        return {normal(item["name"]): item["version"] for item in json.loads(done)}
    except (ValueError, KeyError, TypeError) as error:
        raise NodesNotInstalled.of("nodes_no_package_list", python=python) from error


def _pip(command: Sequence[str], environment: dict[str, str]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=PIP_SECONDS, env=environment,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise NodesNotInstalled.of("nodes_pip_late", minutes=PIP_SECONDS // 60) from error
    except OSError as error:
        raise NodesNotInstalled.of(
            "nodes_no_python", python=command[0], reason=str(error.strerror)
        ) from error
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [
            done.stderr.strip()
        ]
        raise NodesNotInstalled.of("nodes_packages_failed", reason=errors[-1], detail=done.stderr)
    return done.stdout


def _commit(folder: Path) -> str:
    """The commit that is checked out; "" when the folder is not a repository."""
    if not (folder / ".git").exists():
        return ""
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(folder), "rev-parse", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def main() -> int:
    """For the container image: DIR [--python PYTHON] [--repositories BASE]."""
    parser = argparse.ArgumentParser(prog="python -m backend.custom_nodes.install")
    parser.add_argument("comfyui", type=Path)
    parser.add_argument("--python", default="python3")
    parser.add_argument("--repositories", default=REPOSITORIES)
    arguments = parser.parse_args()
    try:
        install(arguments.comfyui, arguments.python, print, base=arguments.repositories)
    except NodesNotInstalled as error:
        print(f"{error.message} {error.hint}\n{error.detail}".strip(), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
