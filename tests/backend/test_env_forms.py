"""Forms of lines in `.env` and of values on other systems: each is read as meant, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backend.errors import BadSettings
from backend.settings import listen_address
from backend.settings.env_file import read_env_file
from backend.settings.environment import load_environment
from backend.settings.model import Settings
from scripts.healthcheck import address


def loaded(folder: Path, content: str | bytes, **environ: str) -> Settings:
    """The settings, as the start of the app makes them."""
    (folder / ".env").write_bytes(content.encode() if isinstance(content, str) else content)
    load_environment(folder, environ)
    return Settings.from_env(environ, folder)


FORMS: dict[str, tuple[str | bytes, Any]] = {
    "plain": ("WAN_KEEP_DAYS=7", 7),
    "export": ("export WAN_KEEP_DAYS=7", 7),
    "export with tabs": ("\texport\tWAN_KEEP_DAYS\t=\t7\t", 7),
    "double quotes": ('WAN_KEEP_DAYS="7"', 7),
    "single quotes": ("WAN_KEEP_DAYS='7'", 7),
    "blanks in quotes": ('WAN_KEEP_DAYS=" 7 "', 7),
    "blanks": ("  WAN_KEEP_DAYS  =  7  ", 7),
    "comment": ("WAN_KEEP_DAYS=7 # days", 7),
    "comment after quotes": ('WAN_KEEP_DAYS="7" # days', 7),
    "byte order mark": ("\ufeffWAN_KEEP_DAYS=7", 7),
    "CRLF": ("# a\r\n\r\nWAN_KEEP_DAYS=7\r\n", 7),
    "CR": ("# a\rWAN_KEEP_DAYS=7\r", 7),
    "mixed ends": ("# a\rWAN_LOG_MB=1\nWAN_KEEP_DAYS=7\r\n", 7),
    "no end": ("WAN_KEEP_DAYS=7", 7),
    "twice": ("WAN_KEEP_DAYS=5\nWAN_KEEP_DAYS=7", 7),
    "empty": ("WAN_KEEP_DAYS=", 30),
    "empty quotes": ('WAN_KEEP_DAYS=""', 30),
    "comment alone": ("WAN_KEEP_DAYS= # 7", 30),
    "commented": ("#WAN_KEEP_DAYS=7", 30),
    "nothing": ("", 30),
    "blank lines": ("\n\r\n \t\n", 30),
    "byte order mark alone": ("\ufeff", 30),
    "another's variables": ("FÖÖ=ü\nÜ=1\nWAN_KEEP_DAYS=7", 7),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_number_in_each_form(tmp_path: Path, form: str) -> None:
    content, days = FORMS[form]
    assert loaded(tmp_path, content).keep_days == days


@pytest.mark.parametrize(
    "content",
    [
        "WAN_KEEP_DAYS=7".encode("utf-16"), "WAN_KEEP_DAYS=7".encode("utf-16-le"),
        "WAN_KEEP_DAYS=7".encode("utf-32"), b"WAN_DATA_DIR=/data/\xfc", b"WAN_KEEP_DAYS=7\0", b"\x1f\x8b\x08",
        "WAN_KEEP_DAYS=seven", "WAN_KEEP_DAYS=7 days", "WAN_KEEP_DAYS=７.5", "WAN_KEEP_DAYS=1e3x",
        "WAN_KEEP_DAYS=-1", "WAN_KEEP_DAYS=999999999999999999999", "WAN_KEEP_DISK_PERCENT=nan",
        "WAN_KEEP_DISK_PERCENT=inf", "WAN_KEEP_DAYS=${DAYS}", "WAN_KEEP_DAYS='7", "WAN_ENGINE=“demo”",
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_place(tmp_path: Path, content: str | bytes) -> None:
    with pytest.raises(BadSettings) as caught:
        loaded(tmp_path, content)
    said = f"{caught.value.message} {caught.value.hint}"
    assert ".env, line 1" in said or "WAN_" in said, said
    assert said.isprintable()


def test_a_file_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    """Docker makes one of a file that is mounted and not there."""
    (tmp_path / ".env").mkdir()
    with pytest.raises(BadSettings, match=r"\.env"):
        read_env_file(tmp_path / ".env")


@pytest.mark.parametrize(
    ("line", "folder"),
    [
        ("WAN_DATA_DIR=/data/größe", "/data/größe"),
        ('WAN_DATA_DIR="/data/my clips"', "/data/my clips"),
        ("WAN_DATA_DIR=/data/my clips # mine", "/data/my clips"),
        ("WAN_DATA_DIR=/data/100%", "/data/100%"),
        ("WAN_DATA_DIR=/data/a$", "/data/a$"),
        ("WAN_DATA_DIR=/data/$1", "/data/$1"),
        ("WAN_DATA_DIR='/data/日本'", "/data/日本"),
        ("WAN_DATA_DIR=/data/x/", "/data/x"),
    ],
)
def test_a_folder_is_what_was_written(tmp_path: Path, line: str, folder: str) -> None:
    assert loaded(tmp_path, line).data_dir == Path(folder)


@pytest.mark.parametrize("value", ["$HOME/clips", "${HOME}/clips", "%USERPROFILE%/clips", "/a/$USER", "$PWD"])
@pytest.mark.parametrize("name", ["WAN_DATA_DIR", "WAN_MODELS_DIR", "WAN_INPUT_DIR"])
def test_a_variable_in_a_folder_is_not_taken_for_its_name(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(BadSettings, match=name):
        loaded(tmp_path, f"{name}={value}")
    assert not list(tmp_path.glob("*[$%]*"))


def test_a_folder_that_has_such_a_name_is_taken(tmp_path: Path) -> None:
    (tmp_path / "$RECYCLE.BIN").mkdir()
    assert loaded(tmp_path, "WAN_DATA_DIR=$RECYCLE.BIN").data_dir == tmp_path / "$RECYCLE.BIN"


@pytest.mark.parametrize(
    ("environ", "port"),
    [
        ({"PORT": " 8080 "}, 8080), ({"PORT": "08080"}, 8080), ({"PORT": "1"}, 1), ({"PORT": "65535"}, 65535),
        ({"PORT": "\t"}, 7860), ({"PORT": "8080", "GRADIO_SERVER_PORT": " "}, 8080),
        ({"PORT": "tcp://10.0.0.1:80", "GRADIO_SERVER_PORT": "9000"}, 9000),
    ],
)  # fmt: skip
def test_a_port_in_each_form(tmp_path: Path, environ: dict[str, str], port: int) -> None:
    assert listen_address.port(environ) == port
    assert address(tmp_path, dict(environ)) == f"http://127.0.0.1:{port}/healthz"


@pytest.mark.parametrize(
    "text",
    ["0", "65536", "-1", "+80", "80.0", "8_0", "8080/tcp", "tcp://10.0.0.1:80", "127.0.0.1:80", ":80",
     "8080-8090",     "٨٠٨٠", "\uff18\uff10", "0x50", "1e3", "auto", "8080,8081", "8 0", "9" * 5000],
)  # fmt: skip
@pytest.mark.parametrize("name", ["PORT", "GRADIO_SERVER_PORT"])
def test_what_is_no_port_is_refused_with_its_name(name: str, text: str) -> None:
    with pytest.raises(BadSettings, match=name):
        listen_address.port({name: text})


@pytest.mark.parametrize(
    ("text", "host", "url"),
    [
        ("[::]", "::", "[::1]"), ("::", "::", "127.0.0.1"), ("0:0:0:0:0:0:0:1", "::1", "[::1]"),
        ("::ffff:127.0.0.1", "127.0.0.1", "127.0.0.1"), ("::ffff:0.0.0.0", "0.0.0.0", "127.0.0.1"),
        (" LOCALHOST ", "LOCALHOST", "LOCALHOST"), ("[2001:DB8::1]", "2001:db8::1", "[2001:db8::1]"),
        ("my_host.local.", "my_host.local.", "my_host.local."),
    ],
)  # fmt: skip
def test_a_name_to_listen_on_in_each_form(tmp_path: Path, text: str, host: str, url: str) -> None:
    assert listen_address.host({"GRADIO_SERVER_NAME": text}) == host
    found = address(tmp_path, {"GRADIO_SERVER_NAME": text})
    assert found in (f"http://{url}:7860/healthz", "http://127.0.0.1:7860/healthz")


@pytest.mark.parametrize(
    "text",
    [
        "::g",
        "[::1",
        "http://0.0.0.0",
        "0.0.0.0:7860",
        "[::]:7860",
        "a b",
        "fe80::1%eth0",
        "-x",
        "a..b",
        "ä",
        "*",
    ],
)
def test_what_is_no_name_to_listen_on_is_refused(text: str) -> None:
    with pytest.raises(BadSettings):
        listen_address.host({"GRADIO_SERVER_NAME": text})
