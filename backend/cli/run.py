"""`python app.py run`: makes a video or picture with a studio, as any other client of the API does."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from backend.cli import run_results, run_studio
from backend.cli.compile import params_of, values_of
from backend.cli.console import complain, say, terminal
from backend.cli.run_client import Call, Client, Made
from backend.errors import BadInput
from backend.notices import words
from backend.security import tokens
from backend.settings.environment import load_environment
from backend.settings.model import Settings
from backend.stopping import of_command
from workflows.modes.registry import MODES
from workflows.params.field import Field


@dataclass(frozen=True)
class Wanted:
    """A call, and what to do with its result. `out`: file or folder, None for the working folder."""

    call: Call
    out: Path | None
    as_json: bool
    wait: bool


def run_run(arguments: argparse.Namespace, here: Path) -> int:
    """Runs the command. `here`: the folder of the app, with `.env`. Returns 0, or 2 for wrong use.

    Raises StudioError when nothing was made."""
    environ = dict(os.environ)
    for warning in load_environment(here, environ):
        complain(words(warning))
    settings = Settings.from_env(environ, here)
    try:
        asked = wanted(arguments)
        asked = replace(asked, call=run_results.opened(asked.call, None if arguments.url else settings))
        owner = arguments.owner or settings.run_owner
        if owner and not tokens.is_token(owner):
            raise BadInput.of("bad_owner_token", field="owner")
        login = _login(arguments.login or settings.run_login)
    except BadInput as error:
        complain(error.message, error.hint)
        return 2
    stop = of_command()
    with contextlib.ExitStack() as stack:
        if arguments.url:
            url, own = arguments.url, tokens.new_token()
        else:
            lasts = asked.wait
            url = stack.enter_context(run_studio.here(settings, environ, here, may_start=lasts))
            own = run_studio.owner(settings)
            login = login or (settings.auth[0] if settings.auth else None)
        try:
            client = stack.enter_context(Client(url, owner or own, login, stop))
            _make(client, asked, {"owner": own} if arguments.url and not owner else {})
        except BadInput as error:
            complain(error.message, error.hint)
            return 2
    return 0


def wanted(arguments: argparse.Namespace) -> Wanted:
    """The call, checked as far as it can be without a studio. Raises BadInput."""
    given = values_of(arguments.values)
    out = Path(arguments.out).expanduser() if arguments.out else None
    if out is not None and not (out if out.is_dir() else out.absolute().parent).is_dir():
        raise BadInput.of("out_without_folder", path=str(out))
    mode = MODES.get(arguments.what)
    if mode is None:
        if arguments.variations != 1 or arguments.vary:
            raise BadInput.of("run_has_no_variations", what=arguments.what)
        if not given.get("id"):
            raise BadInput.of("run_needs", what=arguments.what, name="id")
        return Wanted(Call(arguments.what, given), out, arguments.json, not arguments.no_wait)
    results = run_results.named(mode, given)
    given = {name: text for name, text in given.items() if name not in results}
    for name, field in mode.media.items():
        if given.get(name) and not Path(given[name]).expanduser().is_file():
            raise BadInput.of("file_not_found", name=given[name], field=field.name)
    files = {name: str(Path(given[name]).expanduser()) for name in mode.media if given.get(name)}
    if results:
        run_results.check(mode, {**given, **dict.fromkeys(results, run_results.PREFIX)})
    else:
        params_of(arguments.what, {**given, **files})
    values: dict[str, Any] = {}
    for name, text in given.items():
        spec = mode.by_name[name]
        if isinstance(spec, Field) and spec.kind != "loras":
            values[name] = spec.parse(text)
        elif not isinstance(spec, Field) or text:
            values[name] = text
    several = {"variations": arguments.variations, "vary": arguments.vary}
    values |= {name: value for name, value in several.items() if value not in (1, "")}
    values |= {run_results.PARAMETER: results} if results else {}
    return Wanted(Call(arguments.what, values, files), out, arguments.json, not arguments.no_wait)


def _login(text: str) -> tuple[str, str] | None:
    """(user, password); None for "". Raises BadInput."""
    if not text:
        return None
    user, colon, password = text.partition(":")
    if not colon or not user or not password:
        raise BadInput.of("run_login_unusable", field="login")
    return user, password


def _make(client: Client, wanted: Wanted, added: Mapping[str, str]) -> None:
    """Makes the result, saves its files and reports them. added: fields to add to the record."""
    if not wanted.wait:
        record, files = client.queue(wanted.call), []
    else:
        with _bar() as show:
            made = client.make(wanted.call, show)
        record, files = made.record, _saved(client, made, wanted.out)
    if wanted.as_json:
        said = {**record, **added, "files": [str(file) for file in files]}
        say(json.dumps(said, indent=1, ensure_ascii=False))
        return
    for warning in record.get("warnings", []):
        complain(warning)
    for file in files:
        say(str(file))
    if not files:
        say(f"queued: id={record['id']} key={record['key']}")
    if added:
        complain(f"It belongs to --owner {added['owner']}, which extend and finish need.")


def _saved(client: Client, made: Made, out: Path | None) -> list[Path]:
    """Saves the result and, beside it, each of its variations under its number. Raises StudioError."""
    target = out if out is not None and not out.is_dir() else (out or Path()) / made.name
    files = [client.save(made.file, target)]
    for number, child in enumerate(made.record.get("children", []), 1):
        if child["status"] == "done":
            file = client.result(child["id"], child["key"])
            files.append(client.save(file, target.with_name(f"{target.stem}-{number}{target.suffix}")))
    return files


@contextlib.contextmanager
def _bar() -> Iterator[Any]:
    """A function of (percent, words) that draws a bar on a terminal, else writes a line for each stage."""
    console = terminal(stderr=True)
    if console is None:
        last = ""

        def line(percent: float, said: str) -> None:
            nonlocal last
            stage = said.split(",")[0]
            if stage != last:
                last = stage
                print(f"{percent:.0f} % {said}", file=sys.stderr, flush=True)

        yield line
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=100)
        yield lambda percent, said: progress.update(task, completed=percent, description=said)
