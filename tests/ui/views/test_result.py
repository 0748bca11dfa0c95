"""A result: its player, its next steps, its menus, its prompt and settings, its small picture."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from backend.jobs.final_views import Relations
from backend.jobs.views import ChildView, JobView
from tests.support.job_views import job, media
from ui.views import failure, library, next_steps, result_details, wording
from ui.views.card import card
from ui.views.card_state import CardState
from workflows.modes.registry import MODES


class Tags(HTMLParser):
    """The tags of a piece of HTML with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def having(self, **wanted: str) -> list[dict[str, str | None]]:
        names = {name.replace("_", "-"): value for name, value in wanted.items()}
        return [found for _, found in self.found if names.items() <= found.items()]


def shown(view: JobView) -> Tags:
    return Tags(card(CardState(shown=view, recent=[view], media=media)))


def sent(view: JobView) -> list[tuple[str | None, str | None, str | None]]:
    """(event, mode, field) of each line under "Send to"."""
    lines = shown(view).having(role="menuitem")
    return [(n["data-act"], n["data-mode"], n.get("data-field")) for n in lines if "data-mode" in n]


def test_the_player_knows_the_frames_and_names_its_keys() -> None:
    (player,) = shown(job(fps=30.0, frames=150)).having(data_fps="30")
    assert player["data-frames"] == "150"
    buttons = {n["data-p"]: n for _, n in shown(job()).found if "data-p" in n}
    assert buttons.keys() == {"back", "next", "play", "tools", "loop", "full"}
    assert all(node["aria-label"] and node["title"] for node in buttons.values())
    assert "Frame 1 of 81" in card(CardState(shown=job(), media=media))
    assert [n["value"] for tag, n in shown(job()).found if tag == "option"] == [
        "0.25",
        "0.5",
        "1",
        "1.5",
        "2",
    ]


def test_the_steps_below_a_result() -> None:
    html = card(CardState(shown=job(), media=media))
    words = re.findall(r"<span>([^<]+)</span></button>", html.split('class="steps next"')[1])
    assert words[:6] == [
        "Use frame", "Extend", "Another seed", "Variations", "Re-render in Quality", "More",
    ]  # fmt: skip
    groups = html.split('class="steps next"')[1].split('<div class="group">')[1:3]
    assert ["Another seed" in group for group in groups] == [True, False]
    assert [">Delete<" in group for group in groups] == [False, True], "a row of its own where room is short"
    menus = shown(job()).having(role="menu")
    assert len(menus) == 1 and "hidden" in menus[0], "closed at first"
    lines = shown(job()).having(role="menuitem")
    assert all(line["tabindex"] == "-1" for line in lines)
    assert [n["href"] for n in lines if "href" in n] == ["media/id1/workflow.json?exp=1&sig=s&download=1"]
    assert [n["data-link"] for n in lines if "data-link" in n] == ["?job=id1&key=key1"]


def test_a_result_goes_to_every_form_that_takes_it() -> None:
    frames = [("frame", mode, None) for mode in next_steps.picture_modes()]
    assert {mode for _, mode, _ in frames} == {
        "image_to_video", "fast_video", "sound_to_video", "animate"
    } <= set(MODES)  # fmt: skip
    video = ("send", "animate", "video")
    sound = ("send", "sound_to_video", "audio")
    assert sent(job()) == [*frames, video], "a clip without sound offers none"
    assert sent(job(mode="sound_to_video")) == [*frames, video, sound]
    assert sent(job(mode="animate")) == [*frames, video, sound]
    (line,) = shown(job(mode="animate")).having(data_mode="sound_to_video", data_field="audio")
    assert line["data-needs"] == "sound" and "hidden" in line, "only where the driving video has one"
    (line,) = shown(job(mode="sound_to_video")).having(data_mode="sound_to_video", data_field="audio")
    assert "data-needs" not in line
    still = job(mode="text_to_image", params={"model": "wan"}, frames=1, fps=0.0)
    assert sent(still) == [("send", mode, "image") for _, mode, _ in frames]
    tile = Tags(library.grid([job()], media, time.time()))
    assert [(n.get("data-act"), n.get("data-mode")) for n in tile.having(role="menuitem")] == [
        ("compare", None),
        ("finish-dialog", None),
        ("vary", None),
        (None, None),
        (None, None),
        ("send", "animate"),
    ]


DRAFT = {"speed": "fast", "resolution": "draft", "prompt": "A boat"}


def test_a_draft_is_finished_and_a_fast_clip_made_in_quality() -> None:
    draft = job(params=DRAFT, width=512, height=288)
    (finish,) = shown(draft).having(data_act="finish-dialog")
    assert finish["aria-haspopup"] == "dialog" and finish["data-id"] == draft.id and "role" not in finish
    assert not shown(draft).having(data_act="quality")
    (whole,) = shown(job()).having(data_act="quality")
    assert "data-change" not in whole and "role" not in whole, "its size is kept"
    (other,) = shown(job()).having(data_act="finish-dialog")
    assert other["role"] == "menuitem", "a larger one is in the menu"


def test_every_finished_clip_can_be_compared_from_card_and_tile() -> None:
    still = job(mode="text_to_image", params={"model": "wan"}, frames=1, fps=0.0)
    for one in (job(), still):
        assert shown(one).having(data_act="compare", role="menuitem")
        assert Tags(library.grid([one], media, time.time())).having(data_act="compare")
    joined = job(params=DRAFT, width=512, height=288, assembly="extension")
    for one in (still, joined):
        assert not shown(one).having(data_act="finish-dialog"), "it has no final"


def test_a_clip_names_its_draft_and_its_finals() -> None:
    draft = job(id="d", params=DRAFT, width=512, height=288)
    final = job(id="f", source="d", role="final", params={"speed": "quality"}, status="running")
    html = card(CardState(shown=draft, media=media, relations=Relations(finals=(final,))))
    (link,) = [n for n in Tags(html).having(data_act="show") if "data-final" in n]
    assert (link["data-id"], link["data-draft"], link["data-final"]) == ("f", "d", "832x480 quality")
    assert ">832 × 480, Quality, Running</button>" in html
    assert not Tags(html).having(data_act="compare", data_other="f"), "there is nothing to see yet"
    done = replace(final, status="done")
    html = card(CardState(shown=done, media=media, relations=Relations(origin=draft)))
    assert "<span>Final of</span>" in html and ">Draft, 512 × 288, Fast</button>" in html
    (pair,) = Tags(html).having(data_act="compare", data_other="d")
    assert (pair["data-id"], pair["data-otherkey"]) == ("f", draft.key)
    extended = card(CardState(shown=replace(done, role=""), media=media, relations=Relations(origin=draft)))
    assert "<span>Continues</span>" in extended
    assert 'class="relations"' not in card(CardState(shown=draft, media=media))


def test_variations_have_the_size_of_one_of_them() -> None:
    """The size of the contact sheet is that of no video."""
    parts = tuple(ChildView(f"id{n}", f"key{n}", n, "done", 288, 512) for n in range(2))
    given = {"speed": "fast", "width": 288, "height": 512, "variations": 2}
    sheet = job(params=given, width=584, height=512, children=parts)
    assert wording.resolution(sheet) == "288 × 512"
    large = replace(sheet, status="failed", error={"code": "out_of_memory"}, width=1920, height=1920)
    assert failure.remedies(large)[0].change["resolution"] == "draft"
    assert [part.record() for part in parts] == [
        {"id": f"id{n}", "key": f"key{n}", "seed": n, "status": "done"} for n in range(2)
    ]


def test_settings_that_differ_from_what_the_form_starts_with() -> None:
    params = {
        "prompt": "A boat", "speed": "fast", "resolution": "480p", "seconds": 3.0, "motion": "dynamic",
        "negative_prompt": "", "easy_cache": True, "cfg": 2.25, "seed": 7, "width": 0, "height": 0,
    }  # fmt: skip
    assert result_details.differing(job(params=params, seed=7)) == [
        ("Negative prompt", "None"), ("Length", "3 s"), ("Motion", "Dynamic"), ("CFG", "2.25"), ("Seed", "7"),
        ("EasyCache", "On"),
    ]  # fmt: skip
    assert result_details.differing(job(params={"speed": "fast"})) == [("Seed", "271828")]
    used = result_details.differing(job(params={"speed": "fast"}, resolved={"distillation": "1022"}))
    assert ("Fast model", "1022") in used, "what Best installed was"
    assert ("Speed", "Quality") in result_details.differing(job(params={})), "the API's own default"
    assert result_details.differing(job(mode="gone_mode")) == []


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_shows_its_defaults_as_nothing(mode: str) -> None:
    params = {field.name: field.start for field in MODES[mode].fields}
    assert [name for name, _ in result_details.differing(job(mode=mode, params=params))] == ["Seed"]


def test_prompt_and_settings_are_whole_and_can_be_copied() -> None:
    prompt = "First line\nsecond <b>line</b> " + "wide " * 100
    view = job(params={"prompt": prompt, "speed": "fast", "motion": "subtle"}, title="First line")
    html = result_details.details(view)
    assert "second &lt;b&gt;line&lt;/b&gt;" in html and "<b>" not in html
    copied = [n["data-copy"] for _, n in Tags(html).found if "data-copy" in n]
    assert copied[0] == prompt.strip()
    lines = (copied[1] or "").split("\n")
    assert lines[0] == "Image-to-Video: 832 × 480, 5 s, 16 fps, Fast, 4 steps, Seed 271828"
    assert lines[1] == "Prompt: First line" and lines[-2:] == ["Motion: Subtle", "Seed: 271828"]
    bare = result_details.details(job(params={"speed": "fast"}))
    assert '<span dir="auto">Seed: 271828</span>' in bare, "a number alone says nothing"
    assert "Copy prompt" not in bare and "Copy settings" in bare


def test_recent_clips_are_whole_and_tell_speed_and_seed() -> None:
    tall = job(width=480, height=832)
    strip = card(CardState(recent=[tall], media=media)).split('class="recent"')[1]
    assert 'class="whole"' in strip and 'class="blur"' in strip and 'class="fill"' not in strip
    assert "<span>Fast</span> <span>Seed 271828</span>" in strip
    assert 'aria-label="A boat, 0:05, Fast, Seed 271828"' in strip
    assert 'data-clip="media/id1/result.mp4?exp=1&amp;sig=s"' in strip
    tile = library.grid([tall], media, time.time())
    assert 'data-clip="media/id1/result.mp4?exp=1&amp;sig=s"' in tile
    running = job(status="running")
    still = job(mode="text_to_image", params={"model": "wan"}, frames=1, fps=0.0)
    for view in (running, still):
        assert "data-clip" not in library.grid([view], media, time.time())
        assert "data-clip" not in card(CardState(recent=[view], media=media))


def test_a_visitor_with_a_private_link_sees_one_button() -> None:
    html = next_steps.next_steps(job(), media, mine=False)
    assert Tags(html).having(data_link="?job=id1&key=key1") and html.count("<button") == 1
