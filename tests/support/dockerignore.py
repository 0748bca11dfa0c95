"""Which files .dockerignore lets into the build context, by Docker's rules.

The last pattern that matches a file or one of its parent folders decides. `*` and `?` stop at a slash, `**`
is any number of folders.
"""

from __future__ import annotations

import re
from pathlib import Path


def patterns(file: Path) -> list[tuple[bool, re.Pattern[str]]]:
    """(keeps, expression) of each line."""
    found = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            text = line.strip()
            found.append((text.startswith("!"), _expression(text.removeprefix("!").strip("/"))))
    return found


def _expression(pattern: str) -> re.Pattern[str]:
    words = {"**/": "(?:.*/)?", "/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.findall(r"\*\*/|/\*\*$|\*\*|\*|\?|\[[^]]+]|.", pattern)
    text = "".join(words.get(p, p if len(p) > 1 and p[0] == "[" else re.escape(p)) for p in parts)
    return re.compile(text)


def kept(name: str, rules: list[tuple[bool, re.Pattern[str]]]) -> bool:
    """Whether a file of this path, relative to the context, is in it."""
    parts = name.split("/")
    paths = ["/".join(parts[: n + 1]) for n in range(len(parts))]
    inside = True
    for keeps, expression in rules:
        if any(expression.fullmatch(path) for path in paths):
            inside = keeps
    return inside
