"""Makes a parent's result from the results of its children."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from backend.errors import from_os_error
from backend.jobs.folders import remove_below
from backend.jobs.job import EXTENSION, Job
from backend.jobs.joining import join_parts
from backend.jobs.layout import WORK, WORKFLOW, link_or_copy, write_text
from backend.jobs.workflow_files import graphs_of
from backend.media.decoder import Decoder
from workflows.modes.registry import makes_still

log = logging.getLogger("wan.jobs")

SHEET = "sheet"
"""The contact sheet without sound, in the parent's work folder."""


def assemble(
    decoder: Decoder, parent: Job, results: Sequence[Path], result: Path, on_progress: Callable[[float], None]
) -> Job:
    """Writes a parent's result from those of its children: the joined video, or the contact sheet. Returns
    the parent with the facts of its result. Raises BadMedia, NoOutput, DiskFull."""
    if parent.assembly == EXTENSION:
        return join_parts(decoder, parent, results[0], result, on_progress)
    _sheet(decoder, parent, results, result, on_progress)
    return parent


def _sheet(
    decoder: Decoder, parent: Job, results: Sequence[Path], result: Path, on_progress: Callable[[float], None]
) -> None:
    """Writes the contact sheet of a parent's variations; a single one is linked. With the sound of the first
    one that has any. Raises BadMedia, DiskFull."""
    folder = result.parent
    try:
        if len(results) == 1:
            result.unlink(missing_ok=True)
            link_or_copy(results[0], result)
            return
        if makes_still(parent.mode):
            decoder.picture_sheet(results, result)
            return
        sheet = folder / WORK / SHEET
        sheet.parent.mkdir(parents=True, exist_ok=True)
        decoder.video_sheet(results, sheet, on_progress=on_progress)
        sound = next((path for path in results if decoder.video_facts(path).has_audio), None)
        if sound is None:
            result.unlink(missing_ok=True)
            link_or_copy(sheet, result)
        else:
            decoder.join([sheet], result, sound, on_progress=on_progress)
        remove_below(folder, WORK)
    except OSError as error:
        raise from_os_error(error) from error


def write_graphs(folder: Path, files: Sequence[Path]) -> None:
    """Writes the graphs in these files as those of a parent; if one of them is missing, the video is still a
    result. Raises DiskFull."""
    graphs = []
    for file in files:
        try:
            graphs += graphs_of(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            log.warning("%s: the graph of a child cannot be read: %s", folder.name, error)
    write_text(folder / WORKFLOW, json.dumps(graphs, indent=1, ensure_ascii=False))
