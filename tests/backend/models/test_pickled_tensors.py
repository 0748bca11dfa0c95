"""LoRAs in PyTorch files: the list of tensors is read, and nothing in the file is run."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest

from backend.models import pickled_tensors
from backend.models.lora_header import LoraHeaders
from backend.models.pickled_tensors import ENDINGS, PICKLED, read_pickled
from backend.models.tensor_list import NotReadable, Tensors
from tests.support.pickled_files import pickled, state, torch_legacy, torch_zip
from tests.support.tiny_models import KEYS

LORA = KEYS["lora"]


class Runs:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


def read(path: Path) -> Tensors:
    return read_pickled(path, path.stat().st_size)


def fault(path: Path) -> str:
    with pytest.raises(NotReadable) as caught:
        read(path)
    return caught.value.fault


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("nested", ["", "state_dict", "model"])
def test_the_tensors_of_a_zip_file(tmp_path: Path, protocol: int, nested: str) -> None:
    value = {nested: state(LORA)} if nested else state(LORA, parameter=True)
    if nested == "state_dict":
        value["epoch"] = 3
    found = read(torch_zip(tmp_path / "a.pt", value, protocol))
    assert found.shapes == LORA and set(found.dtypes.values()) == {"F16"}


def test_the_tensors_of_an_old_file(tmp_path: Path) -> None:
    found = read(torch_legacy(tmp_path / "a.bin", state(LORA, "BFloat16Storage")))
    assert found.shapes == LORA and set(found.dtypes.values()) == {"BF16"}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_lora_in_each_of_these_formats_is_judged(tmp_path: Path, ending: str) -> None:
    name = "diffusion_model.blocks.0.self_attn.q"
    shapes = {f"{name}.lora_down.weight": (4, 5120), f"{name}.lora_up.weight": (5120, 4), f"{name}.alpha": ()}
    path = torch_zip(tmp_path / f"a{ending}", state(shapes, "FloatStorage"), values={"2": 1.0})
    found = LoraHeaders().of(path)
    assert found.read and found.lora and "i2v" in found.fits and found.width == 5120
    assert found.scale == pytest.approx(0.25), "the alpha of a stored number"
    flux = {"lora_unet_double_blocks_0_img_mod_lin.lora_down.weight": (4, 3072)}
    assert LoraHeaders().of(torch_zip(tmp_path / f"f{ending}", state(flux))).fits == {"flux"}


def test_nothing_in_a_file_is_run(tmp_path: Path) -> None:
    made = tmp_path / "made"
    for number, value in enumerate(
        (Runs(made), {"state_dict": Runs(made)}, {**state(LORA), "x": Runs(made)}, [Runs(made)])
    ):
        path = torch_zip(tmp_path / f"{number}.pt", value)
        assert fault(path) == PICKLED
        old = torch_legacy(tmp_path / f"{number}.ckpt", value)
        assert fault(old) == PICKLED
        header = LoraHeaders().of(path)
        assert header.unjudged and not header.read and not header.fault
    raw = tmp_path / "raw.bin"
    raw.write_bytes(pickle.dumps(Runs(made)))
    assert fault(raw) == PICKLED
    assert not made.exists()
    pickle.loads(raw.read_bytes())
    assert made.exists(), "unpickling runs it"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "empty"),
        (b"<html>not found</html>", "not_a_model"),
        (b"\x80", "cut_short"),
        (b"\x80\x02.", "damaged"),
        (b"\x80\x02]q\x00.", "not_a_model"),
        (b"\x80\x02}q\x00.", "not_a_model"),
        (b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00id\x85R.", PICKLED),
        (b"\x80\x02cos\nsystem\n.", "not_a_model"),
        (b"\x80\x02(X\x01\x00\x00\x00xios\nsystem\n.", PICKLED),
        (b"\x80\x02\x82\x01.", PICKLED),
        (b"\x80\x02h\x05.", "damaged"),
        (b"\x80\x02t.", "damaged"),
        (b"\x80\x02" + b"]" * 300_000 + b".", "not_a_model"),
        (b"\x80\x02L" + b"9" * 9_000 + b"L\n.", "cut_short"),
        (b"\x80\x02X\xff\xff\xff\x7f", "cut_short"),
        (b"PK\x03\x04" + b"\0" * 60, "cut_short"),
    ],
)  # fmt: skip
def test_damaged_and_hostile_bytes(tmp_path: Path, data: bytes, expected: str) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(data)
    assert fault(path) == expected


def test_a_file_is_cut_short_or_larger_than_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = torch_zip(tmp_path / "a.pt", state(LORA))
    whole = path.read_bytes()
    for length in range(4, len(whole) - 1, 97):
        path.write_bytes(whole[:length])
        assert fault(path) == "cut_short"
    bomb = tmp_path / "bomb.pt"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + b"0" * (pickled_tensors.PICKLE_MAX + 9))
    assert bomb.stat().st_size < 100_000 and fault(bomb) == "header_too_large"
    other = tmp_path / "other.pt"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("readme.txt", "x")
    assert fault(other) == "not_a_model"


def test_odd_tensors_are_damage(tmp_path: Path) -> None:
    for shape in ((-1, 4), (1 << 50,), (1,) * 9):
        assert fault(torch_zip(tmp_path / "a.pt", {"x.lora_A.weight": _sized(shape)})) == "damaged"
    assert (
        read(torch_zip(tmp_path / "b.pt", {**state(LORA), 3: 4, "note": "x", "list": [1, {}]})).shapes == LORA
    )
    shared = pickled(state(LORA))
    assert read(torch_zip(tmp_path / "c.pt", shared)).shapes == LORA


def _sized(shape: tuple[int, ...]) -> Any:
    return state({"x": (4,)})["x"].__class__(*_arguments(shape))


def _arguments(shape: tuple[int, ...]) -> tuple[Any, ...]:
    function, (storage, offset, _, *rest) = state({"x": (4,)})["x"].__reduce__()
    return function, storage, offset, shape, *rest
