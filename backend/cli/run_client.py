"""Calls an endpoint of a studio, follows its job and fetches the files, as any other program does."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
from gradio_client import Client as GradioClient
from gradio_client import handle_file
from gradio_client.exceptions import AppError, AuthenticationError

from backend.errors import (
    BadInput,
    CallRefused,
    JobCancelled,
    NotAllowed,
    StudioError,
    StudioUnreachable,
    from_os_error,
)
from backend.jobs.job import CANCELLED, DONE, TERMINAL
from backend.stopping import StopSignal

Show = Callable[[float, str], None]
"""Called with the percentage and a text."""

LOOK_SECONDS = 0.2
"""Seconds between two checks of an open call."""
ASK_SECONDS = 2.0
"""Seconds between two requests for a job that no open call follows."""
LOST_SECONDS = 300.0
"""How long a studio that has the job may be away: a restart, or a network that changes."""
_GONE = (httpx.HTTPError, ConnectionError)
_NUMBERS: Mapping[str, Callable[[str], Any]] = {"integer": int, "number": float}
_SWITCHES = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class Call:
    """An endpoint's name and its values: typed ones, and texts whose type is in its schema. `files`:
    parameter -> path."""

    endpoint: str
    values: Mapping[str, Any]
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Made:
    """A finished job's record; its file, in a temporary folder; the file's name."""

    record: Mapping[str, Any]
    file: Path
    name: str


class Client:
    """One studio, for one submission. Close it, or use it as a context."""

    def __init__(
        self, url: str, owner: str, login: tuple[str, str] | None, stop: StopSignal, *,
        ask: float = ASK_SECONDS, lost: float = LOST_SECONDS,
    ) -> None:  # fmt: skip
        """owner: the token that the jobs belong to; stop: ends the waits; ask, lost: as above. Raises
        StudioUnreachable, NotAllowed, BadInput for an invalid address."""
        if not url.lower().startswith(("http://", "https://")):
            raise BadInput.of("url_not_http", url=url)
        self._url, self._login, self._stop = url, login, stop
        self._pause, self._lost = ask, lost
        self._headers = {"X-Wan-Owner": owner, "X-Wan-Request": uuid.uuid4().hex}
        self._folder = tempfile.TemporaryDirectory(prefix="wan-run-", ignore_cleanup_errors=True)
        try:
            self._gradio = self._connected()
        except BaseException:
            self._folder.cleanup()
            raise

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        with contextlib.suppress(Exception):  # the studio may have gone
            self._gradio.close()
        self._folder.cleanup()

    def queue(self, call: Call) -> Mapping[str, Any]:
        """The record of the queued job. Raises CallRefused, StudioUnreachable, BadInput."""
        _, record = self._ask(call.endpoint, {**self._given(call), "wait": False})
        return dict(record)

    def make(self, call: Call, show: Show) -> Made:
        """The finished job. A signal cancels it. Raises CallRefused, JobCancelled, StudioUnreachable,
        BadInput."""
        given = self._given(call)
        record: Mapping[str, Any] = {}
        try:
            running = self._gradio.submit(**given, api_name=f"/{call.endpoint}")
            while not running.done():
                self._stop.check()
                if not record and (outputs := running.outputs()):
                    record = outputs[0][1]
                for unit in running.status().progress_data or ():
                    show(float(unit.index or 0), unit.desc or "")
                time.sleep(LOOK_SECONDS)
            try:
                file, record = running.result()
            except _GONE as error:
                if not record:
                    raise StudioUnreachable.of("studio_silent", url=self._url, detail=str(error)) from error
                file = None
            if file is None:
                record = self._awaited(record)
                file = self.result(record["id"], record["key"])
        except AppError as error:
            raise CallRefused.of("said_by_studio", said=str(error)) from error
        except KeyboardInterrupt:
            self._cancel(record)
            raise JobCancelled.of("cancelled") from None
        return Made(record, Path(file), Path(file).name)

    def result(self, job_id: str, key: str) -> Path:
        """The file of a finished job, in a temporary folder. Raises CallRefused, StudioUnreachable."""
        file, _ = self._ask("result", {"id": job_id, "key": key})
        return Path(file)

    def save(self, file: Path, target: Path) -> Path:
        """Copies a fetched file to its place in one step. Raises DiskFull, InternalError."""
        part = target.with_name(f"{target.name}.part")
        try:
            shutil.copyfile(file, part)
            part.replace(target)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise from_os_error(
                error, "result_not_saved", path=str(target), reason=error.strerror or ""
            ) from error
        return target

    def _connected(self) -> GradioClient:
        try:
            found = GradioClient(
                self._url, headers=dict(self._headers), auth=self._login, verbose=False,
                download_files=self._folder.name, analytics_enabled=False,
            )  # fmt: skip
        except AuthenticationError as error:
            raise NotAllowed.of("studio_wants_login", url=self._url) from error
        except httpx.HTTPStatusError as error:
            if error.response.status_code in (401, 403):
                raise NotAllowed.of("studio_wants_login", url=self._url) from error
            raise StudioUnreachable.of("no_studio_at", url=self._url, detail=str(error)) from error
        except _GONE as error:
            raise StudioUnreachable.of("studio_silent", url=self._url, detail=str(error)) from error
        except (ValueError, KeyError, TypeError) as error:  # another page, or another program
            raise StudioUnreachable.of("no_studio_at", url=self._url, detail=str(error)) from error
        self._parameters = _parameters(found)
        if not {"job", "result", "cancel"} <= set(self._parameters):
            found.close()
            raise StudioUnreachable.of("no_studio_at", url=self._url)
        return found

    def _given(self, call: Call) -> dict[str, Any]:
        """The arguments of a call, typed by the endpoint's own schema. Raises BadInput, CallRefused."""
        known = self._parameters.get(call.endpoint)
        if known is None:
            raise CallRefused.of("endpoint_absent", url=self._url, what=call.endpoint)
        given: dict[str, Any] = {}
        for name, value in call.values.items():
            if name not in known:
                raise BadInput.of("run_unknown_value", name=name, names=tuple(known), field=name)
            given[name] = _typed(name, value, known[name])
        return given | {name: handle_file(path) for name, path in call.files.items()}

    def _ask(self, endpoint: str, given: Mapping[str, Any]) -> Any:
        try:
            return self._gradio.predict(**given, api_name=f"/{endpoint}")
        except AppError as error:
            raise CallRefused.of("said_by_studio", said=str(error)) from error
        except _GONE as error:
            raise StudioUnreachable.of("studio_silent", url=self._url, detail=str(error)) from error

    def _awaited(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """Waits for a job that no open call follows, because the connection broke or the studio has too many
        waiting callers; returns its final record. Raises CallRefused, JobCancelled, StudioUnreachable."""
        who = {"id": record["id"], "key": record["key"]}
        answered = time.monotonic()
        while True:
            self._stop.check()
            try:
                found: Mapping[str, Any] = self._ask("job", who)
            except StudioUnreachable as error:
                if time.monotonic() - answered > self._lost:
                    raise StudioUnreachable.of(
                        "studio_lost", url=self._url, id=who["id"], key=who["key"]
                    ) from error
                with contextlib.suppress(StudioError):
                    self._gradio = self._connected()
            else:
                answered = time.monotonic()
                if found["status"] == DONE:
                    return found
                if found["status"] == CANCELLED:
                    raise JobCancelled.of("cancelled")
                if found["status"] in TERMINAL:
                    reason = found.get("error") or {}
                    said = " ".join(filter(None, (reason.get("message"), reason.get("hint"))))
                    raise CallRefused.of("said_by_studio", said=said)
            time.sleep(self._pause)

    def _cancel(self, record: Mapping[str, Any]) -> None:
        if record:
            with contextlib.suppress(StudioError):
                self._ask("cancel", {"id": record["id"], "key": record["key"]})


def _parameters(client: GradioClient) -> dict[str, dict[str, Mapping[str, Any]]]:
    """endpoint -> parameter -> JSON schema, as the studio documents them."""
    described = client.view_api(return_format="dict", print_info=False) or {}
    named: Mapping[str, Any] = described.get("named_endpoints", {})
    return {
        name.lstrip("/"): {each["parameter_name"]: each.get("type") or {} for each in spec["parameters"]}
        for name, spec in named.items()
    }


def _typed(name: str, value: Any, schema: Mapping[str, Any]) -> Any:
    """A text as the type that the schema asks for; a file by its name. Raises BadInput."""
    if not isinstance(value, str):
        return value
    kinds = [schema, *schema.get("anyOf", ())]
    if any("path" in one.get("properties", {}) for one in kinds):
        path = Path(value).expanduser()
        if not path.is_file():
            raise BadInput.of("file_not_found", name=value, field=name)
        return handle_file(str(path))
    for one in kinds:
        kind = one.get("type")
        try:
            if kind in _NUMBERS:
                return _NUMBERS[kind](value)
            if kind == "boolean":
                return _SWITCHES[value.lower()]
        except (ValueError, KeyError) as error:
            raise BadInput.of(
                "run_wrong_type", name=name, given=value, wanted=str(kind), field=name
            ) from error
    return value
