"""The form of an error's text."""

from __future__ import annotations

from typing import NamedTuple


class ErrorText(NamedTuple):
    """`message`: what happened; `hint`: what to do, where the error's code does not say it already."""

    message: str
    hint: str = ""
