"""`python app.py models use`: chooses the file of a role by hand."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from backend.cli.console import say
from backend.errors import BadInput
from backend.models.choices import NAME, Choice, Choices
from backend.system.model_servers import choice_on
from workflows.catalog import load_catalog

if TYPE_CHECKING:
    from backend.engines.base import EngineInfo
    from backend.settings.model import Settings


def add_use(actions: Any) -> None:
    """The arguments of `models use`."""
    parser = actions.add_parser(
        "use",
        help="choose the file that is used for a role, on this machine",
        description="Chooses the file for a ROLE, such as i2v_high; `models check --json` lists roles and"
        " files. The choice is kept in model_choices.yaml in the data folder.",
    )
    parser.add_argument("role", metavar="ROLE", help=", ".join(file.role for file in load_catalog().files))
    parser.add_argument(
        "file", nargs="?", default="", metavar="FILE", help="as ComfyUI lists it, with folders"
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--distilled", action="store_true", help="it is a 4-step model: no speed LoRA, cfg 1")
    kind.add_argument("--full", action="store_true", help="it is a model for full steps")
    kind.add_argument("--auto", action="store_true", help="no choice: the best file is used again")


def use(settings: Settings, arguments: argparse.Namespace, servers: Sequence[EngineInfo]) -> int:
    """Stores or removes a choice. servers: those that have answered; none: the disk counts. Returns 0. Raises
    BadInput for a role, or for a file that no server can use."""
    catalog, choices = load_catalog(), Choices(settings.data_dir / NAME)
    if arguments.role not in {file.role for file in catalog.files}:
        raise BadInput.of("model_role_unknown", role=arguments.role)
    if bool(arguments.file) == arguments.auto:
        raise BadInput.of("model_choice_incomplete", role=arguments.role)
    if arguments.auto:
        choices.use(arguments.role, None)
        say(f"{arguments.role}: the best file is used.")
        return 0
    distilled = True if arguments.distilled else False if arguments.full else None
    chosen, lacking = choice_on(settings, arguments.role, Choice(arguments.file, distilled), servers)
    choices.use(arguments.role, chosen)
    say(f"{arguments.role}: {chosen.file} is used.")
    for address in lacking:
        say(f"Not by {address}, which does not have it or cannot load it: the best file there is used.")
    return 0
