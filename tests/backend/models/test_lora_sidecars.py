"""Trigger words and titles in files beside a LoRA, as programs that manage models write them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.models.lora_files import LoraFiles
from backend.models.lora_header import LoraHeaders
from backend.models.lora_pictures import ADDED, BESIDE, VIDEOS, _beside
from backend.models.lora_rows import LoraServer, lora_rows
from backend.models.lora_sidecars import NOTHING, SIZE_MAX, Folders, Sidecar, Sidecars
from backend.models.lora_words import WORDS_MAX
from backend.models.roots import Roots
from tests.support.lora_files import write_lora
from workflows.graph.lora_file import LIST
from workflows.graph.node_contract import ServerFacts


def said(folder: Path, name: str, data: object) -> Sidecar:
    """What is read of a.safetensors with one file beside it."""
    (folder / "a.safetensors").touch()
    text = data if isinstance(data, bytes) else json.dumps(data).encode()
    (folder / name).write_bytes(text)
    try:
        return Sidecars(Folders()).of(folder / "a.safetensors")
    finally:
        (folder / name).unlink()


@pytest.mark.parametrize(
    ("name", "data", "words", "title"),
    [
        ("a.json", {"activation text": "1nk, soft", "sd version": "Unknown"}, ("1nk", "soft"), ""),
        ("A.JSON", {"activation text": "1nk"}, ("1nk",), ""),
        ("a.safetensors.json", {"activation text": "1nk"}, ("1nk",), ""),
        (
            "a.civitai.info", {"trainedWords": ["1nk", "w4sh, x"], "model": {"name": "Ink"}},
            ("1nk", "w4sh", "x"), "Ink",
        ),
        (
            "a.metadata.json",
            {"model_name": "Ink wash", "civitai": {"trainedWords": ["1nk"]}, "preview_url": "/x.png"},
            ("1nk",), "Ink wash",
        ),
        ("a.metadata.json", {"file_name": "a", "civitai": None, "trainedWords": ["1nk"]}, ("1nk",), ""),
        ("a.cm-info.json", {"ModelName": "Ink", "TrainedWords": ["1nk"]}, ("1nk",), "Ink"),
        ("a.swarm.json", {"modelspec.trigger_phrase": "1nk", "modelspec.title": "Ink"}, ("1nk",), "Ink"),
        (
            "a.safetensors.rgthree-info.json",
            {"trainedWords": [{"word": "1nk", "civitai": True}, {"word": 3}, 5]}, ("1nk",), "",
        ),
        ("a.json", {"metadata": {"trigger_words": ["1nk"]}}, ("1nk",), ""),
    ],
)  # fmt: skip
def test_each_spelling(tmp_path: Path, name: str, data: object, words: tuple[str, ...], title: str) -> None:
    assert said(tmp_path, name, data) == Sidecar(words, title)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"[", b"null", b"3", b'"x"', b"[1, 2]", b"\xff\xfe{}", b"\x00" * 50, b"[" * 100_000,
        {"activation text": 5}, {"activation text": None}, {"trainedWords": {"a": 1}},
        {"trainedWords": [None, 1]},
        {"trainedWords": [["x"]]}, {"civitai": [1], "model": 3, "model_name": ["x"]}, {"model": {"name": 5}},
        {"activation text": "  ,\n, "}, b'{"activation text": "' + b"x" * SIZE_MAX + b'"}',
    ],
)  # fmt: skip
def test_what_has_another_form_says_nothing(tmp_path: Path, data: object) -> None:
    assert said(tmp_path, "a.json", data) == NOTHING


def test_words_are_few_short_lines(tmp_path: Path) -> None:
    found = said(tmp_path, "a.json", {"activation text": "a\0b\u202ec\n d, " + "w" * 9_000})
    assert found.words[0] == "a b c d" and len(found.words[1]) <= 120
    many = said(tmp_path, "a.json", {"activation text": ",".join(f"w{n}" for n in range(5_000))})
    assert len(many.words) == WORDS_MAX
    marked = said(tmp_path, "a.json", b'\xef\xbb\xbf{"activation text": "1nk"}')
    assert marked.words == ("1nk",), "with a byte order mark"


def test_what_the_owner_wrote_comes_first(tmp_path: Path) -> None:
    path = write_lora(tmp_path / "loras" / "a.safetensors", metadata={"modelspec.trigger_phrase": "inside"})
    tags = {"ss_tag_frequency": json.dumps({"x": {"tagged": 9}})}
    write_lora(tmp_path / "loras" / "b.safetensors", metadata=tags)
    files = LoraFiles(("a.safetensors", "b.safetensors"), Roots(tmp_path), LoraHeaders(), Sidecars(Folders()))
    assert files.words("a.safetensors") == ("inside",) and files.words("b.safetensors") == ("tagged",)
    civitai = path.with_name("a.civitai.info")
    civitai.write_text(json.dumps({"trainedWords": ["published"], "model": {"name": "Ink"}}))
    assert files.words("a.safetensors") == ("published",) and files.title("a.safetensors") == "Ink"
    own = path.with_name("a.json")
    own.write_text(json.dumps({"activation text": "mine"}))
    assert files.words("a.safetensors") == ("mine",)
    own.write_text(json.dumps({"activation text": "changed"}))
    assert files.words("a.safetensors") == ("changed",), "a file that was edited is read again"
    server = ServerFacts(frozenset(), {LIST: files.names}, loras=files)
    rows = lora_rows([LoraServer("a", files, server)], search="changed ink")
    assert [(row.name, row.words, row.title) for row in rows] == [("a.safetensors", ("changed",), "Ink")]


def test_a_lora_that_is_a_json_file_by_name_is_not_its_own_sidecar(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"activation text": "x"}')
    assert Sidecars(Folders()).of(tmp_path / "a.json") == NOTHING
    (tmp_path / "b.safetensors").touch()
    (tmp_path / "b.json").mkdir()
    assert Sidecars(Folders()).of(tmp_path / "b.safetensors") == NOTHING
    assert Sidecars(Folders()).of(tmp_path / "gone" / "c.safetensors") == NOTHING


@pytest.mark.parametrize("ending", [*BESIDE, *VIDEOS, ".PNG", ".Preview.JPG"])
def test_pictures_in_every_spelling_are_found(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "a b.c.safetensors"
    path.touch()
    assert _beside(path) is None
    picture = tmp_path / f"a b.c{ending}"
    picture.write_bytes(b"x")
    assert _beside(path) == picture
    for added in ADDED:
        picture.unlink(missing_ok=True)
        picture = tmp_path / f"{path.name}{added}"
        picture.write_bytes(b"x")
        assert _beside(path) == picture
