"""HTTP client of one RunPod Serverless endpoint, and the errors for its failures.

Implements RunPod's documentation of queue-based endpoints. Proxies and credentials of the environment are
ignored, and the API key is never logged.
"""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests

from backend.engines.answer_size import read_whole
from backend.engines.json_values import decoded
from backend.errors import EndpointRefused, EngineError, EngineUnreachable, StudioError, TooLargeToSend

log = logging.getLogger("wan.engines.runpod")

REQUEST_LIMIT = 10_000_000
"""Maximum bytes of a POST /run body. Source: docs.runpod.io, "Operation reference"."""
CONNECT_SECONDS, READ_SECONDS, POST_SECONDS = 5.0, 20.0, 90.0
RETRIED = frozenset({408, 425, 429})
"""HTTP statuses below 500 after which a request is repeated."""


class Expired(StudioError):
    """RunPod has no job with this id; it keeps results for 30 minutes."""

    code = "runpod_expired"


@dataclass(frozen=True)
class Retry:
    """Number of attempts and the delays between them in seconds."""

    tries: int = 6
    first: float = 0.5  # before the second attempt; doubled each time, less up to half at random
    longest: float = 15.0


@dataclass(frozen=True)
class Timing:
    """Intervals and timeouts in seconds."""

    first: float = 0.5  # between polls of a job's status, at the beginning and after each change
    longest: float = 5.0  # maximum interval between polls
    growth: float = 1.4  # factor of the interval from poll to poll
    health: float = 5.0  # between requests of the endpoint's health
    lost: float = 1500.0  # without a response, until a job counts as lost; RunPod keeps results for 1800
    stop: float = 30.0  # until a cancelled job is given up


@dataclass(frozen=True)
class Policy:
    """The time limits of each job. minutes: of execution; ttl_hours: of execution and queueing together."""

    minutes: float = 60.0
    ttl_hours: float = 24.0

    def to_json(self) -> dict[str, int]:
        """The `policy` object of a request: milliseconds, within RunPod's limits."""
        work = max(5_001, round(self.minutes * 60_000))
        life = max(10_000, round(self.ttl_hours * 3_600_000), work)
        return {"executionTimeout": work, "ttl": min(life, 7 * 24 * 3_600_000)}


class RunPodHttp:
    """A session with one endpoint. Thread-safe; calls block no longer than their timeouts and retries."""

    def __init__(self, base_url: str, endpoint_id: str, api_key: str, *, retry: Retry | None = None) -> None:
        self.address = f"{base_url.rstrip('/')}/{quote(endpoint_id)}"
        self.endpoint_id = endpoint_id
        self.retry = retry or Retry()
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update({"Authorization": f"Bearer {api_key}", "User-Agent": "wan-studio"})
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=32)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        self._plain = requests.Session()
        self._plain.trust_env = False
        self._jitter = random.Random()  # noqa: S311 - spreads retries, keeps nothing secret

    def run(self, body: Mapping[str, Any], stop: Callable[[], None], wait: Callable[[float], None]) -> str:
        """Queues a job and returns RunPod's job id. `stop` may raise before each attempt; `wait` sleeps.

        If a response is lost, the job may have been queued. The same body is sent again, and the worker
        rejects the second job, because it records each `prompt_id`.
        Raises EngineError, of which EngineUnreachable and EndpointRefused, and TooLargeToSend.
        """
        data = json.dumps(body, allow_nan=False).encode()
        if len(data) > REQUEST_LIMIT:
            raise _too_large(len(data))
        answer = self._request_with_retry("POST", "run", stop, wait, data=data, read=POST_SECONDS)
        job_id = answer.get("id")
        if not isinstance(job_id, str) or not job_id:
            raise EngineError.of(
                "runpod_unexpected",
                detail=f"POST run: {str(answer)[:300]}",
            )
        return job_id

    def status(self, job_id: str) -> dict[str, Any]:
        """The status of a job, with output and error. Raises Expired, EngineUnreachable, EndpointRefused."""
        return self._request("GET", f"status/{quote(job_id)}")

    def cancel(self, job_id: str, wait: Callable[[float], None]) -> None:
        """Cancels a queued or running job. Raises Expired, EngineUnreachable, EndpointRefused."""
        self._request_with_retry("POST", f"cancel/{quote(job_id)}", lambda: None, wait)

    def health(self) -> dict[str, Any]:
        """The counts of workers and jobs. Raises EngineUnreachable, EndpointRefused."""
        return self._request("GET", "health")

    def get(self, url: str) -> requests.Response:
        """A response from another server (a bucket's signed URL), requested without the API key.

        Its body has not been read; the caller closes it. Raises requests.RequestException.
        """
        return self._plain.get(url, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS))

    def close(self) -> None:
        """Closes all connections."""
        self._session.close()
        self._plain.close()

    def _request_with_retry(
        self,
        method: str,
        path: str,
        stop: Callable[[], None],
        wait: Callable[[float], None],
        *,
        data: bytes | None = None,
        read: float = READ_SECONDS,
    ) -> dict[str, Any]:
        pause = self.retry.first
        for number in range(1, self.retry.tries + 1):
            stop()
            try:
                return self._request(method, path, data=data, read=read)
            except EngineUnreachable as error:
                if number == self.retry.tries:
                    raise
                log.info("%s %s, attempt %d: %s", method, path.partition("/")[0], number, error.detail)
                asked = getattr(error, "retry_after", 0.0)
                wait(max(min(asked, self.retry.longest), pause * self._jitter.uniform(0.5, 1.0)))
                pause = min(self.retry.longest, 2 * pause)
        raise AssertionError("unreachable")

    def _request(
        self, method: str, path: str, *, data: bytes | None = None, read: float = READ_SECONDS
    ) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"} if data is not None else {}
        try:
            response = self._session.request(
                method, f"{self.address}/{path}", data=data, headers=headers,
                timeout=(CONNECT_SECONDS, read), allow_redirects=False, stream=True,
            )  # fmt: skip
            read_whole(response)
            status, text = response.status_code, response.text
        except (requests.RequestException, OSError) as error:
            raise _unreachable(f"{method} {path}: {type(error).__name__}: {error}") from error
        if status != 200:
            raise self._refusal(method, path, response)
        try:
            answer = decoded(text)
        except ValueError as error:
            raise _unreachable(f"{method} {path}: no JSON: {text[:200]!r}") from error
        if not isinstance(answer, dict):
            raise _unreachable(f"{method} {path}: {text[:200]!r}")
        return answer

    def _refusal(self, method: str, path: str, response: requests.Response) -> StudioError:
        status = response.status_code
        detail = f"{method} {path}: HTTP {status}: {response.text[:300]}"
        what = path.partition("/")[0]
        if status in (401, 403):
            return EndpointRefused.of("runpod_bad_key", detail=detail)
        if status == 404 and what in ("status", "cancel"):
            return Expired.of("runpod_forgot", detail=detail)
        if status == 404:
            return EndpointRefused.of("runpod_no_endpoint", endpoint=self.endpoint_id, detail=detail)
        if status == 413:
            return _too_large(len(response.request.body or b""))
        if status in RETRIED or status >= 500:
            error = _unreachable(detail, "runpod_queue_full" if status == 429 else "runpod_no_answer")
            error.retry_after = _seconds(response.headers.get("Retry-After", ""))
            return error
        return EngineError.of("runpod_rejected", detail=detail)


class _Unreachable(EngineUnreachable):
    """RunPod did not respond. `retry_after`: the delay in seconds that it requested, or 0."""

    code = "runpod_unreachable"
    retry_after = 0.0


def _unreachable(detail: str, code: str = "runpod_no_answer") -> _Unreachable:
    return _Unreachable.of(code, detail=detail)


def _too_large(size: int) -> TooLargeToSend:
    return TooLargeToSend.of("runpod_too_large", megabytes=size / 1e6)


def _seconds(text: str) -> float:
    try:
        return max(0.0, float(text))
    except ValueError:
        return 0.0


def pause(closed: threading.Event, seconds: float) -> None:
    """Sleeps for `seconds`, or until `closed` is set."""
    until = time.monotonic() + seconds
    while not closed.is_set() and (left := until - time.monotonic()) > 0:
        closed.wait(min(0.5, left))
