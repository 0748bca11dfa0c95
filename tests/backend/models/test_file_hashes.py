"""Hashes of model files: each state of a file is read once, also across restarts, and none is mixed up."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.models import file_hashes
from backend.models.file_hashes import FileHashes, FileKey, file_key
from backend.models.hasher import Hasher, computed
from tests.support.waiting import SECONDS

DIGEST, OTHER = "ab" * 32, "cd" * 32


class Counting:
    """Computes hashes and remembers of which files, in their order. `hold` blocks it until it is set."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.priorities: set[int] = set()
        self.hold = threading.Event()
        self.hold.set()
        self.begun = threading.Event()

    def __call__(self, path: Path, on_bytes: Callable[[int], None]) -> str:
        self.read.append(path.name)
        self.priorities.add(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        self.begun.set()
        assert self.hold.wait(SECONDS)
        on_bytes(1)
        return computed(path, on_bytes)


def written(path: Path, content: bytes) -> FileKey:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    key = file_key(path)
    assert key is not None
    return key


@pytest.fixture
def counting() -> Counting:
    return Counting()


@pytest.fixture
def hasher(tmp_path: Path, counting: Counting) -> Iterator[Hasher]:
    made = Hasher(FileHashes(tmp_path / "data" / "hashes.json"), counting)
    yield made
    counting.hold.set()
    made.close()


def test_each_file_is_read_once_small_ones_first(tmp_path: Path, hasher: Hasher, counting: Counting) -> None:
    first = written(tmp_path / "first", b"1" * 10)
    counting.hold.clear()
    hasher.ask([first])
    assert counting.begun.wait(SECONDS)
    sizes = {"large": 3_000_000, "small": 20, "middle": 1000}
    keys = {name: written(tmp_path / name, name.encode() * size) for name, size in sizes.items()}
    hasher.ask([*keys.values(), *keys.values(), first])
    assert not hasher.wait(keys.values(), 0.01) and hasher.known(first) == ""
    counting.hold.set()
    assert hasher.wait([first, *keys.values()], SECONDS)
    assert counting.read == ["first", "small", "middle", "large"] and counting.priorities == {19}
    for name, key in keys.items():
        assert hasher.known(key) == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    again = Hasher(FileHashes(tmp_path / "data" / "hashes.json"), counting)
    again.ask(keys.values())
    assert again.wait(keys.values(), 0) and all(map(again.known, keys.values())), "after a restart"
    assert len(counting.read) == 4
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "small")
    assert file_key(link) == keys["small"], "a link is its file"


def test_a_file_that_changes_meanwhile_gets_no_hash(
    tmp_path: Path, hasher: Hasher, counting: Counting
) -> None:
    path = tmp_path / "a"
    before = written(path, b"before")
    counting.hold.clear()
    hasher.ask([before])
    assert counting.begun.wait(SECONDS)
    path.write_bytes(b"afterwards")
    after = file_key(path)
    assert after is not None
    counting.hold.set()
    assert hasher.wait([before], SECONDS) and hasher.known(before) == "" == hasher.known(after)
    hasher.ask([after])
    assert hasher.wait([after], SECONDS)
    assert hasher.known(after) == hashlib.sha256(b"afterwards").hexdigest()
    assert hasher.known(before) == ""


def test_what_cannot_be_read_holds_nothing_up(tmp_path: Path, hasher: Hasher) -> None:
    gone, there = written(tmp_path / "a", b"a"), written(tmp_path / "bb", b"bb")
    (tmp_path / "a").unlink()
    folder = file_key(tmp_path / "data")
    hasher.ask([key for key in (gone, folder, there) if key is not None])
    assert hasher.wait([gone, there], SECONDS) and hasher.known(there) and not hasher.known(gone)
    assert file_key(tmp_path / "none") is None and file_key(tmp_path / "a\0b") is None


def test_closing_stops_within_a_file(tmp_path: Path, hasher: Hasher, counting: Counting) -> None:
    key, later = written(tmp_path / "a", b"a"), written(tmp_path / "bb", b"bb")
    counting.hold.clear()
    hasher.ask([key, later])
    assert counting.begun.wait(SECONDS)
    closing = threading.Thread(target=hasher.close)
    closing.start()
    assert hasher.wait([key], SECONDS), "nobody waits for a hasher that is closed"
    counting.hold.set()
    closing.join(SECONDS)
    assert not closing.is_alive() and counting.read == ["a"] and not hasher.known(key)
    hasher.ask([later])
    assert counting.read == ["a"]


def test_two_processes_share_the_file(tmp_path: Path) -> None:
    stored = tmp_path / "hashes.json"
    one, other = FileHashes(stored), FileHashes(stored)
    first, second = written(tmp_path / "a", b"a"), written(tmp_path / "b", b"b")
    one.put(first, DIGEST)
    other.put(second, OTHER)
    assert (one.get(second), other.get(first)) == (OTHER, DIGEST)
    assert stored.stat().st_mode & 0o077 == 0, "it holds paths"
    newer = FileKey(first.size, first.path, first.changed + 1)
    assert one.get(newer) == ""
    one.put(newer, OTHER)
    assert (other.get(newer), other.get(first)) == (OTHER, "")
    one.note(tmp_path / "a", DIGEST)
    assert other.get(first) == DIGEST
    one.note(tmp_path / "none", DIGEST)
    one.note(tmp_path / "b", "no hash")
    assert other.get(second) == OTHER


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{", '{"a": 1}', '{"a": [1, 2]}', f'{{"a": ["1", 2, "{DIGEST}"]}}', '{"a": [1, 1, "x"]}',
        "[" * 9999,
    ],
)  # fmt: skip
def test_a_damaged_file_is_written_again(tmp_path: Path, text: str) -> None:
    stored = tmp_path / "hashes.json"
    stored.write_text(text)
    key = written(tmp_path / "a", b"a")
    hashes = FileHashes(stored)
    assert hashes.get(key) == ""
    hashes.put(key, DIGEST)
    assert FileHashes(stored).get(key) == DIGEST and json.loads(stored.read_text()).keys() == {key.path}


def test_the_oldest_entries_go_and_a_folder_that_cannot_be_written_is_no_fault(tmp_path: Path) -> None:
    hashes = FileHashes()
    keys = [FileKey(1, f"/{number}", 1) for number in range(file_hashes.ENTRIES_MAX + 2)]
    for key in keys:
        hashes.put(key, DIGEST)
    known = [bool(hashes.get(key)) for key in (keys[0], keys[1], keys[2], keys[-1])]
    assert known == [False, False, True, True]
    (tmp_path / "file").write_text("")
    blocked = FileHashes(tmp_path / "file" / "hashes.json")
    blocked.put(keys[0], DIGEST)
    assert blocked.get(keys[0]) == DIGEST
