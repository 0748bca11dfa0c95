"""How long one compile takes, for every mode and option that has a golden graph."""

from __future__ import annotations

import statistics
import time

from tests.support.compile_cases import CASES
from workflows.catalog import load_catalog
from workflows.compile import compile
from workflows.graph.node_contract import check, facts, recorded


def main() -> None:
    catalog, contract = load_catalog(), recorded()
    server = facts(contract)
    worst = 0.0
    for name, params in CASES.items():
        times, checks = [], []
        for _ in range(50):
            began = time.perf_counter()
            compiled = compile(params, catalog, server, "job")
            middle = time.perf_counter()
            check(compiled.graphs[0], contract)
            times.append(middle - began)
            checks.append(time.perf_counter() - middle)
        median = 1000 * statistics.median(times)
        worst = max(worst, median)
        print(f"{name:45} compile {median:6.3f} ms, check {1000 * statistics.median(checks):6.3f} ms")
    print(f"slowest median: {worst:.3f} ms")


if __name__ == "__main__":
    main()
