"""The texts of all errors by the code of their reason. Their placeholders are the reason's arguments."""

from __future__ import annotations

from collections.abc import Mapping

from backend.error_texts import (
    commands,
    custom_nodes,
    engines,
    extend,
    failures,
    finals,
    job_input,
    jobs,
    media,
    media_notes,
    model_files,
    model_sets,
    models,
    moves,
    named_results,
    presets,
    prompts,
    reach,
    recipes,
    requests,
    servers,
    settings,
    storage,
    web,
    worker,
)
from backend.error_texts.hints import HINTS
from backend.error_texts.text import ErrorText

__all__ = ["ERROR_TEXTS", "HINTS"]

ERROR_TEXTS: Mapping[str, ErrorText] = {
    **jobs.TEXTS,
    **finals.TEXTS,
    **storage.TEXTS,
    **servers.TEXTS,
    **engines.TEXTS,
    **reach.TEXTS,
    **failures.TEXTS,
    **prompts.TEXTS,
    **media.TEXTS,
    **media_notes.TEXTS,
    **model_files.TEXTS,
    **model_sets.TEXTS,
    **models.TEXTS,
    **moves.TEXTS,
    **named_results.TEXTS,
    **worker.TEXTS,
    **web.TEXTS,
    **requests.TEXTS,
    **job_input.TEXTS,
    **settings.TEXTS,
    **commands.TEXTS,
    **custom_nodes.TEXTS,
    **recipes.TEXTS,
    **presets.TEXTS,
    **extend.TEXTS,
}
