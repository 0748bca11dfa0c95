"""Declares a field of the settings model that is read from an environment variable, and describes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo


def variable(
    name: str,
    default: Any,
    meaning: str,
    *,
    least: float | None = None,
    most: float | None = None,
    takes: str = "",
    default_words: str = "",
    secret: bool = False,
) -> Any:
    """A field that is read from the environment variable `name`.

    default: `...` where it depends on the machine; `default_words` says in Markdown which it is then.
    meaning: one line of Markdown for the documentation. takes: the accepted values, where the type and the
    limits do not say them. secret: the value appears in no repr and in no message.
    """
    return Field(
        default,
        validation_alias=name,
        description=meaning,
        ge=least,
        le=most,
        repr=not secret,
        allow_inf_nan=False if least is not None else None,
        json_schema_extra={"takes": takes, "default": default_words},
    )


@dataclass(frozen=True)
class Variable:
    """What the documentation says of one variable, in Markdown."""

    name: str
    default: str  # "" for none
    takes: str
    meaning: str


def variables(model: type[BaseModel]) -> Iterator[Variable]:
    """The variables that a model and the models inside it are read from, in the order of their fields."""
    for field in model.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from variables(field.annotation)
        elif isinstance(field.validation_alias, str):
            yield Variable(
                field.validation_alias,
                _default(field),
                _extra(field, "takes") or accepted(field, "`"),
                field.description or "",
            )


def accepted(field: FieldInfo, quote: str = "") -> str:
    """The values that the type and the limits of a field allow: "a number from 0 to 60"; "" for any text.

    quote: stands around each value of a choice.
    """
    if get_origin(field.annotation) is Literal:
        return "one of " + ", ".join(f"{quote}{value}{quote}" for value in get_args(field.annotation))
    if field.annotation is bool:
        return f"{quote}0{quote} or {quote}1{quote}"
    low = next((limit.ge for limit in field.metadata if isinstance(limit, Ge)), None)
    high = next((limit.le for limit in field.metadata if isinstance(limit, Le)), None)
    if low is None or high is None:
        return ""
    kind = "a number" if field.annotation is float else "a whole number"
    return f"{kind} from {_number(low)} to {_number(high)}"


def _number(value: Any) -> str:
    return str(int(value)) if value == int(value) else f"{value:g}"


def _default(field: FieldInfo) -> str:
    words = _extra(field, "default")
    if words or field.is_required() or field.default in (None, "", ()):
        return words
    value = field.default
    if isinstance(value, bool | int | float):
        return f"`{_number(value)}`"
    return f"`{value if isinstance(value, str | Path) else ''}`"


def _extra(field: FieldInfo, key: str) -> str:
    extra = field.json_schema_extra
    return str(extra[key]) if isinstance(extra, dict) else ""
