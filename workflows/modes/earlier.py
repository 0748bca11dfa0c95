"""Parameters that an earlier version stored: what they must be today to make the same video.

A stored job or recipe carries the VERSION of its parameters. A later version that changes a default, or adds
a parameter whose default changes the result, raises VERSION and adds a step here, which writes the earlier
value down.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from workflows.modes.animate.params import FIRST as FIRST_ANIMATE
from workflows.modes.registry import MODES
from workflows.stages.prompt_text import has_syntax

VERSION = 3
"""1: before parameters carried a version. 2: today's settings. 3: Animate 2."""
FIRST = 1

EARLIER_SHIFT = 8.0
"""In version 1, of Image-to-Video without an end frame and of Text-to-Video, in quality."""
EARLIER_LORAS = {"image_to_video": "v1", "fast_video": "v1", "text_to_video": "v1.1"}
"""mode -> its one distillation in version 1."""


def at_present(mode: str, values: Mapping[str, Any], media: Collection[str], version: int) -> dict[str, Any]:
    """The values of a job, written by `version`, as this version needs them. `media`: its files, by
    parameter.

    Values of an unknown mode or a later version stay as they are.
    """
    found = dict(values)
    if mode in MODES:
        for number in range(max(version, FIRST), VERSION):
            _STEPS[number](mode, found, media)
    return found


def _to_2(mode: str, values: dict[str, Any], media: Collection[str]) -> None:
    """Shift 5 and `motion` in Text-to-Video, newer distillations, NAG, and prompts that are plain text."""
    fast = MODES[mode].always_fast or values.get("speed") == "fast"
    if mode in ("image_to_video", "text_to_video") and not fast and "end_image" not in media:
        values["shift"] = values.get("shift") or EARLIER_SHIFT
    if fast and mode in EARLIER_LORAS and values.get("variant") != "480p":
        values["distillation"] = EARLIER_LORAS[mode]
    texts = [str(values.get(name) or "") for name in ("prompt", "negative_prompt")]
    if texts[1].strip():
        values["nag"] = "off"
    if any(has_syntax(text) for text in texts):
        values["prompt_weights"] = True


def _to_3(mode: str, values: dict[str, Any], media: Collection[str]) -> None:
    """Animate 2, which `auto` prefers."""
    if mode == "animate":
        values["model"] = FIRST_ANIMATE


_STEPS: Mapping[int, Callable[[str, dict[str, Any], Collection[str]], None]] = {1: _to_2, 2: _to_3}
"""version -> the step to the next one."""
