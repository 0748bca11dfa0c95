"""Which generation of Animate's model draws a job, and why."""

from __future__ import annotations

from dataclasses import dataclass

from workflows.catalog import Catalog
from workflows.graph.node_contract import ServerFacts
from workflows.modes.animate.params import FIRST, SECOND, Animate
from workflows.notice import Notice, notice

NODE = "WanAnimate2ToVideo"
FULL, DISTILLED = "animate_2", "animate_2_distilled"
"""Roles of the two files of Animate 2."""


@dataclass(frozen=True)
class Generation:
    """The model of a job. role: its role in the catalogue, "" for the first Animate; note: why it was chosen,
    None where there is no choice."""

    role: str = ""
    note: Notice | None = None

    @property
    def is_second(self) -> bool:
        """Whether Animate 2 draws the job."""
        return bool(self.role)

    @property
    def notes(self) -> tuple[Notice, ...]:
        """`note` as a tuple of none or one."""
        return () if self.note is None else (self.note,)


def generation(params: Animate, catalog: Catalog, server: ServerFacts) -> Generation:
    """Animate 2 for Move where the server has its node and a file of it, unless the job has files that only
    the first Animate uses, or names a model."""
    there = tuple(role for role in (FULL, DISTILLED) if _is_there(role, catalog, server))
    if params.model == SECOND:
        ignored = notice("animate_2_ignores", helpers=params.given) if params.given else None
        return Generation(_role(params, there), ignored)
    if params.model == FIRST:
        return Generation()
    if not there:
        stopped = params.method == "move" and not params.given and _only_node(catalog, server)
        return Generation("", notice("animate_2_needs_node") if stopped else None)
    if params.method == "mix":
        return Generation("", notice("animate_1_replaces"))
    if params.given:
        return Generation("", notice("animate_1_reads", helpers=params.given))
    return Generation(_role(params, there), notice("animate_2_used"))


def _role(params: Animate, there: tuple[str, ...]) -> str:
    """The distilled file for Fast, the other one for full quality; what is there where that is missing."""
    wanted = DISTILLED if params.speed == "fast" else FULL
    if wanted in there:
        return wanted
    return there[0] if there else FULL


def _is_there(role: str, catalog: Catalog, server: ServerFacts) -> bool:
    """Whether the server has the node, lists the file and can use it; what is not known does not count."""
    return NODE in server.nodes and _has_file(role, catalog, server)


def _only_node(catalog: Catalog, server: ServerFacts) -> bool:
    """Whether the node is all that is missing for Animate 2."""
    lacks = bool(server.nodes) and NODE not in server.nodes
    return lacks and any(_has_file(role, catalog, server) for role in (FULL, DISTILLED))


def _has_file(role: str, catalog: Catalog, server: ServerFacts) -> bool:
    """Whether the server lists the file and can use it."""
    known = server.models.get(role)
    if known is not None and known.obstacle is not None:
        return False
    return catalog.file(role).name in server.options.get(("UNETLoader", "unet_name"), ())
