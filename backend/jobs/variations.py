"""What differs between the variations of one submission: their seeds, or one setting. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from backend.errors import BadInput
from workflows.modes.registry import MODES
from workflows.params.limits import RANDOM_SEEDS, SEED_MAX
from workflows.spec import RANDOM_SEED

MOST = 9
TEXT_LONGEST = 50_000
"""Characters of the JSON text that names the values: nine prompts of the longest kind fit."""


def wanted(
    values: Mapping[str, Any], count: float, vary: Any
) -> tuple[float, dict[str, Any], dict[str, Any]]:
    """(count, what to vary, the other values) of a submission; the values of an earlier parent hold its own.
    Raises BadInput."""
    rest = dict(values)
    earlier, varied_then = rest.pop("variations", 1), rest.pop("vary", "")
    if count == 1 and not vary:
        count, vary = earlier, varied_then
    return count, read(vary), rest


def each(
    mode: str,
    values: Mapping[str, Any],
    count: float,
    vary: Mapping[str, Sequence[Any]],
    random: Callable[[int], int],
) -> list[dict[str, Any]]:
    """The values of each variation; one for a single video.

    `count`: 1 to MOST; `vary`: one parameter -> its values, () for other seeds; `random`: a number below its
    argument. The seeds are counted up from the given or the drawn one, so that the parent's own seed, the
    first, makes all of them again; with a varied setting all have the same seed. Raises BadInput.
    """
    count = int(count) if isinstance(count, float) and count.is_integer() else count
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST:
        raise BadInput.of("variations_count", most=MOST, field="variations")
    seed = values.get("seed", RANDOM_SEED)
    drawn = random(RANDOM_SEEDS) if seed in (RANDOM_SEED, None) else None
    if vary:
        name, several = _checked(mode, vary, count)
        same = {"seed": drawn} if drawn is not None else {}
        return [{**values, **same, name: value} for value in several]
    if count == 1:
        return [{**values, **({"seed": drawn} if drawn is not None else {})}]
    seed = seed if drawn is None else drawn
    if isinstance(seed, bool) or not isinstance(seed, (int, float)) or not 0 <= seed <= SEED_MAX:
        return [dict(values)] * count  # refused with the other values
    return [{**values, "seed": (seed + number) % (SEED_MAX + 1)} for number in range(count)]


def _checked(mode: str, vary: Mapping[str, Sequence[Any]], count: int) -> tuple[str, list[Any]]:
    allowed = varied(mode)
    if len(vary) != 1 or (name := next(iter(vary))) not in allowed:
        raise BadInput.of("vary_unknown", names=tuple(allowed), field="vary")
    several = vary[name]
    if isinstance(several, str) or not isinstance(several, Sequence) or not 2 <= len(several) <= MOST:
        raise BadInput.of("vary_values", name=name, most=MOST, field="vary")
    if count not in (1, len(several)):
        raise BadInput.of("vary_count", name=name, values=len(several), count=count, field="variations")
    if len({json.dumps(value, sort_keys=True, default=str) for value in several}) < len(several):
        raise BadInput.of("vary_twice", name=name, field="vary")
    return name, list(several)


def varied(mode: str) -> tuple[str, ...]:
    """The parameters that a mode's variations can differ in."""
    return tuple(field.name for field in MODES[mode].fields if field.name != "seed")


def read(text: Any) -> dict[str, Any]:
    """`vary` from JSON text, "" for nothing; a dict is taken as it is. Raises BadInput."""
    if isinstance(text, dict):
        return text
    if text is not None and not isinstance(text, str):
        raise BadInput.of("vary_not_json", field="vary")
    if not text or not text.strip():
        return {}
    if len(text) > TEXT_LONGEST:
        raise BadInput.of("vary_too_long", most=TEXT_LONGEST, field="vary")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput.of("vary_not_json", field="vary") from error
    if not isinstance(found, dict):
        raise BadInput.of("vary_not_json", field="vary")
    return found
