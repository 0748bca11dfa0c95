"""Checks a choice of a model file before it is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from backend.errors import BadInput
from backend.models.assigned import resolved
from backend.models.choices import Choice
from backend.models.finder import roots_of
from workflows.catalog import load_catalog

if TYPE_CHECKING:
    from backend.settings.model import Settings

ServerLists = Mapping[str, Sequence[str]] | None
"""Folder -> names as a server lists them; None when no server was asked."""


def checked_choice(
    settings: Settings, role: str, choice: Choice, seen: ServerLists, local: bool = True
) -> Choice:
    """The choice with the file's name as the server spells it. Raises BadInput when it cannot be used."""
    found = resolved(load_catalog(), roots_of(settings) if local else None, seen, {role: choice})[role]
    if found.why != "chosen" or found.used is None:
        names = [one.name for one in (found.used, *found.others, *found.asked) if one is not None]
        raise BadInput.of("model_not_listed", file=choice.file, names=", ".join(names) or "-")
    if found.obstacle is not None and found.obstacle.code != "pair_is_one_file":
        raise BadInput.because(found.obstacle)
    return Choice(found.used.name, choice.distilled, found.used.identity.size)
