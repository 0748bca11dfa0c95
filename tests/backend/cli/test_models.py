"""`python app.py models ...` as run from a shell."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import app
from backend.cli import models as model_commands
from backend.cli.ask_servers import Asked
from backend.engines.base import EngineInfo
from backend.models import hub as hub_module
from backend.models import inventory as inventory_module
from backend.models.hub import Hub
from tests.support.fake_hub import FakeHub, running
from tests.support.lora_files import write_lora
from tests.support.model_files import fill, model, model_bytes, sparse
from tests.support.paths import ROOT
from workflows.catalog import Catalog, load_catalog

pytestmark = pytest.mark.full  # many commands, each with a folder of models

CATALOG = load_catalog()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith(("WAN_", "COMFYUI_", "HF_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("WAN_ENGINE", "demo")
    monkeypatch.setenv("WAN_MODELS_DIR", str(tmp_path / "store"))
    monkeypatch.setenv("WAN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path / "store"


class Said:
    def __init__(self, status: int, out: str, error: str) -> None:
        self.status, self.out, self.error = status, out, error


@pytest.fixture
def run(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    def call(*arguments: str) -> Said:
        try:
            status = app.main(["models", *arguments], tmp_path)
        except SystemExit as end:
            status = int(end.code or 0)
        caught = capsys.readouterr()
        assert "Traceback" not in caught.err
        return Said(status, caught.out, caught.err)

    return call


def rows(out: str) -> dict[str, str]:
    """File -> its line of the table."""
    return {m.group(0): line for line in out.splitlines() if (m := re.search(r"[\w.-]+\.safetensors", line))}


# check


def test_an_empty_store(run, store: Path) -> None:
    said = run("check")
    assert said.status == 1
    table = rows(said.out)
    assert table.keys() == {file.name for file in CATALOG.files}
    assert all(line.startswith("missing") for line in table.values())
    vae = table["wan_2.1_vae.safetensors"]
    assert re.fullmatch(r"missing +254 MB +vae +wan_2.1_vae.safetensors +Video encoder and decoder", vae)
    assert (
        "Sound-to-Video needs 5 more files, 25.2 GB. `python app.py models download sound_to_video`"
        in said.out
    )
    assert f"Model store: {store} (" in said.out and "free of" in said.out
    assert "`python app.py models download` fetches 78.1 GB" in said.error and said.error.count("\n") == 1


def test_the_columns_are_aligned(run) -> None:
    lines = run("check").out.splitlines()
    head = next(line for line in lines if line.startswith("STATE"))
    for line in lines:
        if ".safetensors " in line:
            for column in ("FOLDER", "FILE", "MODEL"):
                at = head.index(column)
                assert line[at - 2 : at] == "  " and line[at] != " "


def test_a_full_store(run, store: Path) -> None:
    fill(store)
    said = run("check")
    assert said.status == 0 and said.error == ""
    assert [line for line in rows(said.out).values() if not line.startswith("ready")] == []
    total = sum(file.bytes for file in CATALOG.files)
    assert f"{total / 1e9:.1f} GB on disk  All together, shared files counted once." in said.out
    assert "Animate is ready." in said.out


def test_optional_files_are_not_asked_for(run, store: Path) -> None:
    fill(store, but=tuple(file.role for file in CATALOG.files if file.optional))
    said = run("check")
    assert said.status == 0 and "Text-to-Video needs 3 more files" in said.out
    assert run("check", "text_to_video").status == 1
    assert run("check", "text_to_image").status == 1
    assert run("check", "animate").status == 0


def test_one_mode(run, store: Path) -> None:
    fill(store, but=("s2v",))
    said = run("check", "sound_to_video")
    assert said.status == 1
    assert rows(said.out).keys() == {f.name for f in CATALOG.files if "sound_to_video" in f.modes}
    assert said.error == "Sound-to-Video needs 1 more file, 16.4 GB.\n"
    fast = rows(said.out)["wan2.2_t2v_lightx2v_4steps_lora_v1.1_high_noise.safetensors"]
    assert fast.endswith("(for speed=fast)")
    assert run("check", "image_to_video").status == 0


def test_a_damaged_store(run, store: Path) -> None:
    fill(store)
    (store / "vae" / "wan_2.1_vae.safetensors").write_text("not a model, but a text that says it is one\n")
    sound = CATALOG.file("s2v")
    os.truncate(store / sound.folder / sound.name, 9_000_000_000)
    clip = CATALOG.file("clip_vision")
    sparse(store / clip.folder / clip.name, 3_700_000_000)
    lora = CATALOG.file("lora_480p")
    (store / lora.folder / lora.name).unlink()
    (store / lora.folder / lora.name).symlink_to(lora.name)
    said = run("check")
    assert said.status == 1
    table = rows(said.out.split("\n\n")[1])
    assert table["wan_2.1_vae.safetensors"].startswith("damaged")
    assert table[sound.name].startswith("damaged") and "9.0 GB" in table[sound.name]
    assert re.match(r"wrong size +3.7 GB", table[clip.name])
    assert table[lora.name].startswith("missing")
    for words in (
        "is a text, not a model",
        "9,000,000,000 of 16,394,821,672",
        "where the published file has 1.3 GB",
    ):
        assert words in said.out
    assert "is a circular symbolic link" in said.out
    assert "Animate does not work: 1 file is missing, 738 MB; 1 file has the wrong size, 1.3 GB;" in said.out


def test_hashes_on_request(run, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = model_bytes("x", 5000)
    catalog = Catalog((model("vae", content, "animate"),), "")
    monkeypatch.setattr(model_commands, "load_catalog", lambda: catalog)
    monkeypatch.setattr("backend.models.needs.load_catalog", lambda: catalog)
    (store / "vae").mkdir(parents=True)
    (store / "vae" / "vae.safetensors").write_bytes(content)
    assert "sha256 is right" in run("check", "--hash").out
    (store / "vae" / "vae.safetensors").write_bytes(content[:-1] + b"!")
    assert run("check", "animate").status == 0
    bad = run("check", "animate", "--hash")
    assert bad.status == 1 and "sha256 differs" in bad.out


def test_the_bar_of_a_hash_is_drawn_on_a_terminal_and_not_in_a_log(
    run, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = model_bytes("x", 20_000_000)
    catalog = Catalog((model("vae", content, "animate"),), "")
    monkeypatch.setattr(model_commands, "load_catalog", lambda: catalog)
    monkeypatch.setattr("backend.models.needs.load_catalog", lambda: catalog)
    monkeypatch.setenv("TERM", "xterm")
    (store / "vae").mkdir(parents=True)
    (store / "vae" / "vae.safetensors").write_bytes(content)
    assert run("check", "--hash").error == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    said = run("check", "--hash")
    assert said.status == 0 and "vae.safetensors" in said.error and "/20.0 MB" in said.error
    assert "\x1b" not in said.out and "sha256 is right" in said.out


def test_on_a_terminal_states_have_colours_unless_it_asks_for_none(
    run, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert "\x1b[33mmissing\x1b[0m" in run("check").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in run("check").out


@pytest.mark.parametrize(
    "arguments",
    [("check", "hologram"), ("download", "hologram"), (), ("dance",), ("migrate",), ("check", "--x")],
)
def test_wrong_use_is_2(run, arguments: tuple[str, ...]) -> None:
    said = run(*arguments)
    assert said.status == 2 and said.error and said.out == ""
    if "hologram" in arguments:
        assert "'hologram'" in said.error and "sound_to_video" in said.error


def test_help(run) -> None:
    for action in ("check", "download", "migrate", "paths"):
        assert action in run("--help").out
        assert run(action, "--help").status == 0


# the server


@pytest.mark.parametrize(("gigabytes", "form"), [(0, "fp8_scaled"), (24, "fp8_scaled"), (96, "bf16")])
def test_the_file_that_is_said_to_be_used_is_the_one_for_the_gpu_of_the_server(
    run, monkeypatch: pytest.MonkeyPatch, gigabytes: int, form: str
) -> None:
    names = [f"Wan2_2-I2V-A14B-HIGH_{one}.safetensors" for one in ("bf16", "fp8_scaled")]
    info = EngineInfo(
        "comfyui", "http://127.0.0.1:1", version="0.33.0", gpu="NVIDIA H100", vram_total=gigabytes << 30,
        models={"diffusion_models": tuple(names)},
    )  # fmt: skip
    monkeypatch.setattr(model_commands, "ask_servers", lambda _: (Asked(info, ""),))
    found = json.loads(run("check", "--json").out)["files"]
    assert [one["used"] for one in found if one["role"] == "i2v_high"] == [
        f"Wan2_2-I2V-A14B-HIGH_{form}.safetensors"
    ]


@pytest.fixture
def comfy(monkeypatch: pytest.MonkeyPatch, store: Path) -> Iterator[dict[str, object]]:
    """A server that answers from a dictionary of paths; other paths are 404."""
    answers: dict[str, object] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = answers.get(self.path)
            body = json.dumps(found).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setenv("WAN_ENGINE", "auto")
    monkeypatch.setenv("COMFYUI_URL", f"http://127.0.0.1:{server.server_address[1]}")
    yield answers
    server.shutdown()
    server.server_close()


@pytest.mark.full
def test_what_comfyui_does_not_see(run, store: Path, comfy: dict[str, object]) -> None:
    fill(store)
    comfy["/system_stats"] = {"system": {"comfyui_version": "0.3.64"}}
    comfy["/models"] = sorted({file.folder for file in CATALOG.files})
    for folder in comfy["/models"]:  # type: ignore[attr-defined]
        comfy[f"/models/{folder}"] = [file.name for file in CATALOG.files if file.folder == folder]
    good = run("check")
    assert good.status == 0 and "ComfyUI 0.3.64 at http://127.0.0.1" in good.out and "was asked" in good.out
    comfy["/models/vae"] = []
    blind = run("check")
    assert blind.status == 1
    assert rows(blind.out.split("\n\n")[1])["wan_2.1_vae.safetensors"].startswith("not seen")
    assert "`python app.py models paths` writes the file that tells ComfyUI" in blind.out


@pytest.mark.full
@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (None, "No ComfyUI answers at"),
        ({"something": "else"}, "No ComfyUI answers at"),
        ({"system": {"wan_studio_demo": True}}, "The demo engine answers at"),
    ],
)
def test_without_a_comfyui_the_disk_alone_counts(
    run, store: Path, comfy: dict[str, object], answer: object, says: str
) -> None:
    fill(store)
    comfy["/system_stats"] = answer
    said = run("check")
    assert said.status == 0 and says in said.out and "only the disk was looked at" in said.out


# download, migrate, paths


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with running() as server:
        monkeypatch.setattr(hub_module, "Hub", lambda: Hub(server.url))
        yield server


def small_catalog(monkeypatch: pytest.MonkeyPatch, hub: FakeHub) -> Catalog:
    files = []
    for role, mode in (("one", "animate"), ("two", "animate"), ("three", "text_to_video")):
        content = model_bytes(role, 50_000)
        files.append(model(role, content, mode, optional=mode != "animate"))
        hub.files[files[-1].source] = content
    catalog = Catalog(tuple(files), "", ("image_to_video", "animate"))
    monkeypatch.setattr(model_commands, "load_catalog", lambda: catalog)
    monkeypatch.setattr(inventory_module, "load_catalog", lambda: catalog)
    return catalog


def there(store: Path) -> set[str]:
    return {path.name for path in store.rglob("*") if path.is_file()}


@pytest.mark.full
def test_download_for_all_core_modes(run, store: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    small_catalog(monkeypatch, hub)
    said = run("download")
    assert said.status == 0, said.error
    assert there(store) == {"one.safetensors", "two.safetensors"}
    assert "2 of 2: two.safetensors, 50 kB, into vae" in said.out
    assert "All requested files are in place." in said.out
    assert run("download", "text_to_video").status == 0
    assert "three.safetensors" in there(store)


@pytest.mark.full
@pytest.mark.parametrize("name", ["two.safetensors", "two"])
def test_download_of_one_file(
    run, store: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    small_catalog(monkeypatch, hub)
    assert run("download", name).status == 0
    assert there(store) == {"two.safetensors"}


@pytest.mark.full
def test_a_download_that_fails_says_why(
    run, store: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_catalog(monkeypatch, hub)
    hub.faults.status, hub.faults.code = 404, "EntryNotFound"
    gone = run("download", "one")
    assert gone.status == 1 and "it is not there (404)" in gone.error
    hub.faults.status = 503
    away = run("download", "one")
    assert (
        away.status == 1
        and "temporarily unavailable (503)" in away.error
        and "resumes where it stopped" in away.error
    )


@pytest.mark.full
def test_a_process_of_its_own_honours_hf_endpoint(store: Path, hub: FakeHub) -> None:
    vae = CATALOG.file("vae")
    hub.files[vae.source] = b"something else"
    done = subprocess.run(
        [sys.executable, "app.py", "models", "download", vae.name],
        cwd=ROOT, capture_output=True, text=True, timeout=120, env={**os.environ, "HF_ENDPOINT": hub.url},
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "another wan_2.1_vae.safetensors than the one that Wan Studio knows" in done.stderr
    assert [path for _, path, _, _ in hub.requests] == [
        "/Comfy-Org/Wan_2.2_ComfyUI_Repackaged/resolve/main/split_files/vae/wan_2.1_vae.safetensors"
    ]


@pytest.mark.full
def test_stopped_by_hand(run, store: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    small_catalog(monkeypatch, hub)

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("backend.models.download._into_place", stop)
    said = run("download", "one")
    assert said.status == 1 and "it resumes where it stopped" in said.error


def test_migrate_and_paths(run, store: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    fill(old)
    said = run("migrate", "--from", str(old), "--dry-run")
    assert said.status == 0 and f"{len(CATALOG.files)} would be moved" in said.out and not store.exists()
    said = run("migrate", "--from", str(old))
    assert said.status == 0 and "models paths" in said.out
    assert run("check").status == 0
    vae = CATALOG.file("vae")
    sparse(old / "vae" / vae.name, 5000)
    said = run("migrate", "--from", str(old))
    assert said.status == 1 and "Both were kept" in said.error
    assert run("migrate", "--from", str(store)).status == 1
    said = run("paths")
    file = tmp_path / "data" / "extra_model_paths.yaml"
    assert said.status == 0 and f"--extra-model-paths-config {file}" in said.out and file.is_file()
    assert "Nothing changed" in run("paths").out
    foreign = tmp_path / "mine.yaml"
    foreign.write_text("mine: {}\n")
    said = run("paths", "--out", str(foreign))
    assert said.status == 0 and "mine.yaml.bak" in said.out


def test_the_store_may_be_named_in_the_env_file(
    run, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAN_MODELS_DIR", "")
    monkeypatch.delenv("WAN_MODELS_DIR")
    (tmp_path / ".env").write_text(f"WAN_MODELS_DIR={tmp_path / 'named'}\n")
    try:
        assert f"Model store: {tmp_path / 'named'}" in run("check").out
    finally:
        os.environ.pop("WAN_MODELS_DIR", None)


def test_loras_are_listed(run, store: Path) -> None:  # type: ignore[no-untyped-def]
    write_lora(store / "loras/my/ink_high.safetensors", metadata={"modelspec.trigger_phrase": "1nk"})
    write_lora(store / "loras/my/ink_low.safetensors", seed=2)
    write_lora(store / "loras/flux.safetensors", "flux")
    said = run("loras")
    assert said.status == 0 and "my/ink_high.safetensors" in said.out and "1nk" in said.out
    found = json.loads(run("loras", "INK", "--json").out)["loras"]
    assert [(row["name"], row["partner"]) for row in found] == [
        ("my/ink_high.safetensors", "my/ink_low.safetensors")
    ]
    assert "is made for Flux and has no effect" in run("loras", "--mode", "animate").out
    assert "No LoRA matches." in run("loras", "oil").out
    assert run("loras", "--mode", "postcard").status == 2
