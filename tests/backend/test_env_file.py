"""A misspelled or broken login never becomes a page without one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app import main
from backend.errors import BadSettings
from backend.notices import words
from backend.settings.env_file import read_env_file
from backend.settings.environment import load_environment
from backend.settings.model import VARIABLES, Settings
from tests.support.paths import ROOT
from workflows.notice import notice

SECRET = "s3cret-Word"
LOGIN = f"ann:{SECRET}"


def env(folder: Path, text: str | bytes) -> Path:
    file = folder / ".env"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def loaded(folder: Path, text: str | bytes, **environ: str) -> Settings:
    """The settings, as the start of the app makes them."""
    env(folder, text)
    load_environment(folder, environ)
    return Settings.from_env(environ, folder)


BROKEN = [
    f'WAN_AUTH="{LOGIN}',
    f"WAN_AUTH='{LOGIN}",
    f'WAN_AUTH="{LOGIN}"x',
    f"WAN_AUTH: {LOGIN}",
    f"WAN_AUTH:{LOGIN}",
    f"WAN_AUTH:={LOGIN}",
    f"WAN_AUTH {LOGIN}",
    f"WAN AUTH={LOGIN}",
    "WAN_AUTH",
    f"export WAN_AUTH {LOGIN}",
    f"EXPORT WAN_AUTH={LOGIN}",
    f"exportWAN_AUTH={LOGIN}",
    f"export_WAN_AUTH={LOGIN}",
    f"set WAN_AUTH={LOGIN}",
    f'$env:WAN_AUTH="{LOGIN}"',
    f"WAN_AUHT={LOGIN}",
    f"WNA_AUTH={LOGIN}",
    f"WAN_AUT={LOGIN}",
    f"WAN_AUTHS={LOGIN}",
    f"WANAUTH={LOGIN}",
    f"wan_auth={LOGIN}",
    f"Wan_Auth = {LOGIN}",
    f"WAN-AUTH={LOGIN}",
    f"WAN.AUTH={LOGIN}",
    f"WAN_AUTH_={LOGIN}",
    f"_WAN_AUTH={LOGIN}",
    f"WAN__AUTH={LOGIN}",
    f"WAN_AUTH_USERS={LOGIN}",
    f"WAN_AUTH\u200b={LOGIN}",
    f"\u2060WAN_AUTH={LOGIN}",
    f"W\u0410N_AUTH={LOGIN}",  # a Cyrillic A
    f'"WAN_AUTH"={LOGIN}',
    f"WAN_AUTH=\u201c{LOGIN}\u201d",
    f"WAN_AUTH=\u2018{LOGIN}\u2019",
    f"WAN_AUTH=`{LOGIN}`",
    f"WAN_AUTH=={LOGIN}",
    f"WAN_AUTH={LOGIN} # mine",
    f"WAN_AUTH=ann:pass #{SECRET}",
    f'WAN_AUTH=" {LOGIN}"',
    f'WAN_AUTH="{LOGIN} "',
    f'WAN_AUTH="ann:a\\t{SECRET}"',
    f'WAN_AUTH="ann:a\\n{SECRET}"',
    f"WAN_AUTH=ann:\u00a0{SECRET}",
    f"WAN_AUTH={SECRET}",
    'WAN_AUTH=""',
    "WAN_AUTH=''",
    'WAN_AUTH=" "',
    "WAN_AUTH=,",
    "WAN_AUTH=:",
    f"WAN_AUTH={LOGIN}\nWAN_AUTH=",
    f"WAN_AUTH={LOGIN}\nWAN_AUTH={LOGIN}",
    f'COMFYUI_ARGS="--fast\nWAN_AUTH={LOGIN}\nX="',
    f"={LOGIN}",
    "GRADIO_SERVER_NAM=127.0.0.1",
    "GRADIO_SEVRER_NAME=127.0.0.1",
    "GRADIO-SERVER-NAME=127.0.0.1",
    "gradio_share=true",
    "GRADIO_SHRE=false",
    "COMFYUI_LISTN=127.0.0.1",
    f"RUNPOD_APIKEY={SECRET}",
]


@pytest.mark.parametrize("ending", ["\n", "\r\n", ""])
@pytest.mark.parametrize("line", BROKEN)
def test_a_line_that_may_be_the_login_ends_the_start(tmp_path: Path, line: str, ending: str) -> None:
    before = f"# settings{ending or chr(10)}WAN_ENGINE=demo{ending or chr(10)}{ending}"
    with pytest.raises(BadSettings) as caught:
        loaded(tmp_path, before + line.replace("\n", ending or "\n") + ending)
    said = f"{caught.value.message} {caught.value.hint} {caught.value.detail}"
    assert SECRET not in said and SECRET not in repr(caught.value)
    assert caught.value.message.endswith(".") and caught.value.hint.endswith(".")
    assert f"{tmp_path / '.env'}, line " in said or "WAN_AUTH" in said


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ('WAN_AUTH="a:b', 1),
        ("\n\n# x\nWAN_AUTH: a:b\n", 4),
        ("WAN_ENGINE=demo\r\n\r\n  WAN_AUHT=a:b", 3),
        ("\ufeffWAN_AUTH_=a:b", 1),
        ("A=1\nWAN_AUTH=a:b\nB=2\nWAN_AUTH=c:d", 4),
        (b"A=1\nB=\xff\n", 2),
        ("A=1\n\n\nB", 4),
        ("A=1\n\nB='x\ny'\n", 3),
        ("A=1\nB=\x00\n", 2),
    ],
)
def test_the_line_is_named(tmp_path: Path, text: str | bytes, number: int) -> None:
    with pytest.raises(BadSettings, match=rf"\.env, line {number}: "):
        read_env_file(env(tmp_path, text))


@pytest.mark.parametrize(
    ("line", "password"),
    [
        (f"WAN_AUTH={LOGIN}", SECRET),
        (f"\ufeffWAN_AUTH={LOGIN}", SECRET),
        (f"WAN_AUTH = {LOGIN}", SECRET),
        (f"  export WAN_AUTH={LOGIN}", SECRET),
        (f"\u00a0WAN_AUTH\u00a0={LOGIN}", SECRET),
        (f"'WAN_AUTH'={LOGIN}", SECRET),
        (f"WAN_AUTH='{LOGIN}' # mine", SECRET),
        ("WAN_AUTH=ann:a#b", "a#b"),
        ("WAN_AUTH='ann:a #b'", "a #b"),
        ("WAN_AUTH=ann:$HOME${X}", "$HOME${X}"),
        ('WAN_AUTH="ann:$HOME"', "$HOME"),
        ("WAN_AUTH=ann:a b  c", "a b  c"),
        ("WAN_AUTH=ann:it's\"", "it's\""),
        ("WAN_AUTH='ann:say \"hi\"'", 'say "hi"'),
        (r'WAN_AUTH="ann:a\"b\\c"', 'a"b\\c'),
        (r"WAN_AUTH=ann:a\nb", r"a\nb"),
        ("WAN_AUTH=ann:a=b:c", "a=b:c"),
        ("WAN_AUTH=ann:\u00fcn\u00ef", "\u00fcn\u00ef"),
    ],
)
@pytest.mark.parametrize("ending", ["\n", "\r\n", ""])
def test_a_password_is_what_was_written(tmp_path: Path, line: str, password: str, ending: str) -> None:
    assert loaded(tmp_path, line + ending).auth == (("ann", password),)


@pytest.mark.parametrize(
    "line", ["", "WAN_AUTH=", "WAN_AUTH= # user:password", "#WAN_AUTH=ann:x", "# WAN_AUTH"]
)
def test_an_absent_or_empty_login_means_none(tmp_path: Path, line: str) -> None:
    assert loaded(tmp_path, f"WAN_ENGINE=demo\n{line}\n").auth == ()


@pytest.mark.parametrize(
    "value", [",", " ", " , ,", '""', "''", ":", "ann", '"ann:x"', "\u201cann:x\u201d", "\u00a0"]
)
def test_a_login_that_names_no_account_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(BadSettings, match="WAN_AUTH"):
        Settings.from_env({"WAN_AUTH": value}, tmp_path)
    assert Settings.from_env({"WAN_AUTH": ""}, tmp_path).auth == ()


@pytest.mark.parametrize(
    "name",
    [
        "WAN_AUHT", "WANAUTH", "wan_auth", "WAN-AUTH", "WAN_AUTH_", "Wan_Auth", "WAN_AUTHH", "AN_AUTH",
        "WAN_AHUHT", "WAN_AUTH_FILE", "WAN_AUTH:ann", "WAN_AUTH ", "GRADIO_SERVERNAME", "gradio_server_name",
        "GRADIO_SHARED", "COMFYUI_LISTENS",
    ],
)  # fmt: skip
def test_a_variable_that_is_nearly_a_security_setting_ends_the_start(tmp_path: Path, name: str) -> None:
    for start in (lambda e: load_environment(tmp_path, e), lambda e: Settings.from_env(e, tmp_path)):
        with pytest.raises(BadSettings) as caught:
            start({name: LOGIN, "HOME": "/root"})
        said = f"{caught.value.message} {caught.value.hint}"
        assert "environment variable" in said and name[:4].strip() in said and SECRET not in said


def test_other_names_are_a_warning_with_the_nearest_setting(tmp_path: Path) -> None:
    env(
        tmp_path,
        "WAN_ENGIN=demo\nWAN_COLOUR=red\nCOMFYUI_ULR=http://x\nOTHER=1\nWAN_ENGINE=demo\nWAN_ENGINE=auto\n",
    )
    environ = {"WAN_PASSWORD": SECRET, "WAN_MAX_QUEUE": "3", "WANDERER": "1", "PATH": "/bin"}
    warnings = "\n".join(map(words, load_environment(tmp_path, environ)))
    for name, nearest in {
        "WAN_ENGIN": "WAN_ENGINE", "COMFYUI_ULR": "COMFYUI_URL", "WAN_PASSWORD": "WAN_AUTH",
        "WAN_MAX_QUEUE": "WAN_MAX_QUEUED",
    }.items():  # fmt: skip
        assert f"{name}, which is not a setting. Did you mean {nearest}?" in warnings, name
    assert "WAN_COLOUR" in warnings and "WAN_ENGINE more than once" in warnings
    assert SECRET not in warnings and "OTHER" not in warnings and "WANDERER" not in warnings
    assert len(warnings.splitlines()) == 6


def test_names_of_platforms_and_of_our_own_are_no_misspellings(tmp_path: Path) -> None:
    theirs = [
        "RUNPOD_AI_API_KEY", "RUNPOD_POD_ID", "RUNPOD_API_KEYS", "GRADIO_SERVER_PORT", "COMFYUI_PORT",
        "GRADIO_ANALYTICS_ENABLED", "GRADIO_SHARE_SERVER_ADDRESS", "APPSETTING_WAN_AUTH", "WEB_AUTH",
        "VPN_AUTH", "XAUTHORITY", "MANPATH", *VARIABLES,
    ]  # fmt: skip
    near = notice("setting_unknown", name="RUNPOD_API_KEYS", nearest="RUNPOD_API_KEY")
    assert load_environment(tmp_path, dict.fromkeys(theirs, "")) in ([], [near])


def test_an_empty_variable_does_not_override_the_login_of_the_file(tmp_path: Path) -> None:
    assert loaded(tmp_path, f"WAN_AUTH={LOGIN}", WAN_AUTH="").auth == (("ann", SECRET),)
    assert loaded(tmp_path, f"WAN_AUTH={LOGIN}", WAN_AUTH="bob:other").auth == (("bob", "other"),)


@pytest.mark.parametrize("command", [[], ["models", "check"], ["nodes", "install"], ["worker"]])
def test_every_command_ends_with_the_error(
    tmp_path: Path, command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (
        ("WAN_AUHT", LOGIN),
        ("WAN_DATA_DIR", str(tmp_path / "data")),
        ("WAN_ENGINE", "demo"),
    ):
        monkeypatch.setenv(name, value)
    assert main(command) == 1
    told = capsys.readouterr()
    assert "misspelling of WAN_AUTH" in told.err and SECRET not in told.err + told.out
    assert not (tmp_path / "data").exists(), "nothing was begun"


@pytest.mark.full
def test_the_benchmark_ends_with_the_error(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "app.py", "bench", "--rows", "1a"],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
        env={**os.environ, "WAN_AUHT": LOGIN, "WAN_DATA_DIR": str(tmp_path / "data"), "WAN_ENGINE": "demo"},
    )  # fmt: skip
    assert done.returncode == 1 and "misspelling of WAN_AUTH" in done.stderr
    assert SECRET not in done.stderr + done.stdout and "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists(), "nothing was begun"
