"""ComfyUI versions with known faults that spoil WAN's videos while every job still succeeds."""

from __future__ import annotations

from dataclasses import dataclass

from workflows.notice import Code, Notice, notice

Version = tuple[int, ...]


@dataclass(frozen=True)
class KnownFault:
    """A fault of the versions first <= v < fixed. `code`: of the warning; `source`: where it was reported
    and where it was fixed."""

    first: Version
    fixed: Version
    code: Code
    source: str


KNOWN_FAULTS = (
    # Merged on 2026-03-17, when the version file said 0.17.0, and fixed on 2026-03-21, after 0.18.0:
    # https://github.com/Comfy-Org/ComfyUI/pull/13014, reported for 0.18.0 (0.16.4 is good).
    KnownFault((0, 17, 0), (0, 18, 1), "comfyui_vae_colour", "Comfy-Org/ComfyUI#13090, fixed in #13101"),
)


SPOILING: frozenset[str] = frozenset(fault.code for fault in KNOWN_FAULTS)
"""Codes of the warnings that concern every video which such a server makes."""


def known_fault(version: Version, text: str) -> Notice | None:
    """The warning about a version, None for one without a known fault. `text`: the version as it is shown."""
    for fault in KNOWN_FAULTS:
        if fault.first <= version < fault.fixed:
            return notice(fault.code, version=text, fixed=dotted(fault.fixed))
    return None


def dotted(version: Version) -> str:
    """ "0.18.1"."""
    return ".".join(map(str, version))
