"""The round trip of recipes: every golden job and every parameter at its other values, written into an MP4, a
PNG and a JSON file and given to /recipe, read, and compiled again.

    .venv/bin/python -m benchmarks.recipe_round_trip [MODE ...]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from PIL import Image

from backend.jobs import recipes
from backend.jobs.recipe import Recipe
from backend.jobs.recipe_texts import recipe_in
from backend.media import metadata
from tests.support.fake_engine import write_video
from tests.support.recipe_jobs import finished_job
from tests.support.round_trips import Trip, again, changed_trips, golden_trips, made_with, same_graphs
from ui.api.recipe_endpoint import arguments
from workflows.modes.registry import MODES

Read = Callable[[dict[str, Any]], Recipe]
"""What comes back of a recipe."""


def ways(folder: Path) -> dict[str, Read]:
    """The ways that a recipe takes."""
    clip, picture = folder / "clip.mp4", folder / "picture.png"
    write_video(clip, 64, 64, 2)
    Image.new("RGB", (64, 64), (9, 90, 9)).save(picture)

    def through(source: Path) -> Read:
        out, texts = folder / f"out{source.suffix}", folder / "texts.json"

        def read(written: dict[str, Any]) -> Recipe:
            texts.write_text(json.dumps(recipes.texts_of(written)), encoding="ascii")
            metadata.write(str(source), str(out), source.name, str(texts))
            return recipe_in(metadata.read(str(out), source.name))

        return read

    def as_json(written: dict[str, Any]) -> Recipe:
        path = folder / "recipe.json"
        path.write_text(json.dumps(written), encoding="utf-8")
        return recipe_in(metadata.read(str(path), path.name))

    def endpoint(written: dict[str, Any]) -> Recipe:
        found = as_json(written)
        answer = json.loads(json.dumps({**found.record(), "values": arguments(found)}))
        return Recipe(answer["mode"], answer["values"])

    return {"MP4": through(clip), "PNG": through(picture), "JSON": as_json, "/recipe": endpoint}


def trips(modes: list[str]) -> Iterator[Trip]:
    """The jobs of these modes."""
    for trip in chain(golden_trips(), *(changed_trips(mode) for mode in MODES)):
        if trip.mode in modes:
            yield trip


def main() -> int:
    """Prints the table and what differs. Returns 1 if anything does."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("modes", nargs="*", metavar="MODE", help=", ".join(MODES))
    modes = parser.parse_args().modes or list(MODES)
    jobs: Counter[tuple[str, str]] = Counter()
    same: Counter[tuple[str, str, str]] = Counter()
    differing: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        each = ways(Path(name))
        for trip in trips(modes):
            jobs[trip.mode, trip.group] += 1
            made = made_with(trip.params, trip.server)
            written = recipes.recipe_of(finished_job(trip.params, made), made.graphs)
            for way, read in each.items():
                returned = again(read(written), trip)
                if returned == trip.params and same_graphs(returned, trip):
                    same[trip.mode, trip.group, way] += 1
                else:
                    differing.append(f"{trip.mode} {trip.name}, {way}: {returned}")
    print(f"| mode | parameters | cases | {' | '.join(f'{way}: same graph' for way in each)} | differing |")
    print(f"|---|---|{'---|' * (len(each) + 2)}")
    for (mode, group), count in sorted(jobs.items()):
        counts = [same[mode, group, way] for way in each]
        left = count * len(each) - sum(counts)
        print(f"| {mode} | {group} | {count} | {' | '.join(map(str, counts))} | {left} |")
    total = sum(jobs.values())
    counts = [sum(count for (_, _, of), count in same.items() if of == way) for way in each]
    print(f"| all | | {total} | {' | '.join(map(str, counts))} | {len(differing)} |")
    print("\n".join(differing), file=sys.stderr)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
