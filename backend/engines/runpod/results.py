"""Fetches results of RunPod jobs from the job's status, a bucket, or the endpoint's volume."""

from __future__ import annotations

import base64
import binascii
import contextlib
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import requests

from backend.engines.runpod import responses
from backend.engines.runpod.http import Expired, Policy, RunPodHttp, Timing, pause
from backend.errors import EngineUnreachable, NoOutput, from_os_error
from backend.events import Output

CHUNK = 1 << 18
RESULT_LIMIT = 2_000_000_000
"""Maximum bytes of a result."""
VOLUMES = (Path("/runpod-volume"), Path("/workspace"))
"""Mount points of a network volume on a worker and on a pod."""
RANGE_BYTES = 7_000_000
"""Bytes of a result that a worker sends in one response."""
QUERY_MINUTES = 5.0  # execution limit of a job that reads a range of a result


class Results:
    """The results of one endpoint. Thread-safe."""

    def __init__(
        self,
        http: RunPodHttp,
        policy: Policy,
        timing: Timing,
        closed: threading.Event,
        volumes: tuple[Path, ...] = VOLUMES,
        range_bytes: int = RANGE_BYTES,
    ) -> None:
        self._volumes, self._range_bytes = volumes, range_bytes
        self._http, self._policy, self._timing, self._closed = http, policy, timing, closed
        self._lock = threading.Lock()
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def add(self, item: Mapping[str, Any]) -> Output:
        """Registers a result file of a status and returns it as an Output for `fetch`.

        `subfolder` of the Output holds its location. Raises NoOutput, DiskFull.
        """
        name = PurePosixPath(str(item["filename"])).name or "result"
        kind, data = str(item["type"]), str(item["data"])
        if kind == "s3_url":
            if not data.startswith(("https://", "http://")):
                raise NoOutput.of("runpod_bad_address", detail=data[:200])
            return Output(name, data, kind)
        if kind == "volume_path":
            here = _on_volume(data, self._volumes)
            return Output(name, data, "volume_remote") if here is None else Output(name, str(here), kind)
        target = self._temporary_folder() / f"{uuid.uuid4().hex}{PurePosixPath(name).suffix}"
        try:
            target.write_bytes(base64.b64decode(data, validate=True))
        except (binascii.Error, ValueError) as error:
            raise NoOutput.of("runpod_result_damaged", detail=str(error)) from error
        except OSError as error:
            raise from_os_error(error, "video_not_saved") from error
        return Output(name, str(target), "base64")

    def fetch(self, output: Output, destination: Path) -> None:
        """Downloads a result into a new file. Raises NoOutput, EngineUnreachable, DiskFull."""
        part = destination.with_name(destination.name + ".part")
        try:
            if output.kind == "s3_url":
                self._download(output.subfolder, part)
            elif output.kind == "volume_remote":
                self._read_in_ranges(output.subfolder, part)
            else:
                source = Path(output.subfolder)
                if output.kind == "volume_path":
                    shutil.copyfile(source, part)
                else:
                    shutil.move(source, part)
            part.replace(destination)
        except FileNotFoundError as error:
            self._check()  # after `close`, the job can be resumed while RunPod keeps its result
            raise NoOutput.of("runpod_result_gone", detail=str(error)) from error
        except OSError as error:
            raise from_os_error(error, "video_not_saved") from error
        finally:
            part.unlink(missing_ok=True)

    def _temporary_folder(self) -> Path:
        """The folder for results that were part of a status; created when first needed."""
        with self._lock:
            self._check()
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="wan-runpod-", ignore_cleanup_errors=True)
            return Path(self._folder.name)

    def close(self) -> None:
        """Removes the temporary folder."""
        with self._lock:
            folder, self._folder = self._folder, None
        if folder is not None:
            folder.cleanup()

    def _read_in_ranges(self, path: str, part: Path) -> None:
        """Downloads a result from the endpoint's volume through a worker, one range per job."""
        with part.open("wb") as file:
            size = -1
            while size < 0 or file.tell() < size:
                request = {"path": path, "offset": file.tell(), "bytes": self._range_bytes}
                output = self._query({"read": request})
                try:
                    data = base64.b64decode(str(output["data"]), validate=True)
                    size = int(output["size"])
                except (ArithmeticError, KeyError, TypeError, ValueError) as error:
                    raise NoOutput.of("runpod_result_damaged") from error
                if not data or size > RESULT_LIMIT:
                    raise NoOutput.of("volume_unreadable", detail=path)
                file.write(data)

    def _query(self, job_input: Mapping[str, Any]) -> Mapping[str, Any]:
        """Runs a short job on a worker and returns its output. Raises the job's error."""
        policy = Policy(QUERY_MINUTES, self._policy.ttl_hours).to_json()
        remote = self._http.run({"input": job_input, "policy": policy}, self._check, self._wait)
        progress, interval, last_answer = responses.JobProgress(), self._timing.first, time.monotonic()
        while True:
            self._check()
            self._wait(interval)
            interval = min(self._timing.longest, interval * self._timing.growth)
            try:
                status = self._http.status(remote)
            except Expired as error:
                raise NoOutput.of("runpod_result_not_passed") from error
            except EngineUnreachable:
                if time.monotonic() - last_answer > self._timing.lost:
                    raise
                continue
            last_answer = time.monotonic()
            progress, _ = responses.read_status(status, progress)
            if status.get("status") == responses.COMPLETED and isinstance(status.get("output"), dict):
                return status["output"]
            if status.get("status") in responses.ENDED:
                fault = responses.job_error(status, progress, QUERY_MINUTES, self._policy.ttl_hours)
                raise fault or NoOutput.of("runpod_result_not_passed")

    def _check(self) -> None:
        if self._closed.is_set():
            raise EngineUnreachable.of("runpod_fetching_stopped")

    def _wait(self, seconds: float) -> None:
        pause(self._closed, seconds)

    def _download(self, url: str, part: Path) -> None:
        try:
            with self._http.get(url) as response:
                if response.status_code != 200:
                    raise NoOutput.of(
                        "bucket_refused",
                        detail=f"{url.partition('?')[0]}: HTTP {response.status_code}",
                    )
                count = 0
                with part.open("wb") as file:
                    for data in response.iter_content(CHUNK):
                        count += len(data)
                        if count > RESULT_LIMIT:
                            raise NoOutput.of("bucket_too_large")
                        file.write(data)
                announced = response.headers.get("Content-Length", "")
                if not count or (announced.isdigit() and count != int(announced)):
                    raise EngineUnreachable.of("bucket_incomplete", detail=f"{count} bytes")
        except requests.RequestException as error:
            raise EngineUnreachable.of(
                "bucket_silent",
                detail=f"{url.partition('?')[0]}: {type(error).__name__}",
            ) from error


def _on_volume(path: str, volumes: tuple[Path, ...]) -> Path | None:
    """The local path of a worker's file if its volume is mounted on this machine, else None."""
    remote = PurePosixPath(path)
    for root in volumes:
        with contextlib.suppress(ValueError):
            inner = remote.relative_to(PurePosixPath(root))
            for here in volumes:
                found = (here / inner).resolve()
                if found.is_relative_to(here.resolve()) and found.is_file():
                    return found
    return None
