"""Counts the public file names of tests/data/model_names.tsv by kind, expert and format.

python -m scripts.model_names
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

TABLE = Path(__file__).resolve().parents[1] / "tests" / "data" / "model_names.tsv"
COLUMNS = ("kind", "expert", "format", "speed")


def rows() -> list[list[str]]:
    """The columns of each name: path, kind, expert, format, speed, base, purpose."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


def counts() -> dict[str, Counter[str]]:
    """Column -> value -> number of names."""
    found = rows()
    return {name: Counter(row[number] for row in found) for number, name in enumerate(COLUMNS, 1)}


def main() -> None:
    print(f"{len(rows())} names")
    for name, counted in counts().items():
        values = ", ".join(f"{value} {count}" for value, count in counted.most_common())
        print(f"{name}: {values}")


if __name__ == "__main__":
    main()
