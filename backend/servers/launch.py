"""How the servers of this machine are started: commands, interpreters, options."""

from __future__ import annotations

import hashlib
import logging
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

log = logging.getLogger("wan.servers")

HELP_SECONDS = 120.0  # the first start of Python from a network volume is slow
IDLE_SECONDS = 30.0  # how long a demo engine waits for a killed studio to restart


def comfyui_python(folder: Path, chosen: str = "") -> str:
    """The interpreter for a ComfyUI folder: the chosen one, else of .venv-cu128, .venv-cu*, .venv, else
    python3."""
    if chosen:
        return chosen
    for venv in (folder / ".venv-cu128", *sorted(folder.glob(".venv-cu*"), reverse=True), folder / ".venv"):
        python = venv / "bin" / "python"
        if python.exists():
            return str(python)
    return "python3"


def comfyui_command(python: str, listen: str, port: int, extra: Sequence[str]) -> list[str]:
    """The command that starts a ComfyUI: headless, with previews unless the extra options say otherwise."""
    command = [python, "main.py", "--listen", listen, "--port", str(port), "--disable-auto-launch"]
    if not has_option(extra, "--preview-method"):
        command += ["--preview-method", "auto"]
    return [*command, *extra]


def own_folders(folder: Path, known: frozenset[str], extra: Sequence[str]) -> list[str]:
    """The options, of those in `known`, that give a further ComfyUI a temporary folder and a database of its
    own.

    Each ComfyUI clears its temporary folder when it starts, and its database permits one process only. The
    other folders are shared: the names of our files are unique.
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
    """The options that this ComfyUI's own --help lists; none when it cannot be run."""
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
    """The command that starts the demo engine; it exits IDLE_SECONDS after its studio is gone."""
    return [
        sys.executable, "-m", "backend.engines.demo", "--port", str(port), "--dir", str(folder),
        "--step-seconds", str(step_seconds), "--until-idle", f"{IDLE_SECONDS:g}",
    ]  # fmt: skip


def key(*parts: object) -> str:
    """A hash that is equal for servers with the same start parameters."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
