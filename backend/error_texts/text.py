"""The form of an error's text."""

from __future__ import annotations

import string
from typing import NamedTuple


class ErrorText(NamedTuple):
    """`message`: what happened; `hint`: what to do, where the error's code does not say it already."""

    message: str
    hint: str = ""

    @property
    def arguments(self) -> frozenset[str]:
        """The names of the arguments that the text shows."""
        found = string.Formatter().parse(self.message + self.hint)
        return frozenset(name for _, name, _, _ in found if name)
