"""Every set that is chosen for a GPU, a mode and a speed runs: the compiler gets each of its files."""

from __future__ import annotations

import itertools
from collections.abc import Collection

import pytest

from backend.errors import BadInput
from backend.models.finder import role_files
from backend.models.formats import GIB
from backend.models.inventory import MISSING, READY, FileState
from backend.models.resolver import Resolver, Server
from backend.models.set_options import FORMATS, Format, Hardware, Speed, Wish
from backend.models.sets import ModelSet, SetFile, choose, has_speeds, settings_of
from backend.notices import words
from tests.support.least_params import least
from workflows.catalog import ModelFile, load_catalog
from workflows.compile import compile, model_obstacle
from workflows.graph.node_contract import ServerFacts
from workflows.graph.object_info import FILE_INPUTS

CATALOG = load_catalog()
GPUS = (8, 12, 16, 24, 32, 48, 80, 96)
EMPTY = {file.role: FileState(file, MISSING) for file in CATALOG.files}


def machine(gigabytes: int, gguf: bool | None = True, ram: int = 0, room: int = 0) -> Hardware:
    return Hardware(gigabytes * GIB, ram * GIB, gguf, room)


def found(*there: ModelFile | tuple[str, str]) -> dict[str, FileState]:
    """The states with these files, or (role, other file), ready."""
    states = dict(EMPTY)
    for each in there:
        file = CATALOG.file(each[0]) if isinstance(each, tuple) else each
        name = each[1] if isinstance(each, tuple) else each.name
        states[file.role] = FileState(CATALOG.file(file.role), READY, used=name)
    return states


def server(names: Collection[ModelFile], gguf: bool) -> ServerFacts:
    """The facts of a server that has exactly these files."""
    lists: dict[str, tuple[str, ...]] = {}
    for file in names:
        lists[file.folder] = (*lists.get(file.folder, ()), file.name)
    resolved = Resolver(CATALOG, Server(lists, gguf)).resolve()
    options = {
        key: tuple(n for n in lists.get(folder, ()) if n.endswith(".gguf") == ("GGUF" in key[0]))
        for key, folder in FILE_INPUTS.items()
    }
    return ServerFacts(frozenset(), options, role_files(resolved, CATALOG))


def runs(made: ModelSet, gguf: bool, **options: str) -> set[str]:
    """The model files of the mode's graph on a server that has only the set."""
    files = [each.file for each in made.files]
    facts = server(files, gguf)
    params = least(made.wish.mode, **options)
    compiled = compile(params, CATALOG, facts, "job")
    assert model_obstacle(params, compiled, facts) is None
    names = {file.name for file in files}
    assert set(compiled.models) <= names, set(compiled.models) - names
    return set(compiled.models)


def options_of(mode: str, speed: Speed, setting: str) -> dict[str, str]:
    options = {"speed": speed} if speed and has_speeds(mode) else {}
    if setting:
        name, _, value = setting.partition("=")
        options[name] = value
    return options


CASES = [
    (mode, setting, speed)
    for mode in CATALOG.modes()
    for setting in settings_of(mode, CATALOG)
    for speed in ("fast", "quality")
]


@pytest.mark.parametrize(("mode", "setting", "speed"), CASES)
def test_every_set_runs(mode: str, setting: str, speed: Speed) -> None:
    for gigabytes, gguf in itertools.product(GPUS, (True, False, None)):
        wish = Wish(mode, speed, setting=setting)
        made = choose(wish, machine(gigabytes, gguf), CATALOG, EMPTY)
        assert made.to_fetch == tuple(each.file for each in made.files)
        loaded = runs(made, bool(gguf), **options_of(mode, speed, setting))
        experts = {each.file.name for each in made.files if CATALOG.formats(each.file.role)}
        assert experts <= loaded, "every expert that is fetched is used"
        if gguf is not True:
            assert not any(each.file.name.endswith(".gguf") for each in made.files)


@pytest.mark.parametrize("form", [form for form in FORMATS if form[0] != "Q"])
@pytest.mark.parametrize("mode", CATALOG.modes())
def test_every_format_runs(mode: str, form: Format) -> None:
    for gigabytes in (8, 24, 96):
        made = choose(Wish(mode, "", form), machine(gigabytes), CATALOG, EMPTY)
        for speed in ("fast", "quality"):
            loaded = runs(made, True, **options_of(mode, speed, ""))
        experts = [each.file for each in made.files if CATALOG.formats(each.file.role)]
        assert {file.name for file in experts} <= loaded
        for file in experts:
            fine = {
                "gguf": file.name.endswith(".gguf"),
                "fp8": "fp8" in file.name,
                "fp16": file.format in ("fp16", "bf16"),
            }
            assert fine.get(form, True), (form, file.name)


@pytest.mark.parametrize("mode", CATALOG.modes())
def test_a_gguf_size_is_fetched_as_asked_or_the_nearest(mode: str) -> None:
    for form in (form for form in FORMATS if form[0] == "Q"):
        made = choose(Wish(mode, "fast", form), machine(24), CATALOG, EMPTY)
        experts = {each.file.format for each in made.files if CATALOG.formats(each.file.role)}
        other = [note for note in made.notes if note.code == "set_other_size"]
        assert len(experts) <= 1 and (experts <= {form}) != bool(other), (form, experts)
        assert all(
            note.arg("form") in experts and words(note).startswith(f"There is no {form}") for note in other
        )
    lying = found(("i2v_high", "Wan2.2-I2V-A14B-HighNoise-Q4_K_M.gguf"))
    assert "i2v_high" in {
        file.role for file in choose(Wish("image_to_video", "", "Q6_K"), machine(24), CATALOG, lying).to_fetch
    }


@pytest.mark.parametrize("mode", CATALOG.modes())
@pytest.mark.parametrize("form", ["auto", "fp8", "fp16"])
def test_distilled_sets_run_without_loras(mode: str, form: Format) -> None:
    for gigabytes in GPUS:
        made = choose(Wish(mode, "fast", form, distilled=True), machine(gigabytes), CATALOG, EMPTY)
        loaded = runs(made, True, **options_of(mode, "fast", ""))
        if any("4step" in name and "lora" not in name for name in loaded):
            assert mode in ("image_to_video", "fast_video")
            assert not any("lora" in name for name in loaded)
            assert not any(each.file.folder == "loras" for each in made.files)
        else:
            assert any(note.code == "set_no_distilled" for note in made.notes)


def formats(gigabytes: int, gguf: bool | None = True, form: Format = "auto", ram: int = 0) -> set[str]:
    made = choose(Wish("image_to_video", "fast", form), machine(gigabytes, gguf, ram), CATALOG, EMPTY)
    return {each.file.format for each in made.files if CATALOG.formats(each.file.role)}


@pytest.mark.parametrize(
    ("gigabytes", "form"),
    [
        (8, "Q4_K_M"), (12, "Q4_K_M"), (16, "Q6_K"), (24, "fp8_scaled"), (32, "fp8_scaled"),
        (48, "fp8_scaled"), (80, "fp16"), (96, "fp16"),
    ],
)  # fmt: skip
def test_the_format_for_a_gpu(gigabytes: int, form: str) -> None:
    assert formats(gigabytes) == {form}


def test_system_memory_decides_where_the_gpu_is_too_small() -> None:
    assert formats(8, gguf=False) == {"fp8_scaled"}
    made = choose(Wish("image_to_video"), machine(8, False, ram=64), CATALOG, EMPTY)
    assert [note.code for note in made.notes] == ["set_gguf_missing", "set_offloaded"]
    assert "about 7 GB of it stay in system memory" in words(made.notes[1])
    small = choose(Wish("image_to_video"), machine(8, False, ram=8), CATALOG, EMPTY)
    assert [note.code for note in small.notes] == ["set_gguf_missing", "set_offloaded", "set_too_large"]
    assert formats(8, ram=4) == {"Q4_K_M"}, "what does not fit at all is not made coarser than needed"
    assert formats(6, ram=4) == {"Q3_K_M"} and formats(4, ram=2) == {"Q2_K"}
    unknown = choose(Wish("image_to_video"), machine(8, None), CATALOG, EMPTY)
    assert unknown.notes[0].code == "set_gguf_unknown"
    assert choose(Wish("image_to_video"), machine(24, None), CATALOG, EMPTY).notes == ()


def test_a_disk_without_room_for_fp16_gets_fp8() -> None:
    made = choose(Wish("image_to_video"), machine(80, room=50_000_000_000), CATALOG, EMPTY)
    assert any(each.file.name.endswith("fp8_scaled.safetensors") for each in made.files)


def used(mode: str, gigabytes: int, *there: ModelFile | tuple[str, str]) -> dict[str, SetFile]:
    """role -> file of the set for Fast where these files are."""
    made = choose(Wish(mode, "fast"), machine(gigabytes), CATALOG, found(*there))
    return {each.file.role: each for each in made.files}


def test_what_is_there_is_not_fetched_again() -> None:
    other = ("i2v_high", "WanVideo/Wan2_2-I2V-A14B-HIGH_fp8_e4m3fn_scaled_KJ.safetensors")
    files = used("image_to_video", 12, other, CATALOG.file("vae"))
    assert files["i2v_high"].used == other[1] and files["vae"].used and not files["text_encoder"].used
    assert files["i2v_low"].file.name == CATALOG.file("i2v_low").name, "a pair is of one format"
    files = used("image_to_video", 24, ("i2v_high", "x/i2v_high_Q5_K_M.gguf"))
    assert files["i2v_low"].file.format == "Q5_K_M"
    files = used("image_to_video", 24, CATALOG.file("lora_i2v_1022_high"))
    assert files["lora_i2v_high"].used.endswith("_1022.safetensors") and not files["lora_i2v_low"].used
    assert used("animate", 24, CATALOG.file("animate_v2"))["animate"].used
    assert list(used("text_to_image", 24, CATALOG.file("flux"))) == ["flux"], "one of its models is enough"


def test_a_format_that_is_asked_for_is_fetched_beside_another_one() -> None:
    there = found(CATALOG.file("i2v_high"), CATALOG.file("i2v_low"))
    made = choose(Wish("image_to_video", "fast", "gguf"), machine(12), CATALOG, there)
    assert {file.role for file in made.to_fetch} >= {"i2v_high", "i2v_low"}
    assert [note.code for note in made.notes][-2:] == ["set_not_first"] * 2
    assert "models use i2v_high Wan2.2-I2V" in words(made.notes[-2])
    lying = found(("i2v_high", "HighNoise-i2v-Q4_K_M.gguf"), ("i2v_low", "LowNoise-i2v-Q4_K_M.gguf"))
    without = choose(Wish("image_to_video", "fast"), machine(24, False), CATALOG, lying)
    assert {file.role for file in without.to_fetch} >= {"i2v_high", "i2v_low"}, "no loader: not usable"


@pytest.mark.parametrize(
    ("wish", "gguf", "code"),
    [
        (Wish("hologram"), True, "no_such_mode"),
        (Wish("image_to_video", format="gguf"), False, "set_without_gguf"),
        (Wish("image_to_video", format="Q4_K_M"), False, "set_without_gguf"),
        (Wish("image_to_video", "fast", "Q8_0", distilled=True), True, "set_distilled_gguf"),
        (Wish("image_to_video", "quality", distilled=True), True, "set_distilled_quality"),
        (Wish("image_to_video", "fast", "gguf", distilled=True), True, "set_distilled_gguf"),
        (Wish("text_to_image", setting="model=sdxl"), True, "set_no_such_model"),
        (Wish("image_to_video", setting="model=flux"), True, "set_one_model"),
        (Wish("animate", setting="model=animate_2"), True, "set_one_model"),
    ],
)
def test_what_no_set_can_be_made_of(wish: Wish, gguf: bool, code: str) -> None:
    with pytest.raises(BadInput) as caught:
        choose(wish, machine(24, gguf), CATALOG, EMPTY)
    assert caught.value.why.code == code and caught.value.message
    assert "of ." not in caught.value.hint


def test_speed_decides_about_loras() -> None:
    def roles(mode: str, speed: Speed) -> set[str]:
        return {each.file.role for each in choose(Wish(mode, speed), machine(24), CATALOG, EMPTY).files}

    assert roles("image_to_video", "fast") - roles("image_to_video", "quality") == {
        "lora_i2v_high",
        "lora_i2v_low",
    }
    assert roles("image_to_video", "") == roles("image_to_video", "fast")
    assert roles("sound_to_video", "fast") - roles("sound_to_video", "quality") == {"lora_t2v_high"}
    assert roles("fast_video", "fast") == roles("fast_video", "quality")
    always = choose(Wish("fast_video", "quality"), machine(24), CATALOG, EMPTY)
    assert [note.code for note in always.notes] == ["set_always_fast"]
