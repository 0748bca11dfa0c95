"""Presets in the data folder: what is kept and for whom, limits, restarts, concurrent saves, forged input."""

from __future__ import annotations

import base64
import json
import random
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from backend.errors import BadInput, DiskFull, NotAllowed, NotFound, OverQuota
from backend.security.tokens import new_token, owner_id
from backend.storage import preset_text
from backend.storage.presets import FOLDER, PresetLimits, Presets
from tests.support.legal_values import legal
from workflows.modes.presets import SHIPPED, Preset
from workflows.modes.registry import MODES

ANN, BOB = new_token(), new_token()
MODE = "image_to_video"
VALUES = {"speed": "quality", "motion": "dynamic", "seconds": 3.0, "seed": 7, "prompt": "A boat"}


def free(owner: str, need: int) -> None:
    """There is room."""


@pytest.fixture
def presets(tmp_path: Path) -> Presets:
    return Presets(tmp_path, free)


def save(presets: Presets, name: str = "Mine", owner: str = ANN, id: str = "", **more: Any) -> Preset:
    id = id or f"{random.getrandbits(64):032x}"
    return presets.save(owner, id, more.pop("mode", MODE), name, {**VALUES, **more.pop("values", {})}, **more)


def names(presets: Presets, owner: str = ANN) -> list[str]:
    return [one.name for one in presets.of(owner).presets]


def stored(presets: Presets, owner: str = ANN) -> Path:
    return presets.root / f"{owner_id(owner)}.json"


# what is kept


@pytest.mark.parametrize("mode", MODES)
def test_all_settings_come_back_after_a_restart(mode: str, tmp_path: Path) -> None:
    for number in range(12):
        values = legal(mode, random.Random(number))
        saved = save(Presets(tmp_path, free), f"Number {number}", mode=mode, values=values, sentence=True)
        found = Presets(tmp_path, free).find(ANN, saved.id)
        assert (found.mode, found.name, found.left_out) == (mode, f"Number {number}", ())
        assert found.values == saved.values
        spec = MODES[mode]
        part = {spec.trim.start, spec.trim.length} if spec.trim else set()
        assert found.values.keys() == {field.name for field in spec.fields} - {"seed"} - part


def test_the_prompt_is_kept_on_request_and_the_seed_never(presets: Presets) -> None:
    plain, whole = save(presets), save(presets, "Whole", sentence=True)
    assert "prompt" not in plain.values and whole.values["prompt"] == "A boat"
    assert "seed" not in whole.values
    assert "A boat" not in json.dumps([presets.find(ANN, plain.id).values])


def test_another_visitor_sees_and_changes_nothing(presets: Presets) -> None:
    mine = save(presets)
    presets.set_default(ANN, MODE, mine.id)
    assert presets.of(BOB).presets == () and presets.of(BOB).defaults == {}
    for call in (
        lambda: presets.find(BOB, mine.id),
        lambda: presets.rename(BOB, mine.id, "Stolen"),
        lambda: presets.set_default(BOB, MODE, mine.id),
    ):
        with pytest.raises(NotFound):
            call()
    presets.remove(BOB, mine.id)
    save(presets, "Bob's", BOB, mine.id)  # an id that is known gives nothing
    assert names(presets) == ["Mine"] and presets.of(ANN).defaults == {MODE: mine.id}


@pytest.mark.parametrize("token", ["", "x", "../../etc/passwd", "a" * 500, None, 5])
def test_who_has_no_token_has_no_presets(token: Any, presets: Presets) -> None:
    assert presets.of(token).presets == ()
    for call in (
        lambda: save(presets, owner=token),
        lambda: presets.rename(token, "a" * 32, "x"),
        lambda: presets.remove(token, "a" * 32),
        lambda: presets.set_default(token, MODE, ""),
    ):
        with pytest.raises(NotAllowed):
            call()
    assert not presets.root.exists()


def test_other_users_of_the_machine_cannot_look_into_the_folder(presets: Presets) -> None:
    save(presets)
    assert presets.root.stat().st_mode & 0o077 == 0
    assert presets.root.name == FOLDER and ANN not in stored(presets).name


# names, defaults


def test_a_name_is_there_once_for_each_mode(presets: Presets) -> None:
    first = save(presets, "Calm")
    with pytest.raises(BadInput) as error:
        save(presets, " CALM ")
    assert error.value.field == "name" and "already" in error.value.message
    save(presets, "Calm", mode="text_to_video")
    other = save(presets, "Other")
    with pytest.raises(BadInput):
        presets.rename(ANN, other.id, "calm")
    replaced = save(presets, "calm", values={"seconds": 8.0}, replaces=True)
    assert replaced.id == first.id and presets.find(ANN, first.id).values["seconds"] == 8.0
    assert sorted(names(presets)) == ["Calm", "Other", "calm"]


def test_a_call_that_comes_twice_changes_nothing_more(presets: Presets) -> None:
    for _ in range(2):
        save(presets, id="a" * 32, default=True)
    assert names(presets) == ["Mine"]
    for _ in range(2):
        presets.rename(ANN, "a" * 32, "Renamed")
        presets.set_default(ANN, MODE, "a" * 32)
    assert names(presets) == ["Renamed"] and presets.of(ANN).defaults == {MODE: "a" * 32}
    for _ in range(2):
        presets.remove(ANN, "a" * 32)
    assert presets.of(ANN).presets == () and presets.of(ANN).defaults == {}


def test_a_shipped_preset_can_be_the_default_and_nothing_else(presets: Presets) -> None:
    for one in SHIPPED:
        presets.set_default(ANN, one.mode, one.id)
        assert presets.of(ANN).defaults[one.mode] == one.id
        with pytest.raises(BadInput):
            presets.rename(ANN, one.id, "Mine")
        with pytest.raises(BadInput):
            presets.remove(ANN, one.id)
    with pytest.raises(NotFound):
        presets.set_default(ANN, "animate", SHIPPED[0].id)
    presets.set_default(ANN, MODE, "")
    assert MODE not in presets.of(ANN).defaults


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("  Calm \n camera\t", "Calm camera"), ("夜の海 🎬", "夜の海 🎬"), ("<b>&\"'</b>", "<b>&\"'</b>"),
        ("a\x00b\u202ec\u2028d\ud800", "a b c d"), ("x" * 60, "x" * 60),
        ("👩\u200d🎨 \u2067شب\u2069", "👩\u200d🎨 شب"), ("می\u200cخواهم", "می\u200cخواهم"),
        ("a\u200db\u200c", "ab"), ("cafe\u0301", "café"),
    ],
)  # fmt: skip
def test_names_are_one_line(given: str, kept: str, presets: Presets) -> None:
    assert save(presets, given).name == kept
    assert names(presets) == [kept]


@pytest.mark.parametrize("name", ["", " \n\t ", "\x00\x01", "\u200d\u200c", "x" * 61, "🎬" * 61, "x" * 10**6])
def test_unusable_names_are_refused(name: str, presets: Presets) -> None:
    with pytest.raises(BadInput) as error:
        save(presets, name)
    assert error.value.field == "name" and not presets.root.exists()


# limits


def test_presets_are_few_and_small(tmp_path: Path) -> None:
    presets = Presets(tmp_path, free, PresetLimits(count=3, bytes=3_000, owners=1))
    for name in "abc":
        save(presets, name)
    before = stored(presets).read_bytes()
    with pytest.raises(OverQuota, match="3 presets"):
        save(presets, "d")
    with pytest.raises(BadInput, match="kB"):
        save(presets, "a", values={"negative_prompt": "夜" * 1_000}, replaces=True)
    with pytest.raises(OverQuota):
        save(presets, owner=BOB)
    assert stored(presets).read_bytes() == before
    save(presets, "a", replaces=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seconds", 99.0),
        ("width", 17),
        ("speed", "warp"),
        ("loras", "[{}]"),
        ("steps", float("nan")),
        ("cfg", []),
    ],
)
def test_values_out_of_their_limits_are_refused_with_their_field(
    name: str, value: Any, presets: Presets
) -> None:
    with pytest.raises(BadInput) as error:
        save(presets, values={name: value})
    assert error.value.field == name and not presets.root.exists()


@pytest.mark.parametrize("id", ["", "x", "A" * 32, "../" * 10, "a" * 33, "quick_draft"])
def test_ids_are_hexadecimal(id: str, presets: Presets) -> None:
    with pytest.raises(BadInput):
        presets.save(ANN, id, MODE, "Mine", VALUES)


def test_a_full_disk_leaves_what_there_was(tmp_path: Path) -> None:
    full = False

    def admit(owner: str, need: int) -> None:
        if full:
            raise DiskFull.of("disk_is_full")

    presets = Presets(tmp_path, admit)
    save(presets)
    full = True
    with pytest.raises(DiskFull):
        save(presets, "Second")
    assert names(presets) == ["Mine"]


def test_concurrent_saves_are_all_kept(tmp_path: Path) -> None:
    presets = Presets(tmp_path, free)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: save(presets, f"Number {number:02}"), range(40)))
    assert names(Presets(tmp_path, free)) == [f"Number {number:02}" for number in range(40)]


# files of other versions, and damaged ones


def test_what_a_later_version_wrote_is_kept_and_not_shown(presets: Presets) -> None:
    save(presets)
    data = json.loads(stored(presets).read_text("utf-8"))
    later = {"id": "b" * 32, "name": "Later", "settings": {"version": 99, "mode": MODE, "values": {}}}
    gone = {"id": "c" * 32, "name": "Gone", "settings": {"version": 3, "mode": "painting", "values": {}}}
    data["presets"] += [later, gone, {"id": "d" * 32, "name": "Empty"}]
    data["defaults"] = {MODE: "b" * 32, "painting": "c" * 32}
    data["more"] = [1]
    stored(presets).write_text(json.dumps(data), "utf-8")
    assert names(presets) == ["Mine"] and presets.of(ANN).defaults == {}
    save(presets, "Second")
    after = json.loads(stored(presets).read_text("utf-8"))
    assert later in after["presets"] and gone in after["presets"] and after["more"] == [1]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b'{"presets": 5, "defaults": {}}', b'{"presets": [5], "defaults": {}}',
        b"\xff\xfe", b"[" * 100_000, b'{"presets": [], "defaults": []}',
        b'{"presets": [{"id": 1, "name": "x"}], "defaults": {}}',
    ],
    ids=range(9),
)  # fmt: skip
def test_a_damaged_file_is_put_aside(content: bytes, presets: Presets) -> None:
    save(presets)
    stored(presets).write_bytes(content)
    assert presets.of(ANN).presets == ()
    save(presets, "Next")
    assert names(presets) == ["Next"]
    assert stored(presets).with_name(f"{stored(presets).name}.unread").read_bytes() == content


def test_values_that_this_version_lacks_are_named(presets: Presets) -> None:
    mine = save(presets)
    data = json.loads(stored(presets).read_text("utf-8"))
    data["presets"][0]["settings"]["values"] |= {"motion": "wild", "sharpness": 3}
    stored(presets).write_text(json.dumps(data), "utf-8")
    found = presets.find(ANN, mine.id)
    assert found.left_out == ("motion", "sharpness") and found.values["speed"] == "quality"


# passing on


@pytest.mark.parametrize("mode", MODES)
def test_files_and_links_bring_the_same(mode: str) -> None:
    for number in range(20):
        values = legal(mode, random.Random(number))
        values.pop("seed")
        preset = preset_text.loaded("Calm", {"version": 3, "mode": mode, "values": values})
        assert preset_text.from_file(preset_text.to_file(preset)) == preset
        try:
            link = preset_text.to_link(preset)
        except BadInput as error:
            assert error.why.code == "preset_link_long"
        else:
            assert len(link) <= preset_text.LINK_MAX and preset_text.LINK.fullmatch(link)
            assert preset_text.from_link(link) == preset


def test_a_usual_preset_fits_into_a_short_link(presets: Presets) -> None:
    shared = presets.shared(save(presets, "Calm"))
    assert len(shared["link"]) < 700 and not shared["said"]
    assert shared["name"] == "Calm.wanpreset.json"
    assert presets.read_link(shared["link"]).values == presets.read(shared["file"].encode()).values


def test_what_is_too_long_for_a_link_is_shared_as_a_file(presets: Presets) -> None:
    noise = "".join(chr(random.Random(n).randrange(33, 127)) for n in range(3_900))
    shared = presets.shared(save(presets, sentence=True, values={"prompt": noise}))
    assert not shared["link"] and "file" in shared["said"]
    assert presets.read(shared["file"].encode()).values["prompt"] == noise


@pytest.mark.parametrize(
    ("name", "file"),
    [("a/b\\c", "a b c"), ("..", "preset"), ('x"<>|?*', "x"), ("夜", "夜"), (" .hidden", "hidden")],
)
def test_file_names_are_safe(name: str, file: str) -> None:
    preset = Preset(mode=MODE, name=name, values={})
    assert preset_text.file_name(preset) == f"{file}.wanpreset.json"


def packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(zlib.compress(data, 9)).decode().rstrip("=")


GOOD = {"preset": 1, "name": "Calm", "settings": {"version": 3, "mode": MODE, "values": {"motion": "subtle"}}}
BAD: list[Any] = [
    None, [], 5, "x", {}, {**GOOD, "preset": 0}, {**GOOD, "preset": True}, {**GOOD, "preset": "1"},
    {**GOOD, "preset": 2}, {**GOOD, "name": ""}, {**GOOD, "name": 5}, {**GOOD, "name": "x" * 61},
    {**GOOD, "settings": None}, {**GOOD, "settings": {"version": 3, "mode": "paint", "values": {}}},
    {**GOOD, "settings": {"version": 99, "mode": MODE, "values": {}}},
    {"preset": 1, "name": "x"},
]  # fmt: skip


@pytest.mark.parametrize("data", BAD, ids=range(len(BAD)))
def test_forged_files_and_links_are_refused_in_a_sentence(data: Any) -> None:
    text = json.dumps(data).encode()
    for read in (lambda: preset_text.from_file(text), lambda: preset_text.from_link(packed(text))):
        with pytest.raises(BadInput) as error:
            read()
        assert error.value.message.endswith(".")


@pytest.mark.parametrize(
    "text",
    ["", "!", "a" * 4_001, "aaaa", "é", packed(b"x" * 10**7), packed(b"[" * 50_000), packed(b"\xff"),
     packed(json.dumps(GOOD).encode())[:-4], packed(json.dumps(GOOD).encode()) + "AAAA"],
    ids=range(10),
)  # fmt: skip
def test_broken_links_are_refused(text: str) -> None:
    with pytest.raises(BadInput):
        preset_text.from_link(text)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 90_000, b" " * 100_001, b"x" * 50_000_000])
def test_broken_files_are_refused(data: bytes) -> None:
    with pytest.raises(BadInput):
        preset_text.from_file(data)


def test_only_settings_of_the_mode_come_in() -> None:
    values = {
        "motion": "subtle", "seed": 5, "image": "/etc/passwd", "owner": "x", "__class__": 1, "seconds": 1e9,
        "prompt": "<script>alert(1)</script>", "loras": [{"name": "../../x"}],
    }  # fmt: skip
    found = preset_text.from_file(
        json.dumps({**GOOD, "settings": {**GOOD["settings"], "values": values}}).encode()
    )  # type: ignore[dict-item]
    assert found.values == {"motion": "subtle", "prompt": "<script>alert(1)</script>"}
    assert set(found.left_out) == {"image", "owner", "__class__", "seconds", "loras"}
