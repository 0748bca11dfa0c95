from __future__ import annotations

import base64

from backend.security.accounts import Accounts

ACCOUNTS = Accounts((("ann", "a:b c"), ("bøb", "pässword")))


def test_user_and_password_belong_together() -> None:
    assert ACCOUNTS.check("ann", "a:b c") and ACCOUNTS.check("bøb", "pässword")
    for user, password in (
        ("ann", "pässword"), ("ann", ""), ("", ""), ("ANN", "a:b c"), ("ann", "a:b c "), ("eve", "a:b c"),
        ("\ud800", "\ud800"),
    ):  # fmt: skip
        assert not ACCOUNTS.check(user, password)


def test_basic_headers() -> None:
    def basic(data: bytes, kind: str = "Basic") -> str:
        return f"{kind} {base64.b64encode(data).decode()}"

    assert (
        ACCOUNTS.basic_user(basic(b"ann:a:b c")) == "ann" == ACCOUNTS.basic_user(basic(b"ann:a:b c", "basic"))
    )
    for header in (
        "", "Basic", "Basic ", "Basic ###", basic(b"ann"), basic(b"\xff:\xff"), basic(b"ann:a:b c", "Bearer"),
    ):  # fmt: skip
        assert ACCOUNTS.basic_user(header) == ""
