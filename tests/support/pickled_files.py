"""PyTorch files for tests, written as PyTorch writes them, without PyTorch."""

from __future__ import annotations

import io
import math
import pickle
import struct
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

Shapes = Mapping[str, tuple[int, ...]]


class _Storage:
    """Replaces a storage; the pickler writes its persistent id."""

    def __init__(self, key: str, kind: str, count: int) -> None:
        self.key, self.kind, self.count = key, kind, count


def _named(module: str, name: str) -> Any:
    """A function that is pickled as `module.name`."""

    def function(*arguments: Any) -> None: ...

    function.__module__, function.__qualname__, function.__name__ = module, name, name
    return function


class _Call:
    """Is pickled as a call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._how = (function, arguments)

    def __reduce__(self) -> Any:
        return self._how


class _Pickler(pickle.Pickler):
    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, _Storage):
            return ("storage", STORAGES[obj.kind], obj.key, "cpu", obj.count)
        return None


STORAGES = {
    kind: _named("torch", kind)
    for kind in ("FloatStorage", "HalfStorage", "BFloat16Storage", "LongStorage", "UntypedStorage")
}
REBUILD = _named("torch._utils", "_rebuild_tensor_v2")
PARAMETER = _named("torch._utils", "_rebuild_parameter")
FUNCTIONS = (*STORAGES.values(), REBUILD, PARAMETER)


def state(shapes: Shapes, kind: str = "HalfStorage", parameter: bool = False) -> dict[str, Any]:
    """A state dictionary of such tensors."""
    found: dict[str, Any] = OrderedDict()
    for number, (name, shape) in enumerate(shapes.items()):
        storage = _Storage(str(number), kind, math.prod(shape))
        one = _Call(REBUILD, storage, 0, shape, (1,) * len(shape), False, OrderedDict())
        found[name] = _Call(PARAMETER, one, True, OrderedDict()) if parameter else one
    return found


def pickled(value: Any, protocol: int = 2) -> bytes:
    """The pickle of a value with stand-ins for what PyTorch has."""
    modules = {name: ModuleType(name) for name in ("torch", "torch._utils")}
    for function in FUNCTIONS:
        setattr(modules[function.__module__], function.__name__, function)
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        data = io.BytesIO()
        _Pickler(data, protocol).dump(value)
        return data.getvalue()
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def torch_zip(
    path: Path, value: Any, protocol: int = 2, values: Mapping[str, float] = {}, kind: str = "float"
) -> Path:
    """Writes the format of PyTorch since 1.6. values: storage -> the number in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", value if isinstance(value, bytes) else pickled(value, protocol))
        archive.writestr("archive/version", "3\n")
        for key, number in values.items():
            archive.writestr(f"archive/data/{key}", struct.pack("<f" if kind == "float" else "<e", number))
    return path


def torch_legacy(path: Path, value: Any) -> Path:
    """Writes the format before 1.6."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, value, ["0", "1"])
    path.write_bytes(b"".join(pickled(part) for part in parts) + b"\0" * 64)
    return path
