"""`python app.py models download` with a mode and a GPU, as run from a shell."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import app
from backend.cli import model_download
from backend.cli import models as model_commands
from backend.cli.ask_servers import Asked
from backend.engines.base import EngineInfo
from backend.models import hub as hub_module
from backend.models.hub import Hub
from backend.models.meter import LastSpeed
from tests.support.fake_hub import FakeHub, running
from tests.support.model_files import fill, model_bytes
from workflows.catalog import load_catalog

pytestmark = pytest.mark.full
CATALOG = load_catalog()
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with running() as server:
        monkeypatch.setattr(hub_module, "Hub", lambda: Hub(server.url))
        yield server


@pytest.fixture
def run(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    for name in list(os.environ):
        if name.startswith(("WAN_", "COMFYUI_", "HF_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("WAN_ENGINE", "demo")
    monkeypatch.setenv("WAN_MODELS_DIR", str(tmp_path / "store"))
    monkeypatch.setenv("WAN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def call(*arguments: str) -> tuple[int, str, str]:
        try:
            status = app.main(["models", "download", *arguments], tmp_path)
        except SystemExit as end:
            status = int(end.code or 0)
        caught = capsys.readouterr()
        assert "Traceback" not in caught.err
        return status, caught.out, caught.err

    return call


def offered(hub: FakeHub, *names: str) -> dict[str, bytes]:
    """Small files under the names of the catalogue's other formats, whose sizes no source gives."""
    rows = [row for row in CATALOG.other_formats if row.name in names]
    assert len(rows) == len(names) and not any(row.bytes for row in rows)
    content = {row.name: model_bytes(row.name, 40_000) for row in rows}
    hub.files.update({row.source: content[row.name] for row in rows})
    return content


def test_the_set_for_a_gpu_is_listed_and_fetched(run: Run, hub: FakeHub, tmp_path: Path) -> None:
    store = tmp_path / "store"
    fill(store, but=("i2v_high", "i2v_low"))
    names = [f"Wan2.2-I2V-A14B-{expert}Noise-Q6_K.gguf" for expert in ("High", "Low")]
    content = offered(hub, *names)
    LastSpeed(tmp_path / "data").write(20_000)
    wish = ("image_to_video", "--gpu", "16", "--speed", "fast", "--format", "gguf")
    status, out, error = run(*wish, "--dry-run")
    assert (status, error) == (0, "") and not any(store.rglob("*.gguf"))
    assert "wan_2.1_vae.safetensors already exists." in out and "For a GPU with 16 GB:" in out
    assert all(f"40 kB  diffusion_models  {name}" in out for name in names)
    assert "80 kB in 2 files." in out and "The disk of" in out
    assert "About 4 s at 20 kB/s, the speed of the last download." in out
    status, out, error = run(*wish)
    assert status == 0 and "All requested files are in place." in out, error
    for name in names:
        assert (store / "diffusion_models" / name).read_bytes() == content[name]
    before = len(hub.requests)
    status, out, _ = run(*wish)
    assert status == 0 and f"{names[0]} already exists." in out and len(hub.requests) == before


def test_the_gpu_at_hand_decides(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _, out, _ = run("image_to_video", "--dry-run")
    assert "For a GPU with 24 GB, as no GPU is known here; --gpu names another:" in out
    monkeypatch.setattr(model_download, "_driver", lambda: ("NVIDIA RTX 4070", 12 << 30))
    _, out, _ = run("image_to_video", "--dry-run")
    assert "For a GPU with 12 GB (NVIDIA RTX 4070):" in out and "whether ComfyUI has them" in out
    assert "wan2.2_i2v_high_noise_14B_fp8_scaled.safetensors" in out and "stay in system memory" in out
    info = EngineInfo(
        "comfyui", "", gpu="NVIDIA RTX 4080", vram_total=16 << 30, ram_total=64 << 30,
        models={"diffusion_models": (), "unet_gguf": ()},
    )  # fmt: skip
    monkeypatch.setattr(model_commands, "ask_servers", lambda _: (Asked(info, ""),))
    _, out, _ = run("image_to_video", "--dry-run")
    assert "(NVIDIA RTX 4080)" in out and "HighNoise-Q6_K.gguf" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("wan_2.1_vae.safetensors", "--gpu", "16"), "is one file, and --gpu choose among several"),
        (("image_to_video", "--gpu", "2"), "2 is not the memory of a GPU"),
        (("image_to_video", "--gpu", "0"), "0 is not the memory of a GPU"),
        (("wan_2.1_vae.safetensors", "--gpu", "0"), "is one file, and --gpu choose among several"),
        (("image_to_video", "--speed", "quality", "--distilled"), "run in few steps only"),
        (("text_to_image", "--model", "sdxl"), "no choice 'model=sdxl'"),
        (("hologram",), "hologram"),
        (("image_to_video", "--format", "fp4"), "fp4"),
    ],
)
def test_wrong_use(run: Run, arguments: tuple[str, ...], says: str) -> None:
    status, _, error = run(*arguments)
    assert status == 2 and says in error


def test_one_model_of_a_mode_and_one_file_of_another_format(run: Run, hub: FakeHub) -> None:
    _, out, _ = run("text_to_image", "--model", "flux", "--dry-run")
    assert "17.2 GB in 1 file." in out and "flux1-dev-fp8.safetensors" in out
    name = "Wan2.2-T2V-A14B-HighNoise-Q5_K_M.gguf"
    offered(hub, name)
    status, out, error = run(name)
    assert status == 0 and f"1 of 1: {name}, 40 kB" in out, error


def test_a_dry_run_fails_where_the_hub_does_not_answer(
    run: Run, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    for what in ((), ("animate", "--gpu", "24"), ("wan_2.1_vae.safetensors",)):
        hub.faults.status = 503
        status, out, error = run(*what, "--dry-run")
        assert status == 1 and "wan_2.1_vae.safetensors" in out and hub.url in error, what
    status, _, error = run("text_to_image", "--model", "flux", "--dry-run")
    assert status == 1 and error.count("\n") == 1
    monkeypatch.setattr(hub_module, "Hub", lambda: Hub("http://127.0.0.1:9"))
    status, _, error = run("wan_2.1_vae.safetensors", "--dry-run")
    assert status == 1 and "http://127.0.0.1:9" in error
