"""The page's texts: every sentence and label of ui/ is in en.yaml and is looked up by its key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

import yaml

ENGLISH = Path(__file__).parent / "en.yaml"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where PyYAML has its C part

_table: dict[str, str] = {}
_language: list[str] = []


def table() -> Mapping[str, str]:
    """Dotted key -> template with `{name}` placeholders, as `str.format` takes them; English until `use`."""
    if not _table:
        use(ENGLISH)
    return _table


def use(path: Path) -> None:
    """Replaces all texts by those of a language file. Components that are built already keep theirs."""
    entries = dict(_flat(yaml.load(path.read_text("utf-8"), Loader=LOADER)))  # noqa: S506 (both are safe loaders)
    _table.clear()
    _table.update(entries)
    _language[:] = [path.stem]


def language() -> str:
    """The name of the language in use, as in the name of its file: "en"."""
    table()
    return _language[0]


def text(key: str, **values: Any) -> str:
    """The text of a key, placeholders filled in. Raises KeyError for an unknown key or a missing value."""
    return table()[key].format(**values)


def plural(key: str, count: int, **values: Any) -> str:
    """The text of `key.one` or `key.other`; both may use `{count}`."""
    return text(f"{key}.{'one' if count == 1 else 'other'}", count=count, **values)


def escaped(key: str, **values: Any) -> str:
    """The text of a key for HTML: as content, or inside an attribute in double quotes."""
    return escape(text(key, **values), quote=False).replace('"', "&quot;")


def with_markup(key: str, **markup: str) -> str:
    """The text of a key for HTML, its placeholders filled with HTML that is escaped already."""
    return escape(table()[key], quote=False).replace('"', "&quot;").format(**markup)


def section(prefix: str) -> dict[str, str]:
    """Key without the prefix -> template, of all keys below a prefix: what the page's scripts receive."""
    start = prefix + "."
    return {key.removeprefix(start): value for key, value in table().items() if key.startswith(start)}


def _flat(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in node.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _flat(value, key + ".")
        else:
            yield key, str(value)
