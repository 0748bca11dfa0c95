"""`models check` on the stores that people have: everything is found where ComfyUI sees it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backend.engines.base import EngineInfo
from backend.models.choices import NAME, UNREAD, Choice, Choices
from backend.models.inventory import READY
from backend.models.needs import Overview, built_in, states
from backend.models.roots import Roots, configs_of
from backend.models.state import ModelState
from backend.notices import words
from backend.settings.model import Settings
from backend.system import health
from tests.support.model_files import sparse
from tests.support.stores import I2V, own_names, put
from workflows.catalog import load_catalog

CATALOG = load_catalog()
ROLES = tuple(I2V["flat"])


def settings(tmp_path: Path, **more: str) -> Settings:
    comfy = tmp_path / "ComfyUI"
    comfy.mkdir(exist_ok=True)
    (comfy / "main.py").touch()
    values = {
        "COMFYUI_DIR": str(comfy),
        "WAN_MODELS_DIR": str(tmp_path / "store"),
        "WAN_DATA_DIR": str(tmp_path / "data"),
    }
    return Settings.from_env({**values, **more}, tmp_path)


def fill(folder: Path, layout: str) -> None:
    """A layout; the catalogue's own files have their published sizes."""
    for role, path in I2V[layout].items():
        file = CATALOG.file(role)
        if path == f"{file.folder}/{file.name}":
            sparse(folder / path, file.bytes)
        elif path.endswith(".pth"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(b"\x80\x04")
        else:
            put(folder, path)


def expect(found: Overview, layout: str) -> None:
    need = found.mode("image_to_video")
    assert need.ready and need.usable and need.sentence == "Image-to-Video is ready.", need.sentence
    by_role = {state.file.role: state for state in found.files}
    for role in ROLES:
        state = by_role[role]
        assert state.state == READY and state.path is not None and state.path.is_file()
        assert state.used.replace("\\", "/") == I2V[layout][role].split("/", 1)[1]
        assert state.elsewhere is None and "move" not in state.words


@pytest.mark.parametrize("layout", I2V)
def test_in_the_store(tmp_path: Path, layout: str) -> None:
    fill(tmp_path / "store", layout)
    expect(states(settings(tmp_path)), layout)


@pytest.mark.parametrize("layout", I2V)
def test_in_comfyuis_own_folder(tmp_path: Path, layout: str) -> None:
    made = settings(tmp_path)
    fill(tmp_path / "ComfyUI" / "models", layout)
    expect(states(made), layout)


def test_split_files_as_the_repository_has_them(tmp_path: Path) -> None:
    for role in ROLES:
        file = CATALOG.file(role)
        sparse(tmp_path / "store" / file.folder / "split_files" / file.folder / file.name, file.bytes)
    found = states(settings(tmp_path))
    assert found.mode("image_to_video").ready
    vae = next(state for state in found.files if state.file.role == "vae")
    assert vae.used == "split_files/vae/wan_2.1_vae.safetensors" and not vae.replaced


def test_a1111_folders_by_extra_model_paths(tmp_path: Path) -> None:
    made = settings(tmp_path)
    other = tmp_path / "stable-diffusion-webui" / "models"
    folders = {
        "diffusion_models": "Stable-diffusion",
        "text_encoders": "text_encoder",
        "vae": "VAE",
        "loras": "Lora",
    }
    for role in ROLES:
        file = CATALOG.file(role)
        sparse(other / folders[file.folder] / "wan" / file.name, file.bytes)
    (tmp_path / "ComfyUI" / "extra_model_paths.yaml").write_text(
        "a111:\n  base_path: ../stable-diffusion-webui\n  diffusion_models: models/Stable-diffusion\n"
        "  clip: models/text_encoder\n  vae: models/VAE\n  loras: |\n    models/Lora\n    models/LyCORIS\n"
    )
    found = states(made)
    assert found.mode("image_to_video").ready
    assert {state.used for state in found.files if state.file.role in ROLES} == {
        f"wan/{CATALOG.file(role).name}" for role in ROLES
    }


def test_a_windows_server_without_a_shared_disk(tmp_path: Path) -> None:
    listed: dict[str, list[str]] = {}
    for path in I2V["wanvideo"].values():
        folder, name = path.split("/", 1)
        listed.setdefault(folder, []).append(name.replace("/", "\\"))
    models = {folder: tuple(names) for folder, names in listed.items()}
    known = EngineInfo("comfyui", "http://10.0.0.9:8188", state="ok", models=models)
    found: dict[str, ModelState] = {s.role: s for s in health.scan(settings(tmp_path), [known]).files}
    for role in ROLES:
        assert found[role].state == "ready"
        assert found[role].used == I2V["wanvideo"][role].split("/", 1)[1].replace("/", "\\")
    assert found["s2v"].state in ("missing", "unknown")


def test_a_loop_of_links_is_listed_once(tmp_path: Path) -> None:
    store = tmp_path / "store"
    put(store, "vae/a/b/Wan2_1_VAE_bf16.safetensors")
    (store / "vae" / "a" / "b" / "again").symlink_to(store / "vae")
    (store / "vae" / "self").symlink_to("self")
    assert list(Roots(store).names("vae")) == ["a/b/Wan2_1_VAE_bf16.safetensors"]


def test_a_linked_folder_and_the_order_of_several_roots(tmp_path: Path) -> None:
    made = settings(tmp_path)
    real = put(tmp_path / "disk2", "vae/Wan2_1_VAE_bf16.safetensors")
    (tmp_path / "store" / "vae").mkdir(parents=True)
    (tmp_path / "store" / "vae" / "linked").symlink_to(real.parent)
    vae = next(state for state in states(made).files if state.file.role == "vae")
    assert vae.used == "linked/Wan2_1_VAE_bf16.safetensors" and vae.replaced
    first = put(tmp_path / "ComfyUI" / "models", "vae/linked/Wan2_1_VAE_bf16.safetensors")
    vae = next(state for state in states(made).files if state.file.role == "vae")
    assert vae.path == first, "ComfyUI's own folder comes first"
    fast = tmp_path / "fast" / "vae"
    put(tmp_path / "fast", "vae/linked/Wan2_1_VAE_bf16.safetensors")
    (tmp_path / "ComfyUI" / "extra_model_paths.yaml").write_text(f"x:\n  is_default: true\n  vae: {fast}\n")
    vae = next(state for state in states(made).files if state.file.role == "vae")
    assert vae.path is not None and vae.path.is_relative_to(fast), "but for a default section"


def test_a_link_without_a_target_is_listed_and_cannot_be_used(tmp_path: Path) -> None:
    made = settings(tmp_path)
    high = "WanVideo/Wan2_2-I2V-A14B-HIGH_fp8_e4m3fn_scaled_KJ.safetensors"
    low = CATALOG.file("i2v_low").name
    folder = tmp_path / "store" / "diffusion_models"
    for name, target in ((high, "/gone/x.safetensors"), (low, low)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(target)
    listed = {"diffusion_models": (high, low, "of-another-root/wan2.2_t2v_low_noise_14B_fp16.safetensors")}
    found = {state.file.role: state for state in states(made, listed).files}
    for role in ("i2v_high", "i2v_low"):
        assert found[role].state == "unsuitable" and found[role].problem is not None
        assert "a link whose target does not exist" in words(found[role].problem)
    assert found["t2v_low"].state == "ready", "in a folder that only the server knows"
    put(tmp_path / "ComfyUI" / "models", f"diffusion_models/{high}")
    found = {state.file.role: state for state in states(made, listed).files}
    assert found["i2v_high"].state == "ready", "ComfyUI takes the folder that has the file"


@pytest.mark.parametrize("default", ["true", "1", "'false'"])
def test_any_value_makes_a_section_the_default(tmp_path: Path, default: str) -> None:
    models = tmp_path / "ComfyUI" / "models"
    models.mkdir(parents=True)
    (tmp_path / "ComfyUI" / "extra_model_paths.yaml").write_text(
        f"x:\n  base_path: /d\n  is_default: {default}\n  unet: u\n"
    )
    assert Roots(tmp_path / "store", models).folders("diffusion_models")[0] == Path("/d/u")


@pytest.mark.parametrize(
    "text", ["[1, 2]", "a: [", "a: 3", "x:\n  vae: [1]\n", "&a [*a]", "x: {base_path: 5, vae: 7}"]
)
def test_an_odd_paths_file_adds_nothing(tmp_path: Path, text: str) -> None:
    models = tmp_path / "ComfyUI" / "models"
    models.mkdir(parents=True)
    (tmp_path / "ComfyUI" / "extra_model_paths.yaml").write_text(text)
    assert Roots(tmp_path / "store", models).folders("vae") == [models / "vae", tmp_path / "store" / "vae"]


def test_paths_files_among_the_start_options(tmp_path: Path) -> None:
    options = ["--fast", "--extra-model-paths-config", "a.yaml", "b.yaml", "--lowvram"]
    assert configs_of(options) == [Path("a.yaml"), Path("b.yaml")]
    assert configs_of(["--extra-model-paths-config=c.yaml"]) == [Path("c.yaml")]
    config = tmp_path / "paths.yaml"
    config.write_text(f"x:\n  base_path: {tmp_path}\n  vae: my vaes\n")
    put(tmp_path, "my vaes/Wan2_1_VAE_bf16.safetensors", "vae")
    made = settings(tmp_path, COMFYUI_ARGS=f"--extra-model-paths-config {config}")
    assert next(state for state in states(made).files if state.file.role == "vae").replaced


@pytest.mark.parametrize(
    ("options", "models"),
    [
        ("--base-directory {0}/base", "base/models"),
        ("--fast --base-directory={0}/base --lowvram", "base/models"),
        ("--base-directory ../base", "base/models"),
        ("--models-directory {0}/other", "other"),
        ("--base-directory {0}/base --models-directory={0}/other", "other"),
        ("--fast", "ComfyUI/models"),
    ],
)
def test_start_options_that_move_comfyuis_models(tmp_path: Path, options: str, models: str) -> None:
    put(tmp_path / models, "vae/x/Wan2_1_VAE_bf16.safetensors")
    put(tmp_path / "more", "clip/umt5_xxl_fp16.safetensors")
    (tmp_path / "ComfyUI").mkdir(exist_ok=True)
    (tmp_path / "ComfyUI" / "extra_model_paths.yaml").write_text("a:\n  base_path: ../more\n  clip: clip\n")
    made = settings(tmp_path, COMFYUI_ARGS=options.format(tmp_path))
    found = {state.file.role: state for state in states(made).files}
    assert found["vae"].used == "x/Wan2_1_VAE_bf16.safetensors"
    assert found["text_encoder"].used == "umt5_xxl_fp16.safetensors", "the program's own file counts"
    built = built_in(made)
    assert built is not None and built.resolve() == tmp_path / models


def test_a_paths_file_beside_comfyui(tmp_path: Path) -> None:
    made = settings(tmp_path, COMFYUI_ARGS="--extra-model-paths-config mine.yaml")
    (tmp_path / "ComfyUI" / "mine.yaml").write_text(f"x:\n  vae: {tmp_path}/vaes\n")
    put(tmp_path, "vaes/Wan2_1_VAE_bf16.safetensors", "vae")
    assert next(state for state in states(made).files if state.file.role == "vae").replaced


def test_names_that_lead_out_of_a_folder_are_not_opened(tmp_path: Path) -> None:
    put(tmp_path, "secret/x.safetensors", "i2v")
    roots = Roots(tmp_path / "store")
    assert roots.path("vae", "../../secret/x.safetensors") is None
    assert roots.path("vae", str(tmp_path / "secret" / "x.safetensors")) is None


def test_choices_are_kept_per_machine(tmp_path: Path) -> None:
    made = settings(tmp_path)
    fill(tmp_path / "store", "wanvideo")
    put(tmp_path / "store", "vae/mine/Wan2.1_VAE_fp16.safetensors")
    choices = Choices(tmp_path / "data" / NAME)
    choices.use("vae", Choice("mine/Wan2.1_VAE_fp16.safetensors"))
    choices.use("i2v_low", Choice("gone.safetensors", True))
    assert Choices(choices.path).all() == {
        "vae": Choice("mine/Wan2.1_VAE_fp16.safetensors"), "i2v_low": Choice("gone.safetensors", True),
    }  # fmt: skip
    by_role = {state.file.role: state for state in states(made).files}
    assert by_role["vae"].used == "mine/Wan2.1_VAE_fp16.safetensors"
    assert by_role["vae"].others == ("WanVideo/Wan2_1_VAE_bf16.safetensors",)
    assert by_role["i2v_low"].replaced and "gone.safetensors, which was chosen" in by_role["i2v_low"].note
    choices.use("vae", None)
    assert set(choices.all()) == {"i2v_low"}
    choices.path.write_text("vae: [1]\ni2v_low: {file: 3}\nx: {}\n")
    os.utime(choices.path, ns=(1, 1))
    assert choices.all() == {}
    choices.path.write_text("{")
    assert choices.all() == {}, "a damaged file is no choice"


@pytest.mark.parametrize("text", ["i2v_low: [", "- vae", "vae", "\x00", "# a\n" * 300_000, "&a [*a]"])
def test_what_a_person_wrote_is_kept_when_it_cannot_be_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    choices = Choices(tmp_path / NAME)
    choices.path.write_text(text)
    assert choices.all() == choices.all() == {} and len(caplog.records) == 1, "it is said once"
    choices.use("vae", Choice("a.safetensors"))
    assert choices.all() == {"vae": Choice("a.safetensors")}
    assert (tmp_path / UNREAD).read_text() == text
    choices.use("vae", None)
    assert choices.all() == {} and (tmp_path / UNREAD).read_text() == text, "a good file is replaced"
    choices.use("s2v", Choice("b.safetensors"))
    assert (tmp_path / UNREAD).read_text() == text


def test_what_is_really_missing(tmp_path: Path) -> None:
    fill(tmp_path / "store", "wanvideo")
    found = states(settings(tmp_path))
    need = found.mode("sound_to_video")
    missing = {state.file.role for state in need.lacks}
    assert missing == {"s2v", "audio_encoder", "lora_t2v_high"}
    assert set(own_names()) >= missing
