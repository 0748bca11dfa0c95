"""Every text of the page is in one table; the code looks up nothing else, and nothing in it is unused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.paths import ROOT
from tests.support.text_keys import (
    SCRIPT_LOOKUP,
    SCRIPT_STRING,
    SCRIPTS,
    UI,
    Lookup,
    lookups,
    placeholders,
    strings,
)
from ui.i18n.texts import ENGLISH, escaped, plural, section, table, text, with_markup

FORMS = (r"\.one", r"\.other")


def found(lookup: Lookup, pattern: str) -> list[str]:
    """The keys of the table that a lookup's pattern matches."""
    ends = FORMS if lookup.function == "plural" else (r"\..+",) if lookup.function == "section" else ("",)
    return [key for key in table() for end in ends if re.fullmatch(pattern + end, key)]


@pytest.mark.parametrize("path", UI, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_key_that_is_looked_up_exists(path: Path) -> None:
    for lookup in lookups(path):
        for pattern in lookup.keys:
            keys = found(lookup, pattern)
            assert keys, f"{lookup.where} looks up {pattern}"
            if lookup.function == "plural":
                assert {key.rpartition(".")[2] for key in keys} == {"one", "other"}, lookup.where


@pytest.mark.parametrize("path", UI, ids=lambda path: str(path.relative_to(ROOT)))
def test_values_match_the_placeholders(path: Path) -> None:
    for lookup in lookups(path):
        if lookup.given is None or lookup.function == "section":
            continue
        counted = {"count"} if lookup.function == "plural" else set()
        wanted = [placeholders(table()[key]) for pattern in lookup.keys for key in found(lookup, pattern)]
        for names in wanted:
            assert names <= lookup.given | counted, f"{lookup.where} lacks {names - lookup.given}"
        unused = lookup.given - frozenset().union(*wanted)
        assert not unused, f"{lookup.where} gives {unused}, which no template shows"


def test_every_key_is_looked_up() -> None:
    patterns = {pattern for path in UI for pattern in strings(path)}
    exact = {re.sub(r"\\(.)", r"\1", pattern) for pattern in patterns}
    families = [re.compile(pattern) for pattern in patterns if "[^.]+" in pattern]
    scripts = {
        f"script.{name}" for path in SCRIPTS for name in SCRIPT_STRING.findall(path.read_text("utf-8"))
    }
    unused = []
    for key in table():
        base = re.sub(r"\.(one|other)$", "", key)
        if key.startswith("script."):
            used = key in scripts
        else:
            used = {key, base} & exact or any(
                each.fullmatch(key) or each.fullmatch(base) for each in families
            )
        if not used:
            unused.append(key)
    assert unused == []


def test_scripts_look_up_what_exists_with_its_values() -> None:
    texts = section("script")
    for path in SCRIPTS:
        for key, values in SCRIPT_LOOKUP.findall(path.read_text("utf-8")):
            assert key in texts, f"{path.name} looks up {key}"
            names = {re.split(r"[:\s]", value.strip())[0] for value in values.split(", ") if value.strip()}
            assert placeholders(texts[key]) == names, f"{path.name}: {key}"


def test_the_table_has_no_key_twice_and_no_markup() -> None:
    class Strict(yaml.SafeLoader):
        """Refuses a repeated key, of which YAML would keep the last."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            names = [key.value for key, _ in node.value]
            assert len(names) == len(set(names)), f"line {node.start_mark.line + 1}: a key stands twice"
            return super().construct_mapping(node, deep)

    yaml.load(ENGLISH.read_text("utf-8"), Strict)
    assert [key for key, template in table().items() if re.search(r"<|&\w+;", template)] == []


def test_counts_have_two_forms_and_values_are_filled_in() -> None:
    assert plural("common.parts", 1) == "1 part"
    assert plural("common.parts", 9) == "9 parts"
    ends = {"one", "other"}
    for key in table():
        base, _, end = key.rpartition(".")
        if end in ends:
            assert {f"{base}.{other}" for other in ends} <= table().keys(), key
    assert text("common.parts.other", count=3) == "3 parts"
    with pytest.raises(KeyError):
        text("common.parts.other")
    with pytest.raises(KeyError):
        text("common.no_such_key")


def test_texts_for_html_are_escaped() -> None:
    assert escaped("queue.cancel_clip", title='<"a">') == "Cancel: &lt;&quot;a&quot;&gt;"
    assert with_markup("models.folder", folder="<b>") == "Files go into the subfolders of <b>."
