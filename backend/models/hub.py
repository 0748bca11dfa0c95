"""Hugging Face, through huggingface_hub 2.4: metadata of files, and their bytes from any offset on.

hf_hub_download is not used: since 2.0 it writes to a new temporary file each time and removes it on failure,
so that a 14 GB download starts over after every broken connection. The functions below it can resume:
metadata by HEAD, and http_get, which continues a given file. The library respects HF_ENDPOINT, HF_TOKEN and
the proxy variables."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import BinaryIO

import httpx2
from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import FileMetadataError, HfHubHTTPError, OfflineModeIsEnabled
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers, disable_progress_bars

from backend.errors import StudioError
from backend.models.errors import ModelDownloadFailed, ModelNotOffered
from workflows.catalog import ModelFile

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
"""HTTP statuses after which a retry may succeed."""
REASONS: tuple[tuple[type[Exception], str], ...] = (
    (httpx2.ProxyError, "hub_proxy"),
    (httpx2.TimeoutException, "hub_timeout"),
    (httpx2.ConnectError, "hub_no_connection"),
    (httpx2.HTTPError, "hub_connection_broke"),
    (FileMetadataError, "hub_not_hugging_face"),
)
"""Exception of the library -> code of the reason; the first that fits counts."""


@dataclass(frozen=True)
class Offer:
    """A file as the server offers it now. sha256 is "" when the server does not state it."""

    file: ModelFile
    url: str
    size: int
    sha256: str
    tag: str  # changes when the content does


class Hub:
    """One server. endpoint None: HF_ENDPOINT, else huggingface.co. ask_seconds: timeout of offer()."""

    def __init__(
        self, endpoint: str | None = None, ask_seconds: float = constants.HF_HUB_ETAG_TIMEOUT
    ) -> None:
        self.ask_seconds = ask_seconds
        self.endpoint = (endpoint or constants.ENDPOINT).rstrip("/")
        disable_progress_bars()  # progress.py shows progress
        logging.getLogger("huggingface_hub").setLevel(logging.ERROR)

    def offer(self, file: ModelFile) -> Offer:
        """Requests the file's size and hash. Raises ModelNotOffered, ModelDownloadFailed."""
        owner, name, path = file.source.split("/", 2)
        url = hf_hub_url(f"{owner}/{name}", path, endpoint=self.endpoint)
        try:
            facts = get_hf_file_metadata(
                url,
                timeout=self.ask_seconds,
                headers=build_hf_headers(),
                endpoint=self.endpoint,
            )
        except Exception as error:
            raise self.as_studio_error(error, file) from error
        tag = facts.etag or ""
        if not tag or facts.size is None:
            raise ModelDownloadFailed.of("hub_names_no_size", endpoint=self.endpoint, file=file.name)
        sha256 = tag.lower() if re.fullmatch(r"[0-9a-fA-F]{64}", tag) else ""
        return Offer(file, url, facts.size, sha256, tag)

    def fetch(self, offer: Offer, into: BinaryIO, have: int) -> None:
        """Appends the file's bytes from offset `have` on to `into`.

        The library retries after a short connection loss. Each call starts at the hub's own URL, which renews
        the signed URL of its storage; the library sends the token to the hub only.
        Raises ModelNotOffered, ModelDownloadFailed, and what `into` raises: OSError when it cannot be
        written.
        """
        try:
            http_get(offer.url, into, resume_size=have, headers=build_hf_headers(), expected_size=offer.size)
        except OSError as error:
            if error.errno is not None and not isinstance(error, (httpx2.HTTPError, HfHubHTTPError)):
                raise
            raise self.as_studio_error(error, offer.file) from error
        except StudioError:  # raised by `into`
            raise
        except Exception as error:
            raise self.as_studio_error(error, offer.file) from error

    def as_studio_error(self, error: Exception, file: ModelFile) -> StudioError:
        """Converts an exception of the library to an error with a message for users."""
        detail = repr(error)
        name, endpoint = file.name, self.endpoint
        if isinstance(error, HfHubHTTPError):
            return self._status(error, file)
        if isinstance(error, OfflineModeIsEnabled):
            return ModelNotOffered.of("hub_offline", file=name, endpoint=endpoint, detail=detail)
        return ModelDownloadFailed.of(_reason(error), file=name, endpoint=endpoint, detail=detail)

    def _status(self, error: HfHubHTTPError, file: ModelFile) -> StudioError:
        status = error.response.status_code
        code = error.response.headers.get("X-Error-Code", "")
        page = "/".join([self.endpoint, *file.source.split("/")[:2]])
        name, endpoint, detail = file.name, self.endpoint, repr(error)
        if status == 404:
            missing = "hub_no_repository" if code == "RepoNotFound" else "hub_no_file"
            return ModelNotOffered.of(missing, file=name, endpoint=endpoint, page=page, detail=detail)
        if status in (401, 403):
            return ModelNotOffered.of(
                "hub_login", file=name, endpoint=endpoint, status=status, page=page, detail=detail
            )
        if status == 429:
            return ModelDownloadFailed.of("hub_too_many", file=name, endpoint=endpoint, detail=detail)
        if status in PASSING:
            return ModelDownloadFailed.of(
                "hub_unavailable", file=name, endpoint=endpoint, status=status, detail=detail
            )
        return ModelNotOffered.of(
            "hub_refuses", file=name, endpoint=endpoint, status=status, page=page, detail=detail
        )


def _reason(error: Exception) -> str:
    """The code of the reason for an exception of the library that carries no HTTP status."""
    if isinstance(error, OSError) and "Consistency check failed" in str(error):
        return "hub_fewer_bytes"
    return next((code for kind, code in REASONS if isinstance(error, kind)), "hub_failed")
