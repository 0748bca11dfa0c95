"""How the servers of this machine are started: commands, interpreters, and folders for what they keep."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from backend.errors import BadSettings
from backend.servers.orphans import OWNER_SEPARATOR

log = logging.getLogger("wan.supervisor")

HELP_SECONDS = 120.0  # the first start of a Python on a network volume is slow
IDLE_SECONDS = 30.0  # so long a demo engine waits for a studio that was killed to come back


def comfyui_python(folder: Path, chosen: str = "") -> str:
    """The interpreter for a ComfyUI folder: the chosen one, else .venv-cu128, .venv-cu*, .venv, else ours."""
    if chosen:
        return chosen
    for venv in (folder / ".venv-cu128", *sorted(folder.glob(".venv-cu*"), reverse=True), folder / ".venv"):
        python = venv / "bin" / "python"
        if python.exists():
            return str(python)
    return "python3"


def comfyui_command(python: str, listen: str, port: int, extra: Sequence[str]) -> list[str]:
    """How a ComfyUI of ours is started: headless, with previews, unless the extra options say otherwise."""
    command = [python, "main.py", "--listen", listen, "--port", str(port), "--disable-auto-launch"]
    if not has_option(extra, "--preview-method"):
        command += ["--preview-method", "auto"]
    return [*command, *extra]


def own_folders(folder: Path, known: frozenset[str], extra: Sequence[str]) -> list[str]:
    """The options that keep a further ComfyUI from sharing what cannot be shared, of those that it knows.

    Each clears its temporary folder when it starts, and its database allows for one process alone. The
    other folders are shared: our files have names of their own, and its settings are the owner's.
    """
    wanted = {
        "--temp-directory": str(folder),
        "--database-url": f"sqlite:///{folder / 'comfyui.db'}",
    }
    return [
        part
        for name, value in wanted.items()
        if name in known and not has_option(extra, name)
        for part in (name, value)
    ]


def options(python: str, folder: Path) -> frozenset[str]:
    """The options that this ComfyUI's own --help lists; none when it cannot be asked."""
    try:
        done = subprocess.run(
            [python, "main.py", "--help"], cwd=folder, capture_output=True, text=True,
            timeout=HELP_SECONDS, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        log.warning("the options of the ComfyUI in %s cannot be read: %s", folder, error)
        return frozenset()
    return frozenset(re.findall(r"(?<![\w-])--[a-z0-9][a-z0-9-]*", done.stdout))


def has_option(args: Sequence[str], name: str) -> bool:
    return any(arg.partition("=")[0] == name for arg in args)


def demo_command(port: int, step_seconds: float, folder: Path) -> list[str]:
    """How the built-in demo engine is started; it ends by itself some time after its studio is gone."""
    return [
        sys.executable, "-m", "backend.engines.demo", "--port", str(port), "--dir", str(folder),
        "--step-seconds", str(step_seconds), "--until-idle", f"{IDLE_SECONDS:g}",
    ]  # fmt: skip


def key(*parts: object) -> str:
    """Equal for servers that would be started in the same way."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


class Place:
    """Where this studio's servers print and keep what they need while they run, and whose they are.

    The folder is in the system's temporary one (none of it is worth room on a volume) and the same at each
    start with this data folder. While one studio is here, the servers marked with its name are not orphans:
    another on the same data folder, such as a benchmark, has a name and a folder of its own.
    """

    def __init__(self, data: Path) -> None:
        """Raises BadSettings."""
        for name in (str(data), f"{data}{OWNER_SEPARATOR}{os.getpid()}-{secrets.token_hex(4)}"):
            self.name, self.folder = name, run_folder(name)
            self.first = name == str(data)
            self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError:
                os.close(self._lock)
        raise BadSettings(f"The folder {self.folder} cannot be locked.", "Set TMPDIR to another one.")

    def touch(self) -> None:
        """Keeps those away that clear the temporary folder of old files."""
        with contextlib.suppress(OSError):
            os.utime(self._lock)

    def leave(self, keep_logs: bool) -> None:
        """Removes what is in it, and lets go of it."""
        for entry in self.folder.iterdir() if self.folder.is_dir() else ():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            elif not (keep_logs and self.first) and entry.name != "lock":
                entry.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            if not (keep_logs and self.first):
                (self.folder / "lock").unlink()
                self.folder.rmdir()
        with contextlib.suppress(OSError):
            os.close(self._lock)


def run_folder(name: str, environ: Mapping[str, str] = os.environ) -> Path:
    """A folder of our own in the system's temporary one for this name. Raises BadSettings."""
    name = f"wan-studio-{os.getuid()}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    folder = Path(environ.get("TMPDIR") or tempfile.gettempdir()) / name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = folder.lstat()
    except OSError as error:
        raise BadSettings(f"The folder {folder} cannot be used: {error.strerror}.") from error
    if facts.st_uid != os.getuid() or folder.is_symlink() or not folder.is_dir():
        raise BadSettings(f"The folder {folder} belongs to somebody else.", "Set TMPDIR to one of your own.")
    return folder
