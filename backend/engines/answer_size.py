"""Bounds how much of an answer is read into memory, also of one that is compressed."""

from __future__ import annotations

import requests

ANSWER_MAX = 64_000_000
"""Bytes. The description of all nodes of a ComfyUI with hundreds of custom nodes has 10 to 20 million."""
_CHUNK = 1 << 16


class TooLong(requests.RequestException):
    """More than any answer of this server has."""


def read_whole(response: requests.Response, most: int = ANSWER_MAX) -> None:
    """Reads the body of a streamed response, as `response.content`. Raises TooLong,
    requests.RequestException."""
    parts, size = [], 0
    for part in response.iter_content(_CHUNK):
        parts.append(part)
        size += len(part)
        if size > most:
            response.close()
            raise TooLong(f"more than {most / 1e6:.0f} MB")
    response._content = b"".join(parts)
