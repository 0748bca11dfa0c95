"""Models with a 4-step distillation in their weights: they run in few steps, without guidance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from workflows.catalog import Catalog
from workflows.notice import Notice, notice
from workflows.stages.schedule import Recipe


def is_distilled(catalog: Catalog, roles: Mapping[str, str]) -> bool:
    """Whether one of the experts is distilled. `roles`: expert -> role of its file in the catalog."""
    return any(catalog.file(role).distilled for role in roles.values())


def without_guidance(recipe: Recipe, catalog: Catalog, roles: Mapping[str, str], own_cfg: bool) -> Recipe:
    """The run with cfg 1 in the phases of distilled experts. own_cfg: the guidance is the creator's own."""
    if own_cfg or not is_distilled(catalog, roles):
        return recipe
    phases = tuple(
        replace(phase, cfg=1.0) if catalog.file(roles[phase.expert]).distilled else phase
        for phase in recipe.phases
    )
    return replace(recipe, phases=phases)


def distilled_notes(
    catalog: Catalog, roles: Mapping[str, str], quality: bool, cfg: float = 0.0
) -> list[Notice]:
    """What to point out. quality: many steps were asked for; cfg: the creator's own guidance, 0 for none."""
    names = tuple(dict.fromkeys(catalog.file(r).name for r in roles.values() if catalog.file(r).distilled))
    if not names:
        return []
    found = [notice("distilled_in_quality", names=names)] if quality else []
    return [*found, notice("distilled_with_cfg", cfg=cfg)] if cfg > 1 else found
