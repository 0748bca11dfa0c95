"""The page's texts: every sentence and label of ui/ stands in en.yaml, and is asked for by its key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
LANGUAGE = "en"


@cache
def table(language: str = LANGUAGE) -> Mapping[str, str]:
    """Dotted key -> template with `{name}` placeholders, as `str.format` takes them.

    Raises FileNotFoundError for a language that has no file.
    """
    return dict(_flat(yaml.safe_load((HERE / f"{language}.yaml").read_text("utf-8"))))


def text(key: str, **values: Any) -> str:
    """The text of a key, placeholders filled in. Raises KeyError for an unknown key or a missing value."""
    return table()[key].format(**values)


def plural(key: str, count: int, **values: Any) -> str:
    """The text of `key.one` or `key.other`; both may use `{count}`."""
    return text(f"{key}.{'one' if count == 1 else 'other'}", count=count, **values)


def section(prefix: str) -> dict[str, str]:
    """The raw templates below a prefix, without it: what a script gets as a whole."""
    start = prefix + "."
    return {key.removeprefix(start): value for key, value in table().items() if key.startswith(start)}


def _flat(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in node.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _flat(value, key + ".")
        else:
            yield key, str(value)
