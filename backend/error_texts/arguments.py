"""How arguments of errors are shown where a format specification is not enough."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

_STAGES = {
    "load": "while it loaded the models",
    "read": "while it read what you gave it",
    "draw": "while it drew the frames",
    "finish": "while it turned the drawing into frames",
    "save": "while it saved the video",
}
"""Stage of a job, as in events.STAGES -> when something failed."""
_MEDIA = {"image": "picture", "audio": "sound", "video": "video"}


def spoken(seconds: float) -> str:
    """A length as text: 0.02 s, 4.9 s, 3 min 20 s, 1 h 5 min."""
    if seconds < 0.995:
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + " s"
    if seconds < 59.95:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    if seconds < 3599.5:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours:,} h {minutes} min" if minutes else f"{hours:,} h"


def _file_length(seconds: float) -> str:
    return spoken(seconds) if seconds >= 0.01 else "less than 0.01 s"


def _silence(seconds: float) -> str:
    """How long a server has not responded: "5 minutes", "45 s"."""
    return f"{seconds / 60:.0f} minutes" if seconds >= 90 else f"{seconds:.0f} s"


def _any_of(names: Sequence[str]) -> str:
    """ "JPEG, PNG or WebP"."""
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


def _with_article(name: str) -> str:
    spelled = name[:3].isupper() and not name.startswith(("JPEG", "TIFF", "HEIF"))
    vowel = name[:1] in "AEFHILMNORSX" if spelled else name[:1].lower() in "aeiou"
    return f"{'an' if vowel else 'a'} {name}"


SHOWN: Mapping[str, Callable[[Any], str]] = {
    # files that creators add
    "upload": lambda name: str(name) or "The file",
    "formats": _any_of,
    "picture_format": _with_article,
    "lasts": _file_length,
    "least_seconds": spoken,
    "most_seconds": spoken,
    "part_seconds": spoken,
    "at_seconds": spoken,
    "there_seconds": spoken,
    "claimed_seconds": spoken,
    # requests
    "host_name": lambda name: str(name) or "this name",
    # ComfyUI
    "silence": _silence,
    "when": lambda stage: _STAGES.get(stage, "while it made the video"),
    "media": lambda kind: _MEDIA.get(kind, "file"),
    "model": lambda name: f"The model file {name}" if name else "A model file",
    "model_file": lambda name: str(name) or "A model file",
    "package": lambda name: str(name) or "a package",
}
"""Argument -> how its value is shown; notices.py has those that notices use too."""
