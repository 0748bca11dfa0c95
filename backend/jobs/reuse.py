"""Which nodes of a job's graphs its engine did not run again, because it still had their results. Pure.

Kept with the job as counts: `nodes` of all graphs whose start was seen, `cached` those of them that were not
run, `read` the nodes that read text, pictures and sounds, `read_cached` those of them that were not run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backend.jobs.job import Job
from workflows.compile import Compiled

NODES, CACHED, READ, READ_CACHED = "nodes", "cached", "read", "read_cached"
READ_ONCE = "read_once"
"""Of a parent: 1 when every child after the first reused everything that its predecessor had read."""


def counted(compiled: Compiled, cached: Mapping[int, Sequence[str]]) -> dict[str, float]:
    """The counts of a run. `cached`: index of a graph -> ids of the nodes that the engine reported; graphs
    whose start was not seen are absent. {} without any."""
    found = {NODES: 0.0, CACHED: 0.0, READ: 0.0, READ_CACHED: 0.0}
    seen = [index for index in cached if 0 <= index < len(compiled.graphs)]
    for index in seen:
        graph, labels, kept = compiled.graphs[index], compiled.labels[index], set(cached[index])
        read = {node for node in graph if node in labels and labels[node].stage == "read"}
        found[NODES] += len(graph)
        found[CACHED] += len(kept & graph.keys())
        found[READ] += len(read)
        found[READ_CACHED] += len(kept & read)
    return found if seen else {}


def together(children: Sequence[Job]) -> dict[str, float]:
    """The counts of a parent: those of its children together."""
    counts = [child.reused for child in children if child.reused]
    if not counts:
        return {}
    found = {name: sum(one.get(name, 0.0) for one in counts) for name in (NODES, CACHED, READ, READ_CACHED)}
    ordered = sorted(counts, key=lambda one: one.get(READ_CACHED, 0.0))
    later = [one.get(READ_CACHED) == one.get(READ) != 0 for one in ordered[1:]]
    once = len(counts) == len(children) > 1 and all(later)
    return {**found, READ_ONCE: 1.0} if once else found
