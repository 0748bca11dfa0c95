"""What a parameter of a mode may be: kind, limits, label, help and unit, with the checks of its values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from workflows.params.checks import check_media
from workflows.params.loras import check_loras
from workflows.params.values import (
    InvalidParam,
    check_bool,
    check_choice,
    check_int,
    check_number,
    check_side,
    check_text,
    check_zero_or_number,
    shown,
)

Kind = Literal["text", "choice", "whole", "number", "side", "switch", "loras"]
"""What a value is. side: a width or height in pixels, 0 for automatic; loras: a list, or its JSON text."""
MediaKind = Literal["picture", "sound", "video"]
Group = Literal["", "sound", "files", "size", "motion", "prompt", "experts", "run", "seed"]
"""The part of the page's Advanced section that a parameter is in; "": none, it is shown elsewhere."""
GROUPS: tuple[Group, ...] = tuple(group for group in get_args(Group) if group)
"""The parts in the page's order."""
SECONDS = " seconds"
"""The unit of a length or of a time in a file, as error messages write it."""


@dataclass(frozen=True)
class Choice:
    """One value of a choice. `label`: its name on the page; `note`: what it does, in a sentence or less."""

    value: str
    label: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Field:
    """One parameter that is not a file.

    `label` names it on the page, `subject` in error messages ("The length"); `note` is the sentence beside
    the widget, `help` the one for API clients. `default` is the API's, `page_default` the page's where it
    differs. `nullable`: None means a default that is only known later (the catalogue's negative prompt).
    `zero`: the meaning of 0 ("the mode's own"); "" where 0 is a value like any other. `low`, `high`: limits,
    both included; of a text, `high` is the number of characters. `offered`: values that the page shows as
    buttons; any other is shown beside them. `choices`: in the page's order. `blank`: what the page shows in
    the empty field of a number whose default has a special meaning ("Random"); "" where the default is a
    number like any other. `group`: where in Advanced the page shows it. `later`: added to an endpoint that
    had been published, so that calls by position stay right: 1 follows `wait` there, 2 `vary`. `varies`: the
    page offers variations that differ in it; `compared`: the numbers that those begin with.
    """

    kind: Kind
    label: str
    help: str
    default: Any = None
    name: str = ""
    subject: str = ""
    note: str = ""
    placeholder: str = ""
    page_default: Any = None
    in_api: bool = True
    later: int = 0
    nullable: bool = False
    zero: str = ""
    low: float = 0
    high: float = 0
    step: float = 1
    unit: str = ""
    blank: str = ""
    group: Group = ""
    choices: tuple[Choice, ...] = ()
    offered: tuple[float, ...] = ()
    varies: bool = False
    compared: tuple[float, ...] = ()

    @property
    def start(self) -> Any:
        """What the page's widget starts with."""
        return self.default if self.page_default is None else self.page_default

    @property
    def values(self) -> tuple[str, ...]:
        """The values of a choice, the API's default first."""
        found = tuple(choice.value for choice in self.choices)
        return (self.default, *(value for value in found if value != self.default))

    @property
    def type(self) -> type:
        """The Python type of a value."""
        whole = {"text": str, "choice": str, "switch": bool, "number": float, "loras": str}
        return whole.get(self.kind, int)

    def check(self, value: Any) -> Any:
        """The clean value. Raises InvalidParam."""
        if value is None and self.nullable:
            return None
        name, subject = self.name, self.subject or self.label
        match self.kind:
            case "text":
                return check_text(name, subject, value, int(self.high))
            case "choice":
                return check_choice(name, subject, value, self.values)
            case "switch":
                return check_bool(name, subject, value)
            case "side":
                return check_side(name, subject, value)
            case "loras":
                return check_loras(name, subject, value)
            case "whole":
                return check_int(name, subject, value, int(self.low), int(self.high))
            case "number":
                if self.zero:
                    return check_zero_or_number(name, subject, value, self.low, self.high, self.zero)
                return check_number(name, subject, value, self.low, self.high, self.unit)

    def parse(self, text: str) -> Any:
        """Parses a text, as from a command line. Raises InvalidParam.

        A choice or a text stays as it is; limits are for `check`.
        """
        return _PARSERS.get(self.type, lambda _, given: given)(self.name, text)

    def word(self, value: Any) -> str:
        """A value of a choice as the page shows it."""
        return next((choice.label for choice in self.choices if choice.value == value), str(value))


@dataclass(frozen=True, kw_only=True)
class MediaField:
    """One parameter that is a file. `label`, `subject`, `help`: as those of Field; `heading`: what the empty
    drop zone says, `hint`: the line below that; `file_name`: what a stored file is called on the page;
    `group`: as that of Field. `inner`: given by the studio itself; no form and no endpoint
    has it."""

    kind: MediaKind
    label: str
    help: str
    required: bool = False
    name: str = ""
    subject: str = ""
    heading: str = ""
    hint: str = ""
    group: Group = ""
    in_api: bool = True
    inner: bool = False
    default: None = None

    @property
    def file_name(self) -> str:
        """The stem under which a stored file comes back to the page."""
        return self.label.lower().replace(" ", "-")

    def check(self, value: Any) -> Any:
        """The Media itself. Raises InvalidParam when a required one is missing, or for another object."""
        if value is None and not self.required:
            return None
        return check_media(self.name, self.subject or f"The {self.label.lower()}", self.kind, value)


def _parse_int(name: str, text: str) -> int:
    clean = text.strip()
    digits = clean[1:] if clean[:1] in ("+", "-") else clean
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 30):
        raise InvalidParam(name, f"{name} must be a whole number, not {shown(text)}.", f"Write {name}=1.")
    return int(clean)


def _parse_float(name: str, text: str) -> float:
    clean = text.strip()
    try:
        if not clean.isascii() or any(c.isalpha() and c not in "eE" for c in clean) or "_" in clean:
            raise ValueError(clean)  # float() also reads nan, inf and 1_000
        return float(clean)
    except ValueError:
        hint = f"Write {name}=5."
        raise InvalidParam(name, f"{name} must be a number, not {shown(text)}.", hint) from None


def _parse_bool(name: str, text: str) -> bool:
    clean = text.strip().lower()
    if clean not in _YES + _NO:
        raise InvalidParam(name, f"{name} must be true or false, not {shown(text)}.", f"Write {name}=true.")
    return clean in _YES


_YES, _NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_PARSERS: Mapping[type, Callable[[str, str], Any]] = {int: _parse_int, float: _parse_float, bool: _parse_bool}
