"""Sentences about the machine: data folder, model store, memory, exit reasons."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from backend.engines.base import EngineInfo
from backend.models.errors import ModelStoreError
from backend.models.inventory import UNSEEN, inventory
from backend.models.paths import MARK, NAME, SECTION, add_store, lists_store, write
from backend.models.state import ModelState
from backend.notices import words
from backend.servers.exit_reasons import why
from backend.settings.model import Settings
from backend.system import diagnostics
from tests.support.model_files import sparse
from workflows.catalog import load_catalog
from workflows.notice import made

USER = "http://127.0.0.1:8188"


def at_start(settings: Settings, environ: dict[str, str]) -> list[str]:
    """Not a container, unless the environment says so."""
    return diagnostics.at_start(settings, environ, docker_mark=Path("/nowhere"))


@pytest.fixture
def comfyui(tmp_path: Path) -> Path:
    folder = tmp_path / "ComfyUI"
    (folder / "models").mkdir(parents=True)
    (folder / "comfy").mkdir()
    (folder / "main.py").touch()
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    (folder / "vae").mkdir(parents=True)
    return folder


@pytest.fixture
def settings(tmp_path: Path, comfyui: Path, store: Path) -> Settings:
    return Settings.from_env({"COMFYUI_DIR": str(comfyui), "WAN_MODELS_DIR": str(store)}, tmp_path)


# -- the data folder


def test_a_folder_of_code_that_cannot_be_written_to_is_not_asked_for_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    closed = tmp_path / "code"
    closed.mkdir()
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != closed and allowed(path, mode))
    settings = Settings.from_env({"HOME": str(home)}, closed)
    assert settings.data_dir == home / ".local/share/wan-studio"
    assert settings.data_dir_refused == closed / "data"
    (said,) = at_start(settings.model_copy(update={"comfyui_dir": None}), {})
    assert str(closed / "data") in said and str(settings.data_dir) in said and "WAN_DATA_DIR" in said
    without_home = Settings.from_env({}, closed)
    assert without_home.data_dir.name == f"wan-studio-{os.getuid()}"
    given = Settings.from_env({"WAN_DATA_DIR": str(closed / "mine")}, closed)
    assert (given.data_dir, given.data_dir_refused) == (closed / "mine", None), "what is said is done"


def test_the_volume_comes_first_unless_it_is_read_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volumes = {"/workspace", "/data"}
    monkeypatch.setattr(os.path, "ismount", lambda path: str(path) in volumes)
    allowed = os.access
    refused = {"/"}
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) not in refused and allowed(path, mode))
    read_only = Settings.from_env({}, tmp_path)
    assert read_only.data_dir == tmp_path / "data"
    assert read_only.data_dir_refused == Path("/workspace/wan-studio")
    refused.clear()
    assert Settings.from_env({}, tmp_path).data_dir == Path("/workspace/wan-studio")
    assert Settings.from_env({"SPACE_ID": "a/b"}, tmp_path).data_dir == Path("/data/wan-studio")


def test_warning_without_a_volume(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnostics, "_same_disk", lambda folder, other: True)
    (said,) = at_start(settings, {"RUNPOD_POD_ID": "abc"})
    assert "Mount a volume at /workspace" in said and str(settings.data_dir) in said
    (said,) = at_start(settings, {"SPACE_ID": "a/b"})
    assert "Mount a volume at /data" in said
    monkeypatch.setattr(diagnostics, "_same_disk", lambda folder, other: False)
    assert at_start(settings, {"RUNPOD_POD_ID": "abc"}) == []


def test_a_volume_with_models_that_is_not_there(settings: Settings, tmp_path: Path) -> None:
    gone = settings.model_copy(update={"models_dir": tmp_path / "gone"})
    (said,) = at_start(gone, {})
    assert str(tmp_path / "gone") in said and "WAN_MODELS_DIR" in said
    assert gone.comfyui_dir is not None
    sparse(gone.comfyui_dir / "models" / "vae" / "wan_2.1_vae.safetensors", 1000)
    assert at_start(gone, {}) == [], "models inside ComfyUI's folder are fine"
    assert at_start(gone.model_copy(update={"comfyui_dir": None}), {}) == []


# -- memory


@pytest.mark.parametrize(
    ("options", "ram", "args", "advises"),
    [
        ('("--cache-none")', 32, (), True),
        ('("--cache-none")', 64, (), False),
        ('("--cache-none")', 0, (), False),
        ('("--cache-none")', 32, ("--cache-none",), False),
        ('("--cache-ram") ("--cache-none")', 32, (), False),
        ('("--lowvram")', 32, (), False),
    ],
)
def test_little_memory(
    settings: Settings, comfyui: Path, options: str, ram: int, args: tuple[str, ...], advises: bool
) -> None:
    (comfyui / "comfy" / "cli_args.py").write_text(options)
    info = EngineInfo("comfyui", USER, "ok", ram_total=ram * 10**9)
    said = diagnostics.in_system(settings.model_copy(update={"comfyui_args": args}), [info], [])
    assert [("32 GB" in words and "--cache-none" in words) for words in said] == ([True] if advises else [])
    elsewhere = replace(info, address="http://10.0.0.1:8188")
    assert diagnostics.memory(settings, elsewhere) == "", "of another machine nothing is known"


# -- why a ComfyUI ended


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            "RuntimeError: The NVIDIA driver on your system is too old (found version 12040). Please update",
            "it knows CUDA 12.4",
        ),
        ("RuntimeError: Found no NVIDIA driver on your system. Please check", "no NVIDIA GPU"),
        ("AssertionError: Torch not compiled with CUDA enabled", "no NVIDIA GPU"),
        ("CUDA error: no kernel image is available for execution on the device", "not built for this GPU"),
        ("main.py: error: unrecognized arguments: --normalvram", "the option --normalvram. Take it out"),
        ("ModuleNotFoundError: No module named 'comfy_kitchen'", "No module named 'comfy_kitchen'"),
        ("OSError: [Errno 98] error while attempting to bind: address already in use", "port"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
    ],
)
def test_why_it_ended(line: str, says: str) -> None:
    assert says in words(
        why(["Total VRAM", "Traceback (most recent call last):", line, "  at main.py", ""], 1)
    )


def test_why_it_was_killed() -> None:
    assert "--cache-none" in words(why(["loading"], -9))
    assert why(["bye"], 0) is None and why([], None) is None


def test_system_shows_it(settings: Settings) -> None:
    stopped = made("server_stopped", {"server": "ComfyUI"})
    assert diagnostics.in_system(settings, [], [], [stopped, None]) == ["ComfyUI stopped."]


# -- an adopted ComfyUI and the model store


def section(text: str) -> dict[str, str]:
    return yaml.safe_load(text)[SECTION]


def test_the_store_is_added_to_comfyui_once(settings: Settings, comfyui: Path, store: Path) -> None:
    said = diagnostics.tell_adopted(settings, "comfyui", False, [USER])
    assert "restarted" in said and str(store) in said
    assert section((comfyui / NAME).read_text())["base_path"] == str(store)
    assert diagnostics.tell_adopted(settings, "comfyui", False, [USER]) == ""
    assert lists_store(comfyui, store) and not lists_store(comfyui, store / "vae")


@pytest.mark.parametrize(
    ("kind", "starts", "urls"),
    [("demo", False, []), ("comfyui", True, [USER]), ("comfyui", False, ["http://10.0.0.1:8188"])],
)
def test_nothing_is_written_for_others(
    settings: Settings, comfyui: Path, kind: str, starts: bool, urls: list[str]
) -> None:
    assert diagnostics.tell_adopted(settings, kind, starts, urls) == ""
    assert not (comfyui / NAME).exists()


def test_nothing_is_written_without_a_store(settings: Settings, comfyui: Path, tmp_path: Path) -> None:
    gone = settings.model_copy(update={"models_dir": tmp_path / "gone"})
    assert diagnostics.tell_adopted(gone, "comfyui", False, [USER]) == ""
    assert not (comfyui / NAME).exists()


def test_models_inside_comfyui_or_linked_there_need_no_file(
    settings: Settings, comfyui: Path, store: Path
) -> None:
    inside = settings.model_copy(update={"models_dir": comfyui / "models"})
    assert diagnostics.tell_adopted(inside, "comfyui", False, [USER]) == ""
    (comfyui / "models").rmdir()
    (comfyui / "models").symlink_to(store)
    assert diagnostics.tell_adopted(settings, "comfyui", False, [USER]) == ""
    assert not (comfyui / NAME).exists()


def test_a_foreign_file_keeps_what_it_says(comfyui: Path, store: Path) -> None:
    theirs = "# mine\na111:\n  base_path: /a111\n  loras: models/Lora\n"
    (comfyui / NAME).write_text(theirs)
    written = add_store(comfyui, store)
    assert written.state == "added" and written.backup and written.backup.read_text() == theirs
    text = (comfyui / NAME).read_text()
    assert text.startswith(theirs.rstrip()) and set(yaml.safe_load(text)) == {"a111", SECTION}
    assert section(text)["base_path"] == str(store) and lists_store(comfyui, store)
    assert add_store(comfyui, store).state == "unchanged"


def test_the_seeds_own_file_is_enough(comfyui: Path, store: Path) -> None:
    (comfyui / NAME).write_text(f"wan:\n  base_path: {store}\n\n  diffusion_models: diffusion_models/\n")
    assert add_store(comfyui, store).state == "unchanged"


@pytest.mark.parametrize(
    "text",
    [
        "a:\n  base_path: {relative}\n  diffusion_models: diffusion_models\n",
        "a:\n  base_path: {parent}\n  unet: |\n    elsewhere\n    {name}/diffusion_models/\n",
        "a:\nb:\n  diffusion_models: {store}/diffusion_models\n",
    ],
)
def test_a_file_that_lists_the_store_in_other_words_is_enough(comfyui: Path, store: Path, text: str) -> None:
    relative = os.path.relpath(store, comfyui)
    text = text.format(relative=relative, parent=store.parent, name=store.name, store=store)
    (comfyui / NAME).write_text(text)
    assert add_store(comfyui, store).state == "unchanged" and (comfyui / NAME).read_text() == text


@pytest.mark.parametrize("text", ["{half: [", "just words", f"{SECTION}:\n  base_path: /else\n"])
def test_a_file_that_cannot_be_added_to_is_left(comfyui: Path, store: Path, text: str) -> None:
    (comfyui / NAME).write_text(text)
    with pytest.raises(ModelStoreError, match="left as it is"):
        add_store(comfyui, store)
    assert [path.name for path in comfyui.glob(f"*{NAME}*")] == [NAME]
    assert (comfyui / NAME).read_text() == text


def test_our_own_file_follows_the_store(comfyui: Path, store: Path, tmp_path: Path) -> None:
    write(tmp_path / "old", comfyui / NAME)
    assert add_store(comfyui, store).state == "updated"
    assert MARK in (comfyui / NAME).read_text() and lists_store(comfyui, store)


def test_system_says_restart_when_the_running_one_does_not_know_yet(comfyui: Path, store: Path) -> None:
    vae = next(file for file in load_catalog().files if file.folder == "vae")
    sparse(store / "vae" / vae.name, vae.bytes)
    server = {"vae": ["pixel_space"]}

    def state() -> tuple[str, str]:
        found = inventory(store, comfyui / "models", server)
        one = next(item for item in found if item.file.name == vae.name)
        return one.state, one.words

    assert state()[0] == UNSEEN and "models paths" in state()[1]
    add_store(comfyui, store)
    assert state()[0] == UNSEEN and state()[1].endswith("Restart ComfyUI.")
    seen = ModelState("VAE", vae.name, "vae", vae.bytes, (), False, *state(), restart=True)
    (said,) = diagnostics.in_system(Settings.from_env({}, comfyui), [], [seen])
    assert said.startswith("Restart ComfyUI: 1 file in the model store")
