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

from backend.error_texts.hints import HINTS
from backend.errors import StudioError
from backend.models.errors import ModelDownloadFailed, ModelNotOffered
from workflows.catalog import ModelFile

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
"""HTTP statuses after which a retry may succeed."""


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
            raise ModelDownloadFailed(
                f"{self.endpoint} does not answer as Hugging Face does: it names no size for {file.name}.",
                "Check HF_ENDPOINT and the proxy settings.",
            )
        sha256 = tag.lower() if re.fullmatch(r"[0-9a-fA-F]{64}", tag) else ""
        return Offer(file, url, facts.size, sha256, tag)

    def fetch(self, offer: Offer, into: BinaryIO, have: int) -> None:
        """Appends the file's bytes from offset `have` on to `into`.

        The library retries after a short connection loss. Each call starts at the hub's own URL, which renews
        the signed URL of its storage; the library sends the token to the hub only.
        Raises ModelNotOffered, ModelDownloadFailed, and OSError when `into` cannot be written.
        """
        try:
            http_get(offer.url, into, resume_size=have, headers=build_hf_headers(), expected_size=offer.size)
        except OSError as error:
            if error.errno is not None and not isinstance(error, (httpx2.HTTPError, HfHubHTTPError)):
                raise
            raise self.as_studio_error(error, offer.file) from error
        except Exception as error:
            raise self.as_studio_error(error, offer.file) from error

    def as_studio_error(self, error: Exception, file: ModelFile) -> StudioError:
        """Converts an exception of the library to an error with a message for users."""
        detail = repr(error)
        what = f"{file.name} cannot be fetched from {self.endpoint}"
        if isinstance(error, HfHubHTTPError):
            return self._status(error, file, what)
        if isinstance(error, OfflineModeIsEnabled):
            return ModelNotOffered(f"{what}: HF_HUB_OFFLINE is set.", "Unset it.", detail=detail)
        if isinstance(error, httpx2.ProxyError):
            return ModelDownloadFailed(f"{what}: the proxy does not let it through.", detail=detail)
        if isinstance(error, httpx2.TimeoutException):
            return ModelDownloadFailed(f"{what}: the server does not answer in time.", detail=detail)
        if isinstance(error, httpx2.ConnectError):
            hint = f"Check the network. {HINTS[ModelDownloadFailed.code]}"
            return ModelDownloadFailed(f"{what}: no connection.", hint, detail=detail)
        if isinstance(error, httpx2.HTTPError):
            return ModelDownloadFailed(f"{what}: the connection broke.", detail=detail)
        if isinstance(error, FileMetadataError):
            return ModelDownloadFailed(
                f"{what}: the answer is not Hugging Face's.",
                "Check HF_ENDPOINT and the proxy settings.",
                detail=detail,
            )
        if isinstance(error, OSError) and "Consistency check failed" in str(error):
            return ModelDownloadFailed(f"{what}: fewer bytes came than were announced.", detail=detail)
        return ModelDownloadFailed(f"{what}.", detail=detail)

    def _status(self, error: HfHubHTTPError, file: ModelFile, what: str) -> StudioError:
        status = error.response.status_code
        code = error.response.headers.get("X-Error-Code", "")
        page = "/".join([self.endpoint, *file.source.split("/")[:2]])
        detail = repr(error)
        if status == 404:
            reason = "there is no such repository" if code == "RepoNotFound" else "it is not there"
            return ModelNotOffered(f"{what}: {reason} (404).", f"Look at {page}.", detail=detail)
        if status in (401, 403):
            return ModelNotOffered(
                f"{what}: the server requires authentication ({status}).",
                f"Open {page}, accept its terms if there are any, and set HF_TOKEN to your token.",
                detail=detail,
            )
        if status == 429:
            hint = "Wait some minutes and run the same command again, or set HF_TOKEN to your token."
            return ModelDownloadFailed(f"{what}: too many requests (429).", hint, detail=detail)
        if status in PASSING:
            return ModelDownloadFailed(
                f"{what}: the server is temporarily unavailable ({status}).", detail=detail
            )
        return ModelNotOffered(f"{what}: the server refuses ({status}).", f"Look at {page}.", detail=detail)
