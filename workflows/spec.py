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
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from workflows.params.field import Field, Group, MediaField
from workflows.params.loras import LoraTarget
from workflows.params.sizes import FPS, frames_for

if TYPE_CHECKING:
    from workflows.catalog import Catalog
    from workflows.compiled import Compiled
    from workflows.graph.node_contract import ServerFacts

RANDOM_SEED = -1
"""The seed that asks for a random one; it is drawn before the parameters of a mode are made."""

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
        """The parameters that are not files."""
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
        """A parameter that is not a file. Raises KeyError."""
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
