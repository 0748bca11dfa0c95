"""COMFYUI_URL, WAN_COMFYUI_LOGIN and WAN_COMFYUI_CA; no message, repr or child process has a password."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.errors import BadSettings
from backend.servers.fleet import SECRETS
from backend.settings.model import Settings
from tests.support.certificates import Authority


def read(folder: Path, **values: str) -> Settings:
    return Settings.from_env({"WAN_DATA_DIR": str(folder / "data"), **values}, folder)


def refusal(folder: Path, **values: str) -> str:
    with pytest.raises(BadSettings) as caught:
        read(folder, **values)
    return f"{caught.value.message} {caught.value.hint} {caught.value!r}"


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("http://host/comfy/", ("http://host/comfy",)),
        ("host:8188, https://b/x/", ("http://host:8188", "https://b/x")),
        ("https://ann:p%40ss@host", ("https://ann:p%40ss@host",)),
        ("http://[::1]:8188", ("http://[::1]:8188",)),
    ],
)
def test_addresses(tmp_path: Path, text: str, urls: tuple[str, ...]) -> None:
    assert read(tmp_path, COMFYUI_URL=text).comfyui_urls == urls


@pytest.mark.parametrize(
    "text",
    [
        "http://ann:s3cr3t/word@host:8188", "http://ann:s3cr3t#word@host", "http://ann:s3cr3t?word@host",
        "http://ann:s3cr3t,word@host", "http://ann:s3cr3t@host:99999", "ann:s3cr3t@[::1", "ftp://ann:s3cr3t@host",
        "http://ann:12/s3cr3t@host:8188", "http://ok:8188,http://ann:s3cr3t,x@host",
    ],
)  # fmt: skip
def test_a_refused_address_never_shows_a_password(tmp_path: Path, text: str) -> None:
    said = refusal(tmp_path, COMFYUI_URL=text)
    assert "COMFYUI_URL" in said and "s3cr3t" not in said and "word" not in said.replace("password", "")
    assert "%2F" in said, "it says how to write special characters"


@pytest.mark.parametrize("text", ["http://host:8188/?token=x", "http://host/#/graph"])
def test_an_address_copied_from_a_browser_is_refused(tmp_path: Path, text: str) -> None:
    assert "before ? and #" in refusal(tmp_path, COMFYUI_URL=text)


@pytest.mark.parametrize("text", ["ann", "ann:", ":s3cr3t", "ann:s3c\tr3t"])
def test_a_login_that_is_none(tmp_path: Path, text: str) -> None:
    said = refusal(tmp_path, WAN_COMFYUI_LOGIN=text)
    assert "WAN_COMFYUI_LOGIN" in said and "s3c" not in said


def test_passwords_are_in_no_repr_and_are_redacted_in_logs(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        COMFYUI_URL="http://ann:p%40ss-word@host",
        WAN_COMFYUI_LOGIN="bob:other:secret",
        WAN_AUTH="me:mine-too",
    )
    for secret in ("p@ss-word", "p%40ss-word", "other:secret", "mine-too"):
        assert secret in settings.secrets and secret not in repr(settings)
    assert settings.comfyui_login == "bob:other:secret"


def test_no_child_process_gets_them() -> None:
    assert {"COMFYUI_URL", "WAN_COMFYUI_LOGIN", "WAN_AUTH"} <= set(SECRETS)


def test_certificates(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    assert read(tmp_path, WAN_COMFYUI_CA="authority.pem").comfyui_ca == authority.file
    (tmp_path / "text.pem").write_text("no certificate")
    (tmp_path / "empty.pem").write_text("")
    assert "no such file" in refusal(tmp_path, WAN_COMFYUI_CA="nowhere.pem")
    for name in ("text.pem", "empty.pem", "."):
        said = refusal(tmp_path, WAN_COMFYUI_CA=name)
        assert "WAN_COMFYUI_CA" in said and "BEGIN CERTIFICATE" in said
