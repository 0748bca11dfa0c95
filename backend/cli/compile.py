"""`python app.py compile`: prints the ComfyUI graph of a job."""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.cli.console import complain
from backend.errors import BadInput, StudioError, from_os_error
from backend.jobs.input_files import measured
from backend.jobs.params import make_params
from backend.jobs.preflight import compile_for
from backend.jobs.recipe import Lacking, Recipe, RecipeFile
from backend.jobs.recipe_match import Disk, Matched, matched
from backend.jobs.recipe_texts import recipe_in
from backend.jobs.workflow_files import zipped
from backend.media.decoder import Decoder
from backend.models.file_hashes import hashes_of
from backend.models.finder import roots_of
from backend.models.hasher import Hasher
from backend.notices import words
from workflows.catalog import load_catalog
from workflows.graph.node_contract import RoleFile, ServerFacts, facts, recorded
from workflows.modes.parsing import params_from_text
from workflows.modes.registry import MODES
from workflows.notice import Notice, made
from workflows.params.limits import RANDOM_SEEDS
from workflows.params.media import Media
from workflows.params.values import InvalidParam
from workflows.resolved import Resolved
from workflows.spec import ModeParams

if TYPE_CHECKING:
    from backend.settings.model import Settings

HASH_SECONDS = 600.0
"""How long files are hashed that a recipe may mean."""
DEFAULT_WIDTH, DEFAULT_HEIGHT, DEFAULT_SECONDS = 832, 480, 5.0
"""The assumed size in pixels and duration of a media file that does not exist."""


def add_compile(commands: Any) -> None:
    """The `compile` command's arguments."""
    parser = commands.add_parser(
        "compile",
        help="print the ComfyUI graph of a job; needs no server and no GPU",
        description="Prints the ComfyUI API-format graph of a job. Media are file names: measured if the file"
        " exists, else media_width=, media_height= and media_seconds= say what they are (832, 480, 5).",
    )
    parser.add_argument(
        "mode", choices=sorted(MODES), metavar="MODE", nargs="?", help=", ".join(sorted(MODES))
    )
    parser.add_argument(
        "values", nargs="*", metavar="key=value", help="image=photo.png prompt='...' seconds=5 ..."
    )
    parser.add_argument(
        "--recipe",
        metavar="FILE",
        help="in place of MODE and values: a video, picture or JSON file that says how it was made",
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="write the graph here instead of printing it; a FILE.zip gets one file per graph,"
        " as ComfyUI's page opens them",
    )


def run_compile(arguments: argparse.Namespace, settings: Callable[[], Settings] | None = None) -> int:
    """Compiles and prints. Returns 0, or 2 for wrong use with the reason on stderr. settings: of this
    machine, whose files a recipe is compared with."""
    try:
        if bool(arguments.recipe) == bool(arguments.mode):
            raise BadInput.of("mode_or_recipe")
        if arguments.recipe:
            graphs = compile_recipe(Path(arguments.recipe), settings)
        else:
            graphs = compile_command(arguments.mode, arguments.values)
    except BadInput as error:
        complain(error.message, error.hint)
        return 2
    text = json.dumps(graphs[0] if len(graphs) == 1 else graphs, indent=1, ensure_ascii=False)
    if not arguments.out:
        print(text)
        return 0
    out = Path(arguments.out)
    packed = out.suffix.lower() == ".zip"
    try:
        out.write_bytes(zipped(graphs) if packed else f"{text}\n".encode())
    except OSError as error:
        raise from_os_error(
            error, "path_not_written", path=str(arguments.out), reason=str(error.strerror)
        ) from error
    if len(graphs) > 1 and not packed:
        print(
            f"{out.name} is a list of {len(graphs)} graphs. ComfyUI's page opens one graph at a time:"
            f" use --out {out.stem}.zip for one file per graph.",
            file=sys.stderr,
        )
    return 0


def compile_command(mode: str, pairs: list[str]) -> list[dict[str, Any]]:
    """The graphs for `key=value` arguments. Raises BadInput."""
    params = params_of(mode, values_of(pairs))
    return list(compile_for(params, facts(recorded()), "command").graphs)


def values_of(pairs: Sequence[str]) -> dict[str, str]:
    """`key=value` arguments by name; the last of equal names counts. Raises BadInput."""
    given: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise BadInput.of("not_key_value", pair=pair)
        given[name] = value
    return given


def params_of(mode: str, given: Mapping[str, str]) -> ModeParams:
    """The checked parameters of a mode from texts; files that exist are measured. Raises BadInput."""
    given = dict(given)
    media_facts = {
        name: given.pop(name) for name in ("media_width", "media_height", "media_seconds") if name in given
    }
    try:
        width = int(media_facts.get("media_width", DEFAULT_WIDTH))
        height = int(media_facts.get("media_height", DEFAULT_HEIGHT))
        seconds = float(media_facts.get("media_seconds", DEFAULT_SECONDS))
    except ValueError as error:
        raise BadInput.of("media_not_numbers") from error
    seed = given.get("seed", "-1")
    if seed.strip() == "-1":
        given["seed"] = str(secrets.randbelow(RANDOM_SEEDS))
    media: dict[str, Media] = {}
    for name, field in MODES[mode].media.items():
        if given.get(name):
            media[name] = _measured(given[name], name, field.kind, Media("", width, height, 1, 16.0, seconds))
    try:
        return params_from_text(mode, given, media)
    except InvalidParam as error:
        raise BadInput.of(
            "param_refused", said=error.message, advice=error.hint, field=error.field
        ) from error


def compile_recipe(path: Path, settings: Callable[[], Settings] | None = None) -> list[dict[str, Any]]:
    """The graphs of the recipe in a file, with the names that its models and LoRAs have on this machine, else
    their names in the recipe. Each input file is named after its parameter. Raises BadInput."""
    with Decoder() as decoder:
        here = Matched(recipe_in(decoder.metadata(path)))
    if settings is not None and _is_hashed(here.recipe):
        here = _on_this_machine(here.recipe, settings())
    for one in here.notices:
        complain(words(_about(one)))
    found = here.recipe
    fields = MODES[found.mode].media
    media = {
        name: _measured(
            name, name, field.kind, Media("", DEFAULT_WIDTH, DEFAULT_HEIGHT, 1, 16.0, DEFAULT_SECONDS)
        )
        for name, field in fields.items()
        if field.required
    }
    media |= {name: _as_media(name, file) for name, file in found.media.items()}
    seed = found.values.get("seed", -1)
    values = {name: value for name, value in found.values.items() if name not in ("variations", "vary")}
    values["seed"] = secrets.randbelow(RANDOM_SEEDS) if seed == -1 else seed
    params = make_params(found.mode, values, media)
    return list(compile_for(params, _server(found, here.models), "command").graphs)


def _about(one: Lacking) -> Notice:
    """What to say of a file of a recipe."""
    if one.here:
        return made("recipe_file_renamed", {"name": one.name, "here": one.here})
    if one.kind in ("other_model", "other_lora"):
        return made("recipe_file_differs", {"name": one.name})
    if one.kind in ("unread_model", "unread_lora"):
        return made("recipe_file_unread", {"name": one.name})
    return made("recipe_file_lacking", {"name": one.name})


def _is_hashed(found: Recipe) -> bool:
    """Whether a recipe has the hash of any of its files."""
    return any(one.sha256 for one in found.models) or any(one.sha256 for one in found.loras)


def _server(found: Recipe, here: Mapping[str, str]) -> ServerFacts:
    """The recorded server with the files of the recipe in their roles. here: role -> name on this machine."""
    resolved = Resolved.from_json(found.resolved) or Resolved()
    names = {**resolved.files, **here}
    usual = {file.role: file.name for file in load_catalog().files}
    models = {
        role: RoleFile(name, role in resolved.distilled)
        for role, name in names.items()
        if role in usual and (name != usual[role] or role in resolved.distilled)
    }
    server = facts(recorded())
    return replace(server, models={**server.models, **models})


def _on_this_machine(found: Recipe, settings: Settings) -> Matched:
    """The recipe with the names of files of this machine that have their content; files are hashed as long as
    it takes."""
    if not settings.recipes:
        return Matched(found)
    roots, hasher = roots_of(settings), Hasher(hashes_of(settings))
    folders = {file.folder for file in load_catalog().files}
    lists = {folder: tuple(roots.names(folder)) for folder in folders}
    used = (Resolved.from_json(found.resolved) or Resolved()).files
    try:
        return matched(found, Disk(roots, lists, used), hasher, HASH_SECONDS)
    finally:
        hasher.close()


def _as_media(name: str, file: RecipeFile) -> Media:
    given = file.measures
    return Media(
        name, int(given.get("width", 0)), int(given.get("height", 0)), int(given.get("frames", 1)),
        given.get("fps", 0.0), given.get("seconds", 0.0),
    )  # fmt: skip


def _measured(file: str, field: str, kind: str, assumed: Media) -> Media:
    """The properties of the file, or `assumed` when it does not exist."""
    path = Path(file)
    if not path.exists():
        frames = round(assumed.seconds * assumed.fps) if kind == "video" else 1
        return replace(assumed, name=path.name, frames=frames)
    with Decoder() as decoder:
        try:
            return measured(decoder, kind, path, field, path.name)
        except StudioError as error:
            raise BadInput.of("param_refused", said=error.message, advice=error.hint, field=field) from error
