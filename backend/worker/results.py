"""Delivers the result files of a job: in the response, to a bucket, or to the volume."""

from __future__ import annotations

import base64
import contextlib
import logging
import mimetypes
import os
import shutil
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.errors import BadInput, EngineError, NoOutput, from_os_error
from backend.jobs.estimate import BITS
from backend.jobs.folders import names_in, opened, remove_at

log = logging.getLogger("wan.worker")

BUCKET = ("BUCKET_ENDPOINT_URL", "BUCKET_ACCESS_KEY_ID", "BUCKET_SECRET_ACCESS_KEY")
"""Environment variables of the SDK; all three must be set."""
RESULTS = "wan-studio/results"  # folder on the volume
KEPT_SECONDS = 7 * 86_400.0  # of results on the volume

Upload = Callable[[str, Path, str], str]
"""(file name, file, job id) -> a signed URL. May raise any exception."""


class ResultTooLarge(EngineError):
    """The result is too large for every configured way of delivery."""

    code = "result_too_large"


@dataclass(frozen=True)
class DeliveryOptions:
    """The ways in which results can be delivered. answer_bytes: maximum size of the response with base64."""

    answer_bytes: int
    volume: Path | None  # None if there is none, or it is not writable
    upload: Upload | None  # None without a bucket

    @property
    def file_bytes(self) -> int:
        """Maximum size in bytes of a file in the response."""
        return max(0, self.answer_bytes - 20_000) * 3 // 4


def estimate_graph_bytes(graph: Mapping[str, Any]) -> int:
    """Estimated size in bytes of a graph's result, from the largest width, height and length in it."""
    best = 0
    for node in graph.values():
        size = [node["inputs"].get(name) for name in ("width", "height", "length")]
        if all(isinstance(value, int) for value in size):
            best = max(best, round(size[0] * size[1] * size[2] * BITS / 8))
    return best


def check(expected: int, delivery: DeliveryOptions) -> None:
    """Checks before a job runs that its result can be delivered. `expected`: bytes. Raises ResultTooLarge."""
    if expected > delivery.file_bytes and delivery.upload is None and delivery.volume is None:
        raise ResultTooLarge.of(
            "result_expected_too_large", megabytes=expected / 1e6, most=delivery.file_bytes / 1e6
        )


def deliver(
    files: Sequence[tuple[str, Path]], job_id: str, delivery: DeliveryOptions
) -> list[dict[str, str]]:
    """Delivers files (name, path); returns {filename, type, data} for each. Raises ResultTooLarge,
    DiskFull."""
    items = []
    left = delivery.answer_bytes - 20_000
    for name, path in files:
        item = _uploaded(name, path, job_id, delivery)
        size = -(-path.stat().st_size // 3) * 4
        if item is None and size <= left:
            left -= size
            data = base64.b64encode(path.read_bytes()).decode()
            item = {"filename": name, "type": "base64", "data": data}
        if item is None and delivery.volume is not None:
            item = {
                "filename": name,
                "type": "volume_path",
                "data": str(_stored(name, path, job_id, delivery)),
            }
        if item is None:
            raise ResultTooLarge.of(
                "result_over_limit", megabytes=path.stat().st_size / 1e6, most=delivery.file_bytes / 1e6
            )
        items.append(item)
    return items


def _uploaded(name: str, path: Path, job_id: str, delivery: DeliveryOptions) -> dict[str, str] | None:
    """Uploads a file. Returns None without a bucket, or if the upload fails: other ways are tried then."""
    if delivery.upload is None:
        return None
    try:
        return {"filename": name, "type": "s3_url", "data": delivery.upload(name, path, job_id)}
    except Exception as error:  # boto's exceptions have no common base class
        log.error("job %s: upload of %s failed: %s: %s", job_id, name, type(error).__name__, error)
        return None


def _stored(name: str, path: Path, job_id: str, delivery: DeliveryOptions) -> Path:
    folder = Path(str(delivery.volume)) / RESULTS / job_id
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{name}.part"
        shutil.copyfile(path, part)
        part.replace(folder / name)
    except OSError as error:
        raise from_os_error(error, "result_not_stored") from error
    return folder / name


def read_range(request: object, delivery: DeliveryOptions) -> dict[str, Any]:
    """Reads a byte range of a result on the volume, for a page without access to the volume.

    Returns {data: base64, size: bytes of the whole file}. Raises BadInput, NoOutput.
    """
    fields = request if isinstance(request, Mapping) else {}
    offset, count = fields.get("offset", 0), fields.get("bytes", delivery.file_bytes)
    if not isinstance(fields.get("path"), str) or not all(type(n) is int and n >= 0 for n in (offset, count)):
        raise BadInput.of("bad_read", field="read")
    root = (delivery.volume / RESULTS).resolve() if delivery.volume is not None else None
    path = Path(fields["path"]).resolve()
    if root is None or not path.is_relative_to(root) or not path.is_file():
        raise NoOutput.of("result_not_on_volume")
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(min(count, delivery.file_bytes))
    return {"data": base64.b64encode(data).decode(), "size": path.stat().st_size}


def remove_old_results(volume: Path | None, now: float) -> None:
    """Removes results on the volume that are older than KEPT_SECONDS. Does not follow symbolic links."""
    if volume is None:
        return
    with contextlib.suppress(OSError), opened(volume.resolve(), *RESULTS.split("/")) as root:
        for name in names_in(root):
            with contextlib.suppress(OSError):
                info = os.stat(name, dir_fd=root, follow_symlinks=False)
                if stat.S_ISDIR(info.st_mode) and info.st_mtime < now - KEPT_SECONDS:
                    remove_at(name, root)


def bucket_upload(environ: Mapping[str, str]) -> Upload | None:
    """The SDK's upload function if its variables are set, else None."""
    if not all(environ.get(name, "").strip() for name in BUCKET):
        return None

    def upload(name: str, path: Path, job_id: str) -> str:
        from runpod.serverless.utils import rp_upload

        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return rp_upload.upload_file_to_bucket(
            name, str(path), bucket_name=environ.get("BUCKET_NAME") or None, prefix=job_id,
            extra_args={"ContentType": kind},
        )  # fmt: skip

    return upload
