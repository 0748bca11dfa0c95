from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from backend.errors import BadSettings
from backend.settings.env_file import read_env_file
from backend.settings.model import VARIABLES, Settings
from tests.support.paths import ROOT


def test_defaults_need_nothing(tmp_path: Path) -> None:
    settings = Settings.from_env({}, tmp_path)
    assert settings.engine == "auto"
    assert settings.comfyui_urls == ()
    assert settings.max_queued_per_owner == 5
    assert settings.data_dir.is_absolute()


def test_values_are_read(tmp_path: Path) -> None:
    settings = Settings.from_env(
        {
            "COMFYUI_URL": "http://127.0.0.1:8188/, other:8189",
            "WAN_DATA_DIR": "mine",
            "WAN_DEMO_STEP_SECONDS": "0",
            "COMFYUI_ARGS": "--fast --reserve-vram 2",
            "WAN_ENGINE": "ComfyUI",
        },
        tmp_path,
    )
    assert settings.comfyui_urls == ("http://127.0.0.1:8188", "http://other:8189")
    assert settings.data_dir == tmp_path / "mine"
    assert settings.demo_step_seconds == 0
    assert settings.comfyui_args == ("--fast", "--reserve-vram", "2")
    assert settings.engine == "comfyui"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WAN_ENGINE", "cloud"),
        ("COMFYUI_URL", "ftp://host"),
        ("COMFYUI_URL", "http://"),
        ("WAN_MAX_QUEUED", "many"),
        ("WAN_MAX_QUEUED", "nan"),
        ("WAN_MAX_UPLOAD_MB", "-3"),
        ("COMFYUI_ARGS", "'open"),
        ("COMFYUI_DIR", "nowhere"),
        ("COMFYUI_PORT", "0"),
        ("COMFYUI_PORT", "http"),
        ("WAN_LOG_LEVEL", "loud"),
        ("WAN_LOG_FORMAT", "xml"),
        ("WAN_LOG_PROMPTS", "maybe"),
        ("WAN_AUTH", "ann"),
        ("WAN_AUTH", "ann:"),
        ("WAN_AUTH", ":secret"),
        ("WAN_AUTH", "ann:secret,ann:other"),
    ],
)
def test_a_bad_value_names_its_variable(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(BadSettings, match=name):
        Settings.from_env({name: value}, tmp_path)


def test_empty_means_default(tmp_path: Path) -> None:
    assert Settings.from_env(dict.fromkeys(VARIABLES, ""), tmp_path) == Settings.from_env({}, tmp_path)


def test_env_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    assert read_env_file(file) == {}
    file.write_text("# mine\nWAN_ENGINE=demo\nexport COMFYUI_ARGS='--fast --lowvram'\nX=$HOME\n")
    assert read_env_file(file) == {"WAN_ENGINE": "demo", "COMFYUI_ARGS": "--fast --lowvram", "X": "$HOME"}
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(BadSettings):
        read_env_file(file)


def test_accounts(tmp_path: Path) -> None:
    settings = Settings.from_env({"WAN_AUTH": "ann:a:b c, bob:secret-2 ,"}, tmp_path)
    assert settings.auth == (("ann", "a:b c"), ("bob", "secret-2"))
    assert "secret-2" not in repr(settings), "a password is nowhere shown by accident"
    with pytest.raises(BadSettings) as caught:
        Settings.from_env({"WAN_AUTH": "ann:good,secret-that-was-mistyped"}, tmp_path)
    assert "secret-that" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    ("env", "public"),
    [
        ({}, ""),
        ({"GRADIO_SERVER_NAME": "127.0.0.1"}, ""),
        ({"GRADIO_SERVER_NAME": "localhost"}, ""),
        ({"GRADIO_SERVER_NAME": "0.0.0.0"}, "the network"),
        ({"GRADIO_SERVER_NAME": "::"}, "the network"),
        ({"GRADIO_SERVER_NAME": "192.168.1.5"}, "the network"),
        ({"RUNPOD_POD_ID": "abc"}, "RunPod's proxy"),
        ({"RUNPOD_POD_ID": "abc", "GRADIO_SERVER_NAME": "127.0.0.1"}, ""),
        ({"GRADIO_SHARE": "True", "GRADIO_SERVER_NAME": "127.0.0.1"}, "a share link"),
        ({"SPACE_ID": "me/wan", "GRADIO_SERVER_NAME": "0.0.0.0"}, "Hugging Face Spaces"),
    ],
)
def test_who_can_reach_the_page(tmp_path: Path, env: dict[str, str], public: str) -> None:
    settings = Settings.from_env(env, tmp_path)
    assert settings.public == public and settings.open_to_all == bool(public)
    assert settings.max_queued_per_owner == (3 if public else 5)
    assert Settings.from_env({**env, "WAN_MAX_QUEUED_PER_OWNER": "5"}, tmp_path).max_queued_per_owner == 5
    locked = Settings.from_env({**env, "WAN_AUTH": "ann:secret"}, tmp_path)
    assert not locked.open_to_all and locked.max_queued_per_owner == 5


def test_runpod_is_read_and_its_key_is_not_shown(tmp_path: Path) -> None:
    settings = Settings.from_env(
        {"RUNPOD_ENDPOINT_ID": "abc123", "RUNPOD_API_KEY": "rpa_SECRET", "WAN_RUNPOD_CONCURRENCY": "5"},
        tmp_path,
    )
    assert settings.runpod.given and settings.runpod.concurrency == 5
    assert settings.runpod.base_url == "https://api.runpod.ai/v2"
    assert "SECRET" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RUNPOD_ENDPOINT_ID", "https://api.runpod.ai/v2/abc"),
        ("RUNPOD_API_KEY", "two words"),
        ("RUNPOD_ENDPOINT_BASE_URL", "ftp://host"),
        ("WAN_RUNPOD_CONCURRENCY", "0"),
        ("WAN_RUNPOD_TTL_HOURS", "200"),
    ],
)
def test_bad_values_of_runpod_name_their_variable(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(BadSettings, match=name):
        Settings.from_env({name: value}, tmp_path)


def test_every_bad_value_gets_a_sentence_with_what_it_may_be(tmp_path: Path) -> None:
    values = {"WAN_MAX_QUEUED": "0", "WAN_MAX_SECONDS": "long", "WAN_LOG_FORMAT": "xml", "WAN_AUTH": "s3cret"}
    with pytest.raises(BadSettings) as caught:
        Settings.from_env(values, tmp_path)
    said = caught.value.message
    for sentence in (
        "WAN_MAX_QUEUED is '0'; it takes a whole number from 1 to 100000.",
        "WAN_MAX_SECONDS is 'long'; it takes a number from 1 to 600.",
        "WAN_LOG_FORMAT is 'xml'; it takes one of text, json.",
        "Entry 1 of WAN_AUTH is not user:password.",
    ):
        assert sentence in said
    assert "s3cret" not in said + caught.value.hint and "pydantic" not in said


def test_a_bad_key_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(BadSettings) as caught:
        Settings.from_env({"RUNPOD_API_KEY": "rpa_SECRET word"}, tmp_path)
    assert "SECRET" not in f"{caught.value.message} {caught.value.hint} {caught.value!r}"
    assert caught.value.__suppress_context__, "a traceback would show pydantic's error"


def test_only_the_given_mapping_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAN_ENGINE", "demo")
    monkeypatch.setenv("public", "everybody")
    settings = Settings.from_env({"WAN_MAX_QUEUED": " 7 ", "public": "everybody"}, tmp_path)
    assert (settings.engine, settings.max_queued, settings.public) == ("auto", 7, "")


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    settings = Settings.from_env({}, tmp_path)
    with pytest.raises(ValueError, match="frozen"):
        settings.max_queued = 3
    assert settings.model_copy(update={"public": "the network"}).max_queued_per_owner == 3


def test_a_home_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="WAN_MODELS_DIR is '~no-such-user/models'"):
        Settings.from_env({"WAN_MODELS_DIR": "~no-such-user/models"}, tmp_path)


@pytest.mark.full
def test_a_command_that_reads_no_setting_does_not_import_pydantic() -> None:
    code = (
        "import sys, app, contextlib\n"
        "with contextlib.suppress(SystemExit): app.main(['compile', '--help'])\n"
        "sys.exit('pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
