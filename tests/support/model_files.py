"""Sparse model files for tests: valid headers, any size, almost no disk usage."""

from __future__ import annotations

import hashlib
import json
import os
import random
import struct
from collections.abc import Callable
from pathlib import Path

from workflows.catalog import Catalog, ModelFile, load_catalog

ANY_SIZE = 1_000_000
"""Bytes of a file whose size the catalogue does not know."""


GGUF_HEADER = b"GGUF" + struct.pack("<IQQ", 3, 0, 0)
"""The size of a file without tensors and metadata."""


def model_bytes(seed: str, size: int) -> bytes:
    """A valid file of exactly this size, with content generated from the seed: GGUF for a name that ends in
    .gguf, else safetensors."""
    head = GGUF_HEADER if seed.endswith(".gguf") else header(size)
    return head + random.Random(seed).randbytes(size - len(head))


def header(size: int) -> bytes:
    """The first bytes of a safetensors file of this size: one tensor that fills it."""
    room = 120
    count = size - room
    text = json.dumps({"weight": {"dtype": "U8", "shape": [count], "data_offsets": [0, count]}})
    return struct.pack("<Q", room - 8) + text.encode().ljust(room - 8)


def sparse(path: Path, size: int) -> Path:
    """Creates a sparse file that has a model's header and size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(GGUF_HEADER if path.suffix == ".gguf" else header(size))
        file.truncate(size)
    return path


def fill(store: Path, catalog: Catalog | None = None, *, but: tuple[str, ...] = ()) -> None:
    """Creates all files of the catalogue as sparse files, except some roles."""
    for file in (catalog or load_catalog()).files:
        if file.role not in but:
            sparse(store / file.folder / file.name, file.bytes or ANY_SIZE)


def model(role: str, content: bytes, *needed_by: str, folder: str = "vae", **more: object) -> ModelFile:
    """An entry of a test catalogue."""
    values: dict = {
        "name": f"{role}.safetensors",
        "folder": folder,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "source": f"maker/models/split_files/{folder}/{role}.safetensors",
        "modes": needed_by,
        "optional": False,
        "title": role,
        "role": role,
        "needed_by": needed_by,
    }
    return ModelFile(**{**values, **more})


def as_nobody(work: Callable[[], str]) -> str:
    """The result of `work` in a child process without root privileges (root can read everything)."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            os.write(writer, work().encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    assert status == 0, "the child failed"
    return said
