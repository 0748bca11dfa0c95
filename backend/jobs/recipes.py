"""Writes the recipe of a job into its result: what the file was made with, so that it can be made again."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from backend.engines.kinds import kind_in, version_in
from backend.errors import BadMedia, NoOutput, StudioError, from_os_error
from backend.jobs import recipe_files, set_values
from backend.jobs.job import VARIATIONS, Job
from backend.jobs.layout import WORK, WORKFLOW, write_text
from backend.jobs.params import job_params
from backend.jobs.parts import Part
from backend.jobs.recipe import MADE_BY, VERSION, Graph, RecipeFile
from backend.jobs.workflow_files import graphs_of
from backend.media.decoder import Decoder
from backend.media.metadata_keys import PROMPT, RECIPE
from workflows.modes.registry import MODES, media_fields
from workflows.modes.settings_json import to_json
from workflows.params.loras import Lora, check_loras, plain
from workflows.resolved import Resolved

log = logging.getLogger("wan.jobs")

TEXTS = "recipe"
"""The file in a job's work folder with the texts that go into its result."""
GRAPHS_BYTES = 1_000_000
"""Of all graphs in one recipe; those of a long clip's variations may be more, and the last are left out."""


def recipe_of(job: Job, graphs: Sequence[Graph], children: Sequence[Job] = ()) -> dict[str, Any]:
    """The recipe of a job as JSON. `children`: those of a parent whose results its own is made of.

    Raises StudioError for a job whose parameters this version cannot read.
    """
    values = _values(job)
    several = {name: job.params[name] for name in ("variations", "vary") if job.params.get(name)}
    first = children[0] if children else job
    resolved = Resolved.from_json(job.resolved or first.resolved)
    runs = _runs(job, children)
    recipe: dict[str, Any] = {
        "version": VERSION,
        "made_by": MADE_BY,
        "settings": to_json(job.mode, {**values, **several}),
        "media": _media(job),
        "result": {
            "width": job.width, "height": job.height, "frames": job.frames, "fps": job.fps,
            "seconds": job.seconds, "steps": job.steps,
        },
        "resolved": replace(resolved, digests={}).to_json() if resolved is not None else {},
        "models": [model.to_json() for model in recipe_files.models(runs)],
        "loras": _loras(_given(values, several), runs),
        "engine": kind_in(first.engine),
        "comfyui": version_in(first.engine),
        "graphs": _bounded(graphs),
    }  # fmt: skip
    if job.assembly == VARIATIONS:
        recipe["clips"] = set_values.clips(job, children)
    if job.parts:
        recipe["parts"] = [_part(part) for part in job.parts]
    return recipe


def write_into(decoder: Decoder, result: Path, recipe: Mapping[str, Any] | None) -> None:
    """Replaces the metadata of a result by its recipe and the graph that ComfyUI's page opens; by nothing for
    None, and for a file that cannot be copied track by track. Raises StudioError, NoOutput for a file whose
    metadata cannot be removed."""
    texts = result.parent / WORK / TEXTS
    try:
        texts.parent.mkdir(parents=True, exist_ok=True)
        write_text(texts, json.dumps(texts_of(recipe)))
        decoder.with_metadata(result, result, texts)
    except OSError as error:
        raise from_os_error(error) from error
    except BadMedia as error:
        if error.code != BadMedia.code:
            raise
        log.warning("%s: no recipe in the result: %s", result.parent.name, error.detail or error.message)
        strip(decoder, result)
    finally:
        texts.unlink(missing_ok=True)


def strip(decoder: Decoder, file: Path, name: str = "") -> None:
    """Removes the metadata of a file. Raises StudioError, NoOutput where it cannot be removed."""
    try:
        decoder.stripped(file, file, name=name)
    except BadMedia as error:
        if error.code != BadMedia.code:
            raise
        raise NoOutput.of(
            "metadata_kept", file=name or file.name, detail=error.detail or error.message
        ) from error


def finish(
    decoder: Decoder, job: Job, result: Path, children: Sequence[Job] = (), *, recipes: bool = True
) -> None:
    """Writes the recipe of a job into its result, or removes what the engine wrote there. `recipes`: whether
    results carry one; the graphs are those in the job's folder. Raises StudioError."""
    recipe = None
    if recipes:
        try:
            recipe = recipe_of(job, stored_graphs(result.parent), children)
        except StudioError as error:
            log.warning("job %s: no recipe: %s", job.id, error.message)
    write_into(decoder, result, recipe)


def stored_graphs(folder: Path) -> Sequence[Graph]:
    """The graphs in a job's folder; none where they cannot be read."""
    try:
        return graphs_of((folder / WORKFLOW).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []


def texts_of(recipe: Mapping[str, Any] | None) -> dict[str, str]:
    """What a result carries: key -> ASCII text; nothing for None. The key that ComfyUI reads has the first
    graph: several cannot be opened at once."""
    if recipe is None:
        return {}
    texts = {RECIPE: json.dumps(recipe)}
    if recipe["graphs"]:
        texts[PROMPT] = json.dumps(recipe["graphs"][0])
    return texts


def _values(job: Job) -> dict[str, Any]:
    """All parameters of a job's mode as they were used. Raises BadInput."""
    known = MODES[job.mode].by_name if job.mode in MODES else {}
    own = {name: value for name, value in job.params.items() if name in known}
    params = job_params(replace(job, params=own))
    return {field.name: getattr(params, field.name) for field in MODES[job.mode].fields}


def _media(job: Job) -> dict[str, Any]:
    found = {}
    for name, field in media_fields(job.mode).items():
        if (item := job.inputs.get(name)) is None:
            continue
        given = vars(item.media)
        measures = {key: given[key] for key in ("width", "height", "frames", "fps", "seconds") if given[key]}
        found[name] = RecipeFile(field.kind, item.digest, measures).to_json()
    return found


def _runs(job: Job, children: Sequence[Job]) -> list[Resolved]:
    """What the job and those that its result is made of were resolved to."""
    found = (Resolved.from_json(one.resolved) for one in (job, *children))
    return [one for one in found if one is not None]


def _given(values: Mapping[str, Any], several: Mapping[str, Any]) -> list[Lora]:
    """The LoRAs of the settings and those that variations differ in, each name once."""
    lists = [values.get("loras", ()), *(several.get("vary") or {}).get("loras", ())]
    loras = [lora for each in lists for lora in check_loras("loras", "", each)]
    return list({plain(lora.name): lora for lora in reversed(loras)}.values())[::-1]


def _loras(given: Sequence[Lora], runs: Sequence[Resolved]) -> list[dict[str, Any]]:
    files = recipe_files.loras([one.name for one in given], runs)
    return [{**one.to_json(), **file.to_json()} for one, file in zip(given, files, strict=True)]


def _part(part: Part) -> dict[str, Any]:
    """What one part of a joined video was drawn with, and how it continues the one before."""
    names = ("prompt", "seed", "seconds", "speed", "method", "route", "frames")
    return {name: value for name in names if (value := getattr(part, name)) != ""}


def _bounded(graphs: Sequence[Graph]) -> list[Graph]:
    kept: list[Graph] = []
    left = GRAPHS_BYTES
    for graph in graphs:
        left -= len(json.dumps(graph))
        if left < 0:
            break
        kept.append(graph)
    return kept
