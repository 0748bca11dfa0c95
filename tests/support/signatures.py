"""Compares the interface of a test double with that of the real class."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

EMPTY = inspect.Parameter.empty


def differences(real: type, double: type | object, *, whole: bool = True) -> list[str]:
    """Members that the double lacks or that have another signature there, as sentences.

    `double`: a class, or an instance whose attributes replace properties. `whole`: False for a double that
    implements only some members and has additional controls.
    """
    kind = double if isinstance(double, type) else type(double)
    found = []
    for name, member in _public(real):
        if not hasattr(double, name):
            if whole:
                found.append(f"{name} is missing")
            continue
        mine = inspect.getattr_static(kind, name, None)
        if callable(_function(member)):
            if not callable(_function(mine)):
                found.append(f"{name} is not a method")
            elif type(member) is not type(mine):
                found.append(f"{name} is a {type(mine).__name__}, not a {type(member).__name__}")
            elif _parameters(mine) != _parameters(member):
                found.append(f"{name}{_shown(mine)} instead of {name}{_shown(member)}")
        elif callable(_function(mine)):
            found.append(f"{name} is a method")
    return found


def _public(real: type) -> Iterator[tuple[str, object]]:
    """Its public methods and properties, including inherited ones."""
    for name in sorted({name for base in real.__mro__[:-1] for name in vars(base)}):
        member = inspect.getattr_static(real, name)
        if not name.startswith("_") and (isinstance(member, property) or callable(_function(member))):
            yield name, member


def _function(member: object) -> object:
    return member.__func__ if isinstance(member, staticmethod | classmethod) else member


def _parameters(member: object) -> list[tuple[str, object, object]]:
    """Name, kind and default of each parameter; annotations may differ."""
    signature = inspect.signature(_function(member))  # type: ignore[arg-type]
    return [(one.name, one.kind, one.default) for one in signature.parameters.values()]


def _shown(member: object) -> str:
    signature = inspect.signature(_function(member))  # type: ignore[arg-type]
    plain = [one.replace(annotation=EMPTY) for one in signature.parameters.values()]
    return str(signature.replace(parameters=plain, return_annotation=EMPTY))
