"""Files of unsent forms: kept for their owner alone, within limits, and counted like videos."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from backend.errors import BadInput, DiskFull, NotAllowed, NotFound, OverQuota
from backend.security.tokens import owner_id
from backend.storage.drafts import DAY, DraftLimits, Drafts
from tests.support.data_folder import BLOCK, DataFolder

ME, YOU = "owner-token-of-me-0001", "owner-token-of-you-0002"
FIRST, SECOND, THIRD = "1" * 32, "2" * 32, "3" * 32
MB = 1_000_000


class Room:
    """A quota that remembers what was counted, and refuses more than `free`."""

    def __init__(self, free: int = 10**12) -> None:
        self.free, self.counted = free, dict[str, int]()

    def admit(self, owner: str, need: int) -> None:
        if need > self.free:
            raise DiskFull("The disk is full.")

    def count_drafts(self, owner: str, size: int) -> None:
        self.counted[owner] = size


class Scene:
    """Drafts in a folder, with a clock and a room for files of its own."""

    def __init__(self, folder: Path, **limits: float) -> None:
        self.folder, self.now, self.room = folder, 1_790_000_000.0, Room()
        chosen = replace(DraftLimits(), **limits)  # type: ignore[arg-type]
        self.drafts = Drafts(folder / "data", chosen, self.room, wall=lambda: self.now)

    def upload(self, name: str = "fjord.jpg", content: bytes = b"picture") -> Path:
        path = self.folder / "uploads" / os.urandom(20).hex() / name
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        return path

    def files(self) -> list[str]:
        found = (self.folder / "data").rglob("*")
        return sorted(path.name for path in found if path.is_file() and path.suffix != ".json")


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Scene]:
    return lambda **limits: Scene(tmp_path, **limits)


def test_a_file_is_kept_under_its_name_without_a_suffix(make: Callable[..., Scene]) -> None:
    scene = make()
    source = scene.upload("my fjord.mp4", b"0" * 500)
    id = scene.drafts.keep(ME, FIRST, source)
    found = scene.drafts.file(ME, FIRST, id)
    assert found.name == "my fjord.mp4" and found.path.read_bytes() == b"0" * 500
    assert found.path.suffix == "" and found.path.samefile(source)
    assert list((scene.folder / "data").rglob("*.mp4")) == [], "one .mp4 per finished video, and no other"
    source.unlink()
    assert found.path.exists() and scene.room.counted == {owner_id(ME): 500}
    assert ME not in str(found.path)


def test_the_same_file_is_kept_once(make: Callable[..., Scene]) -> None:
    scene = make()
    source = scene.upload(content=b"0" * 300)
    linked, copied = scene.upload("a.png"), scene.upload("b.png", b"0" * 300)
    linked.unlink()
    os.link(source, linked)
    id = scene.drafts.keep(ME, FIRST, source)
    assert {scene.drafts.keep(ME, FIRST, path) for path in (linked, copied)} == {id}
    assert scene.drafts.keep(ME, FIRST, scene.upload(content=b"1" * 300)) != id
    assert scene.drafts.keep(ME, SECOND, source) != id, "each draft has its own"


@pytest.mark.parametrize(
    ("owner", "draft", "id"),
    [
        (YOU, FIRST, ""), (ME, SECOND, ""), ("", FIRST, ""), (ME, f"../{owner_id(ME)}/{FIRST}", ""),
        (ME, FIRST, "f" * 32), (ME, FIRST, f"../{FIRST}/"), (ME, "..", ""), (ME, FIRST, ".json"),
    ],
)  # fmt: skip
def test_other_owners_cannot_read_it(make: Callable[..., Scene], owner: str, draft: str, id: str) -> None:
    """id: "" is the id of the file, a path ending with / leads to it."""
    scene = make()
    kept = scene.drafts.keep(ME, FIRST, scene.upload())
    with pytest.raises(NotFound):
        scene.drafts.file(owner, draft, f"{id}{kept}" if not id or id.endswith("/") else id)


def test_links_in_the_folder_lead_nowhere(make: Callable[..., Scene]) -> None:
    scene = make()
    secret = scene.upload("secret", b"secret")
    kept = scene.drafts.file(ME, FIRST, scene.drafts.keep(ME, FIRST, scene.upload()))
    kept.path.unlink()
    kept.path.symlink_to(secret)
    with pytest.raises(NotFound):
        scene.drafts.file(ME, FIRST, kept.path.name)
    scene.drafts.retain(ME, FIRST, [])
    assert secret.exists()
    (scene.drafts.root / owner_id(ME)).mkdir(exist_ok=True)
    (scene.drafts.root / owner_id(ME) / SECOND).symlink_to(secret.parent, target_is_directory=True)
    with pytest.raises(BadInput):
        scene.drafts.keep(ME, SECOND, scene.upload())
    scene.drafts.retain(ME, SECOND, [])
    scene.now += 99 * DAY
    scene.drafts.remove_expired()
    assert secret.read_bytes() == b"secret"


def test_names_that_were_tampered_with_are_refused(make: Callable[..., Scene]) -> None:
    scene = make()
    kept = scene.drafts.file(ME, FIRST, scene.drafts.keep(ME, FIRST, scene.upload()))
    named = kept.path.with_name(f"{kept.path.name}.json")
    for content in ("", "[]", "{}", '{"name": 3}', json.dumps({"name": "../../a"}), "[" * 5000):
        named.write_text(content)
        with pytest.raises(NotFound):
            scene.drafts.file(ME, FIRST, kept.path.name)


@pytest.mark.parametrize("draft", ["", "..", "x" * 32, "1" * 31, "1" * 33, "1" * 31 + "\n"])
def test_ids_and_tokens_are_checked(make: Callable[..., Scene], draft: str) -> None:
    scene = make()
    with pytest.raises(BadInput):
        scene.drafts.keep(ME, draft, scene.upload())
    with pytest.raises(BadInput):
        scene.drafts.retain(ME, draft, [])
    with pytest.raises(NotAllowed):
        scene.drafts.keep("short", FIRST, scene.upload())
    assert scene.files() == []


def test_what_a_form_no_longer_has_is_removed(make: Callable[..., Scene]) -> None:
    scene = make()
    ids = [scene.drafts.keep(ME, FIRST, scene.upload(content=bytes([n]) * 100)) for n in range(3)]
    other = scene.drafts.keep(YOU, FIRST, scene.upload())
    scene.drafts.retain(ME, FIRST, ids[:1])
    assert scene.files() == sorted([ids[0], other]) and scene.room.counted[owner_id(ME)] == 100
    scene.drafts.retain(ME, FIRST, [])
    assert scene.files() == [other] and scene.room.counted[owner_id(ME)] == 0
    assert not (scene.drafts.root / owner_id(ME) / FIRST).exists()
    scene.drafts.retain(ME, THIRD, [])  # a draft without files


def test_the_oldest_other_drafts_make_room(make: Callable[..., Scene]) -> None:
    scene = make(owner_bytes=1000, files=3)
    old = scene.drafts.keep(ME, FIRST, scene.upload(content=b"1" * 400))
    scene.now += 60
    newer = scene.drafts.keep(ME, SECOND, scene.upload(content=b"2" * 400))
    yours = scene.drafts.keep(YOU, FIRST, scene.upload(content=b"3" * 400))
    scene.now += 60
    third = scene.drafts.keep(ME, THIRD, scene.upload(content=b"4" * 400))
    assert scene.files() == sorted([newer, yours, third]) and old not in scene.files()
    with pytest.raises(OverQuota, match="0 MB in 3 files"):
        scene.drafts.keep(ME, THIRD, scene.upload(content=b"5" * 700))
    assert third in scene.files(), "a draft does not lose its own files"
    for number in range(2):
        scene.drafts.keep(ME, THIRD, scene.upload(content=bytes([number])))
    with pytest.raises(OverQuota):
        scene.drafts.keep(ME, THIRD, scene.upload(content=b"one more"))


def test_a_full_disk_refuses_and_leaves_nothing(make: Callable[..., Scene]) -> None:
    scene = make()
    scene.room.free = 10
    with pytest.raises(DiskFull):
        scene.drafts.keep(ME, FIRST, scene.upload(content=b"1" * 400))
    gone = scene.upload()
    gone.unlink()
    with pytest.raises(Exception, match=r"."):
        scene.drafts.keep(ME, FIRST, gone)
    assert scene.files() == []


def test_a_draft_that_is_not_used_expires(make: Callable[..., Scene]) -> None:
    scene = make(days=14)
    unused = scene.drafts.keep(ME, FIRST, scene.upload(content=b"1"))
    used = scene.drafts.keep(ME, SECOND, scene.upload(content=b"2"))
    scene.now += 10 * DAY
    scene.drafts.retain(ME, SECOND, [used])
    scene.now += 5 * DAY
    scene.drafts.remove_expired()
    assert scene.files() == [used] and unused not in scene.files()
    scene.now += 15 * DAY
    scene.drafts.remove_expired()
    assert list(scene.drafts.root.iterdir()) == [] and scene.room.counted[owner_id(ME)] == 0


# -- with the studio's own quota and cleaner ------------------------------------------------------


@pytest.fixture
def data(tmp_path: Path) -> Iterator[DataFolder]:
    folder = DataFolder(tmp_path, 4_000 * MB, owner_bytes=100 * MB)
    yield folder
    folder.store.close()


def filled(folder: Path, size: int) -> Path:
    path = folder / os.urandom(20).hex() / "a.png"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)
    return path


def test_drafts_count_into_the_quota(data: DataFolder) -> None:
    mine = owner_id(ME)
    id = data.retention.drafts.keep(ME, FIRST, filled(data.cache, 60 * MB))
    for number in range(2):  # as counted when it was kept, and as measured after a restart
        assert data.submit(mine, 50 * MB) is None and data.failures[-1].code == OverQuota.code
        assert data.submit(f"another-{number}", 50 * MB) is not None
        data.restart()
    with pytest.raises(OverQuota):
        data.retention.drafts.keep(ME, FIRST, filled(data.cache, 50 * MB))
    data.retention.drafts.retain(ME, FIRST, [])
    assert data.submit(mine, 50 * MB) is not None and id


def test_a_draft_removes_no_video(data: DataFolder) -> None:
    mine = owner_id(ME)
    clip = data.clip(mine, 90 * MB)
    with pytest.raises(OverQuota):
        data.retention.drafts.keep(ME, FIRST, filled(data.cache, 20 * MB))
    data.retention.drafts.keep(ME, FIRST, filled(data.cache, 2 * BLOCK))
    data.retention.run_once()
    assert data.clips() == {mine: {clip.id}}


def test_the_cleaner_removes_drafts_and_old_uploads(data: DataFolder) -> None:
    swept: list[float] = []
    data.retention._sweep_uploads = swept.append
    data.wall = data.steady = float(1_790_000_000)
    data.retention.drafts.keep(ME, FIRST, filled(data.cache, BLOCK))
    data.retention.run_once()
    assert swept == [data.wall - DAY] and (data.retention.drafts.root / owner_id(ME) / FIRST).exists()
    data.pass_by(15 * DAY)
    data.retention.run_once()
    assert not (data.retention.drafts.root / owner_id(ME)).exists() and len(swept) == 2
    data.retention.drafts.keep(ME, FIRST, filled(data.cache, BLOCK))
    data.wall += 400 * DAY  # the clock jumps: no age can be relied on
    data.retention.run_once()
    assert (data.retention.drafts.root / owner_id(ME) / FIRST).exists() and len(swept) == 2
