"""Texts of mode fields: the specification's unless the table overrides them; key families are complete."""

from __future__ import annotations

import pytest

from ui.i18n import mode_texts
from ui.i18n.texts import table
from ui.tabs.registry import TABS
from workflows.modes.registry import MODES
from workflows.params.field import MediaField


@pytest.mark.parametrize("mode", MODES)
def test_without_an_override_the_specification_is_shown(mode: str) -> None:
    for spec in MODES[mode].all:
        assert mode_texts.label(mode, spec.name) == spec.label
        if isinstance(spec, MediaField):
            assert mode_texts.heading(mode, spec.name) == spec.heading
            assert mode_texts.help_text(mode, spec.name) == spec.hint
        else:
            assert mode_texts.help_text(mode, spec.name) == spec.note
            assert mode_texts.placeholder(mode, spec.name) == spec.placeholder
            for choice in spec.choices:
                assert mode_texts.choice_label(mode, spec.name, choice.value) == choice.label
                assert mode_texts.choice_note(mode, spec.name, choice.value) == choice.note


def test_the_table_overrides_the_specification(monkeypatch: pytest.MonkeyPatch) -> None:
    overrides = {
        "modes.image_to_video.seconds.label": "Dauer",
        "modes.image_to_video.speed.fast.label": "Schnell",
    }
    monkeypatch.setattr(mode_texts, "table", lambda: overrides)
    assert mode_texts.label("image_to_video", "seconds") == "Dauer"
    assert mode_texts.choice_label("image_to_video", "speed", "fast") == "Schnell"
    assert mode_texts.label("fast_video", "seconds") == MODES["fast_video"].field("seconds").label


def test_every_tab_kind_of_file_and_kind_of_result_has_its_texts() -> None:
    kinds = {field.kind for spec in MODES.values() for field in spec.media.values()}
    wanted = {f"tabs.{tab.key}.{part}" for tab in TABS for part in ("title", "short", "begin")}
    wanted |= {f"{family}.{kind}" for kind in kinds for family in ("uploads.kind", "forms.choose")}
    wanted |= {f"api.result.{spec.makes}" for spec in MODES.values()}
    assert wanted <= table().keys()
