"""`python app.py models loras`: the LoRAs that ComfyUI has, and what they are for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from backend.cli.console import plain_table, print_table, say
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

    from backend.settings.model import Settings

TITLE_SHOWN = 40


def add_loras(actions: Any) -> None:
    """The arguments of `models loras`."""
    parser = actions.add_parser(
        "loras",
        help="list the LoRAs of your own",
        description="Lists the LoRAs that ComfyUI has, those on this disk without a server, with the file of"
        " the other expert, trigger words, and what prevents their use in a mode.",
    )
    parser.add_argument("search", nargs="*", metavar="WORD", help="words of the name, title or trigger words")
    parser.add_argument("--mode", default="", metavar="MODE", help=", ".join(MODES))
    parser.add_argument("--json", action="store_true", help="print the list as JSON")


def loras(
    settings: Settings,
    arguments: argparse.Namespace,
    seen: Mapping[str, Sequence[str]] | None,
    server: str,
) -> int:
    """Prints the list. seen: folder -> names as the server lists them; server: a sentence about that. Returns
    0. Raises BadInput for an unknown mode."""
    if arguments.mode and arguments.mode not in MODES:
        raise BadInput.of("no_such_mode", given=arguments.mode, names=tuple(MODES))
    roots = roots_of(settings)
    names = tuple(seen.get("loras", ())) if seen is not None else tuple(roots.names("loras"))
    files = LoraFiles(names, roots)
    facts = ServerFacts(frozenset(), {LIST: names}, loras=files)
    targets = MODES[arguments.mode].lora_targets if arguments.mode else ()
    rows = lora_rows([LoraServer("", files, facts)], targets, " ".join(arguments.search))
    if arguments.json:
        found = {"server": server, "loras": [row.record() for row in rows]}
        say(json.dumps(found, indent=2, ensure_ascii=False))
        return 0
    say(server)
    say("")
    if rows:
        show(rows)
    else:
        say("No LoRA was found." if not arguments.search else "No LoRA matches.")
    return 0


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
