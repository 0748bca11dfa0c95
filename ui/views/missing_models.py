"""The model files that a tab still needs as HTML: name, size, source, and the command that downloads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from ui.i18n import mode_texts
from ui.i18n.texts import escaped, plural, text
from ui.views import wording
from ui.views.icons import icon
from workflows.catalog import ModelFile, load_catalog

if TYPE_CHECKING:
    from backend.models.state import ModelState

FINE = ("ready", "unknown")
"""States in which a file does not count as missing."""
SEEN_ON_DISK = "unseen"


def lacking(mode: str, values: Mapping[str, Any], states: Sequence[ModelState]) -> list[ModelState]:
    """The files that these settings of the mode need and that are not ready, in the catalogue's order."""
    catalog = load_catalog()
    known = {state.name: state for state in states}
    ready = {file.role for file in catalog.files if file.name in known and known[file.name].state == "ready"}
    options = catalog.options(mode, ready)
    replaced = {file.replaces(mode) for file in catalog.files if file.role in ready and file.replaces(mode)}
    return [
        known[file.name]
        for file in catalog.files
        if _wanted(file, mode, values, options[file.role])
        and file.role not in replaced
        and file.name in known
        and known[file.name].state not in FINE
    ]


def _wanted(file: ModelFile, mode: str, values: Mapping[str, Any], setting: str) -> bool:
    """Whether the mode needs the file, always or, where there is a `setting`, with that one."""
    if mode not in file.needed_by and load_catalog().needed(mode):
        return False  # optional: the job runs without it
    if not setting:
        return mode in file.needed_by
    name, _, value = setting.partition("=")
    return str(values.get(name, "")) == value


def headline(mode: str, files: Sequence[ModelState]) -> str:
    """`Text-to-Video needs 4 more files, 31 GB`."""
    size = wording.file_size(sum(file.bytes for file in files))
    return plural("models.headline", len(files), mode=mode_texts.title(mode), size=size)


def download_command(mode: str, files: Sequence[ModelState], states: Sequence[ModelState] = ()) -> str:
    """The command that fetches these files: that of the mode if it fetches all of them, else one of each.

    states: of all files. Where another model of the mode is complete, the command names the one that is
    meant; files that are on the disk, where ComfyUI does not see them, are not fetched.
    """
    catalog = load_catalog()
    absent = [file for file in files if file.state != SEEN_ON_DISK]
    commands = ["python app.py models paths"] if len(absent) < len(files) else []
    (setting, first), *others = catalog.sets(mode)
    fetched = {file.name for file in first}
    if absent and all(file.name in fetched for file in absent):
        ready = {state.name for state in states if state.state == "ready"}
        complete = any(ready.issuperset(file.name for file in other) for _, other in others)
        model = f" --model {setting.partition('=')[2]}" if complete else ""
        commands.insert(0, f"python app.py models download {mode}{model}")
    else:
        commands = [f"python app.py models download {file.name}" for file in absent] + commands
    return " && ".join(commands)


def panel(mode: str, files: Sequence[ModelState], states: Sequence[ModelState] = ()) -> str:
    """The files, their sizes and sources, and the command with a copy button; "" without files. states: of
    all files."""
    if not files:
        return ""
    catalog = load_catalog()
    rows = ""
    for state in files:
        file = catalog.by_name(state.name)
        source = "/".join(file.source.split("/")[:2]) if file else ""
        title = state.title
        if state.state != "missing":
            word = wording.model_state(state.state).lower()
            title = text("models.title_state", title=title, state=word)
        rows += (
            f"<li><span>{escape(title)}</span><span>{wording.model_size(state.bytes)}</span>"
            f"<code>{escape(state.folder)}/{escape(state.name)}</code>"
            + (f"<small>{escaped('models.source', source=source)}</small>" if source else "")
            + "</li>"
        )
    command = download_command(mode, files, states)
    unseen = all(state.state == SEEN_ON_DISK for state in files)
    advice = escaped("models.run_paths") if unseen else escaped("models.run_here")
    return (
        f'<section class="needs" role="status"><h2>{icon("missing", 18)}'
        f"<span>{escape(headline(mode, files))}</span></h2>"
        f'<ul>{rows}</ul><p>{advice}</p><div class="command"><code>{escape(command)}</code>'
        f'<button type="button" class="btn" data-copy="{escape(command)}">{icon("copy")}'
        f"<span>{escaped('models.copy')}</span></button></div></section>"
    )
