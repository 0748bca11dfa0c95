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
        self._known = [(user, _digest(user), _digest(password)) for user, password in pairs]

    @staticmethod
    def of(settings: Settings) -> Accounts | None:
        """None when there is no login."""
        return Accounts(settings.auth) if settings.auth else None

    def check(self, user: str, password: str) -> bool:
        """Whether this user has this password; for Gradio's launch(auth=...)."""
        return bool(self._named(user, password))

    def _named(self, user: str, password: str) -> str:
        """The user's name, "" for a wrong user or password."""
        given, found = (_digest(user), _digest(password)), ""
        for name, known_user, known_password in self._known:
            same_user = hmac.compare_digest(known_user, given[0])
            same_password = hmac.compare_digest(known_password, given[1])
            found = name if same_user & same_password else found
        return found

    def basic_user(self, header: str) -> str:
        """The user that an Authorization header of the Basic kind logs in, "" for a wrong one."""
        kind, _, code = header.partition(" ")
        try:
            text = base64.b64decode(code.strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            return ""
        user, colon, password = text.partition(":")
        return self._named(user, password) if kind.lower() == "basic" and colon else ""


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
