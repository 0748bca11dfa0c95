"""The accounts of WAN_AUTH."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backend.settings.model import Settings


class Accounts:
    """Users and passwords. Every check compares all of them, so that its duration reveals nothing."""

    def __init__(self, pairs: tuple[tuple[str, str], ...]) -> None:
        self._known = [(_digest(user), _digest(password)) for user, password in pairs]

    @staticmethod
    def of(settings: Settings) -> Accounts | None:
        """None when there is no login."""
        return Accounts(settings.auth) if settings.auth else None

    def check(self, user: str, password: str) -> bool:
        """Whether this user has this password; for Gradio's launch(auth=...)."""
        given = _digest(user), _digest(password)
        right = 0
        for known in self._known:
            right |= hmac.compare_digest(known[0], given[0]) & hmac.compare_digest(known[1], given[1])
        return bool(right)

    def check_basic(self, header: str) -> bool:
        """The same for an Authorization header of the Basic kind."""
        kind, _, code = header.partition(" ")
        try:
            text = base64.b64decode(code.strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            return False
        user, colon, password = text.partition(":")
        return kind.lower() == "basic" and bool(colon) and self.check(user, password)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
