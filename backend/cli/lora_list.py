"""`python app.py models loras`: the LoRAs that ComfyUI has, and what they are for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from backend.cli.ask_servers import Asked, infos
from backend.cli.console import plain_table, print_table, say
from backend.engines.kinds import shares_disk
from backend.errors import BadInput
from backend.models.finder import roots_of
from backend.models.lora_files import LoraFiles
from backend.models.lora_rows import LoraServer, lora_rows
from backend.models.progress import size
from backend.models.state import LoraState
from workflows.graph.lora_file import LIST
from workflows.graph.node_contract import ServerFacts
from workflows.modes.registry import MODES

if TYPE_CHECKING:
    import argparse

    from backend.engines.base import EngineInfo
    from backend.models.roots import Roots
    from backend.settings.model import Settings

TITLE_SHOWN = 40


def add_loras(actions: Any) -> None:
    """The arguments of `models loras`."""
    parser = actions.add_parser(
        "loras",
        help="list the LoRAs of your own",
        description="Lists the LoRAs that the servers have, those on this disk without one, with the file of"
        " the other expert, trigger words, and what prevents their use in a mode.",
    )
    parser.add_argument("search", nargs="*", metavar="WORD", help="words of the name, title or trigger words")
    parser.add_argument("--mode", default="", metavar="MODE", help=", ".join(MODES))
    parser.add_argument("--json", action="store_true", help="print the list as JSON")


def loras(settings: Settings, arguments: argparse.Namespace, asked: Sequence[Asked]) -> int:
    """Prints the list of all servers that have answered, else that of this disk. Returns 0. Raises BadInput
    for an unknown mode."""
    if arguments.mode and arguments.mode not in MODES:
        raise BadInput.of("no_such_mode", given=arguments.mode, names=tuple(MODES))
    targets = MODES[arguments.mode].lora_targets if arguments.mode else ()
    rows = lora_rows(_servers(settings, infos(asked)), targets, " ".join(arguments.search))
    said = [one.sentence for one in asked]
    if arguments.json:
        found = {"server": " ".join(said), "loras": [row.record() for row in rows]}
        say(json.dumps(found, indent=2, ensure_ascii=False))
        return 0
    for sentence in said:
        say(sentence)
    say("")
    if rows:
        show(rows)
    else:
        say("No LoRA was found." if not arguments.search else "No LoRA matches.")
    return 0


def _servers(settings: Settings, found: Sequence[EngineInfo]) -> list[LoraServer]:
    """The LoRAs of each server, those of this disk first; without a server those that are on this disk."""
    roots = roots_of(settings)
    if not found:
        return [_server("", tuple(roots.names("loras")), roots)]
    ordered = sorted(found, key=lambda info: not shares_disk(info))
    return [
        _server(info.address, tuple(info.models.get("loras", ())), roots if shares_disk(info) else None)
        for info in ordered
    ]


def _server(address: str, names: tuple[str, ...], roots: Roots | None) -> LoraServer:
    files = LoraFiles(names, roots)
    return LoraServer(address, files, ServerFacts(frozenset(), {LIST: names}, loras=files))


def show(rows: Sequence[LoraState]) -> None:
    """Prints one line for each LoRA or pair, and what is to be known about it."""
    table = plain_table()
    for heading in ("SIZE", "FILE", "OTHER EXPERT", "TITLE", "TRIGGER WORDS"):
        table.add_column(heading, justify="right" if heading == "SIZE" else "left", no_wrap=True)
    for row in rows:
        title = row.title if len(row.title) <= TITLE_SHOWN else f"{row.title[: TITLE_SHOWN - 1]}…"
        table.add_row(
            size(row.bytes) if row.bytes else "", row.name, row.partner, title, ", ".join(row.words)
        )
    print_table(table)
    for row in rows:
        if row.obstacle or row.note:
            say(f"\n{row.name}: {row.obstacle or row.note}")
