"""Trigger words and titles of LoRAs: what a publisher wrote, as short lines of printable characters."""

from __future__ import annotations

import json
from collections.abc import Mapping

TITLE_MAX, WORD_MAX, WORDS_MAX = 80, 120, 12
"""Characters of a title and of a trigger word, and the number of trigger words."""
PHRASES = (
    "modelspec.trigger_phrase", "modelspec.trigger_word", "trigger_phrase", "trigger_words", "trigger_word",
    "ss_trigger_words", "activation text",
)  # fmt: skip
"""Keys under which a publisher names the words, in this order."""
TAGS_MAX = 200_000
"""Characters of the tag statistics that are read."""


def trigger_words(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """What a prompt needs for the LoRA: the phrase that its publisher named, else the tags that most of its
    pictures were trained with."""
    phrases = (split_words(metadata.get(key, "")) for key in PHRASES)
    phrase = next(filter(None, phrases), ())
    return phrase or tuple(dict.fromkeys(_frequent(metadata.get("ss_tag_frequency", ""))))[:WORDS_MAX]


def split_words(text: str) -> tuple[str, ...]:
    """The words of a phrase with commas."""
    words = (one_line(word, WORD_MAX) for word in text[: WORD_MAX * WORDS_MAX * 4].split(","))
    return tuple(dict.fromkeys(word for word in words if word))[:WORDS_MAX]


def _frequent(text: str) -> list[str]:
    """Tags in at least half as many pictures as the most frequent one."""
    try:
        folders = json.loads(text[:TAGS_MAX]) if len(text) <= TAGS_MAX else {}
        counts: dict[str, int] = {}
        for tags in folders.values():
            for tag, count in tags.items():
                counts[str(tag)] = counts.get(str(tag), 0) + int(count)
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError):
        return []
    most = max(counts.values(), default=0)
    found = sorted(counts, key=lambda tag: -counts[tag])
    cleaned = (one_line(tag, WORD_MAX) for tag in found if counts[tag] * 2 >= most)
    return [tag for tag in cleaned if tag]


def one_line(text: str, longest: int) -> str:
    """A text of the metadata as one line of printable characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: longest * 4]).split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"
