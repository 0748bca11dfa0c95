from __future__ import annotations

import dataclasses
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.models import verify
from backend.models.inventory import FileState, hashed, inventory
from backend.models.progress import Progress
from backend.models.verify import header_problem, sha256, size_matches
from backend.notices import words
from tests.support.model_files import ANY_SIZE, as_nobody, fill, header, model, model_bytes, sparse
from workflows.catalog import Catalog, load_catalog

CATALOG = load_catalog()
VAE = CATALOG.file("vae")


def one(store: Path, role: str = "vae", **more: object) -> FileState:
    return next(s for s in inventory(store, **more) if s.file.role == role)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def vae(store: Path) -> Path:
    return sparse(store / "vae" / VAE.name, VAE.bytes)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may enter (pytest's own may not be entered)."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_an_empty_store_and_none_at_all(store: Path) -> None:
    for _ in range(2):
        found = inventory(store)
        assert {s.state for s in found} == {"missing"} and len(found) == len(CATALOG.files)
        assert one(store).words == f"254 MB: `python app.py models download {VAE.name}`"
        store.mkdir(exist_ok=True)


def test_a_full_store(store: Path) -> None:
    fill(store)
    found = inventory(store)
    assert {s.state for s in found} == {"ready"}
    assert all(
        s.path == store / s.file.folder / s.file.name and s.size == (s.file.bytes or ANY_SIZE) for s in found
    )
    assert not any(s.words or s.note for s in found)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"hello, I am a text file that calls itself a model.\n" * 9, "is a text"),
        (b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "Git LFS pointer"),
        (b"\x00" * 5000, "zeros where its header should be"),
        (b"\x07", "cut short"),
        (header(9000)[:60], "cut short"),
        (header(9000) + b"x" * 100, "is cut short: 220 of 9,000 bytes"),
        (header(9000) + b"x" * 10_000, "too many"),
        (b"\xff" * 400, "not a safetensors file"),
        (b"\x10\0\0\0\0\0\0\0not json at all!", "header is damaged"),
        (b"\x0f\0\0\0\0\0\0\0" + b'{"a":{"b": 1}} ' + b"x" * 9, "header is damaged"),
        (b"\x04\0\0\0\0\0\0\0[1] ", "header is damaged"),
        (b'\x20\0\0\0\0\0\0\0{"w":{"data_offsets":[9,"many"]}}', "header is damaged"),
        (b'\x1e\0\0\0\0\0\0\0{"w":{"data_offsets":[-4,900]}}', "header is damaged"),
    ],
)
def test_damaged(store: Path, content: bytes, says: str) -> None:
    path = store / "vae" / VAE.name
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    found = one(store)
    assert found.state == "damaged" and says in found.words, found.words
    assert str(path) in found.words and f"models download {VAE.name}" in found.words
    assert found.size == len(content)


def test_cut_short_is_damaged_even_within_one_percent(store: Path, vae: Path) -> None:
    os.truncate(vae, VAE.bytes - 1)
    found = one(store)
    assert found.state == "damaged" and "253,815,317 of 253,815,318 bytes" in found.words


def test_a_wrong_size_is_not_damage(store: Path) -> None:
    sparse(store / "vae" / VAE.name, 507_609_880)
    found = one(store)
    assert found.state == "wrong_size"
    assert "has 508 MB where the published file has 254 MB" in found.words


@pytest.mark.parametrize(("share", "matches"), [(1.0, True), (1.0099, True), (0.9901, True), (1.011, False)])
def test_a_size_within_one_percent_is_a_match(share: float, matches: bool) -> None:
    assert size_matches(round(1_000_000 * share), 1_000_000) is matches


def test_a_rounded_figure_is_compared_more_loosely(store: Path) -> None:
    file = CATALOG.file("animate_v2")
    sparse(store / file.folder / file.name, round(file.bytes * 1.03))
    assert one(store, "animate_v2").state == "ready"


def test_comfyuis_own_folder_comes_first(tmp_path: Path, store: Path, vae: Path) -> None:
    own = tmp_path / "ComfyUI" / "models"
    assert one(store, comfyui_models=own).path == vae
    mine = sparse(own / "vae" / VAE.name, VAE.bytes)
    assert one(store, comfyui_models=own).path == mine


def test_a_bad_file_in_front_of_a_good_one_is_what_comfyui_takes(
    tmp_path: Path, store: Path, vae: Path
) -> None:
    own = tmp_path / "ComfyUI" / "models"
    sparse(own / "vae" / VAE.name, 1000)
    found = one(store, comfyui_models=own)
    assert found.state == "wrong_size"
    assert f"A good one lies in {vae.parent}, but ComfyUI looks in {own / 'vae'} first" in found.note


@pytest.mark.parametrize(
    ("role", "folder"), [("text_encoder", "clip"), ("i2v_high", "unet"), ("i2v_high", "diffusion_models")]
)
def test_the_other_folders_in_which_comfyui_looks(store: Path, role: str, folder: str) -> None:
    file = CATALOG.file(role)
    path = sparse(store / folder / file.name, file.bytes)
    assert one(store, role).path == path


def test_links_are_followed(tmp_path: Path, store: Path, vae: Path) -> None:
    real = vae.rename(tmp_path / "elsewhere.safetensors")
    vae.symlink_to(real)
    assert one(store).state == "ready"
    real.unlink()
    found = one(store)
    assert found.state == "missing" and "is a broken symbolic link: remove it" in found.words


def test_a_broken_link_is_skipped_as_in_comfyui(tmp_path: Path, store: Path, vae: Path) -> None:
    own = tmp_path / "ComfyUI" / "models"
    (own / "vae").mkdir(parents=True)
    (own / "vae" / VAE.name).symlink_to("gone")
    assert one(store, comfyui_models=own).path == vae


def test_circular_links(store: Path) -> None:
    folder = store / "vae"
    folder.mkdir(parents=True)
    (folder / VAE.name).symlink_to("other")
    (folder / "other").symlink_to(VAE.name)
    (store / "loras").symlink_to("loras")
    (folder / "again").symlink_to(store)
    found = one(store)
    assert found.state == "missing" and "is a circular symbolic link" in found.words
    lora = one(store, "lora_480p")
    assert lora.state == "missing" and f"{store / 'loras'} is a circular symbolic link" in lora.words


def test_a_folder_of_the_files_name(store: Path) -> None:
    (store / "vae" / VAE.name).mkdir(parents=True)
    found = one(store)
    assert found.state == "missing" and "is a folder, not a file" in found.words


def test_a_second_file_that_differs_in_case_is_noted(store: Path, vae: Path) -> None:
    twin = vae.with_name("WAN_2.1_vae.safetensors")
    sparse(twin, VAE.bytes)
    found = one(store)
    assert found.state == "ready" and f"{twin.name} lies beside it" in found.note
    vae.unlink()
    found = one(store)
    assert found.state == "missing" and found.elsewhere == twin
    assert f"differs in upper and lower case only: rename it to {VAE.name}" in found.words


def test_a_file_in_the_wrong_folder_is_found(store: Path, vae: Path) -> None:
    deeper = store / "vae" / "wan" / "2.1"
    deeper.mkdir(parents=True)
    vae = vae.rename(deeper / vae.name)
    assert one(store).state == "ready" and one(store).path == vae, "ComfyUI looks into subfolders"
    wrong = store / "loras" / "wan"
    wrong.mkdir(parents=True)
    vae = vae.rename(wrong / vae.name)
    found = one(store)
    assert found.state == "missing" and found.elsewhere == vae
    assert f"lies in {wrong}: move it to {store / 'vae'}" in found.words
    os.truncate(vae, 50)
    assert one(store).elsewhere is None, "a damaged one is no help"


@pytest.mark.full
def test_no_right_to_read(open_folder: Path) -> None:
    path = sparse(open_folder / "vae" / VAE.name, VAE.bytes)
    path.chmod(0)
    said = as_nobody(lambda: "{0.state} {0.words}".format(one(open_folder)))
    assert said.startswith("unreadable") and f"{path} may not be read. Give the user" in said
    path.chmod(0o644)
    assert as_nobody(lambda: one(open_folder).state) == "ready", "and the answer is not remembered"
    for mode in (0, 0o400):  # no list, no files
        path.parent.chmod(mode)
        said = as_nobody(lambda: "{0.state} {0.words}".format(one(open_folder)))
        assert said.startswith("unreadable") and "may not be read" in said
    path.parent.chmod(0o755)


def test_what_the_server_sees(store: Path, vae: Path) -> None:
    seen = {"vae": (VAE.name,), "loras": ()}
    assert one(store, server_models=seen).state == "ready"
    blind = one(store, server_models={"vae": ("other.safetensors",)})
    assert blind.state == "unseen" and "`python app.py models paths`" in blind.words
    old = one(store, server_models={"loras": ()})
    assert old.state == "unseen" and "no folder for vae" in old.words and "0.3.64" in old.words
    os.truncate(vae, 1000)
    assert one(store, server_models=seen).state == "damaged", "a bad file stays bad when it is seen"
    vae.unlink()
    elsewhere = one(store, server_models=seen)
    assert elsewhere.state == "ready" and elsewhere.path is None and "of its own" in elsewhere.note
    assert one(store, server_models={"vae": ()}).state == "missing"


def test_unseen_in_comfyuis_own_folder_is_no_matter_of_paths(tmp_path: Path, store: Path) -> None:
    own = tmp_path / "ComfyUI" / "models"
    sparse(own / "vae" / VAE.name, VAE.bytes)
    found = one(store, comfyui_models=own, server_models={"vae": ()})
    assert found.state == "unseen" and "models paths" not in found.words and "Restart" in found.words


def test_headers_are_read_once_until_the_file_changes(
    store: Path, vae: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one(store)
    monkeypatch.setattr(verify, "_data_end", lambda header: pytest.fail("read again"))
    assert one(store).state == "ready"
    monkeypatch.undo()
    os.truncate(vae, VAE.bytes - 5)
    assert one(store).state == "damaged"


def test_header_size_limit(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"\xff\xff\xff\xff\x00\x00\x00\x00" + b"{")
    os.truncate(path, 5_000_000_000)
    assert words(header_problem(path)) == "is not a safetensors file"


def test_a_hash_decides(tmp_path: Path) -> None:
    content = model_bytes("a", 5000)
    file = model("mine", content, "animate")
    catalog = Catalog((file, model("bare", content, sha256="")), "")
    (tmp_path / "vae").mkdir()
    path = tmp_path / "vae" / file.name
    for each in catalog.files:
        (tmp_path / "vae" / each.name).write_bytes(content)
    read: list[tuple[Path, str]] = []
    progress = Progress(print, verified=lambda *found: read.append(found))
    good, bare = (hashed(s, progress) for s in inventory(tmp_path, catalog=catalog))
    assert read == [(path, file.sha256)], "one that is not compared is not read"
    assert (good.state, good.note) == ("ready", "sha256 is right.")
    assert bare.state == "ready" and "No published sha256" in bare.note
    changed = bytearray(content)
    changed[-1] ^= 1
    path.write_bytes(changed)
    quick = inventory(tmp_path, catalog=catalog)[0]
    assert quick.state == "ready"
    bad = hashed(quick, Progress(print))
    assert bad.state == "damaged" and "sha256 differs" in bad.words and "Remove it" in bad.words
    path.unlink()
    gone = hashed(quick, Progress(print))
    assert gone.state == "unreadable" and "No such file" in gone.words, "gone meanwhile: said, not raised"
    missing = inventory(tmp_path, catalog=catalog)[0]
    assert hashed(missing, Progress(print)) == missing


def test_swapped_experts_by_their_hashes(tmp_path: Path) -> None:
    high, low = model_bytes("high", 5000), model_bytes("low", 5000)
    catalog = Catalog((model("high", high, "animate"), model("low", low, "animate")), "")
    (tmp_path / "vae").mkdir()
    (tmp_path / "vae" / "high.safetensors").write_bytes(low)
    found = hashed(inventory(tmp_path, catalog=catalog)[0], Progress(print), catalog)
    assert found.state == "unsuitable" and "is low.safetensors under another name" in found.words


def test_sha256_reports_progress(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"x" * 2500)
    heard: list[int] = []
    assert sha256(path, heard.append, chunk=1000) == hashlib.sha256(b"x" * 2500).hexdigest()
    assert heard == [1000, 1000, 500]


def test_a_large_store_is_not_searched_to_its_end(store: Path) -> None:
    for number in range(10):
        sparse(store / "a" / f"{number}.safetensors", 500)
    assert one(store, walk_files=3).state == "missing"


def test_states_are_frozen(store: Path) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        one(store).state = "ready"  # type: ignore[misc]
