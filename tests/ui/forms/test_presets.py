"""What the script gets of presets, and what forms get: owners, refusals, every mode, passed-on ones."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from backend.errors import BadInput, NotAllowed, NotFound
from backend.security.tokens import new_token
from tests.support.fake_studio import FakeStudio
from tests.support.legal_values import legal
from ui import page as layout
from ui.actions.presets import LoadPreset
from ui.actions.restore import RestoreForms
from ui.forms import schema
from ui.forms.presets import PresetBox
from ui.i18n.texts import text
from workflows.modes.presets import SHIPPED
from workflows.modes.registry import MODES

ANN, BOB = new_token(), new_token()
NEGATIVE = "blurred"
MODE = "image_to_video"


@pytest.fixture
def studio() -> Iterator[FakeStudio]:
    studio = FakeStudio()
    yield studio
    studio.close()


@pytest.fixture
def box(studio: FakeStudio) -> PresetBox:
    return PresetBox(studio, NEGATIVE)  # type: ignore[arg-type]


def start(mode: str = MODE) -> dict[str, Any]:
    return schema.page_defaults(mode, NEGATIVE)


def asked(owner: str = ANN, **more: Any) -> dict[str, Any]:
    return {"owner": owner, **more}


def saved(box: PresetBox, name: str = "Mine", mode: str = MODE, **more: Any) -> dict[str, Any]:
    """The row of a preset that has just been saved."""
    id = f"{random.getrandbits(64):032x}"
    given: dict[str, Any] = {"id": id, "mode": mode, "name": name, "values": start(mode), **more}
    answer = box.save(asked(**given))
    found: dict[str, Any] = next(row for row in answer["rows"] if row["id"] == answer["saved"])
    return found


@pytest.mark.parametrize("mode", MODES)
def test_a_form_that_is_saved_as_it_is_changes_nothing_when_it_is_loaded(mode: str, box: PresetBox) -> None:
    row = saved(box, mode=mode)
    usual = start(mode)
    assert row["values"] == {name: usual[name] for name in row["values"]}
    assert {"seed", "prompt"}.isdisjoint(row["values"]) and not row["shipped"]


@pytest.mark.parametrize("mode", MODES)
def test_every_legal_value_comes_back_into_its_widget(mode: str, box: PresetBox) -> None:
    for number in range(8):
        values = legal(mode, random.Random(number))
        widgets = schema.from_params(mode, values, NEGATIVE)
        row = saved(box, f"Number {number}", mode, values=widgets, sentence=True)
        for name, value in row["values"].items():
            before = widgets[name]
            if name == "loras" and before:
                assert [one["name"] for one in json.loads(value)] == [
                    one if isinstance(one, str) else one["name"] for one in json.loads(before)
                ]
            elif isinstance(before, str):
                assert (value or "") == before.replace("\r\n", "\n").replace("\r", "\n") or name != "prompt"
            else:
                assert value == before, name
        record = next(one for one in box.records(ANN) if one["id"] == row["id"])
        spec = MODES[mode]
        for name, value in record["values"].items():
            spec.field(name).check(value)


def test_the_shipped_ones_are_there_for_all_visitors(box: PresetBox) -> None:
    for owner in ("", ANN, "forged"):
        rows = box.rows(asked(owner))["rows"]
        assert [row["id"] for row in rows] == [one.id for one in SHIPPED]
        assert all(row["shipped"] and row["name"] and row["note"].endswith(".") for row in rows)
    starts = {one.mode: start(one.mode) for one in SHIPPED}
    for row in rows:
        assert any(value != starts[row["mode"]][name] for name, value in row["values"].items())


def test_presets_are_their_owners(box: PresetBox) -> None:
    mine = saved(box, default=True)
    assert mine["default"]
    for call in (box.share, box.chosen, box.rename):
        with pytest.raises(NotFound):
            call(asked(BOB, id=mine["id"], name="Stolen"))
    box.remove(asked(BOB, id=mine["id"]))
    with pytest.raises(NotFound):
        box.set_default(asked(BOB, mode=MODE, id=mine["id"]))
    assert all(row["shipped"] and not row["default"] for row in box.rows(asked(BOB))["rows"])
    with pytest.raises(NotAllowed):
        box.save(asked("", id="a" * 32, mode=MODE, name="x", values={}))
    assert mine in box.rows(asked())["rows"]


def test_a_deleted_one_comes_back_as_it_was(box: PresetBox) -> None:
    mine = saved(box, values={**start(), "prompt": "A boat", "speed": "quality"}, sentence=True, default=True)
    assert mine not in box.remove(asked(id=mine["id"]))["rows"]
    again = {name: mine[name] for name in ("id", "mode", "name", "values", "default")}
    assert mine in box.save(asked(**again, sentence=True))["rows"]


@pytest.mark.parametrize(
    "given",
    [{}, {"mode": "paint"}, {"mode": MODE, "values": []}, {"mode": MODE, "values": {}, "id": ["a"]},
     {"mode": MODE, "values": {}, "id": "a" * 32, "name": 5},
     {"mode": MODE, "values": {"seconds": [1]}, "id": "a" * 32, "name": "x"},
     {"mode": MODE, "values": {"loras": "{"}, "id": "a" * 32, "name": "x"},
     {"mode": MODE, "values": {"loras": 5}, "id": "a" * 32, "name": "x"},
     {"mode": MODE, "values": {"loras": {"name": "x"}}, "id": "a" * 32, "name": "x"}],
    ids=range(9),
)  # fmt: skip
def test_forged_calls_are_refused(given: dict[str, Any], box: PresetBox, studio: FakeStudio) -> None:
    with pytest.raises((BadInput, NotFound)):
        box.save(asked(**given))
    assert studio.presets.of(ANN).presets == ()


def test_refusals_name_the_field(box: PresetBox) -> None:
    with pytest.raises(BadInput) as error:
        box.save(asked(id="a" * 32, mode=MODE, name="x", values={**start(), "width": 17}))
    assert error.value.field == "width" and "Width" in error.value.message


# passing on


def test_what_is_passed_on_can_be_looked_at_and_loaded_by_others(box: PresetBox) -> None:
    values = {**start(), "speed": "quality", "motion": "subtle", "steps": 30, "negative_prompt": ""}
    mine = saved(box, "Calm <sea>", values=values)
    shared = box.share(asked(id=mine["id"]))
    for given in ({"link": shared["link"]}, {"file": shared["file"]}):
        found = box.read(asked(BOB, **given))
        assert (found["mode"], found["title"], found["name"]) == (MODE, "Image-to-Video", "Calm <sea>")
        assert ["Speed", "Quality"] in found["facts"] and ["Steps", "30"] in found["facts"]
        assert ["Negative prompt", "None"] in found["facts"] and len(found["facts"]) == 4
        assert found["left"] == []
        assert box.chosen(asked(BOB, **given)).values == box.chosen(asked(id=mine["id"])).values


def test_a_shipped_one_can_be_passed_on(box: PresetBox) -> None:
    for one in SHIPPED:
        shared = box.share(asked("", id=one.id))
        found = box.chosen({"link": shared["link"]})
        assert (found.mode, dict(found.values)) == (
            one.mode,
            {name: one.values[name] for name in found.values},
        )
        assert found.values == one.values


def test_what_this_version_lacks_is_named(box: PresetBox) -> None:
    mine = saved(box)
    data = json.loads(box.share(asked(id=mine["id"]))["file"])
    data["settings"]["values"] |= {"motion": "wild", "sharpness": 3}
    assert box.read({"file": json.dumps(data)})["left"] == ["motion", "sharpness"]


@pytest.mark.parametrize(
    "given", [{"link": "x"}, {"file": "{}"}, {"file": "\ud800"}, {"link": "a" * 10**6}, {}]
)
def test_what_is_no_preset(given: dict[str, str], box: PresetBox) -> None:
    with pytest.raises((BadInput, NotFound)):
        box.read(given)


# the form


@pytest.fixture(scope="module")
def page() -> Iterator[SimpleNamespace]:
    studio: Any = FakeStudio()
    built = layout.build(studio)
    load: Any = next(fn.fn.__self__ for fn in built.fns.values() if fn.fn and fn.fn.__name__ == "apply")
    yield SimpleNamespace(studio=studio, load=load)
    studio.close()


def apply(page: SimpleNamespace, owner: Any, **data: Any) -> dict[str, Any]:
    """Element id -> value, of what the event changes."""
    load: LoadPreset = page.load
    event: Any = SimpleNamespace(_data=data)
    found = load.apply(owner, event)
    return {
        widget.elem_id: getattr(value, "value", value)
        for widget, value in found.items()
        if widget is not load.fill.tabs and getattr(widget, "elem_id", None)
    }


@pytest.mark.parametrize("one", SHIPPED, ids=lambda one: one.id)
def test_a_preset_fills_what_it_holds_and_opens_its_tab(one: Any, page: SimpleNamespace) -> None:
    found = apply(page, "", id=one.id)
    widgets = {name.removeprefix(f"{one.mode}-") for name in found if name.startswith(f"{one.mode}-")}
    assert widgets == set(one.values)
    assert all(not name.endswith(("prompt", "seed", "image")) for name in widgets)
    shown = schema.from_params(one.mode, one.values)
    for name in one.values:
        assert found[f"{one.mode}-{name}"] == shown[name]
    assert page.load.fill.tabs in page.load.apply("", SimpleNamespace(_data={"id": one.id}))


def test_a_preset_of_another_visitor_fills_nothing(page: SimpleNamespace, recwarn: Any) -> None:
    mine = saved(page.load.box)
    assert f"{MODE}-speed" in apply(page, ANN, id=mine["id"])
    for owner in (BOB, "", None, 5):
        assert apply(page, owner, id=mine["id"]) == {}


@pytest.mark.parametrize(
    "data", [{}, {"id": 5}, {"link": "x"}, {"file": "[]"}, {"id": "../x"}, {"link": ["x"]}]
)
def test_forged_events_fill_nothing(data: dict[str, Any], page: SimpleNamespace, recwarn: Any) -> None:
    assert apply(page, ANN, **data) == {}


def test_the_start_of_a_new_form_leaves_what_is_typed(page: SimpleNamespace) -> None:
    """The script fills in what the default preset sets, and nothing else."""
    restore = RestoreForms(page.studio, page.load.fill).restore
    given = {"values": {"speed": "quality", "seconds": 3.0, "motion": "wild", "image": "x", "none": 1}}

    def changed(**more: Any) -> set[str]:
        data = {"draft": "a" * 32, "forms": {MODE: {**given, **more}}}
        event: Any = SimpleNamespace(_data=data)
        return {str(widget.elem_id).removeprefix(f"{MODE}-") for widget in restore(ANN, event)}

    assert changed(part=True) == {"speed", "seconds", "motion"}
    whole = {"prompt", "seed", "image", "speed"}
    assert whole <= changed() and whole <= changed(part="yes")


def test_records_are_what_endpoints_take(page: SimpleNamespace) -> None:
    for record in page.load.box.records(""):
        api = {spec.name for spec in MODES[record["mode"]].api}
        assert record["values"].keys() <= api and record["shipped"] and not record["default"]
        assert record["name"] == text(f"presets.shipped.{record['id']}.name")
