"""Uploaded files as checked paths. Nothing here opens a file or fetches an address.

Gradio's Image decodes the file in this process before the handler runs, and any Gradio component downloads a
web address that a raw request names. Here a picture, sound or video is only a path inside the upload folder;
its content is checked later in a bounded child process.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import gradio as gr
from gradio.components.api_component import Api
from gradio.context import LocalContext
from gradio.data_classes import FileData, ImageData
from gradio.utils import get_upload_folder

from backend.media.facts import MAX_NAME
from backend.threads import Threads, visitor_of
from ui.gradio_fixes.event_errors import refusal
from ui.gradio_fixes.free_inputs import NoStub
from ui.i18n.texts import text
from ui.views.wording import file_size

FILE_META = {"_type": "gradio.FileData"}
DEFAULT_MAX_BYTES = 100_000_000
"""Used until launch(max_file_size=...) says otherwise."""
_FILE_ROUTE = "/gradio_api/file="
_COPIES = secrets.token_bytes(32)
"""Names the folders of copies: the same source gets the same one until the app restarts."""


def upload_folder() -> Path:
    """Where Gradio stores uploads (GRADIO_TEMP_DIR), symbolic links resolved."""
    return Path(get_upload_folder()).resolve()


def checked_upload(value: Any, kind: str = "picture", max_bytes: int = DEFAULT_MAX_BYTES) -> Path | None:
    """The path of an uploaded file, from whatever a client sent; None stays None.

    Takes Gradio's file dictionary (with or without "meta"), a bare path, and the address of an upload on
    this server, which is read as its path and never fetched. The result is a regular file inside the
    upload folder, all links resolved, of at most max_bytes bytes. Raises gr.Error with a sentence.
    """
    if value is None:
        return None
    given = value.get("path") or value.get("url") if isinstance(value, Mapping) else value
    if isinstance(given, os.PathLike):
        given = os.fspath(given)
    if not isinstance(given, str) or not given:
        raise _refused("not_a_file", kind)
    path = _inside(_own_upload(given, kind), kind)
    try:
        facts = path.stat()
    except (OSError, ValueError):
        raise _refused("gone", kind, name=path.name[:MAX_NAME]) from None
    if not stat.S_ISREG(facts.st_mode):
        raise _refused("not_a_file", kind)
    if facts.st_size > max_bytes:
        size, limit = file_size(facts.st_size), file_size(max_bytes)
        raise _refused("too_large", kind, name=path.name[:MAX_NAME], size=size, limit=limit)
    return path


def _refused(reason: str, kind: str, **values: str) -> gr.Error:
    """reason: a key below `uploads` in the text table."""
    return refusal(text(f"uploads.{reason}", kind=text(f"uploads.kind.{kind}"), **values))


def _own_upload(given: str, kind: str) -> str:
    """A path as it is; the address of an upload on this server as its path; any other address refused."""
    if given.lower().startswith("data:"):
        raise _refused("inline", kind)
    if "://" not in given and not given.startswith(_FILE_ROUTE):
        return given
    address = urlsplit(given)
    if address.scheme not in ("http", "https", "") or _FILE_ROUTE not in address.path:
        raise _refused("web_address", kind)
    return unquote(address.path.split(_FILE_ROUTE, 1)[1])


def _inside(given: str, kind: str) -> Path:
    try:
        path = Path(given).resolve()
    except (OSError, RuntimeError, ValueError):  # a null byte, a name too long, a loop of links
        path = Path("/")
    folder = upload_folder()
    if path == folder or not path.is_relative_to(folder):
        raise _refused("outside", kind)
    return path


def max_upload_bytes(blocks: gr.Blocks | None) -> int:
    """The limit given to launch(max_file_size=...), else DEFAULT_MAX_BYTES."""
    limit = getattr(blocks, "max_file_size", None)
    return int(limit) if isinstance(limit, (int, float)) and limit > 0 else DEFAULT_MAX_BYTES


class PictureInput(gr.Image, metaclass=NoStub):
    """gr.Image in the browser; for handlers a checked pathlib.Path, or None when it is empty."""

    is_template = True  # the browser shows its parent
    kind = "picture"

    def preprocess(self, payload: ImageData | None) -> Path | None:
        """Raises gr.Error when the path is not an uploaded file."""
        if payload is None:
            return None
        blocks = LocalContext.blocks.get(None)
        return checked_upload({"path": payload.path, "url": payload.url}, max_bytes=max_upload_bytes(blocks))


class FileInput(gr.File, metaclass=NoStub):
    """gr.File for one sound or video; for handlers a checked pathlib.Path, or None when it is empty."""

    is_template = True
    kind = "file"  # sound or video, for sentences

    def preprocess(self, payload: FileData | None) -> Path | None:
        """Raises gr.Error when the path is not an uploaded file."""
        if payload is None:
            return None
        blocks = LocalContext.blocks.get(None)
        given = {"path": payload.path, "url": payload.url}
        return checked_upload(given, self.kind, max_upload_bytes(blocks))


def guard_uploads(blocks: gr.Blocks, reads: Threads) -> None:
    """Checks every file that a request names, before Gradio touches it; in `reads`, not on the event loop.

    For all events of `blocks`: a file must be in the upload folder, and no address is fetched. A refusal is a
    message to the caller instead of a traceback in the log. An API call may leave out parameters at the end
    of its list: they get their defaults.
    """
    inner = blocks.preprocess_data

    async def preprocess_data(block_fn: Any, inputs: list[Any], *rest: Any, **more: Any) -> list[Any]:
        limit = max_upload_bytes(blocks)
        wanted = list(block_fn.inputs)
        missing = wanted[len(inputs) :]
        if missing and all(isinstance(block, Api) for block in wanted):
            inputs = [*inputs, *(block.value for block in missing)]
        elif missing:  # no page of ours sends so few
            raise refusal(text("errors.not_offered"))
        file_kinds = [block.kind if isinstance(block, (PictureInput, FileInput)) else "" for block in wanted]
        pairs = list(zip(inputs, file_kinds, strict=False))

        def check() -> list[Any]:
            return [_checked_files(value, limit, kind) for value, kind in pairs]

        if any(_may_hold_files(value, kind) for value, kind in pairs):
            inputs = await reads.run(visitor_of(LocalContext.request.get(None)), check)
        else:
            inputs = [value for value, _ in pairs]
        return await inner(block_fn, inputs, *rest, **more)

    blocks.preprocess_data = preprocess_data


def _may_hold_files(value: Any, kind: str) -> bool:
    """Whether _checked_files would look at the disk for this value."""
    return isinstance(value, (list, dict)) or (bool(kind) and value is not None)


def _checked_files(value: Any, limit: int, kind: str = "") -> Any:
    """The value with each file dictionary in it checked and reduced to what Gradio needs of it.

    kind: of the file that the component takes; "": any value, which may hold files.
    """
    if isinstance(value, list) and not kind:
        return [_checked_files(item, limit) for item in value]
    if isinstance(value, dict) and not kind and not ("path" in value and "meta" in value):
        return {name: _checked_files(item, limit) for name, item in value.items()}
    if not kind and not isinstance(value, dict):
        return value
    path = checked_upload(value, kind or "file", limit)
    if path is None:
        return None
    name = value.get("orig_name") if isinstance(value, dict) else None
    return {
        "path": str(path),
        "orig_name": name if isinstance(name, str) else path.name,
        "meta": FILE_META,
    }


def cached_copy(source: Path, name: str) -> Path:
    """`source` as `name` in a folder of Gradio's cache that cannot be guessed, for clients to fetch.

    A hard link where both are on one disk, else a copy. An existing one is used again, so that asking again
    and again fills no disk. Raises OSError.
    """
    target = derived(source, name)
    if not is_fresh(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.parent / f"{secrets.token_hex(8)}.part"
        try:
            try:
                os.link(source, part)
            except OSError:
                shutil.copyfile(source, part)
            part.replace(target)
            part.unlink(missing_ok=True)  # stays where both are links to the source
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
                target.parent.rmdir()
            raise
    return target


def derived(source: Path, name: str) -> Path:
    """The path in Gradio's cache, under this name, of what is made from a file. Raises OSError."""
    facts = source.stat()
    identity = f"{source}\0{facts.st_dev}\0{facts.st_ino}\0{facts.st_size}\0{facts.st_mtime_ns}\0{name}"
    folder = hmac.new(_COPIES, identity.encode("utf-8", "replace"), "sha1").hexdigest()
    return upload_folder() / folder / name


def is_fresh(target: Path) -> bool:
    """Whether the file is there; its age then counts from now on, see storage.upload_folder.sweep."""
    try:
        os.utime(target if target.stat().st_nlink == 1 else target.parent)
    except OSError:
        return False
    return True
