"""Decodes files that are sent as text: base64 in its usual forms, or a data address (RFC 2397). Pure."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes

_DATA = re.compile(r"\s*data:(?P<header>(?:\"[^\"]*\"|[^,\"])*),", re.IGNORECASE)
_BASE64 = re.compile(r";\s*base64\s*\Z", re.IGNORECASE)
_URL_SAFE = str.maketrans("-_", "+/")
_SPACE = re.compile(r"\s+")


def is_data_address(text: str) -> bool:
    """Whether the text is a data address, complete or not."""
    return text.lstrip()[:5].lower() == "data:"


def decoded(text: str) -> bytes:
    """The bytes of a file. Raises ValueError for a text that cannot be decoded.

    Base64 may have line breaks, the URL-safe alphabet, no padding, and, in a data address, percent-encoded
    characters. A data address without base64 is percent-encoded.
    """
    if not is_data_address(text):
        return _base64(text)
    found = _DATA.match(text)
    if found is None:
        raise ValueError("a data address has a comma before its content")
    content = text[found.end() :]
    if _BASE64.search(found["header"]):
        return _base64(unquote_to_bytes(content).decode("latin-1") if "%" in content else content)
    return unquote_to_bytes(content.encode("utf-8"))


def largest(text: str) -> int:
    """The number of bytes that the text can have at most, without decoding it."""
    found = _DATA.match(text)
    if found is not None and not _BASE64.search(found["header"]):
        return len(text) - found.end()
    return len(text) * 3 // 4


def _base64(text: str) -> bytes:
    plain = _SPACE.sub("", text).translate(_URL_SAFE).rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
