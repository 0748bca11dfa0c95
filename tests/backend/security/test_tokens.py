from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from backend.security import tokens as access

SECRET, OTHER = b"a" * 32, b"b" * 32


def opened(
    address: str, *, now: float = 1000, job: str = "job1", name: str = "result.mp4", secret: bytes = SECRET
) -> bool:
    query = parse_qs(urlsplit(address).query)
    return access.may_open(secret, job, name, query["exp"][0], query["sig"][0], now)


def test_tokens_are_long_and_differ() -> None:
    tokens = {access.new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(access.is_token(token) and len(token) >= 32 for token in tokens)
    assert not access.is_token("short") and not access.is_token("a b" * 10) and not access.is_token(None)
    assert not access.is_token("ok-token-ok-token\n")


def test_the_stored_owner_does_not_reveal_the_token() -> None:
    token = access.new_token()
    assert token not in access.owner_id(token)
    assert access.owner_id(token) == access.owner_id(token) != access.owner_id(token + "x")


def test_a_signed_address_opens_only_its_file_for_its_time() -> None:
    address = access.media_address(SECRET, "job1", "result.mp4", 2000)
    assert urlsplit(address).path == "/media/job1/result.mp4"
    assert opened(address)
    assert not opened(address, now=2001)
    assert not opened(address, job="job2")
    assert not opened(address, name="workflow.json")
    assert not opened(address, secret=OTHER)
    later = address.replace("exp=2000", "exp=9000")
    assert not opened(later)


def test_forged_parts_are_refused_not_raised() -> None:
    for expires in ("", "x", "-1", "٣٠٠٠", "9" * 40, "1e9"):
        assert not access.may_open(SECRET, "job1", "result.mp4", expires, "sig", 1)
    assert not access.same(None, "x") and not access.same("ä", "x")


def test_keys_belong_to_one_job_and_one_studio() -> None:
    assert access.job_key(SECRET, "a") != access.job_key(SECRET, "b") != access.job_key(OTHER, "b")
    # the parts of what is signed cannot run into each other
    assert access.sign(SECRET, "ab", "c") != access.sign(SECRET, "a", "bc")
