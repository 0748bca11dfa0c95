"""The tensors that a PyTorch file lists (.pt, .pth, .ckpt, .bin), read without running anything in it.

Such a file is a pickle: a program that builds objects. Its instructions are read here one by one and followed
with inert values; a name that it imports is kept as text, and nothing is called. A file that builds anything
but tensors in dictionaries is not judged; ComfyUI, which loads with `weights_only`, refuses it too. The bytes
read and the number of objects are bounded.
"""

from __future__ import annotations

import io
import math
import pickletools
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NoReturn, cast

from backend.models.tensor_list import NotReadable, Tensors

ENDINGS = (".pt", ".pt2", ".pth", ".ckpt", ".bin", ".pkl")
"""Files that PyTorch loads as pickles (`supported_pt_extensions` in folder_paths.py of ComfyUI)."""
PICKLED = "pickled_objects"
"""The fault of a file that builds other objects than tensors."""
PICKLE_MAX = 8 << 20
"""Bytes of a pickle that is read; those of LoRAs have up to 0.5 MB."""
READ_MAX = 40 << 20
"""Bytes that are read of one file: the list of its parts, and the pickle."""
TENSORS_MAX, DIMENSIONS_MAX = 50_000, 8
VALUES = 8
"""Tensors of one number whose place is looked up: trainers write the same alpha for each layer."""
_ZIP, _LEGACY = b"PK\x03\x04", 0x1950A86A20F9469CFC6C
_DTYPES: Mapping[str, tuple[str, int]] = {
    "DoubleStorage": ("F64", 8), "FloatStorage": ("F32", 4), "HalfStorage": ("F16", 2),
    "BFloat16Storage": ("BF16", 2), "LongStorage": ("I64", 8), "IntStorage": ("I32", 4),
    "ShortStorage": ("I16", 2), "CharStorage": ("I8", 1), "ByteStorage": ("U8", 1),
    "BoolStorage": ("BOOL", 1), "UntypedStorage": ("", 1),
}  # fmt: skip
_TORCH_DTYPES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2", "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8", "uint8": "U8",
}  # fmt: skip
_REBUILD = (
    "torch._utils _rebuild_tensor",
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_tensor_v3",
)
_FIRST = ("torch._utils _rebuild_parameter", "torch._utils _rebuild_parameter_with_state")
"""Functions whose result is their first argument."""
_BY_TYPE = "torch._tensor _rebuild_from_type_v2"
_DICTIONARY = "collections OrderedDict"
_PLAIN = ("torch Size", "torch device", "_codecs encode")
"""Functions whose result is no tensor and is not looked at."""


@dataclass(frozen=True)
class _Name:
    """A name that the pickle imports: "module name"."""

    text: str


@dataclass(frozen=True)
class _Storage:
    dtype: str
    item: int
    key: str


@dataclass(frozen=True)
class _Tensor:
    dtype: str
    shape: tuple[int, ...]
    key: str = ""
    at: int = 0  # bytes from the start of its storage


class _Mark:
    """The start of a sequence on the stack."""


class _Opaque:
    """A value that is not looked at."""


_MARK, _OPAQUE = _Mark(), _Opaque()


class _Bounded(io.RawIOBase):
    """A file of which READ_MAX bytes can be read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._left = file, READ_MAX

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        if size > self._left:
            raise NotReadable("header_too_large")
        data = self._file.read(size if size >= 0 else self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise NotReadable("header_too_large")
        return data


def read_pickled(path: Path, size: int) -> Tensors:
    """Reads the list of tensors of a regular file of `size` bytes. Raises NotReadable, OSError."""
    if size == 0:
        raise NotReadable("empty")
    with path.open("rb") as file:
        start = file.read(4)
        file.seek(0)
        if start == _ZIP:
            return _zipped(_Bounded(file))
        if start[:1] != b"\x80":
            raise NotReadable("not_a_model")
        return _legacy(file.read(PICKLE_MAX), size)


def _zipped(file: _Bounded) -> Tensors:
    """The format of PyTorch since 1.6: a zip file with data.pkl and one file for each storage."""
    try:
        with zipfile.ZipFile(cast(IO[bytes], file)) as archive:
            found = [info for info in archive.infolist() if info.filename.endswith("/data.pkl")]
            if len(found) != 1:
                raise NotReadable("not_a_model")
            if found[0].file_size > PICKLE_MAX:
                raise NotReadable("header_too_large")
            with archive.open(found[0]) as member:
                data = member.read(PICKLE_MAX + 1)
            tensors = _named(_followed(io.BytesIO(data)))
            prefix = found[0].filename.removesuffix("data.pkl")
            stored = {info.filename: info for info in archive.infolist()}
            return _listed(tensors, lambda one: _place(file, stored.get(f"{prefix}data/{one.key}"), one))
    except zipfile.BadZipFile as error:
        raise NotReadable("cut_short") from error
    except (RuntimeError, NotImplementedError, EOFError, ValueError) as error:  # encrypted, or damaged
        raise error if isinstance(error, NotReadable) else NotReadable("damaged") from error


def _place(file: _Bounded, info: zipfile.ZipInfo | None, one: _Tensor) -> int:
    """Where a tensor's data is in the file; 0 when it is compressed or missing."""
    if info is None or info.compress_type != zipfile.ZIP_STORED:
        return 0
    file.seek(info.header_offset + 26)
    name, extra = struct.unpack("<HH", file.read(4))
    return info.header_offset + 30 + int(name) + int(extra) + one.at


def _legacy(data: bytes, size: int) -> Tensors:
    """The format before 1.6: a number, the version, facts of the system, and the object, one pickle each."""
    stream = io.BytesIO(data)
    try:
        first = _followed(stream)
        if first == _LEGACY:
            for _ in range(2):
                _followed(stream)
            first = _followed(stream)
    except (ValueError, EOFError) as error:
        if isinstance(error, NotReadable):
            raise
        raise NotReadable("cut_short" if size <= len(data) else "header_too_large") from error
    return _listed(_named(first), lambda one: 0)


def _named(found: object) -> dict[str, _Tensor]:
    """The tensors by name; as ComfyUI takes them: of `state_dict`, or of the only entry."""
    if not isinstance(found, dict):
        raise NotReadable("not_a_model")
    inner = found.get("state_dict", found)
    if inner is found and len(found) == 1:
        inner = next(iter(found.values()))
    named = inner if isinstance(inner, dict) else found
    return {name: one for name, one in named.items() if isinstance(name, str) and isinstance(one, _Tensor)}


def _listed(tensors: Mapping[str, _Tensor], place: Callable[[_Tensor], int]) -> Tensors:
    if not tensors:
        raise NotReadable("not_a_model")
    values = [name for name, one in tensors.items() if name.endswith(".alpha") and math.prod(one.shape) == 1]
    places = {name: at for name in values[:VALUES] if (at := place(tensors[name]))}
    return Tensors(
        {name: one.shape for name, one in tensors.items()},
        {name: one.dtype for name, one in tensors.items()},
        places=places,
    )


@dataclass
class _Machine:
    """The stack and the memo of a pickle."""

    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    tensors: int = 0

    def pop(self) -> Any:
        if not self.stack:
            raise NotReadable("damaged")
        return self.stack.pop()

    def marked(self) -> list[Any]:
        """Removes what lies above the last mark, and the mark."""
        for at in range(len(self.stack) - 1, -1, -1):
            if self.stack[at] is _MARK:
                found = self.stack[at + 1 :]
                del self.stack[at:]
                return found
        raise NotReadable("damaged")

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1] if self.stack else None
        if not isinstance(target, dict):
            _refuse()
        for key, value in _pairs(items):
            if isinstance(key, (str, int)):
                target[key] = value

    def add(self, items: list[Any]) -> None:
        target = self.stack[-1] if self.stack else None
        if isinstance(target, list):
            target.extend(items)
        elif not isinstance(target, _Opaque):
            _refuse()

    def call(self, function: Any, arguments: Any) -> Any:
        """The inert result of a known function. Raises NotReadable for any other one."""
        if not isinstance(function, _Name) or not isinstance(arguments, tuple):
            _refuse()
        name = function.text
        if name == _BY_TYPE and len(arguments) > 2:
            return self.call(arguments[0], arguments[2])
        if name in _FIRST and arguments:
            return arguments[0]
        if name in _REBUILD:
            self.tensors += 1
            if self.tensors > TENSORS_MAX:
                raise NotReadable("damaged")
            return _tensor(arguments)
        if name == _DICTIONARY:
            return {}
        if name in _PLAIN:
            return _OPAQUE
        _refuse()

    def name(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise NotReadable("damaged")
        self.stack.append(_Name(f"{module} {name}"))


def _refuse() -> NoReturn:
    raise NotReadable(PICKLED)


def _pairs(items: list[Any]) -> Iterator[tuple[Any, Any]]:
    if len(items) % 2:
        raise NotReadable("damaged")
    return zip(items[::2], items[1::2], strict=True)


def _tensor(arguments: tuple[Any, ...]) -> _Tensor:
    """A tensor by the arguments of _rebuild_tensor: storage, offset, size, and for some the dtype."""
    if len(arguments) < 3 or not isinstance(arguments[0], _Storage):
        raise NotReadable("damaged")
    storage, offset, shape = arguments[:3]
    if not isinstance(shape, tuple) or len(shape) > DIMENSIONS_MAX or type(offset) is not int:
        raise NotReadable("damaged")
    if not all(type(each) is int and 0 <= each < 1 << 48 for each in (offset, *shape)):
        raise NotReadable("damaged")
    given = next((one.text for one in arguments[3:] if isinstance(one, _Name)), "")
    dtype = storage.dtype or _TORCH_DTYPES.get(given.removeprefix("torch "), "")
    return _Tensor(dtype, shape, storage.key, offset * storage.item)


def _storage(identity: Any) -> _Storage:
    """The storage that a persistent id of the pickle describes."""
    if not isinstance(identity, tuple) or len(identity) < 3 or identity[0] != "storage":
        _refuse()
    kind, key = identity[1], identity[2]
    found = _DTYPES.get(kind.text.rpartition(" ")[2]) if isinstance(kind, _Name) else None
    if found is None or not isinstance(key, str):
        _refuse()
    return _Storage(*found, key)


_CONSTANTS: Mapping[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_VALUES = frozenset(
    {
        "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING",
        "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
        "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
    }
)  # fmt: skip
"""Instructions that push their argument."""
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def _followed(stream: io.BytesIO) -> Any:
    """The object that the next pickle of a stream builds, made of inert values. Raises NotReadable,
    ValueError."""
    machine = _Machine()
    for operation, argument, _ in pickletools.genops(stream):
        if operation.name == "STOP":
            return machine.pop()
        _step(machine, operation.name, argument)
    raise NotReadable("cut_short")


def _step(machine: _Machine, name: str, argument: Any) -> None:
    """One instruction."""
    stack, memo = machine.stack, machine.memo
    if name in ("PROTO", "FRAME"):
        return
    if name in _VALUES:
        stack.append(argument)
    elif name in _CONSTANTS:
        stack.append(_CONSTANTS[name])
    elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
        if not stack:
            raise NotReadable("damaged")
        memo[len(memo) if name == "MEMOIZE" else argument] = stack[-1]
    elif name in ("GET", "BINGET", "LONG_BINGET"):
        if argument not in memo:
            raise NotReadable("damaged")
        stack.append(memo[argument])
    elif name == "MARK":
        stack.append(_MARK)
    elif name == "POP":
        machine.pop()
    elif name == "POP_MARK":
        machine.marked()
    elif name == "DUP":
        stack.append(machine.pop())
        stack.append(stack[-1])
    else:
        _build(machine, name, argument)


def _build(machine: _Machine, name: str, argument: Any) -> None:
    """An instruction that builds a value, imports a name or calls a function."""
    stack = machine.stack
    if name == "EMPTY_DICT":
        stack.append({})
    elif name == "EMPTY_LIST":
        stack.append([])
    elif name == "EMPTY_TUPLE":
        stack.append(())
    elif name in ("EMPTY_SET", "BYTEARRAY8"):
        stack.append(_OPAQUE)
    elif name == "FROZENSET":
        machine.marked()
        stack.append(_OPAQUE)
    elif name == "TUPLE":
        stack.append(tuple(machine.marked()))
    elif name in _TUPLES:
        items = [machine.pop() for _ in range(_TUPLES[name])]
        stack.append(tuple(reversed(items)))
    elif name == "LIST":
        stack.append(machine.marked())
    elif name == "DICT":
        items = machine.marked()
        stack.append({})
        machine.set_items(items)
    elif name == "SETITEM":
        value, key = machine.pop(), machine.pop()
        machine.set_items([key, value])
    elif name == "SETITEMS":
        machine.set_items(machine.marked())
    elif name == "APPEND":
        machine.add([machine.pop()])
    elif name in ("APPENDS", "ADDITEMS"):
        machine.add(machine.marked())
    elif name == "GLOBAL":
        machine.name(*str(argument).partition(" ")[::2])
    elif name == "STACK_GLOBAL":
        inner, module = machine.pop(), machine.pop()
        machine.name(module, inner)
    elif name == "BINPERSID":
        stack.append(_storage(machine.pop()))
    elif name == "REDUCE":
        arguments, function = machine.pop(), machine.pop()
        stack.append(machine.call(function, arguments))
    elif name == "BUILD" and len(stack) > 1 and isinstance(stack[-2], (dict, _Tensor)):
        machine.pop()  # attributes of a dictionary or a parameter
    else:
        _refuse()
