"""The specification of a mode: its parameters with defaults, limits, labels, help and units, in one place.

A mode declares its parameters as the fields of a frozen dataclass, each with its specification:

    image: Media = declare(MediaField(kind="picture", label="Picture", required=True, help="..."))
    seconds: float = declare(Field(kind="number", label="Length", default=5.0, low=0.25, high=15.0, unit="s"))

The checks of the constructor, the form, the endpoint with its documentation, the MCP schema, the command
line, the Library's filter and "Reuse settings" are derived from these.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from workflows.params.checks import check_media
from workflows.params.loras import LoraTarget, check_loras
from workflows.params.sizes import FPS, frames_for
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

if TYPE_CHECKING:
    from workflows.catalog import Catalog
    from workflows.compiled import Compiled
    from workflows.graph.node_contract import ServerFacts

Kind = Literal["text", "choice", "whole", "number", "side", "switch", "loras"]
"""What a value is. side: a width or height in pixels, 0 for automatic; loras: a list, or its JSON text."""
MediaKind = Literal["picture", "sound", "video"]
Group = Literal["", "sound", "files", "size", "motion", "prompt", "experts", "run", "seed"]
"""The part of the page's Advanced section that a parameter is in; "": none, it has a place of its own."""
GROUPS: tuple[Group, ...] = tuple(group for group in get_args(Group) if group)
"""The parts in the page's order."""
SECONDS = " seconds"
"""The unit of a length or of a time in a file, as error messages write it."""
RANDOM_SEED = -1
"""The seed that asks for a random one; it is drawn before the parameters of a mode are made."""


@dataclass(frozen=True)
class Choice:
    """One value of a choice. `label`: its name on the page; `note`: what it does, in a sentence or less."""

    value: str
    label: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Field:
    """One parameter that is no file.

    `label` names it on the page, `subject` in error messages ("The length"); `note` is the sentence beside
    the widget, `help` the one for API clients. `default` is the API's, `page_default` the page's where it
    differs. `nullable`: None stands for a default that is only known later (the catalogue's negative
    prompt). `zero`: what 0 stands for ("the mode's own"); "" where 0 is a value like any other. `low`,
    `high`: limits, both included; of a text, `high` is the number of characters. `offered`: values that the
    page shows as buttons; any other is shown beside them. `choices`: in the page's order. `blank`: what the
    page shows in the empty field of a number whose default stands for something else ("Random"); "" where
    the default is a number like any other. `group`: where in Advanced the page shows it. `later`: added
    to an endpoint that had been published, so that calls by position stay right: 1 follows `wait` there, 2
    `vary`.
    `varies`: the page offers variations that differ in it; `compared`: the numbers that those begin with.
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
        """The value that a text stands for, as on a command line. Raises InvalidParam.

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


Spec = Field | MediaField


def declare(spec: Spec) -> Any:
    """A field of a mode's dataclass that carries its specification. A required medium has no default."""
    if isinstance(spec, MediaField) and spec.required:
        return field(metadata={"spec": spec})
    return field(default=spec.default, metadata={"spec": spec})


def declare_seed(spec: Field) -> Any:
    """The seed: parameters always hold one that is drawn already, so that there is no default."""
    return field(metadata={"spec": spec})


_specs: dict[type, tuple[Spec, ...]] = {}


def specs(params: type) -> tuple[Spec, ...]:
    """The specifications of a mode's dataclass in the order of its fields, each with its name."""
    if params not in _specs:
        entries = dataclasses.fields(params)
        _specs[params] = tuple(replace(entry.metadata["spec"], name=entry.name) for entry in entries)
    return _specs[params]


class ModeParams:
    """The parameters of a mode. Subclasses are frozen dataclasses whose fields are declared."""

    MODE: ClassVar[str]

    seed: int
    prompt: str

    def __post_init__(self) -> None:
        for spec in specs(type(self)):
            # The dataclass is frozen, but stores the clean value.
            object.__setattr__(self, spec.name, spec.check(getattr(self, spec.name)))
        self.check()

    def check(self) -> None:
        """Checks that concern several fields. Raises InvalidParam."""
        raise NotImplementedError

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the result in pixels, multiples of 16."""
        raise NotImplementedError

    @property
    def seconds(self) -> float:
        """The length that was asked for in seconds; 0.0 for a mode without one."""
        return 0.0

    @property
    def frames(self) -> int:
        """Number of frames of the result, 1 for a picture; by default 4n+1 of a clip of `seconds`."""
        return frames_for(self.seconds)

    @property
    def fps(self) -> float:
        """Frames a second, 0.0 for a picture; by default those of the models."""
        return FPS


def one_chunk(frames: int) -> int:
    """The number of chunks of a mode that draws clips of any length in one chunk."""
    return 1


def no_figures(params: Any) -> Mapping[str, float]:
    """The figures of a mode that leaves none to its recipe."""
    return {}


@dataclass(frozen=True, kw_only=True)
class Trim:
    """The part of a file that is used: the media field, and the fields with its start and length in seconds
    (length 0: to the end)."""

    media: str
    start: str
    length: str


@dataclass(frozen=True, kw_only=True)
class ModeSpec:
    """A mode: its parameters, its compiler, and what else differs between modes.

    `title`: its name for people. `summary`: one sentence for API clients. `makes`: what comes out. `trim`:
    which part of which file is used; such a clip is as long as that part. `chunks`: frames of the result ->
    pieces that the model draws one after the other; `chunks_of`: the same for a kind of model that differs.
    `tells`: choices whose value is shown among the facts of
    a clip. `own`: checked parameters -> the defaults that empty number fields get, such as steps -> 20;
    `own_on`: the same for a job of that route (Compiled.route), None where no route has figures of its own.
    `lora_targets`: the models that LoRAs can go on. `always_fast`: made in few steps whatever is chosen.
    `in_quality`: a job's values -> the mode and the values that make the same in full quality; None where
    there is nothing better.
    """

    params: type[ModeParams]
    title: str
    summary: str
    build: Callable[[Any, Catalog, ServerFacts, str], Compiled]
    makes: Literal["video", "picture"] = "video"
    trim: Trim | None = None
    chunks: Callable[[int], int] = one_chunk
    chunks_of: Mapping[str, Callable[[int], int]] = field(default_factory=dict)
    tells: tuple[str, ...] = ()
    own: Callable[[Any], Mapping[str, float]] = no_figures
    own_on: Callable[[Any, str], Mapping[str, float]] | None = None
    lora_targets: tuple[LoraTarget, ...] = ()
    always_fast: bool = False
    in_quality: Callable[[Mapping[str, Any]], tuple[str, dict[str, Any]]] | None = None

    @property
    def name(self) -> str:
        """The mode's name in the API, the database and on the command line."""
        return self.params.MODE

    def chunk_count(self, frames: int, model: str = "") -> int:
        """The pieces of a result with so many frames, at least 1. model: the kind that draws it."""
        return max(1, self.chunks_of.get(model, self.chunks)(frames))

    def figures(self, params: ModeParams, route: str) -> Mapping[str, float]:
        """The defaults that empty number fields get in a job of this route."""
        return self.own_on(params, route) if self.own_on is not None else self.own(params)

    @property
    def still(self) -> bool:
        """Whether a picture comes out."""
        return self.makes == "picture"

    @cached_property
    def all(self) -> tuple[Spec, ...]:
        """Every parameter that a caller can give, in the order of the API."""
        return tuple(spec for spec in specs(self.params) if not (isinstance(spec, MediaField) and spec.inner))

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The parameters that are no files."""
        return tuple(spec for spec in self.all if isinstance(spec, Field))

    @cached_property
    def varied(self) -> tuple[Field, ...]:
        """The parameters of which the page offers variations, in the order of the API."""
        return tuple(spec for spec in self.fields if spec.varies)

    @cached_property
    def media(self) -> Mapping[str, MediaField]:
        """The parameters that are files, by name."""
        return {spec.name: spec for spec in self.all if isinstance(spec, MediaField)}

    @cached_property
    def files(self) -> Mapping[str, MediaField]:
        """All files that a job of the mode can have, the inner ones too, by name."""
        return {spec.name: spec for spec in specs(self.params) if isinstance(spec, MediaField)}

    @cached_property
    def choices(self) -> Mapping[str, tuple[str, ...]]:
        """The values of each choice, the API's default first."""
        return {spec.name: spec.values for spec in self.fields if spec.kind == "choice"}

    @cached_property
    def by_name(self) -> Mapping[str, Spec]:
        """Every parameter by its name."""
        return {spec.name: spec for spec in self.all}

    def field(self, name: str) -> Field:
        """A parameter that is no file. Raises KeyError."""
        return next(spec for spec in self.fields if spec.name == name)

    def in_group(self, name: Group) -> tuple[Spec, ...]:
        """The parameters of a part of Advanced, in the order of the API."""
        return tuple(spec for spec in self.all if spec.group == name)

    def lora_target(self, params: Any, route: str = "") -> LoraTarget | None:
        """The model that the LoRAs of a job go on; None for a mode that takes none. route: Compiled.route."""
        of_route = [one for one in self.lora_targets if route in one.routes]
        for one in of_route or [one for one in self.lora_targets if not one.routes]:
            if one.when is None or getattr(params, one.when[0]) == one.when[1]:
                return one
        return None

    @property
    def api(self) -> tuple[Spec, ...]:
        """The parameters of the endpoint, in order."""
        return tuple(spec for spec in self.all if spec.in_api)

    @property
    def length_field(self) -> str:
        """The parameter that says how long the result is, "" for a picture."""
        if self.trim is not None:
            return self.trim.length
        return "seconds" if "seconds" in self.by_name else ""


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
