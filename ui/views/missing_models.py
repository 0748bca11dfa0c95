"""Which model files a tab still needs: what, how big, from where, and the command that fetches them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from ui.views import wording
from ui.views.icons import icon
from workflows.catalog import ModelFile, load_catalog
from workflows.modes.registry import title as mode_title

if TYPE_CHECKING:
    from backend.models.state import ModelState

FINE = ("ready", "unknown")
"""States in which a file is not asked for."""
SEEN_ON_DISK = "unseen"


def lacking(mode: str, values: Mapping[str, Any], states: Sequence[ModelState]) -> list[ModelState]:
    """The files that these settings of the mode need and that are not ready, in the catalogue's order."""
    catalog = load_catalog()
    known = {state.name: state for state in states}
    ready = {file.role for file in catalog.files if file.name in known and known[file.name].state == "ready"}
    replaced = {file.stands_in_for for file in catalog.files if file.role in ready and file.stands_in_for}
    return [
        known[file.name]
        for file in catalog.files
        if _wanted(file, mode, values)
        and file.role not in replaced
        and file.name in known
        and known[file.name].state not in FINE
    ]


def _wanted(file: ModelFile, mode: str, values: Mapping[str, Any]) -> bool:
    """Whether these settings need the file: for every setting of the mode, or for the one that is chosen."""
    if mode not in file.needed_by and load_catalog().needed(mode):
        return False  # an extra: the job is made without it
    setting = file.option(mode)
    if not setting:
        return mode in file.needed_by
    name, _, value = setting.partition("=")
    return str(values.get(name, "")) == value


def headline(mode: str, files: Sequence[ModelState]) -> str:
    """`Text-to-Video needs 4 more files, 31 GB`."""
    count = "1 more file" if len(files) == 1 else f"{len(files)} more files"
    return f"{mode_title(mode)} needs {count}, {wording.file_size(sum(f.bytes for f in files))}"


def panel(mode: str, files: Sequence[ModelState]) -> str:
    """The files, their sizes and sources, and the command with a copy button; nothing when all are there."""
    if not files:
        return ""
    catalog = load_catalog()
    rows = ""
    for state in files:
        file = catalog.by_name(state.name)
        source = "/".join(file.source.split("/")[:2]) if file else ""
        word = "" if state.state == "missing" else f" ({wording.model_state(state.state).lower()})"
        rows += (
            f"<li><span>{escape(state.title)}{escape(word)}</span><span>{wording.file_size(state.bytes)}</span>"
            f"<code>{escape(state.folder)}/{escape(state.name)}</code>"
            + (f"<small>from {escape(source)}</small>" if source else "")
            + "</li>"
        )
    command = f"python app.py models download {mode}"
    unseen = all(state.state == SEEN_ON_DISK for state in files)
    what = (
        "<p>The files are on the disk, but ComfyUI does not list them. Run this, then restart ComfyUI.</p>"
        if unseen
        else "<p>Run this in the Wan Studio folder. The tab becomes available once the files are there.</p>"
    )
    if unseen:
        command = "python app.py models paths"
    return (
        f'<section class="needs" role="status"><h2>{icon("missing", 18)}'
        f"<span>{escape(headline(mode, files))}</span></h2>"
        f'<ul>{rows}</ul>{what}<div class="command"><code>{escape(command)}</code>'
        f'<button type="button" class="btn" data-copy="{escape(command)}">{icon("copy")}<span>Copy</span>'
        "</button></div></section>"
    )
