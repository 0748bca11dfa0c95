from __future__ import annotations

from pathlib import Path

import pytest

from backend.engines.base import EngineInfo
from backend.errors import BadInput, NotAllowed
from backend.models.choices import NAME, Choice, Choices
from backend.models.state import ModelState
from backend.settings.model import Settings
from backend.system.machine import Machine
from tests.support.stores import put
from ui.views.missing_models import download_command
from ui.views.model_choice import details
from ui.views.model_table import models
from workflows.catalog import load_catalog

HIGH = load_catalog().file("i2v_high")
KJ = "WanVideo\\Wan2_2-I2V-A14B-HIGH_fp8_e4m3fn_scaled_KJ.safetensors"


def state(**more: object) -> ModelState:
    values = {"state": "ready", "role": "i2v_high", **more}
    return ModelState(HIGH.title, HIGH.name, HIGH.folder, HIGH.bytes, HIGH.modes, False, **values)  # type: ignore[arg-type]


def test_the_table_names_the_file_that_is_used() -> None:
    shown = models(
        [state(used=KJ, others=("x/<b>.gguf",), asked=("merge.safetensors",))], False, "/m", admin=True
    )
    assert "<code>Wan2_2-I2V-A14B-HIGH_fp8_e4m3fn_scaled_KJ</code>" in shown
    assert f"in place of {HIGH.name}" in shown and "2 more files found" in shown
    assert "x/&lt;b&gt;.gguf" in shown and "<b>" not in shown
    assert shown.count('data-change="named"') == 1
    assert 'data-file="merge.safetensors" data-change="distilled"' in shown and 'data-change="full"' in shown
    plain = models([state(used=f"wan/{HIGH.name}")], False, "/m", admin=True)
    assert "<details" not in plain and "in place of" not in plain


def test_only_the_admin_has_buttons() -> None:
    found = state(used=KJ, others=("a.gguf",), chosen=True)
    assert "<button" not in details(found, admin=False) and "a.gguf" in details(found, admin=False)
    assert 'data-file="" data-change="auto"' in details(found, admin=True)


def test_why_a_file_cannot_be_used() -> None:
    shown = models([state(state="unsuitable", words="It is a Flux model.")], False, "/m")
    assert "It is a Flux model." in shown and "Not usable" in shown and 'data-state="fault"' in shown


def test_a_file_that_the_modes_download_does_not_fetch_is_named() -> None:
    flux = load_catalog().file("flux")
    lacks = ModelState(flux.title, flux.name, flux.folder, flux.bytes, flux.modes, True, "missing")
    assert download_command("text_to_image", [lacks]) == f"python app.py models download {flux.name}"
    vae = load_catalog().file("vae")
    wan = ModelState(vae.title, vae.name, vae.folder, vae.bytes, vae.modes, False, "missing")
    assert download_command("text_to_image", [wan]) == "python app.py models download text_to_image"


class Engine:
    def __init__(self, info: EngineInfo) -> None:
        self._info = info

    def info(self) -> EngineInfo:
        return self._info


def test_a_choice_is_checked_before_it_is_stored(tmp_path: Path) -> None:
    settings = Settings.from_env(
        {"WAN_MODELS_DIR": str(tmp_path / "m"), "WAN_DATA_DIR": str(tmp_path / "data")}, tmp_path
    )
    put(tmp_path / "m", "diffusion_models/a/rig_unnamed.safetensors", "i2v")
    put(tmp_path / "m", f"diffusion_models/{HIGH.name}", "flux")
    machine = Machine(settings, [], None, lambda: None, lambda: [])  # type: ignore[arg-type]
    machine.choose_model("i2v_high", "a\\rig_unnamed.safetensors", True)
    chosen = Choices(tmp_path / "data" / NAME)
    assert chosen.all() == {"i2v_high": Choice("a/rig_unnamed.safetensors", True)}
    for role, file, code in (
        ("hologram", "x", "model_role_unknown"),
        ("i2v_low", "nothing.safetensors", "model_not_listed"),
        ("i2v_high", HIGH.name, "model_unlike_name"),
        ("i2v_low", "a/rig_unnamed.safetensors", "model_speed_unknown"),
    ):
        with pytest.raises(BadInput) as refused:
            machine.choose_model(role, file, None)
        reason = refused.value.notice.arg("reason")
        assert reason.code == code  # type: ignore[union-attr]
    assert set(chosen.all()) == {"i2v_high"}
    machine.choose_model("i2v_high", "", None)
    assert chosen.all() == {}
    listed = EngineInfo("comfyui", "http://10.0.0.9:8188", state="ok", models={"diffusion_models": (KJ,)})
    remote = Machine(settings, [Engine(listed)], None, lambda: None, lambda: [])  # type: ignore[arg-type, list-item]
    remote.choose_model("i2v_high", KJ.replace("\\", "/"), None)
    assert chosen.all()["i2v_high"].file == KJ, "in the server's spelling"


def test_only_the_admin_chooses(studio_of: object = None) -> None:
    from tests.support.fake_studio import FakeStudio

    with pytest.raises(NotAllowed):
        FakeStudio().choose_model("someone", "vae", "x")
