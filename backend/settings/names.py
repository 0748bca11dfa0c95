"""Misspelled names of settings. Pure.

A name that is nearly that of a setting which decides who reaches the page ends the start: no page is better
than a page without the login that its owner believes it has. Other unknown names are a warning.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable

from backend.errors import BadSettings

SECURITY = ("WAN_AUTH", "GRADIO_SERVER_NAME", "GRADIO_SHARE", "COMFYUI_LISTEN", "RUNPOD_API_KEY")
"""Settings that decide who reaches what, or are a secret."""
OTHERS = frozenset(
    {
        "GRADIO_SERVER_PORT", "GRADIO_ROOT_PATH", "GRADIO_TEMP_DIR", "GRADIO_MCP_SERVER", "RUNPOD_AI_API_KEY",
        *(f"WAN_{name}" for name in ("PUBLISH", "MODELS", "DATA", "CHROMIUM", "VENV", "LIVE_COMFYUI")),
    }
)  # fmt: skip
"""Names with a meaning to Gradio, Docker Compose, the tests or RunPod."""
LOGIN_WORDS = ("AUTH", "LOGIN", "PASS", "PWD", "USER", "ACCOUNT", "CREDENTIAL")
PREFIXES = ("WAN_", "COMFYUI_", "RUNPOD_", "GRADIO_")
NEAR = 2
"""How many letters may be wrong, missing, added or swapped in what counts as a misspelling."""


def shown(name: str) -> str:
    """The part of a name that a message may repeat: of `WAN_AUTH:ann:word` not what may be the value."""
    found = re.match(r"[A-Za-z0-9_.-]{1,60}", name)
    return found[0] if found else "?"


def misspelled(name: str, anywhere: bool = False) -> str:
    """The security setting that this name is nearly, or "".

    anywhere: also when the name contains the setting's, as `$env:WAN_AUTH` does. For `.env` only: platforms
    add such names to an environment (`APPSETTING_WAN_AUTH`).
    """
    if name in SECURITY or name in OTHERS:
        return ""
    plain = _plain(name)
    for setting in SECURITY:
        wanted = _plain(setting)
        if plain == wanted or (setting == "WAN_AUTH" and plain.startswith(wanted)):
            return setting
        if anywhere and setting == "WAN_AUTH" and wanted in plain:
            return setting
        wrong = distance(plain, wanted) if abs(len(plain) - len(wanted)) <= NEAR else NEAR + 1
        if wrong <= 1 or (wrong <= NEAR and distance(plain[:3], wanted[:3]) <= 1):  # not WEB_AUTH
            return setting
    return ""


def check_environment(names: Iterable[str], known: Collection[str]) -> None:
    """Raises BadSettings for a variable that is nearly one of SECURITY."""
    for name in names:
        setting = "" if name in known else misspelled(name)
        # RunPod may add any name that begins with its own; without a key nothing is opened
        if setting and not (setting == "RUNPOD_API_KEY" and name.startswith("RUNPOD_")):
            raise BadSettings.of("setting_misspelled", given=shown(name), name=setting)


def unknown(names: Iterable[str], known: Collection[str]) -> list[tuple[str, str]]:
    """(name, nearest setting) of the names that look like settings and are none."""
    found = []
    for name in names:
        if name in known or name in OTHERS or name in SECURITY:
            continue
        nearest = _nearest(name, known)
        ours = name.upper().startswith("WAN_")
        if ours or (name.startswith(PREFIXES) and distance(_plain(name), _plain(nearest)) <= NEAR):
            found.append((name, nearest))
    return found


def distance(one: str, other: str) -> int:
    """How many letters to change, add, leave out or swap with their neighbour (optimal string alignment).

    difflib does not replace it: with two swaps it finds too few letters in common and misses WAN_AHUHT.
    """
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        now = [i]
        for j, b in enumerate(other, 1):
            best = min(last[j] + 1, now[-1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                best = min(best, before[j - 2] + 1)
            now.append(best)
        before, last = last, now
    return last[-1]


def _plain(name: str) -> str:
    """Letters and digits alone, in capitals: what is left of a name when its punctuation is wrong."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", name).upper())


def _nearest(name: str, known: Collection[str]) -> str:
    plain = _plain(name)
    if plain.startswith("WAN") and any(word in plain for word in LOGIN_WORDS):
        return "WAN_AUTH"
    return min(sorted(known), key=lambda setting: distance(plain, _plain(setting)))
