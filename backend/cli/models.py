"""`python app.py models ...`: check, use, loras, download, migrate, paths."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from backend.cli.ask_servers import Asked, ask_servers, infos, nearest
from backend.cli.console import complain, plain_table, print_table, say, terminal
from backend.cli.lora_list import add_loras, loras
from backend.cli.model_choice import add_use, use
from backend.cli.model_download import add_download, download
from backend.errors import BadInput
from backend.models import paths as model_paths
from backend.models.assigned import shown_name
from backend.models.file_hashes import hashes_of
from backend.models.inventory import (
    DAMAGED,
    MISSING,
    READY,
    UNKNOWN,
    UNREADABLE,
    UNSEEN,
    UNSUITABLE,
    WRONG_SIZE,
    FileState,
    hashed,
    simply_missing,
)
from backend.models.migrate import migrate
from backend.models.needs import ModeNeed, built_in, fetchable, overview
from backend.models.progress import Progress, size
from backend.notices import words
from backend.system.model_servers import ServerModels, best, by_server
from workflows.catalog import Catalog, load_catalog
from workflows.modes.registry import MODES

if TYPE_CHECKING:
    from backend.settings.model import Settings

PROJECT = Path(__file__).resolve().parents[2]
STATE_WORDS = {
    READY: "ready",
    MISSING: "missing",
    UNSEEN: "not seen",
    WRONG_SIZE: "wrong size",
    DAMAGED: "damaged",
    UNREADABLE: "no access",
    UNSUITABLE: "not usable",
    UNKNOWN: "not listed",
}
STATE_STYLES = {READY: "green", MISSING: "yellow", UNSEEN: "yellow", UNKNOWN: "yellow"}
"""Colours on a terminal; red for the other states."""


def add_models(commands: Any) -> None:
    """The `models` command's arguments."""
    parser = commands.add_parser(
        "models", help="the model files: check, use, loras, download, migrate, paths"
    )
    actions = parser.add_subparsers(dest="action", metavar="action", required=True)
    modes = ", ".join(MODES)
    check = actions.add_parser(
        "check",
        help="list the model files and what is missing",
        description="Lists the model files, what is missing, and how to get it. Exit status 1 when a file"
        " is missing or bad that MODE, or without MODE Image-to-Video, Sound-to-Video or Animate, needs.",
    )
    check.add_argument("mode", nargs="?", default="", metavar="MODE", help=modes)
    check.add_argument("--json", action="store_true", help="print the states as JSON")
    check.add_argument("--hash", action="store_true", help="read the files whole and compare their sha256")
    add_use(actions)
    add_loras(actions)
    add_download(actions)
    old = actions.add_parser("migrate", help="move an old models folder into the model store")
    old.add_argument("--from", dest="source", required=True, metavar="DIR", help="the old models folder")
    old.add_argument("--dry-run", action="store_true", help="only say what would be done")
    tell = actions.add_parser(
        "paths", help="write the extra_model_paths.yaml that tells ComfyUI of the store"
    )
    tell.add_argument("--out", default="", metavar="FILE", help="where (default: in WAN_DATA_DIR)")


def run_models(arguments: argparse.Namespace, here: Path = PROJECT) -> int:
    """Runs the command. `here`: the folder of `.env` and of relative paths. Returns 0, 1 (the reason on
    stderr), or 2 for wrong use. Raises StudioError."""
    from backend.settings.environment import load_environment
    from backend.settings.model import Settings

    for warning in load_environment(here):
        complain(words(warning))
    settings = Settings.from_env(os.environ, here)
    try:
        if arguments.action == "check":
            return check(settings, arguments.mode, arguments.hash, arguments.json)
        if arguments.action == "use":
            return use(settings, arguments, infos(ask_servers(settings)))
        if arguments.action == "loras":
            return loras(settings, arguments, ask_servers(settings))
        if arguments.action == "download":
            return download(settings, arguments, load_catalog(), lambda: nearest(ask_servers(settings)))
        if arguments.action == "migrate":
            return move_in(settings, Path(arguments.source).expanduser(), arguments.dry_run)
        return write_paths(settings, arguments.out)
    except BadInput as error:
        complain(error.message, error.hint)
        return 2


def check(settings: Settings, mode: str, read_all: bool = False, as_json: bool = False) -> int:
    """Prints the table, or JSON. Returns 0 when all files that MODE, or every core mode, needs are ready.

    Raises BadInput for an unknown mode.
    """
    catalog = load_catalog()
    if mode and mode not in catalog.modes():
        raise BadInput.of("no_such_mode", given=mode, names=tuple(catalog.modes()))
    asked = ask_servers(settings)
    servers = by_server(settings, infos(asked))
    if read_all:
        progress = Progress(complain, terminal(stderr=True), verified=hashes_of(settings).note)
        servers = tuple(_hashed(one, mode, catalog, progress) for one in servers)
    good = _complete(servers, mode)
    if as_json:
        found = _data(settings, asked, servers, mode)
        say(json.dumps({**found, "complete": good}, indent=2, ensure_ascii=False))
        return 0 if good else 1
    here = next((one.overview for one in servers if one.local), None)
    if here is not None:
        say(f"Model store: {here.store} ({size(here.free)} free of {size(here.total)})")
    if here is not None and (own := built_in(settings)):
        say(f"ComfyUI's own models, where it looks first: {own}")
    for one in asked:
        say(one.sentence)
    for server in servers:
        if len(servers) > 1:
            where = "its files are on this disk" if server.local else "by the names that it lists"
            say(f"\n{server.address}, {where}:")
        _show(server, mode)
    if not good:
        complain(_reason(servers, mode))
    return 0 if good else 1


def _hashed(server: ServerModels, mode: str, catalog: Catalog, progress: Progress) -> ServerModels:
    """The same with the checksums of the files that are on this disk."""
    if not server.local:
        return server
    found = server.overview
    chosen = {f.file.role for f in found.files if not mode or mode in f.file.modes}
    each = [hashed(f, progress, catalog) if f.file.role in chosen else f for f in found.files]
    return replace(server, overview=overview(each, catalog, found.store))


def _show(server: ServerModels, mode: str) -> None:
    """Prints the files of one server, remarks, and what each mode needs."""
    found = server.overview
    shown = [state for state in found.files if not mode or mode in state.file.modes]
    say("")
    show_table(shown, mode)
    for remark in [*_remarks(shown), *_choices(shown)]:
        say(f"\n{remark}")
    say("")
    for need in found.modes:
        if mode and need.mode != mode:
            continue
        command = f" `{need.command}`" if need.command else ""
        say(f"{size(need.disk):>8} on disk  {need.sentence}{command}" if server.local else need.sentence)
    if server.local:
        say(f"{size(found.used):>8} on disk  All together, shared files counted once.")


def _complete(servers: Sequence[ServerModels], mode: str) -> bool:
    """Whether each mode that counts is ready on one of the servers, to which its jobs go."""
    if mode:
        return any(one.overview.mode(mode).ready for one in servers)
    return all(need.ready for need in _best_needs(servers) if need.core)


def _best_needs(servers: Sequence[ServerModels]) -> list[ModeNeed]:
    """Each mode as it is on the server that lacks the fewest of its files."""
    each = zip(*(one.overview.modes for one in servers), strict=True)
    return [min(needs, key=lambda need: (not need.ready, not need.usable, len(need.lacks))) for needs in each]


def show_table(found: Sequence[FileState], mode: str = "") -> None:
    """Prints state, size, folder, file name and title of each file."""
    table = plain_table()
    for heading in ("STATE", "SIZE", "FOLDER", "FILE", "MODEL"):
        table.add_column(heading, justify="right" if heading == "SIZE" else "left", no_wrap=True)
    for state in found:
        optional = state.file.optional if not mode else mode not in state.file.needed_by
        option = state.file.option(mode) if mode else ""
        remark = f" (for {option})" if option else " (optional)" if optional else ""
        count = state.size if state.path is not None else state.file.bytes
        table.add_row(
            Text(STATE_WORDS[state.state], STATE_STYLES.get(state.state, "red")),
            size(count) if count else "-",
            state.file.folder,
            shown_name(state),
            Text(state.file.title + remark),
        )
    print_table(table)


def move_in(settings: Settings, source: Path, dry_run: bool) -> int:
    """Migrates. Returns 0 when everything was moved, else 1."""
    try:
        report = migrate(
            source,
            settings.models_dir,
            Progress(say, terminal(), verified=hashes_of(settings).note),
            dry_run=dry_run,
        )
    except KeyboardInterrupt:
        complain("Stopped. Nothing is lost; run the same command again to continue.")
        return 1
    for note in report.notes:
        say(words(note))
    would = "would be " if dry_run else ""
    say(
        f"{report.moved} {would}moved, {size(report.bytes)}; {report.same} already in {settings.models_dir};"
        f" {len(report.problems)} not moved."
    )
    for problem in report.problems:
        complain(words(problem))
    if report.moved and not dry_run:
        say("`python app.py models paths` writes the file that tells ComfyUI of the store.")
    return 1 if report.problems else 0


def write_paths(settings: Settings, out: str) -> int:
    """Writes extra_model_paths.yaml and prints how to use it."""
    target = Path(out).expanduser() if out else settings.data_dir / "extra_model_paths.yaml"
    written = model_paths.write(settings.models_dir, Path.cwd() / target)
    said = {
        "new": "Written:",
        "unchanged": "Nothing changed:",
        "updated": "Updated:",
        "replaced": "Replaced, because Wan Studio had not written it:",
    }
    say(f"{said[written.state]} {written.path}, for the model store {settings.models_dir}")
    if written.backup:
        say(f"What was there is kept as {written.backup}; ComfyUI does not read it any more.")
    say(f"Start ComfyUI with: --extra-model-paths-config {written.path}")
    return 0


def _remarks(found: Sequence[FileState]) -> list[str]:
    """Remarks on single files, except for missing ones: one command downloads them all."""
    names: dict[str, list[str]] = {}
    for state in found:
        parts = ("" if simply_missing(state) else state.words, state.note)
        remark = " ".join(part for part in parts if part)
        if remark:
            names.setdefault(remark, []).append(state.file.name)
    return [f"{', '.join(files)}: {remark}" for remark, files in names.items()]


def _choices(found: Sequence[FileState]) -> list[str]:
    """Which files take a role in place of the catalogue's, and what else was found for it."""
    said = []
    for state in found:
        if state.replaced:
            said.append(f"{state.file.role}: {state.used} is used in place of {state.file.name}.")
        more = [*state.others, *state.asked]
        if more:
            choose = f"`python app.py models use {state.file.role} FILE` chooses one."
            said.append(f"{state.file.role}: also found: {', '.join(more)}. {choose}")
    return said


def _data(
    settings: Settings, asked: Sequence[Asked], servers: Sequence[ServerModels], mode: str
) -> dict[str, Any]:
    """The check as JSON: of all servers together, and of each."""
    every = {
        "store": str(settings.models_dir),
        "server": " ".join(one.sentence for one in asked),
        **_listing(best(servers), _best_needs(servers), mode),
    }
    each = [
        {
            "address": one.address,
            "local": one.local,
            "complete": _complete((one,), mode),
            **_listing(one.overview.files, one.overview.modes, mode),
        }
        for one in servers
    ]
    return {**every, "servers": each}


def _listing(files: Sequence[FileState], needs: Sequence[ModeNeed], mode: str) -> dict[str, Any]:
    shown = [
        {
            "role": state.file.role, "title": state.file.title, "folder": state.file.folder,
            "name": state.file.name, "state": state.state, "used": state.used,
            "path": str(state.path or ""), "bytes": state.size or state.file.bytes,
            "others": state.others, "choose": state.asked, "words": state.words, "note": state.note,
        }
        for state in files
        if not mode or mode in state.file.modes
    ]  # fmt: skip
    modes = [
        {
            "mode": need.mode, "ready": need.ready, "usable": need.usable, "sentence": need.sentence,
            "command": need.command, "missing": [state.file.role for state in need.lacks],
        }
        for need in needs
        if not mode or need.mode == mode
    ]  # fmt: skip
    return {"files": shown, "modes": modes}


def _reason(servers: Sequence[ServerModels], mode: str) -> str:
    """Why the check fails, as one line."""
    needs = _best_needs(servers)
    if mode:
        return next(need.sentence for need in needs if need.mode == mode)
    lacking = [need for need in needs if not need.ready and need.core]
    files = {state.file.role: state for need in lacking for state in need.lacks}
    fetch = sum(s.file.bytes for s in files.values() if fetchable(s)) if servers[0].local else 0
    more = f" `python app.py models download` fetches {size(fetch)}." if fetch else ""
    names = ", ".join(need.title for need in lacking)
    return f"Not complete: {names}; {len(files)} of their files are not ready.{more}"
