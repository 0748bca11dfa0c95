from __future__ import annotations

import pytest

from backend.system.banner import lines
from backend.web.address import address, prefix, root_path


@pytest.mark.parametrize(
    ("environ", "host", "share", "expected"),
    [
        ({}, "127.0.0.1", None, "http://127.0.0.1:7861/"),
        ({}, "0.0.0.0", None, "http://127.0.0.1:7861/"),
        ({}, "::", None, "http://127.0.0.1:7861/"),
        ({}, "::1", None, "http://[::1]:7861/"),
        ({}, "192.168.1.5", None, "http://192.168.1.5:7861/"),
        ({}, "127.0.0.1", "https://abc.gradio.live", "https://abc.gradio.live/"),
        ({"RUNPOD_POD_ID": "x1"}, "0.0.0.0", None, "https://x1-7861.proxy.runpod.net/"),
        ({"RUNPOD_POD_ID": "x1"}, "127.0.0.1", None, "http://127.0.0.1:7861/"),
        ({"SPACE_HOST": "me-wan.hf.space"}, "0.0.0.0", None, "https://me-wan.hf.space/"),
        ({"GRADIO_ROOT_PATH": "https://a.example/wan"}, "127.0.0.1", None, "https://a.example/wan/"),
        ({"GRADIO_ROOT_PATH": "https://a.example/wan/"}, "127.0.0.1", None, "https://a.example/wan/"),
        ({"GRADIO_ROOT_PATH": "/wan"}, "127.0.0.1", None, "http://127.0.0.1:7861/wan/"),
        ({"GRADIO_ROOT_PATH": "wan/"}, "127.0.0.1", None, "http://127.0.0.1:7861/wan/"),
        ({"GRADIO_ROOT_PATH": "/"}, "127.0.0.1", None, "http://127.0.0.1:7861/"),
    ],
)
def test_the_address_to_click(environ: dict[str, str], host: str, share: str | None, expected: str) -> None:
    assert address(environ, host, 7861, share) == expected


@pytest.mark.parametrize(
    ("given", "root", "below"),
    [
        ("", "", ""),
        ("/", "", ""),
        ("/wan/", "/wan", "/wan"),
        ("a/b", "/a/b", "/a/b"),
        ("https://a.example", "https://a.example", ""),
        ("https://a.example/wan/", "https://a.example/wan", "/wan"),
    ],
)
def test_the_root_path(given: str, root: str, below: str) -> None:
    found = root_path({"GRADIO_ROOT_PATH": given})
    assert (found, prefix(found)) == (root, below)


def said(**changed: object) -> str:
    given: dict[str, object] = {
        "users": [], "admin_token": "TOKEN", "share_asked": False, "shared": False, "warning": "",
    }  # fmt: skip
    return "\n".join(lines("http://h:1/", **{**given, **changed}))  # type: ignore[arg-type]


def test_what_is_said() -> None:
    assert "http://h:1/?admin=TOKEN" in said() and "share link" not in said()
    assert "Warning: Anybody" in said(warning="Anybody can.")
    assert "cannot reach gradio.live" in said(share_asked=True)
    assert "cannot reach" not in said(share_asked=True, shared=True)
    locked = said(users=["ann", "bob"])
    assert "ann is the admin" in locked and "bob" not in locked and "TOKEN" not in locked
