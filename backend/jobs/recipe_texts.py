"""Makes a recipe of the texts that a file carries: our own, those of ComfyUI, or those of a WebUI."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from backend.errors import BadInput
from backend.jobs import graph_settings, plain_json, recipe
from backend.jobs.recipe import Recipe, RecipeLora, RecipeModel, graphs_in, lines_of
from backend.jobs.stored_settings import stored_settings
from backend.media.metadata_keys import COMMENT, JSON_TEXT, PARAMETERS, PROMPT, RECIPE, WORKFLOW
from workflows.modes.earlier import VERSION
from workflows.modes.settings_json import read

_NEGATIVE = re.compile(r"^Negative prompt:\s*", re.MULTILINE)
_FIGURES = re.compile(r"^Steps: \d+, .*", re.MULTILINE)
_SEED = re.compile(r"\bSeed: (\d{1,16})\b")
STILL_MODE = "text_to_image"
"""The mode for a prompt of which nothing else is known."""


def recipe_in(texts: Mapping[str, str]) -> Recipe:
    """The recipe in the texts of a file by key. Raises BadInput when they have none that can be read."""
    try:
        return _found(texts)
    except RecursionError:  # objects within objects
        raise BadInput.of("recipe_malformed") from None


def _found(texts: Mapping[str, str]) -> Recipe:
    if RECIPE in texts:
        return recipe.from_json(_parsed(texts[RECIPE], strict=True))
    if JSON_TEXT in texts:
        return _of_json(_parsed(texts[JSON_TEXT], strict=True))
    for key in (PROMPT, WORKFLOW, COMMENT):
        found = _of_comfyui(_parsed(texts.get(key, "")))
        if found is not None:
            return found
    if texts.get(PARAMETERS, "").strip():
        return _of_parameters(texts[PARAMETERS])
    raise BadInput.of("no_recipe")


def _parsed(text: str, strict: bool = False) -> Any:
    """The value of a JSON text; None for any other. Raises BadInput with `strict`."""
    try:
        return plain_json.parsed(text)
    except (ValueError, RecursionError):
        if strict:
            raise BadInput.of("recipe_malformed") from None
        return None


def _of_json(data: Any) -> Recipe:
    """A file that holds a recipe, settings alone, or a graph."""
    if isinstance(data, dict) and isinstance(data.get("settings"), dict):
        return _settings(data["settings"]) if "preset" in data else recipe.from_json(data)
    if isinstance(data, dict) and isinstance(data.get("values"), dict):
        return _settings(data)
    found = _of_comfyui(data)
    if found is None:
        raise BadInput.of("no_recipe")
    return found


def _settings(data: dict[str, Any]) -> Recipe:
    """Settings without a recipe around them. Raises BadInput."""
    settings = stored_settings(data)
    return Recipe(settings.mode, settings.values, origin="settings", left_out=settings.left_out)


def _of_comfyui(data: Any) -> Recipe | None:
    """A graph in API format, a list of them, one as ComfyUI's page saves it, or an object that holds both."""
    if isinstance(data, str):  # some nodes encode twice
        data = _parsed(data)
    if isinstance(data, dict):
        for key in (PROMPT, WORKFLOW):
            if isinstance(data.get(key), (dict, str)):
                held = _parsed(data[key]) if isinstance(data[key], str) else data[key]
                if isinstance(held, dict) and (found := _of_comfyui(held)) is not None:
                    return found
        if (graph := graph_settings.from_page(data)) is not None:
            data = graph
    graphs = graphs_in(data)
    for graph in graphs:
        made = graph_settings.read(graph)
        if made is not None:
            settings = read({"version": VERSION, "mode": made.mode, "values": made.values})
            return Recipe(
                settings.mode,
                settings.values,
                graphs=graphs,
                origin="comfyui",
                left_out=settings.left_out,
                models=tuple(RecipeModel(name) for name in lines_of(made.models)),
                loras=tuple(RecipeLora(name) for name in lines_of(made.loras)),
            )
    return None


def _of_parameters(text: str) -> Recipe:
    """The prompts and the seed; steps and size are those of another model."""
    figures = _FIGURES.search(text)
    prompts = text[: figures.start()] if figures else text
    parts = _NEGATIVE.split(prompts, maxsplit=1)
    values: dict[str, Any] = {"prompt": parts[0].strip()}
    if figures and (seed := _SEED.search(figures[0])):
        values["seed"] = int(seed[1])
    settings = read({"version": VERSION, "mode": STILL_MODE, "values": values})
    return Recipe(STILL_MODE, settings.values, origin="parameters", left_out=settings.left_out)
