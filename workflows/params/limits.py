"""Limits of what a mode may be asked for. Pure data."""

from __future__ import annotations

from collections.abc import Mapping

SECONDS_MIN = 0.25
"""The shortest clip that moves: 5 frames."""
SECONDS_MAX = 15.0
"""The longest clip of one run: 241 frames, three times the trained length; its frames still fit in memory."""
SECONDS_TRAINED = 5.0
"""The length that WAN 2.2 A14B was trained for (81 frames at 16 fps); longer is allowed and warned of."""
EXTENDED_SECONDS_MAX = 120.0
"""The longest joined video."""
SOUND_SECONDS_MIN = 0.2
"""The shortest sound that makes a video: 3 frames."""
SOUND_SECONDS_MAX = 600.0
"""The longest part of a sound that one job draws: 121 chunks in 16 graphs."""
DRIVING_SECONDS_MIN = 0.25
DRIVING_SECONDS_MAX = 300.0
"""The longest part of a driving video that one job draws."""
DRIVING_FPS_MIN, DRIVING_FPS_MAX = 8.0, 30.0
"""30 is WAN's own Animate rate; 16 (the default, the template's) costs about half."""
RELIGHT_MAX = 2.0
SEED_MAX = 2**53 - 1
"""The largest seed: a browser's numbers are exact only that far."""
RANDOM_SEEDS = 10**6
"""A random seed is drawn below this: short enough to read out and to type again, rarely the same twice."""
STEPS_MAX = 100
GUIDANCE_MIN, GUIDANCE_MAX = 1.0, 20.0
"""Limits of cfg and shift (0 means the mode's own)."""
PROMPT_MAX = 4000

ASPECTS: Mapping[str, tuple[int, int]] = {
    "16:9": (16, 9),
    "9:16": (9, 16),
    "1:1": (1, 1),
    "4:3": (4, 3),
    "3:4": (3, 4),
}
"""The shapes of what is made from text alone."""
