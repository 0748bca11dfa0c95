"""How a double differs from the class that it stands in for."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

EMPTY = inspect.Parameter.empty


def differences(real: type, double: type | object, *, whole: bool = True) -> list[str]:
    """What is missing in the double or has another signature there, in sentences.

    `double`: a class, or an instance where attributes stand for properties. `whole`: False for one that has
    a part of the real class alone, and controls of its own beside it.
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
    """Its methods and properties, those of its base classes included."""
    for name in sorted({name for base in real.__mro__[:-1] for name in vars(base)}):
        member = inspect.getattr_static(real, name)
        if not name.startswith("_") and (isinstance(member, property) or callable(_function(member))):
            yield name, member


def _function(member: object) -> object:
    return member.__func__ if isinstance(member, staticmethod | classmethod) else member


def _parameters(member: object) -> list[tuple[str, object, object]]:
    """Name, kind and default of each; annotations may be wider in a double."""
    signature = inspect.signature(_function(member))  # type: ignore[arg-type]
    return [(one.name, one.kind, one.default) for one in signature.parameters.values()]


def _shown(member: object) -> str:
    signature = inspect.signature(_function(member))  # type: ignore[arg-type]
    plain = [one.replace(annotation=EMPTY) for one in signature.parameters.values()]
    return str(signature.replace(parameters=plain, return_annotation=EMPTY))
