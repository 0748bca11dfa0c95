"""Files of random weights: shapes and sizes of the real files, numbers that are finite, bounded memory."""

from __future__ import annotations

import fcntl
import json
import signal
from pathlib import Path

import numpy as np
import pytest

from backend.custom_nodes import tiny_models
from backend.errors import DiskFull
from backend.models.errors import ModelStoreError, NoRoom
from backend.models.pairs import same_file
from backend.models.progress import Progress
from backend.models.random_weights import folder as weights
from backend.models.random_weights.shapes import ROLES, SCALES, Tensor, tensors
from backend.models.random_weights.spiece import vocabulary
from backend.models.random_weights.writer import Writer, file_bytes, fp8_values, to_fp8
from backend.stopping import StopSignal
from workflows.catalog import load_catalog

CATALOG = load_catalog()


@pytest.mark.parametrize("role", sorted(ROLES))
def test_a_full_file_is_as_large_as_the_real_one(role: str) -> None:
    """The catalogue's sizes are those of the published files. The 480p LoRA has biases besides its pairs, the
    vocabulary of the text encoder is shorter."""
    real, made = CATALOG.file(role).bytes, file_bytes(tensors(role, SCALES["full"]))
    tolerance = 0.03 if role == "lora_480p" else 0.001 if role == "text_encoder" else 0.0002
    assert made == pytest.approx(real, rel=tolerance)
    if role[:3] in ("i2v", "t2v"):
        assert made == real


def test_every_file_that_a_measured_mode_needs_can_be_written() -> None:
    modes = {"image_to_video", "text_to_video", "sound_to_video", "animate"}
    needed = {file.role for file in CATALOG.files if modes & set(file.needed_by)}
    assert needed <= ROLES


@pytest.mark.parametrize("role", sorted(ROLES))
def test_both_scales_have_unique_names_and_the_same_kinds_of_tensors(role: str) -> None:
    full, tiny = tensors(role, SCALES["full"]), tensors(role, SCALES["tiny"])
    assert len({tensor.name for tensor in full}) == len(full)
    assert len({tensor.name for tensor in tiny}) == len(tiny)
    assert {tensor.name for tensor in tiny} <= {tensor.name for tensor in full}


def test_what_comfyui_reads_from_the_keys() -> None:
    def shapes(role: str, scale: str = "full") -> dict[str, tuple[int, ...]]:
        return {tensor.name: tensor.shape for tensor in tensors(role, SCALES[scale])}

    for role, channels in (("i2v_high", 36), ("t2v_low", 16), ("s2v", 16), ("animate", 36)):
        assert shapes(role)["patch_embedding.weight"] == (5120, channels, 1, 2, 2)
        assert shapes(role)["blocks.39.ffn.0.weight"] == (13824, 5120)
        assert shapes(role)["head.head.weight"] == (64, 5120)
    assert "casual_audio_encoder.encoder.final_linear.weight" in shapes("s2v")
    assert "face_adapter.fuser_blocks.7.k_norm.weight" in shapes("animate")
    assert not any("img_emb" in name for name in shapes("i2v_high"))
    assert shapes("text_encoder")["shared.weight"] == (256384, 4096)
    assert shapes("text_encoder")["scaled_fp8"] == (0,) and shapes("animate")["scaled_fp8"] == (2,)
    for scale in SCALES:
        assert "encoder.block.23.layer.1.DenseReluDense.wi_1.weight" in shapes("text_encoder", scale)


def test_the_tiny_node_has_the_dimensions_of_the_tiny_files() -> None:
    scale = SCALES["tiny"]
    assert scale.vae == tiny_models.VAE_WIDTH and tiny_models.FACE_CHANNELS[0] == scale.face
    text = tiny_models.TEXT
    assert scale.text == {
        "A": text["d_kv"] * text["num_heads"], "G": text["d_ff"], "T": text["vocab_size"],
        "R": text["num_heads"], "L": text["num_layers"],
    }  # fmt: skip
    vision = tiny_models.VISION
    assert scale.vision == {"G": vision["intermediate_size"], "L": vision["num_hidden_layers"]}


def test_fp8_has_no_nan_and_the_nearest_number() -> None:
    values = fp8_values()
    assert values[-1] == 448.0 and values[0] == 0.0 and values[1] == 2.0**-9 and values[0x38] == 1.0
    assert np.all(np.diff(values) > 0)
    codes = to_fp8(np.array([0.0, 1.0, -1.0, 1e9, -1e9, 447.0], np.float32))
    assert codes.tolist() == [0x00, 0x38, 0xB8, 0x7E, 0xFE, 0x7E]
    drawn = to_fp8(np.random.default_rng(3).standard_normal(200_000, dtype=np.float32) * 300)
    assert not np.isin(drawn & 0x7F, 0x7F).any()


def read(path: Path) -> dict[str, tuple[str, list[int], bytes]]:
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    assert length % 8 == 0
    head, body = json.loads(content[8 : 8 + length]), content[8 + length :]
    ends = [entry["data_offsets"][1] for entry in head.values()]
    assert max(ends) == len(body)
    return {
        name: (entry["dtype"], entry["shape"], body[slice(*entry["data_offsets"])])
        for name, entry in head.items()
    }


def test_a_written_file(tmp_path: Path) -> None:
    content = tensors("i2v_high", SCALES["tiny"])
    writer = Writer(piece=5000)  # tensors are larger and smaller than a piece
    counted: list[int] = []
    path = tmp_path / "models" / "a.safetensors"
    assert writer.write(path, content, counted.append) == path.stat().st_size == file_bytes(content)
    assert max(counted) <= 4 * 5000
    found = read(path)
    weight, scale = (found[f"blocks.1.ffn.0.{name}"] for name in ("weight", "scale_weight"))
    assert weight[:2] == ("F8_E4M3", [256, 128]) and scale[:2] == ("F32", [])
    codes = np.frombuffer(weight[2], np.uint8)
    numbers = np.where(codes < 0x80, 1, -1) * fp8_values()[codes & 0x7F] * np.frombuffer(scale[2], np.float32)
    assert np.std(numbers) == pytest.approx(128**-0.5, rel=0.05)
    assert set(np.frombuffer(found["blocks.0.norm3.weight"][2], np.float16)) == {1.0}
    assert not any(found["blocks.0.norm3.bias"][2])
    for dtype, kind in (("F16", np.float16), ("F32", np.float32)):
        writer.write(path, [Tensor("a", dtype, (70, 100), "random", 0.5)])  # type: ignore[arg-type]
        assert np.std(np.frombuffer(read(path)["a"][2], kind)) == pytest.approx(0.5, rel=0.1)
    writer.write(path, [Tensor("a", "BF16", (70, 100), "random", 0.5)])
    upper = np.frombuffer(read(path)["a"][2], np.uint16).astype(np.uint32) << 16
    assert np.std(upper.view(np.float32)) == pytest.approx(0.5, rel=0.1)


def test_the_vocabulary_is_a_protobuf_with_all_bytes() -> None:
    pieces = vocabulary(1024)
    assert pieces.startswith(b"\n") and b"<0x00>" in pieces and b"<0xFF>" in pieces
    with pytest.raises(ValueError, match="more than 100"):
        vocabulary(100)


def test_where_the_files_go(tmp_path: Path) -> None:
    models, other = tmp_path / "models", tmp_path / "other"
    models.mkdir(), other.mkdir()
    assert weights.choose([other / "new"], 1000, (models,)) == other / "new"
    for inside in (models, models / "loras"):
        with pytest.raises(ModelStoreError, match="never written there"):
            weights.choose([inside], 1000, (models,))
    (other / "link").symlink_to(models)
    with pytest.raises(ModelStoreError, match="never written there"):
        weights.choose([other / "link" / "a"], 1000, (models,))
    with pytest.raises(NoRoom, match=r"need 1000000\.0 GB.*Nothing was written"):
        weights.choose([other, tmp_path], 10**15, (models,))


def test_a_folder_is_removed_whatever_happens(tmp_path: Path) -> None:
    files = [CATALOG.file(role) for role in ("vae", "lora_i2v_high")]
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt), weights.folder(tmp_path / "a", said.append) as made:
        weights.write_files(made / "models", files, "tiny", Progress(said.append))
        for file in files:
            path = made / "models" / file.folder / file.name
            assert path.stat().st_size == file_bytes(tensors(file.role, SCALES["tiny"]))
        raise KeyboardInterrupt
    assert list((tmp_path / "a").iterdir()) == []
    (tmp_path / "file").touch()
    with (
        pytest.raises(Exception, match="cannot be written") as failed,
        weights.folder(tmp_path / "file", said.append),
    ):
        pass
    assert not isinstance(failed.value, DiskFull)


def test_signals_do_not_interrupt_the_removal_and_what_stays_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, said, real = StopSignal(insist=True), [], weights.shutil.rmtree
    before = signal.getsignal(signal.SIGUSR1)
    stop.install([signal.SIGUSR1])

    def impatient(path: Path, **options: bool) -> None:
        for _ in range(3):
            signal.raise_signal(signal.SIGUSR1)
        real(path, **options)

    monkeypatch.setattr(weights.shutil, "rmtree", impatient)
    try:
        with pytest.raises(KeyboardInterrupt), weights.folder(tmp_path, said.append, stop.tidying):
            signal.raise_signal(signal.SIGUSR1)
            signal.raise_signal(signal.SIGUSR1)
        assert list(tmp_path.iterdir()) == [] and said == []
        monkeypatch.setattr(weights.shutil, "rmtree", lambda *_, **__: None)
        with weights.folder(tmp_path, said.append, stop.tidying) as made:
            pass
        assert made.exists() and len(said) == 1 and str(made) in said[0]
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_both_experts_differ_and_a_file_written_again_is_the_same(tmp_path: Path) -> None:
    files = [CATALOG.file(role) for role in ("i2v_high", "i2v_low", "lora_i2v_high", "lora_i2v_low")]
    paths: dict[str, list[Path]] = {}
    for run in ("one", "two"):
        weights.write_files(tmp_path / run, files, "tiny", Progress(lambda text: None))
        paths[run] = [tmp_path / run / file.folder / file.name for file in files]
    high, low, lora_high, lora_low = paths["one"]
    assert not same_file(high, low) and not same_file(lora_high, lora_low)
    assert all(same_file(*pair) for pair in zip(*paths.values(), strict=True))


def test_what_a_killed_run_left_is_removed_and_a_running_one_stays(tmp_path: Path) -> None:
    left, running, foreign = (tmp_path / f"{weights.PREFIX}{name}" for name in ("left", "running", "x"))
    for folder in (left, running):
        (folder / "models").mkdir(parents=True)
        (folder / "lock").touch()
    foreign.touch()
    said: list[str] = []
    with (running / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        weights.remove_left([tmp_path], said.append)
    assert not left.exists() and running.exists() and foreign.exists()
    assert len(said) == 1 and str(left) in said[0]
