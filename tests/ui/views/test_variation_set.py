"""A set of variations as HTML: on the card in each state, in the Library, and for another visitor."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from backend.jobs.snapshot import Snapshot
from backend.jobs.views import ChildView, JobView, Place
from tests.support.job_views import job, media
from ui.views import library, queue, result_details
from ui.views.card import card
from ui.views.card_state import CardState
from ui.views.variation_set import differences
from ui.views.wording import recipe
from workflows.modes.registry import MODES
from workflows.params.field import MediaField

ERROR = {"code": "engine_lost", "message": "The engine is lost.", "hint": "Try again later."}


def parts(*statuses: str, **changes: Any) -> tuple[JobView, list[JobView]]:
    """(the parent, its children) with these states."""
    params = {"speed": "fast", "resolution": "draft", "prompt": "A <b>boat</b>", "seed": 5}
    children = [
        job(
            id=f"c{n}", key=f"k{n}", status=status, seed=5 + n, parent="id1", width=512, height=288,
            params={**params, "seed": 5 + n}, error=ERROR if status == "failed" else None,
        )
        for n, status in enumerate(statuses)
    ]  # fmt: skip
    views = tuple(ChildView(one.id, one.key, one.seed, one.status, one.width, one.height) for one in children)
    status = "running" if {"queued", "running"} & set(statuses) else "done"
    whole = job(
        params={**params, "variations": len(children), **changes}, assembly="variations", children=views,
        status=status, title="A <b>boat</b>",
    )  # fmt: skip
    return whole, children


def shown(*statuses: str, mine: bool = True, **changes: Any) -> str:
    whole, children = parts(*statuses, **changes)
    progress = {one.id: Snapshot(status="running", percent=40.0, remaining=9.0) for one in children}
    return card(
        CardState(
            shown=whole, children=children, progress=progress, mine=mine, media=media, snapshot=Snapshot()
        )
    )


def test_those_that_are_done_can_be_watched_and_picked_while_others_run() -> None:
    html = shown("done", "running", "queued", "failed")
    assert html.count("<video") == 1 and html.count("data-pick ") == 1 and html.count('data-s="play"') == 1
    assert html.count("data-waits") == 2 and 'data-left="c1">9 s left<' in html and "--d:0.400" in html
    assert "The engine is lost. Try again later." in html and "Once the others are done" in html
    assert 'data-act="retry"' not in html and "disabled" in html, "Try again waits for the others"
    assert 'data-live="bar"' in html and 'data-act="cancel"' in html, "the progress of all stays"
    assert 'class="picks" hidden' in html and "data-keep" not in html, "the others are not deleted yet"


def test_a_finished_set_has_one_player_and_its_own_steps() -> None:
    html = shown("done", "done", "done")
    assert html.count("<video") == 3 and html.count('class="set-bar"') == 1 and "data-player" not in html
    assert "Download sheet" in html and "Other seeds" in html and "Finish all" in html
    assert "Finish at 480p" in html and "Another size or speed" in html and "Keep only these" in html
    assert "4 more with these settings" not in html and "Use frame" in html
    assert "<b>boat" not in html


def test_try_again_makes_what_is_missing_of_a_set_that_has_ended() -> None:
    assert 'data-act="retry" data-id="id1" data-key="key1"' in shown("done", "failed")
    whole, children = parts("done", "failed")
    full = replace(children[1], error={**ERROR, "code": "out_of_memory"})
    html = card(CardState(shown=whole, children=[children[0], full], media=media))
    assert 'data-act="retry" data-id="c1"' in html, "a remedy changes the settings of one"
    assert "Once the others are done" not in html


def test_a_private_link_shows_the_set_and_changes_nothing() -> None:
    html = shown("done", "failed", mine=False)
    assert html.count("<video") == 1 and html.count('data-act="show"') == 3
    for act in ("retry", "finish-dialog", "keep_picked", "delete", "again", "quality"):
        assert f'data-act="{act}"' not in html
    assert "data-pick " not in html and 'data-s="finish"' not in html


def test_each_draft_that_is_done_is_finished_by_one_press() -> None:
    html = shown("done", "running", "failed")
    assert html.count('data-s="finish"') == 2, "of the cell, and of the picked ones"
    assert 'class="cell-act cell-finish" data-s="finish" data-size="480p"' in html
    assert 'aria-label="Finish 1 at 480p: Seed 5"' in html
    whole, children = parts("done", "done")
    large = [replace(one, params={**one.params, "resolution": "720p"}) for one in children]
    assert "cell-finish" not in card(CardState(shown=whole, children=large, media=media))


def test_each_clip_with_sound_has_a_button_for_it() -> None:
    whole, children = parts("done", "running")
    sounding = [replace(one, mode="sound_to_video") for one in children]
    html = card(CardState(shown=replace(whole, mode="sound_to_video"), children=sounding, media=media))
    assert html.count('data-s="sound" aria-pressed="false"') == 1
    assert 'data-s="sound"' not in shown("done", "done")


def test_pictures_are_side_by_side_without_a_player() -> None:
    whole, children = parts("done", "done")
    params = {"model": "wan", "prompt": "a"}
    made = [replace(one, mode="text_to_image", params=params) for one in children]
    html = card(
        CardState(shown=replace(whole, mode="text_to_image", params=params), children=made, media=media)
    )
    assert "<video" not in html and "set-bar" not in html and html.count("result.png?") >= 2
    assert "Use frame" not in html and "Finish at" not in html and "Keep only these" in html


def test_one_of_a_set_names_the_way_back() -> None:
    whole, children = parts("done", "done")
    html = card(CardState(shown=children[0], whole=whole, media=media))
    assert "Back to all 2" in html and 'data-set="id1" data-setkey="key1"' in html
    assert 'data-act="vary"' in html


def test_waiting_parts_of_the_set_on_the_stage_are_not_listed_again() -> None:
    whole, children = parts("running", "queued")
    other = job(id="other", status="queued")
    line = [Place(n, one.mode, True, one) for n, one in enumerate((*children, other))]
    assert [one.id for _, one in queue.waiting_rows(line, whole.id)] == ["other"]
    assert [one.id for _, one in queue.waiting_rows(line, "")] == ["c1", "other"]


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("motion", ["subtle", "dynamic"], ["Subtle", "Dynamic"]),
        ("cfg", [2.5, 4.0], ["CFG 2.5", "CFG 4"]),
        ("prompt", ["One\nboat", "\u05e1\u05d9\u05e8\u05d4"], ["One boat", "\u05e1\u05d9\u05e8\u05d4"]),
        ("loras", [[{"name": "a/ink.safetensors", "strength": s}] for s in (0.4, 1)], ["ink 0.4", "ink 1"]),
    ],
)
def test_each_says_what_differs(name: str, values: list[Any], expected: list[str]) -> None:
    whole, children = parts("done", "done", vary={name: values})
    made = [replace(one, params={**one.params, name: v}) for one, v in zip(children, values, strict=True)]
    assert differences(whole, made) == expected
    label = MODES[whole.mode].field(name).label
    assert label in dict(result_details.differing(whole)) or name == "prompt"
    field = MODES[whole.mode].by_name[name]
    assert not isinstance(field, MediaField)


def test_seeds_differ_without_a_setting() -> None:
    whole, children = parts("done", "done")
    assert differences(whole, children) == ["Seed 5", "Seed 6"]
    assert dict(result_details.differing(whole))["Seed"] == "5, 6"
    assert recipe(whole)[:2] == ["2 variations", "512 × 288"]


def test_a_tile_counts_its_variations_and_offers_what_suits_it() -> None:
    whole, _ = parts("done", "done", "done", "done")
    tile = library.grid([whole], media, 0.0)
    assert ">4 variations<" in tile and 'data-act="vary"' not in tile and 'data-act="send"' not in tile
    assert 'data-act="vary"' in library.grid([job()], media, 0.0)
    (one,) = parts("done")[1:]
    assert ">1 variation<" in library.grid([parts("done")[0]], media, 0.0) and len(one) == 1


def test_what_was_read_once_is_said_only_where_it_was() -> None:
    whole, _ = parts("done", "failed", "done")
    once = replace(whole, reused={"read_once": 1.0})
    assert "The text and the picture were read once for all 2." in result_details.details(once)
    assert "read once" not in result_details.details(whole)
    assert "read once" not in result_details.details(replace(whole, reused={"read": 9.0, "read_cached": 3.0}))
    drawn = replace(once, mode="text_to_video")
    assert "The text was read once" in result_details.details(drawn)


def test_the_picture_of_a_sheet_that_was_made_again_has_another_address() -> None:
    whole, children = parts("done", "done", "done")

    def pictures(view: JobView) -> set[str]:
        state = CardState(recent=[view, children[0]], mine=True, media=media)
        html = card(state) + library.grid([view, children[0]], media, 0.0)
        return set(re.findall(r'src="([^"]*poster[^"]*)"', html))

    before, after = pictures(replace(whole, bytes=300)), pictures(replace(whole, bytes=200))
    assert len(before) == len(after) == 2 and len(before & after) == 1, "that of the single clip stays"
