"""The admin: who opened the admin link, or the first user of WAN_AUTH.

The link's token is a file in the data folder. A browser that opened the link is stored as an HMAC of its
owner id under that token: a copy of the database grants no access, and a new token (delete the file and
restart) revokes all earlier claims.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path

from backend.security import tokens
from backend.security.secret_file import load

log = logging.getLogger("wan.security")

FILE = "admin"
SETTING = "admins"
CLAIMS_MAX = 50
"""Browsers that can be the admin at a time; the oldest claim is dropped first."""


class Admins:
    """Who is the admin. Thread-safe. read, write: access to a stored text by its name."""

    def __init__(
        self, folder: Path, first_user: str, read: Callable[[str], str], write: Callable[[str, str], None]
    ) -> None:
        """Raises StudioError when the token can be neither read nor made."""
        self.token = load(folder / FILE, tokens.new_token().encode()).decode("ascii", "replace").strip()
        self._first_user, self._write = first_user, write
        self._lock = threading.Lock()
        self._proofs = _proofs(read(SETTING))

    def claim(self, owner: str, token: str) -> bool:
        """Makes this owner an admin if the token is right; returns whether it is. Raises StoreError."""
        if not tokens.is_token(owner) or not tokens.same(token, self.token):
            log.info("admin link: opened with a wrong token")
            return False
        proof = self._proof(owner)
        with self._lock:
            if proof not in self._proofs:
                proofs = (*self._proofs, proof)[-CLAIMS_MAX:]
                self._write(SETTING, json.dumps(proofs))
                self._proofs = proofs
        log.info("admin link: opened")
        return True

    def includes(self, owner: str, user: str = "") -> bool:
        """Whether this is the admin. user: the user that is logged in, "" without a login.

        A program may send the token of the link itself as its owner: only a browser can open the link.
        """
        if self._first_user and tokens.same(user, self._first_user):
            return True
        if not tokens.is_token(owner):
            return False
        if tokens.same(owner, self.token):
            return True
        mine = self._proof(owner)
        return sum(tokens.same(proof, mine) for proof in self._proofs) > 0  # compares all, in constant time

    def _proof(self, owner: str) -> str:
        return tokens.sign(self.token.encode(), "admin", tokens.owner_id(owner))


def _proofs(text: str) -> tuple[str, ...]:
    try:
        found = json.loads(text or "[]")
    except ValueError:
        return ()
    return tuple(proof for proof in found if isinstance(proof, str)) if isinstance(found, list) else ()
