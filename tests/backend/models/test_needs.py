from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from backend.models import needs, verify
from backend.models.inventory import inventory
from backend.models.needs import Overview, overview, room, states, wanted
from backend.settings.model import Settings
from tests.support.model_files import ANY_SIZE, fill, sparse
from workflows.catalog import load_catalog
from workflows.modes.registry import MODES

CATALOG = load_catalog()


def look(store: Path) -> Overview:
    return overview(inventory(store), CATALOG, store)


def test_every_mode_of_the_catalogue_has_a_title() -> None:
    assert set(MODES) == set(CATALOG.modes())


def test_an_empty_store(tmp_path: Path) -> None:
    found = look(tmp_path)
    need = found.mode("sound_to_video")
    assert need.sentence == "Sound-to-Video needs 5 more files, 25.2 GB."
    assert need.command == "python app.py models download sound_to_video"
    assert not need.ready and not need.usable and need.disk == 0 and found.used == 0
    assert not found.complete
    assert found.free > 0 and found.total >= found.free


def test_a_full_store_counts_shared_files_once(tmp_path: Path) -> None:
    fill(tmp_path)
    found = look(tmp_path)
    assert all(need.ready and need.command == "" for need in found.modes)
    assert found.mode("animate").sentence == "Animate is ready."
    assert found.used == sum(file.bytes or ANY_SIZE for file in CATALOG.files)
    assert sum(need.disk for need in found.modes) > found.used
    animate = sum(file.bytes or ANY_SIZE for file in CATALOG.files if "animate" in file.modes)
    assert found.mode("animate").disk == animate


def test_with_animate_2_only_replace_needs_the_first_animate(tmp_path: Path) -> None:
    fill(tmp_path, but=("animate", "animate_v2", "lora_relight", "animate_2"))
    need = look(tmp_path).mode("animate")
    assert need.usable and not need.ready
    assert need.sentence == ("Animate works, but not with method=mix: 2 files are missing, 19.8 GB.")
    assert {state.file.role for state in need.lacks} == {"animate", "lora_relight"}
    (tmp_path / "diffusion_models" / CATALOG.file("animate_2_distilled").name).unlink()
    assert not look(tmp_path).mode("animate").usable
    assert [f.role for f in wanted("animate_2", inventory(tmp_path), CATALOG) or ()] == ["animate_2"]


def test_two_files_short(tmp_path: Path) -> None:
    fill(tmp_path, but=("s2v", "audio_encoder"))
    found = look(tmp_path)
    assert found.mode("sound_to_video").sentence == "Sound-to-Video needs 2 more files, 17.0 GB."
    assert found.mode("sound_to_video").to_fetch == 16_394_821_672 + 630_997_322
    assert found.mode("animate").ready and not found.complete


def test_a_mode_that_lacks_one_setting_only(tmp_path: Path) -> None:
    fill(tmp_path, but=("lora_i2v_high", "lora_i2v_low", "lora_i2v_1022_high", "lora_i2v_1022_low"))
    need = look(tmp_path).mode("image_to_video")
    assert need.usable and not need.ready
    assert need.sentence == "Image-to-Video works, but not with speed=fast: 2 files are missing, 2.5 GB."
    assert not look(tmp_path).mode("fast_video").usable


def test_a_newer_distillation_stands_in_for_the_first_in_its_own_modes(tmp_path: Path) -> None:
    fill(tmp_path, but=("lora_i2v_high", "lora_i2v_low", "lora_t2v_high", "lora_t2v_low"))
    found = look(tmp_path)
    assert found.mode("image_to_video").ready and found.mode("fast_video").ready
    assert found.mode("text_to_video").ready
    assert [state.file.role for state in found.mode("sound_to_video").lacks] == ["lora_t2v_high"]


def test_faults_are_named(tmp_path: Path) -> None:
    fill(tmp_path, but=("vae",))
    sound = CATALOG.file("s2v")
    os.truncate(tmp_path / sound.folder / sound.name, 5000)
    need = look(tmp_path).mode("sound_to_video")
    assert need.sentence == (
        "Sound-to-Video does not work: 1 file is missing, 254 MB; 1 file is damaged, 16.4 GB."
    )


def test_not_seen_by_comfyui_is_no_download(tmp_path: Path) -> None:
    fill(tmp_path)
    seen = {file.folder: tuple(f.name for f in CATALOG.files if f.role != "vae") for file in CATALOG.files}
    need = overview(inventory(tmp_path, None, seen), CATALOG, tmp_path).mode("image_to_video")
    assert need.sentence == "Image-to-Video does not work: 1 file is not seen by ComfyUI."
    assert need.command == "python app.py models paths" and need.to_fetch == 0


def test_a_file_in_another_folder_is_to_be_moved(tmp_path: Path) -> None:
    fill(tmp_path)
    vae = CATALOG.file("vae")
    (tmp_path / "vae" / vae.name).rename(tmp_path / vae.name)
    need = look(tmp_path).mode("sound_to_video")
    assert (need.to_fetch, need.command) == (0, "")
    assert need.sentence == "Sound-to-Video needs 1 more file, 254 MB."


def test_the_second_version_stands_in_for_the_first(tmp_path: Path) -> None:
    fill(tmp_path, but=("animate",))
    assert look(tmp_path).mode("animate").ready
    fill(tmp_path / "b", but=("animate", "animate_v2"))
    need = look(tmp_path / "b").mode("animate")
    assert [s.file.role for s in need.lacks] == ["animate"]


def test_text_to_image_runs_with_either_model(tmp_path: Path) -> None:
    need = look(tmp_path).mode("text_to_image")
    assert [s.file.role for s in need.lacks] == ["t2v_high", "t2v_low", "text_encoder", "vae"]
    flux = CATALOG.file("flux")
    sparse(tmp_path / flux.folder / flux.name, flux.bytes)
    assert look(tmp_path).mode("text_to_image").ready
    assert not look(tmp_path).mode("text_to_video").ready


def test_files_of_a_download(tmp_path: Path) -> None:
    found = inventory(tmp_path)
    core = wanted("", found, CATALOG)
    assert core is not None and not any(file.optional for file in core) and len(set(core)) == len(core) == 13
    assert wanted("animate", found, CATALOG) == CATALOG.needed("animate"), "a mode, not the role of that name"
    assert wanted("wan_2.1_vae.safetensors", found, CATALOG) == (CATALOG.file("vae"),)
    assert wanted("flux", found, CATALOG) == (CATALOG.file("flux"),)
    assert wanted("hologram", found, CATALOG) is None


def test_states_look_where_the_settings_say(tmp_path: Path) -> None:
    comfy = tmp_path / "ComfyUI"
    comfy.mkdir()
    (comfy / "main.py").touch()
    settings = Settings.from_env(
        {"COMFYUI_DIR": str(comfy), "WAN_MODELS_DIR": str(tmp_path / "store")}, tmp_path
    )
    vae = CATALOG.file("vae")
    path = sparse(comfy / "models" / "vae" / vae.name, vae.bytes)
    assert [s.path for s in states(settings).files if s.state == "ready"] == [path]
    blind = states(settings, {vae.folder: ()})
    assert {s.state for s in blind.files} == {"missing", "unseen"}
    assert blind.store == tmp_path / "store"


def test_states_read_no_file_twice_and_none_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path)
    settings = Settings.from_env({"WAN_MODELS_DIR": str(tmp_path)}, tmp_path)
    monkeypatch.setattr(verify.hashlib, "sha256", lambda *_: pytest.fail("hashed"))
    first = states(settings)
    monkeypatch.setattr(verify, "_data_end", lambda header: pytest.fail("header read again"))
    assert states(settings).files == first.files


def test_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert room(tmp_path / "not" / "yet" / "made")[1] == shutil.disk_usage(tmp_path).total
    monkeypatch.setattr(needs.shutil, "disk_usage", lambda _: (_ for _ in ()).throw(OSError("no")))
    assert room(tmp_path) == (0, 0)
