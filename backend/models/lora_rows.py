"""The list of LoRAs for people: one row for a file or a pair, with what is known of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from backend.models.file_names import is_sidecar, plain_name
from backend.models.lora_files import LoraFiles
from backend.models.state import LoraState
from backend.notices import words
from workflows.catalog import load_catalog
from workflows.graph.lora_file import LoraFile
from workflows.graph.node_contract import ServerFacts
from workflows.notice import Notice
from workflows.params.loras import LoraTarget
from workflows.stages.lora_fit import file_obstacle, file_warnings


def lora_rows(
    files: LoraFiles, server: ServerFacts, targets: Sequence[LoraTarget] = (), search: str = ""
) -> list[LoraState]:
    """The rows whose name, title or trigger words have all words of the search: those that fit one of the
    targets first, then by name. Without the catalogue's own, which the modes load by themselves."""
    own = {file.name.casefold() for file in load_catalog().files if file.folder == "loras"}
    names = [name for name in files if plain_name(name).casefold() not in own and not is_sidecar(name)]
    known = {name: files[name] for name in names}
    wanted = search.casefold().split()
    rows = [
        _row(known[name], files, server, targets)
        for name in names
        if not _follows(known[name], known) and _matches(known[name], files, wanted)
    ]
    return sorted(rows, key=lambda row: (bool(row.obstacle), row.name.casefold()))


def _follows(file: LoraFile, known: Iterable[str]) -> bool:
    """Whether it is shown in the row of its high-noise partner."""
    return file.expert == "low" and file.partner in known


def _matches(file: LoraFile, files: LoraFiles, wanted: Sequence[str]) -> bool:
    if not wanted:
        return True
    header = files.header(file.name)
    text = " ".join((file.name, file.partner, header.title, *header.words)).casefold()
    return all(word in text for word in wanted)


def _row(file: LoraFile, files: LoraFiles, server: ServerFacts, targets: Sequence[LoraTarget]) -> LoraState:
    header = files.header(file.name)
    obstacles = [file_obstacle(file.name, file, target, server) for target in targets]
    refused = obstacles[0] if obstacles and None not in obstacles else None
    return LoraState(
        name=file.name,
        title=header.title or plain_name(file.name).rsplit(".", 1)[0],
        partner=file.partner,
        expert=file.expert,
        base=file.base,
        words=header.words or files.header(file.partner).words,
        bytes=header.size,
        obstacle=words(refused),
        note=" ".join(words(one) for one in _notes(file, targets)) if refused is None else "",
        purpose=file.purpose,
    )


def _notes(file: LoraFile, targets: Sequence[LoraTarget]) -> tuple[Notice, ...]:
    """What to know about it with the first target that it fits."""
    return tuple(file_warnings(file.name, file, targets[0])) if targets else ()
