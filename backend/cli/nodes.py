"""`python app.py nodes install`: installs the custom nodes for Animate into a ComfyUI of this machine."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from backend.cli.console import complain, say
from backend.custom_nodes.install import NodesNotInstalled, install, look
from backend.custom_nodes.pins import REPOSITORIES
from backend.notices import words
from backend.servers.launch import comfyui_python

PROJECT = Path(__file__).resolve().parents[2]


def add_nodes(commands: Any) -> None:
    """The `nodes` command's arguments."""
    parser = commands.add_parser("nodes", help="custom nodes for Animate: install")
    actions = parser.add_subparsers(dest="action", metavar="action", required=True)
    put = actions.add_parser(
        "install",
        help="install the custom nodes that Animate can use into ComfyUI",
        description="Installs four packs of custom nodes, each at a pinned commit, into ComfyUI's folder"
        " custom_nodes, and the Python packages that they lack into its Python. What is already installed is"
        " left unchanged. They are third-party code and run as part of ComfyUI. ComfyUI 0.20 and newer can"
        " find pose and person without them.",
    )
    put.add_argument("--comfyui", default="", metavar="DIR", help="ComfyUI's folder (default: COMFYUI_DIR)")
    put.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    put.add_argument(
        "--repositories",
        default=REPOSITORIES,
        metavar="BASE",
        help=f"where the repositories are fetched from (default: {REPOSITORIES})",
    )


def run_nodes(arguments: argparse.Namespace) -> int:
    """Runs the command. Returns 0, 1 when nothing could be installed, 2 when it cannot ask for consent.

    Raises StudioError.
    """
    try:
        return _install(arguments)
    except NodesNotInstalled as error:
        complain(error.message, error.hint)
        return 1


def _install(arguments: argparse.Namespace) -> int:
    from backend.settings.environment import load_environment
    from backend.settings.model import Settings

    for warning in load_environment(PROJECT):
        complain(words(warning))
    settings = Settings.from_env(os.environ, PROJECT)
    chosen = Path(arguments.comfyui).expanduser().resolve() if arguments.comfyui else settings.comfyui_dir
    if chosen is None:
        raise NodesNotInstalled.of("nodes_no_comfyui")
    found = look(chosen)
    say(f"ComfyUI in {chosen}:")
    for item in found:
        say(f"  {item.words}")
    if all(item.folder is not None for item in found):
        say("Nothing to do.")
        return 0
    if not arguments.yes:
        if not sys.stdin.isatty():
            complain("Use --yes to install them: there is no terminal for confirmation.")
            return 2
        if input("Install them? [y/N] ").strip().lower() not in ("y", "yes"):
            say("Nothing was changed.")
            return 0
    python = comfyui_python(chosen, settings.comfyui_python)
    put = install(chosen, python, say, base=arguments.repositories)
    say(f"Installed: {', '.join(pack.name for pack in put)}. Restart ComfyUI, then Animate finds them.")
    return 0
