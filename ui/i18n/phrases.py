"""Phrases for a prompt: short labels, and the words that each writes into the sentence, from a data file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from ui.i18n.texts import language
from workflows.spec import ModeSpec

FOLDER, FALLBACK = Path(__file__).parent, "en"


@dataclass(frozen=True)
class Phrase:
    """`words`: what is written into the prompt."""

    label: str
    words: str


@dataclass(frozen=True)
class PhraseGroup:
    """Phrases under one heading. `makes`: the kinds of result that they are for; `not_driven`: they describe
    motion, which a driving video gives already."""

    label: str
    makes: tuple[str, ...]
    not_driven: bool
    phrases: tuple[Phrase, ...]

    def suits(self, spec: ModeSpec) -> bool:
        """Whether the phrases are of use in a mode."""
        driven = any(field.kind == "video" and field.required for field in spec.media.values())
        return spec.makes in self.makes and not (driven and self.not_driven)


@cache
def read(name: str) -> tuple[PhraseGroup, ...]:
    """The groups of a language's file, in its order; English ones for a language without a file."""
    path = FOLDER / f"phrases.{name}.yaml"
    if not path.exists():
        path = FOLDER / f"phrases.{FALLBACK}.yaml"
    return tuple(
        PhraseGroup(
            label=row["label"],
            makes=tuple(row["makes"]),
            not_driven=row.get("not_driven", False),
            phrases=tuple(Phrase(label, words) for label, words in row["phrases"].items()),
        )
        for row in yaml.safe_load(path.read_text("utf-8"))
    )


def for_all() -> tuple[PhraseGroup, ...]:
    """The groups in the page's language."""
    return read(language())


def for_mode(spec: ModeSpec) -> tuple[PhraseGroup, ...]:
    """The groups that suit a mode."""
    return tuple(group for group in for_all() if group.suits(spec))
