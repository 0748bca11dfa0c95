"""Which model draws a job, by the roles of its files: with the size, it determines the times of the job."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from backend.models.kinds import WAN_KINDS
from backend.models.roles import WANTS
from workflows.catalog import load_catalog
from workflows.stages.distill import BAKED_ROLES

_DRAWS = WAN_KINDS | {"flux_checkpoint"}


def model_of(roles: Iterable[str]) -> str:
    """The kinds of the models that draw, such as "animate_2"; "" where the roles do not determine it."""
    return " ".join(sorted({kind for role in roles if (kind := _kind(role))}))


def _kind(role: str) -> str:
    """The kind of a role's model; "" for one that does not draw. Distilled experts take as long."""
    if role in BAKED_ROLES:
        return role.partition("_")[0]
    want = WANTS.get(role)
    return want.kind if want is not None and want.kind in _DRAWS else ""


@lru_cache(maxsize=32)
def usual_model(mode: str) -> str:
    """The model of the first set of files of a mode."""
    sets = load_catalog().sets(mode) if mode in load_catalog().modes() else ()
    return model_of(file.role for file in sets[0][1]) if sets else ""
