"""File transfer with one ComfyUI server: uploads or hard-links inputs once, downloads outputs.

The name of an input contains the hash of its content, so a file of that name and size on the server is
the same file.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import requests

from backend.engines import full_disk
from backend.engines.comfy.http import Http
from backend.engines.comfy.reach import is_html, unreachable
from backend.engines.comfy.time_limit import socket_of, time_limit
from backend.errors import (
    BadEngineInput,
    BadMedia,
    EngineError,
    EngineUnreachable,
    NoOutput,
    from_os_error,
)
from backend.events import Output

log = logging.getLogger("wan.engines.comfy")

CHUNK = 1 << 18  # bytes
CHUNK_SECONDS = 120.0  # time limit for CHUNK bytes of a result
FETCH_ATTEMPTS = 3
FETCH_SECONDS = 3600.0  # time limit for a whole result
MARGIN = 128_000_000  # bytes that a result may have beside its frames: sound and metadata
UNKNOWN_LIMIT = 1_000_000_000  # bytes of a result of a graph that does not state its size


class InputFiles:
    """Tracks which input files one server has. Thread-safe."""

    def __init__(self, http: Http, folder: Path | None = None) -> None:
        """`folder`: the server's input folder if it is on this machine."""
        self._http = http
        self._folder = folder
        self._present: set[str] = set()
        self._lock = threading.Lock()

    def set_folder(self, folder: Path | None) -> None:
        """Sets the folder in which files are linked; dropped if the server does not find them there."""
        with self._lock:
            self._folder = folder

    def invalidate(self) -> None:
        """Makes the next `ensure` check every file on the server again."""
        with self._lock:
            self._present.clear()

    def ensure(self, files: Mapping[str, Path], stop: Callable[[], None]) -> None:
        """Makes sure that the server has the files under these names. Raises BadMedia, EngineError.

        `stop` is called before each file and each chunk, and may raise to abort.
        """
        for name, path in files.items():
            stop()
            with self._lock:
                if name in self._present and not self._was_removed(name):
                    continue
            try:
                size = path.stat().st_size
            except OSError as error:
                raise BadMedia.of("job_file_gone", detail=str(error)) from error
            if self._remote_size(name) != size and not self._link(name, path, size):
                self._upload(name, path, size, stop)
            with self._lock:
                self._present.add(name)

    def _was_removed(self, name: str) -> bool:
        """Whether a linked file has been removed; False if the folder is unknown. Call with the lock held."""
        return self._folder is not None and not (self._folder / PurePosixPath(name)).exists()

    def _remote_size(self, name: str) -> int:
        """The size in bytes of the file on the server; -1 if it is missing."""
        status, length = self._http.head("/view", _view_query(_input_location(name)))
        return length if status == 200 else -1

    def _link(self, name: str, path: Path, size: int) -> bool:
        """Links the file into the server's folder; returns whether the server then finds it."""
        with self._lock:
            folder = self._folder
        if folder is None:
            return False
        target = folder / PurePosixPath(name)
        if not target.resolve().is_relative_to(folder.resolve()):
            raise EngineError.of("bad_file_name", detail=f"{name!r} leaves the input folder")
        fresh = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _link_or_copy(path.resolve(), fresh)
            fresh.replace(target)
        except OSError as error:
            log.info("inputs are uploaded: %s is not writable here (%s)", folder, error.strerror)
            self.set_folder(None)
            return False
        finally:
            fresh.unlink(missing_ok=True)  # renaming one link onto another of the same file keeps both
        if self._remote_size(name) == size:
            return True
        log.info(
            "inputs are uploaded: %s is not the folder that ComfyUI at %s reads", folder, self._http.address
        )
        target.unlink(missing_ok=True)
        self.set_folder(None)
        return False

    def _upload(self, name: str, path: Path, size: int, stop: Callable[[], None]) -> None:
        where = _input_location(name)
        with path.open("rb") as file:
            fields = {"type": "input", "subfolder": where.subfolder, "overwrite": "true"}
            form = MultipartForm(fields, where.filename, file, size, stop)
            status, answer = self._http.upload("/upload/image", form, form.content_type)
        if status == 413:
            raise BadEngineInput.of(
                "upload_too_large", megabytes=size / 1e6, detail=f"upload of {size} bytes: HTTP 413"
            )
        if full_disk.refused_for_room(status, answer):
            raise full_disk.at_upload(f"upload of {name}: HTTP {status}: {str(answer)[:300]}")
        got = answer if isinstance(answer, dict) else {}
        if status != 200 or (got.get("name"), got.get("subfolder")) != (where.filename, where.subfolder):
            raise EngineError.of(
                "upload_refused",
                detail=f"upload of {name}: HTTP {status}: {str(answer)[:300]}",
            )
        log.info("sent %s (%d bytes) to %s", name, size, self._http.address)


class MultipartForm:
    """A multipart form with one file that is read from disk while it is sent.

    `stop` is called before each chunk and may raise. Reading raises BadMedia if the file became shorter.
    """

    def __init__(
        self, fields: Mapping[str, str], filename: str, file: BinaryIO, size: int, stop: Callable[[], None]
    ) -> None:
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        ]
        quoted = json.dumps(filename)
        parts.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename={quoted}\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        self._head = "".join(parts).encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self._file, self._stop = file, stop
        self._size = len(self._head) + size + len(self._tail)
        self._chunks = self._generate(size)
        self._buffer = b""

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most `size`; empty at the end."""
        data = self._buffer or next(self._chunks, b"")
        if size < 0:
            data += b"".join(self._chunks)
            size = len(data)
        self._buffer = data[size:]
        return data[:size]

    def _generate(self, left: int) -> Iterator[bytes]:
        yield self._head
        while left > 0:
            self._stop()
            data = self._file.read(min(CHUNK, left))
            if not data:
                raise BadMedia.of("file_changed")
            left -= len(data)
            yield data
        yield self._tail


def result_limit(graph: Mapping[str, Any]) -> int:
    """The number of bytes that no output of a graph exceeds: that of its uncompressed frames, and a margin.

    Compressed video has about a hundredth of it, which leaves room for graphs that enlarge or interpolate.
    """
    sizes = []
    for node in graph.values():
        inputs = node.get("inputs") if isinstance(node, Mapping) else None
        if not isinstance(inputs, Mapping):
            continue
        width, height, frames = (inputs.get(name, 1) for name in ("width", "height", "length"))
        if all(type(value) is int and value > 0 for value in (width, height, frames)):
            sizes.append(width * height * frames)
    largest = max(sizes, default=0)
    return 3 * largest + MARGIN if largest > 1 else UNKNOWN_LIMIT


def download(
    http: Http,
    output: Output,
    destination: Path,
    limit: int = UNKNOWN_LIMIT,
    *,
    seconds: float = FETCH_SECONDS,
) -> None:
    """Downloads an output into a new file, which gets its final name only when it is complete.

    `limit`: the most bytes that it may have. `seconds`: for all attempts together. Raises NoOutput,
    EngineUnreachable, DiskFull; the partial file is removed.
    """
    part = destination.with_name(destination.name + ".part")
    until = time.monotonic() + seconds
    try:
        for attempt in range(1, FETCH_ATTEMPTS + 1):
            try:
                _fetch_once(http, output, part, limit, until)
                break
            except _Truncated as error:
                log.warning("output of %s is incomplete, attempt %d: %s", http.address, attempt, error)
                if attempt == FETCH_ATTEMPTS:
                    raise NoOutput.of("video_incomplete", detail=f"{output}: {error}") from error
            except EngineUnreachable as error:
                if attempt == FETCH_ATTEMPTS or error.final:
                    raise
        part.replace(destination)
    except OSError as error:
        raise from_os_error(error, "video_not_saved") from error
    finally:
        part.unlink(missing_ok=True)


class _Truncated(Exception):
    """The response had fewer bytes than its Content-Length."""


def _fetch_once(http: Http, output: Output, part: Path, limit: int, until: float) -> None:
    with http.stream("/view", _view_query(output)) as response:
        if response.status_code != 200:
            raise NoOutput.of("video_not_sent", detail=f"{output}: HTTP {response.status_code}")
        announced = response.headers.get("Content-Length", "")
        if announced.isdigit() and int(announced) > limit:
            raise _too_large(output, limit)
        count = 0
        with part.open("wb") as file:
            chunks = response.iter_content(CHUNK)
            while True:
                try:
                    with time_limit(CHUNK_SECONDS, socket_of(response)):
                        data = next(chunks, b"")
                except requests.RequestException as error:
                    raise _Truncated(
                        f"{count} of {announced or '?'} bytes: {type(error).__name__}"
                    ) from error
                if not data:
                    break
                if not count and is_html("", data):
                    raise unreachable("web_page", http.place, f"{output}: a web page")
                count += len(data)
                if count > limit:
                    raise _too_large(output, limit)
                if time.monotonic() > until:
                    raise NoOutput.of("video_too_slow", detail=f"{output}: {count} bytes")
                file.write(data)
            file.flush()
            os.fsync(file.fileno())
    if announced.isdigit() and count != int(announced):
        raise _Truncated(f"{count} of {announced} bytes")
    if count == 0:
        raise NoOutput.of("video_empty", detail=str(output))


def _too_large(output: Output, limit: int) -> NoOutput:
    return NoOutput.of("video_too_large", megabytes=limit / 1e6, detail=str(output))


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        with source.open("rb") as reader, target.open("xb") as writer:
            while data := reader.read(CHUNK):
                writer.write(data)


def _input_location(name: str) -> Output:
    subfolder, _, filename = name.rpartition("/")
    return Output(filename, subfolder, "input")


def _view_query(output: Output) -> dict[str, str]:
    return {"filename": output.filename, "subfolder": output.subfolder, "type": output.kind}
