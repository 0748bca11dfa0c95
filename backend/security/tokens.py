"""Owner tokens, job keys and signed addresses. Secrets and times are arguments."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from urllib.parse import quote, urlencode

TOKEN_BYTES = 24
TOKEN = re.compile(r"[A-Za-z0-9_-]{16,200}")
SIGNATURE_BYTES = 18  # 144 bits, 24 characters


def new_token() -> str:
    """A random 192-bit token, 32 URL-safe characters."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def is_token(text: object) -> bool:
    """Whether this has the form of an owner's token."""
    return isinstance(text, str) and TOKEN.fullmatch(text) is not None


def owner_id(token: str) -> str:
    """The stored id of an owner: a hash, so that a copy of the database grants no access."""
    return hashlib.sha256(b"owner:" + token.encode()).hexdigest()[:32]


def sign(secret: bytes, *parts: str) -> str:
    """An HMAC-SHA256 over the parts, shortened to 24 URL-safe characters."""
    message = "\0".join(parts).encode("utf-8", "replace")
    digest = hmac.new(secret, message, hashlib.sha256).digest()[:SIGNATURE_BYTES]
    return base64.urlsafe_b64encode(digest).decode()


def job_key(secret: bytes, job_id: str) -> str:
    """The key of one job: its holder may watch, download and cancel the job."""
    return sign(secret, "job", job_id)


def same(given: object, expected: str) -> bool:
    """Constant-time comparison that takes anything as `given`."""
    return isinstance(given, str) and hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def media_address(secret: bytes, job_id: str, name: str, expires: int, download: bool = False) -> str:
    """The path `/media/<job id>/<name>?exp=&sig=`, valid until `expires` (unix seconds)."""
    query = {"exp": str(expires), "sig": sign(secret, "media", job_id, name, str(expires))}
    if download:
        query["download"] = "1"
    return f"/media/{quote(job_id)}/{quote(name)}?{urlencode(query)}"


def may_open(secret: bytes, job_id: str, name: str, expires: str, signature: str, now: float) -> bool:
    """Whether this signed address is genuine and has not expired."""
    if not expires.isascii() or not expires.isdigit() or len(expires) > 12 or int(expires) < now:
        return False
    return same(signature, sign(secret, "media", job_id, name, expires))
