"""The standard downmix of any channel layout to stereo, as a matrix. Pure.

ITU-R BS.775 as FFmpeg applies it: the front channels whole, centre and surround 3 dB lower, no LFE; scaled so
that the sum cannot exceed full scale. Channels without a position go to both sides alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_HALF_POWER = 2**-0.5
_WHOLE = ("FL", "FR", "DL", "DR", "BIL", "BIR", "FLC", "FRC", "WL", "WR")
_LFE = ("LFE", "LFE2")
_DEFAULTS: dict[int, tuple[str, ...]] = {
    2: ("FL", "FR"),
    3: ("FL", "FR", "FC"),
    4: ("FL", "FR", "BL", "BR"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}
"""Number of channels -> their usual order in files that do not name them."""


def stereo(names: Sequence[str]) -> np.ndarray:
    """The matrix (2, channels) for channels of these names, which are FFmpeg's ("FL", "LFE", "AMBI0")."""
    if all(name.startswith("AMBI") for name in names):
        return _ambisonic(len(names))
    if len(names) in _DEFAULTS and not any(_side(name) is not None for name in names):
        names = _DEFAULTS[len(names)]
    rows = np.array([_gains(name) for name in names], np.float64).T.reshape(2, -1)
    if not rows.any():  # nothing but LFE: it is all that there is
        rows = np.full((2, len(names)), _HALF_POWER)
    return (rows / max(1.0, float(rows.sum(axis=1).max()))).astype(np.float32)


def _gains(name: str) -> tuple[float, float]:
    if name in _LFE:
        return 0.0, 0.0
    gain = 1.0 if name in _WHOLE else _HALF_POWER
    side = _side(name)
    if side is None or side == "C":
        # From both sides a centre channel is as loud as before; one behind or above is softer.
        both = _HALF_POWER if name == "FC" or side is None else _HALF_POWER**2
        return both, both
    return (gain, 0.0) if side == "L" else (0.0, gain)


def _side(name: str) -> str | None:
    """L, R or C; None for a channel without a known position."""
    if name in _LFE:
        return "C"
    if name in ("FLC", "FRC"):
        return name[1]
    return name[-1] if len(name) > 1 and name.isalpha() and name[-1] in "LRC" else None


def _ambisonic(channels: int) -> np.ndarray:
    """Two cardioids to the left and the right: W with and without Y, in the order of ACN."""
    matrix = np.zeros((2, channels), np.float32)
    matrix[:, 0] = 0.5
    if channels > 1:
        matrix[0, 1], matrix[1, 1] = 0.5, -0.5
    return matrix
