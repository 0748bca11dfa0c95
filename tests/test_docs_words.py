"""What the documents quote is what the program says, and the files and settings that they name are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from backend.settings.model import VARIABLES
from tests.support.paths import ROOT
from tests.support.sources import parsed
from ui.i18n.texts import table

DOCS = sorted((ROOT / "docs").glob("*.md"))
TROUBLE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
BUILD_ARGUMENTS = set(re.findall(r"^ARG (\w+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.M))
NOT_OURS = {"no kernel image is available", "Value not in list", "starting"}
"""Words of others that are quoted too."""
REPLACED = ("extended video", "joined clip", "longer version", "play round", "plays round")
"""Other words for what docs/developing.md has a word for: joined video, loop."""


def spoken() -> str:
    """All texts in the program, one after the other; what an f-string fills in is a gap."""
    found = [re.sub(r"\{\w+\}", "\0", template) for template in table().values()]
    for top in ("backend", "ui", "workflows", "app.py"):
        place = ROOT / top
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            for node in ast.walk(parsed(path)):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
                elif isinstance(node, ast.JoinedStr):
                    parts = [p.value if isinstance(p, ast.Constant) else "\0" for p in node.values]
                    found.append("".join(str(part) for part in parts))
    return "\n".join(found)


def test_every_quoted_sentence_is_one_of_ours() -> None:
    said = spoken()
    quotes = re.findall(r'"([^"]+)"', TROUBLE)
    assert len(quotes) > 25
    missing = []
    for quote in quotes:
        fragments = [part.strip(" .,:;") for part in quote.split("...")]
        missing += [part for part in fragments if len(part) > 3 and part not in said]
    assert not set(missing) - NOT_OURS


def test_there_are_twenty_failures_with_their_cause() -> None:
    rows = [line for line in TROUBLE.splitlines() if line.startswith("| ") and not line.startswith("| what")]
    assert len(rows) >= 20
    assert all(len(re.split(r"(?<!\\)\|", row)) == 5 for row in rows), "what, why, what to do"


def test_one_word_means_one_thing() -> None:
    pages = {
        page.name: page.read_text("utf-8") for page in (*DOCS, ROOT / "README.md", ROOT / "CHANGELOG.md")
    }
    words = pages.pop("developing.md").split("## Words")
    assert len(words) == 2 and "| joined video |" in words[1]
    pages |= {"developing.md": words[0], "the program": spoken()}
    assert [(name, one) for name, text in pages.items() for one in REPLACED if one in text.lower()] == []


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_links_settings_and_commands_are_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?://)([^)#]+)", text):
        assert (path.parent / link).exists(), link
    for name in re.findall(r"\b(WAN_[A-Z_]+|COMFYUI_[A-Z]+)\b", text):
        assert name in VARIABLES or name in BUILD_ARGUMENTS, name
    for module in re.findall(r"python -m (benchmarks\.\w+)", text):
        assert (ROOT / f"{module.replace('.', '/')}.py").is_file(), module
