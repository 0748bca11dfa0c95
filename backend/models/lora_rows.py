"""The list of LoRAs for people: one row for a file or a pair, with what is known of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from backend.models.file_names import is_sidecar, plain_name
from backend.models.lora_files import LoraFiles
from backend.models.state import LoraState
from backend.notices import words
from workflows.catalog import load_catalog
from workflows.graph.lora_file import LoraFile
from workflows.graph.node_contract import ServerFacts
from workflows.notice import Notice, notice
from workflows.params.loras import LoraTarget, plain
from workflows.stages.lora_fit import file_obstacle, file_warnings


@dataclass(frozen=True)
class LoraServer:
    """The LoRAs of one server, and what it offers."""

    address: str
    files: LoraFiles
    facts: ServerFacts


def lora_rows(
    servers: Sequence[LoraServer], targets: Sequence[LoraTarget] = (), search: str = ""
) -> list[LoraState]:
    """The rows of all servers whose name, title or trigger words have all words of the search: those that fit
    one of the targets first, then by name. Without the catalogue's own, which the modes load."""
    found: dict[str, LoraState] = {}
    for server in servers:
        for row in _of_server(server, targets, search):
            key = plain(row.name)
            if key not in found or (found[key].obstacle and not row.obstacle):
                found[key] = row
    lists = {server.address: frozenset(map(plain, server.files)) for server in servers}
    rows = [_placed(row, lists) for row in found.values()]
    return sorted(rows, key=lambda row: (bool(row.obstacle), row.name.casefold()))


def _placed(row: LoraState, lists: Mapping[str, frozenset[str]]) -> LoraState:
    """The row with the servers that lack one of its files. lists: address -> plain names."""
    names = {plain(name) for name in (row.name, row.partner) if name}
    missing = tuple(address for address, listed in lists.items() if not names <= listed)
    if not missing:
        return row
    note = f"{row.note} {words(notice('lora_not_everywhere', addresses=missing))}".strip()
    return replace(row, missing=missing, note=note)


def _of_server(server: LoraServer, targets: Sequence[LoraTarget], search: str) -> list[LoraState]:
    files = server.files
    own = {file.name.casefold() for file in load_catalog().files if file.folder == "loras"}
    names = [name for name in files if plain_name(name).casefold() not in own and not is_sidecar(name)]
    known = {name: files[name] for name in names}
    wanted = search.casefold().split()
    return [
        _row(known[name], files, server.facts, targets)
        for name in names
        if not _follows(known[name], known) and _matches(known[name], files, wanted)
    ]


def _follows(file: LoraFile, known: Iterable[str]) -> bool:
    """Whether it is shown in the row of its high-noise partner."""
    return file.expert == "low" and file.partner in known


def _matches(file: LoraFile, files: LoraFiles, wanted: Sequence[str]) -> bool:
    if not wanted:
        return True
    said = (files.title(file.name), *files.words(file.name))
    text = " ".join((file.name, file.partner, *said)).casefold()
    return all(word in text for word in wanted)


def _row(file: LoraFile, files: LoraFiles, server: ServerFacts, targets: Sequence[LoraTarget]) -> LoraState:
    obstacles = [file_obstacle(file.name, file, target, server) for target in targets]
    refused = obstacles[0] if obstacles and None not in obstacles else None
    return LoraState(
        name=file.name,
        title=files.title(file.name) or plain_name(file.name).rsplit(".", 1)[0],
        partner=file.partner,
        expert=file.expert,
        base=file.base,
        words=files.words(file.name) or files.words(file.partner),
        bytes=file.size,
        obstacle=words(refused),
        note=" ".join(words(one) for one in _notes(file, targets)) if refused is None else "",
        purpose=file.purpose,
    )


def _notes(file: LoraFile, targets: Sequence[LoraTarget]) -> tuple[Notice, ...]:
    """What to know about it with the first target that it fits."""
    return tuple(file_warnings(file.name, file, targets[0])) if targets else ()
