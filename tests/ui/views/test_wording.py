"""What the page says: words, figures, and that nothing a user wrote becomes markup."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from backend.engines.base import EngineInfo
from backend.error_texts.hints import HINTS
from backend.errors import OutOfMemory
from backend.jobs.snapshot import Snapshot
from backend.jobs.views import QueueState
from backend.models.state import ModelState
from tests.support.job_views import job, media
from ui.i18n.texts import text
from ui.views import (
    engine_badge,
    failure,
    library,
    machine_panel,
    media_preview,
    media_text,
    missing_models,
    model_table,
    progress,
    wording,
)
from ui.views.card import card
from ui.views.card_state import CardState
from ui.views.header import header
from ui.views.icons import SHAPES
from workflows.catalog import load_catalog
from workflows.notice import notice

GPU = "cuda:0 NVIDIA GeForce RTX 4090 : cudaMallocAsync"
VRAM = (24 << 30) - 5
HOSTILE = '"><script>alert(1)</script>${alert(2)}{{x}}<img src=x onerror=alert(3)>'


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (24, "24 s"), (59.6, "1 min"), (65, "1 min 5 s"), (3600, "1 h"), (11_520, "3 h 12 min")],
)
def test_durations(seconds: float, words: str) -> None:
    assert wording.duration(seconds) == words


@pytest.mark.parametrize(
    ("frames", "seconds"), [(81, 5.0), (80, 5.0), (33, 2.0), (32, 2.0), (65, 4.0), (1, 0.0)]
)
def test_a_loop_is_as_long_as_it_was_chosen(frames: int, seconds: float) -> None:
    """It lacks the frame more that other clips have."""
    assert wording.made_seconds("image_to_video", frames, 16.0) == seconds
    assert wording.made_seconds("sound_to_video", frames, 16.0) == frames / 16


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (3.1e6, "3.1 MB"),
        (254e6, "254 MB"),
        (1.2e9, "1.2 GB"),
        (14.29e9, "14.3 GB"),
        (2e12, "2 TB"),
    ],
)
def test_file_sizes(count: float, words: str) -> None:
    assert wording.file_size(count) == words


def test_memory_is_binary_as_gpus_are_sold() -> None:
    assert wording.memory(24 << 30) == "24 GB"


@pytest.mark.parametrize(
    ("count", "words"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (22, "22nd")],
)
def test_ordinals(count: int, words: str) -> None:
    assert wording.ordinal(count) == words


def test_recipe_says_the_chosen_length_not_the_frames() -> None:
    assert wording.recipe(job()) == ["832 × 480", "5 s", "16 fps", "Fast, 4 steps", "Seed 271828"]


@pytest.mark.parametrize(
    ("snapshot", "words"),
    [
        (Snapshot(ahead=1), "Waiting: 1 job ahead of you"),
        (Snapshot(others=2), "Waiting: 2 jobs ahead of you"),
        (Snapshot(ahead=1, others=2), "Waiting: 3 jobs ahead of you"),
        (Snapshot(), "Waiting to start"),
        (Snapshot(status="running", stage="read", text="Reading the picture"), "Preparing inputs"),
        (Snapshot(status="running", stage="load", text="Loading an expert"), "Loading an expert"),
        (Snapshot(status="running", stage="read"), "Preparing inputs"),
        (Snapshot(status="running", stage="draw", step=2, steps=4), "Generating, step 3 of 4"),
        (Snapshot(status="running", stage="draw", step=4, steps=4), "Generating, step 4 of 4"),
        (Snapshot(status="running", stage="save"), "Saving"),
    ],
)  # fmt: skip
def test_stages_in_words(snapshot: Snapshot, words: str) -> None:
    assert progress.status(snapshot) == words


def test_parts_are_counted_in_words() -> None:
    snapshot = Snapshot(status="running", stage="draw", step=22, steps=100, chunk=2, chunks=5)
    assert progress.status(snapshot) == "Generating, part 2 of 5, step 3 of 20"
    last = replace(snapshot, step=100, chunk=5)
    assert progress.status(last) == "Generating, part 5 of 5, step 20 of 20"
    between = replace(snapshot, text="Preparing parts 3 to 5 of 5", preparing=True)
    assert progress.status(between) == "Preparing parts 3 to 5 of 5"


def test_recipes_fit_the_mode() -> None:
    params = {"speed": "fast", "resolution": "480p"}
    sound = job(mode="sound_to_video", params=params, frames=192, fps=16.0)
    assert wording.recipe(sound)[1:4] == ["12 s", "16 fps", "3 parts"], "as long as its sound"
    moved = job(mode="animate", params={**params, "method": "mix"}, frames=77, steps=6)
    assert wording.recipe(moved)[2:5] == ["16 fps", "Replace", "Fast, 6 steps"]
    second = replace(moved, frames=81, drawn_by="animate_2")
    assert "2 parts" not in wording.recipe(second) and "2 parts" in wording.recipe(replace(moved, frames=81))
    assert "2 parts" in wording.recipe(replace(second, frames=161))
    assert "3 parts" in wording.recipe(replace(second, frames=162))
    still = job(mode="text_to_image", params={"model": "flux"}, frames=1, fps=0.0, steps=20)
    assert wording.recipe(still) == ["832 × 480", "Flux, 20 steps", "Seed 271828"]
    assert wording.resolution(still) == "832 × 480"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.0, "0:00"), (42.0, "0:42"), (42.46, "0:42.5"), (59.96, "1:00"), (190.0, "3:10")]
)
def test_places_in_a_sound(seconds: float, words: str) -> None:
    assert media_text.clock_exact(seconds) == words


def test_routes_in_words() -> None:
    assert "ComfyUI detects pose" in media_text.route("native+sam3") and "SAM 3" in media_text.route(
        "native+sam3"
    )
    assert media_text.route("given") == "Using your pose video."
    assert media_text.route("driving") == media_text.route("") == ""


def test_progress_is_ready_to_be_shown() -> None:
    snapshot = Snapshot(
        status="running", stage="draw", step=2, steps=4, percent=62.04, elapsed=41.0, remaining=24.2,
        segments=(("draw", 0.5, 1.7),), preview_version=3,
    )  # fmt: skip
    said = progress.progress(snapshot)
    assert (said["words"], said["elapsed"], said["left"]) == (
        "Generating, step 3 of 4",
        "41 s so far",
        "24 s left",
    )
    assert said["spoken"] == "Generating, step 3 of 4, 62 %, 24 s left"
    assert said["segments"] == [["draw", 0.5, 1.0]], "a share never leaves 0 to 1"


def test_the_next_queued_job_is_polled_more_often() -> None:
    assert progress.progress(Snapshot(status="queued"))["next"] is True
    assert progress.progress(Snapshot(status="queued", ahead=1))["next"] is False
    assert progress.progress(Snapshot(status="running"))["next"] is False


def test_progress_without_an_estimate_promises_nothing() -> None:
    said = progress.progress(Snapshot(status="running", stage="load", remaining=None))
    assert said["left"] == "" and "left" not in said["spoken"]
    assert len(said["segments"]) == 6


@pytest.mark.parametrize(
    ("engine", "expected"),
    [
        (EngineInfo("comfyui", "x", "ok", gpu=GPU, vram_total=VRAM), ("ok", "RTX 4090", "24 GB", False)),
        (EngineInfo("comfyui", "x", "starting"), ("starting", "ComfyUI", "starting", False)),
        (EngineInfo("comfyui", "x", "lost", gpu="NVIDIA L4"), ("lost", "L4", "lost", False)),
        (EngineInfo("demo", "x", "ok"), ("ok", "Demo engine", "", True)),
    ],
)  # fmt: skip
def test_badges(engine: EngineInfo, expected: tuple[str, str, str, bool]) -> None:
    badge = engine_badge.badge([engine])
    assert (badge.state, badge.name, badge.detail, badge.demo) == expected


def test_the_demo_says_that_no_model_was_used() -> None:
    assert "no AI model" in engine_badge.badge([EngineInfo("demo", "x", "ok")]).tip


@pytest.mark.parametrize(
    ("running", "waits", "percent", "words"),
    [
        (0, 0, None, ("Queue empty", "0")),
        (1, 2, 62.4, ("62 %, 2 waiting", "3")),
        (1, 0, None, ("1 running", "1")),
        (0, 1, None, ("1 waiting", "1")),
    ],
)
def test_queue_words(running: int, waits: int, percent: float | None, words: tuple[str, str]) -> None:
    assert engine_badge.queue(QueueState(running, waits), percent) == words


def test_the_page_as_it_is_sent_claims_nothing_about_engine_queue_and_clips() -> None:
    """It is made once, at the start: what a visitor will find is known with the first poll."""
    for kind, name in (("comfyui", "ComfyUI"), ("runpod", "RunPod"), ("demo", "Demo engine")):
        for state in ("starting", "lost", "ok"):
            shown = header([EngineInfo(kind, "http://127.0.0.1:8188", state, gpu="RTX 4090")], None)
            assert f"<strong>{name}</strong><small></small>" in shown and 'data-state=""' in shown
            assert "starting" not in shown and "Queue empty" not in shown and ">Queue<" in shown
    assert "<strong></strong>" in header([], None)
    assert "No finished clips yet" not in library.heading(None, 0, 30)
    assert "No finished clips yet. Clips are kept for 30 days." in library.heading(0, 0, 30)


OOM = {
    "code": "out_of_memory",
    "message": "The GPU ran out of memory. It stopped at step 2.",
    "hint": "",
    "field": "",
}


def test_a_memory_failure_offers_what_fits() -> None:
    failed = job(status="failed", error=OOM, params={"resolution": "720p", "speed": "quality"}, frames=129)
    what, why = failure.failure(failed)
    assert what == "The GPU ran out of memory. It stopped at step 2", "a message is not cut apart"
    assert why == "Your settings are still here."
    told = replace(failed, error={**OOM, "hint": HINTS[OutOfMemory.code]})
    kept = "Your picture and settings are still here."
    assert failure.failure(told, ["image"]) == (what, f"{kept} {HINTS[OutOfMemory.code]}")
    assert failure.failure(told, inputs_deleted=True) == (what, text("failure.files_deleted"))
    assert failure.failure(told, mine=False) == (what, "")
    assert [(r.label, dict(r.change)) for r in failure.remedies(failed)] == [
        ("Try again at 480p", {"resolution": "480p", "width": 0, "height": 0}),
        ("Try again with 5 s", {"seconds": 5.0}),
    ]


def test_the_smallest_job_can_only_be_tried_again() -> None:
    failed = job(status="failed", error=OOM, params={"resolution": "draft"}, frames=33)
    assert [r.label for r in failure.remedies(failed)] == ["Try again"]


@pytest.mark.parametrize(
    ("mode", "frames", "change"),
    [
        ("sound_to_video", 640, {"duration": 30.0}),
        ("animate", 640, {"seconds": 30.0}),
        ("text_to_video", 241, {"seconds": 5.0}),
    ],
)
def test_a_shorter_try_names_the_mode_s_own_length(mode: str, frames: int, change: object) -> None:
    failed = job(mode=mode, status="failed", error=OOM, params={"resolution": "480p"}, frames=frames)
    assert [dict(r.change) for r in failure.remedies(failed)] == [
        {"resolution": "draft", "width": 0, "height": 0},
        change,
    ]


def test_a_picture_that_does_not_fit_is_tried_smaller() -> None:
    failed = job(
        mode="text_to_image", status="failed", error=OOM, params={}, width=1280, height=720, frames=1
    )
    (remedy,) = failure.remedies(failed)
    assert dict(remedy.change) == {"width": 848, "height": 480} or remedy.change["width"] % 16 == 0
    assert "picture, prompt" not in failure.failure(failed)[1]


def test_details_tell_the_case_without_the_prompt() -> None:
    text = failure.details(job(status="failed", error=OOM, params={"prompt": "my secret", "speed": "fast"}))
    assert "out_of_memory" in text and "id1" in text and "my secret" not in text


@pytest.mark.parametrize("status", ["done", "failed", "cancelled", "queued", "running"])
def test_nothing_a_user_wrote_becomes_markup(status: str) -> None:
    error = {"code": "x", "message": HOSTILE, "hint": HOSTILE, "field": ""}
    hostile = job(
        status=status, title=HOSTILE, error=error, warnings=(notice("text", text=HOSTILE),),
        params={"prompt": HOSTILE},
    )  # fmt: skip
    shown = card(
        CardState(
            shown=hostile, active=hostile, recent=[hostile], snapshot=Snapshot(text=HOSTILE), media=media
        )
    )
    shown += library.grid([hostile], media, time.time())
    assert "<script" not in shown and "<img src=x" not in shown
    assert "&lt;script" in shown


def test_nothing_an_engine_says_becomes_markup() -> None:
    engine = EngineInfo(
        "comfyui",
        HOSTILE,
        "lost",
        version=HOSTILE,
        gpu=HOSTILE,
        python=HOSTILE,
        error=notice("text", text=HOSTILE),
    )
    model = ModelState(HOSTILE, HOSTILE, HOSTILE, 1, ("image_to_video",), False, "missing")
    shown = header([engine], QueueState(0, 0)) + machine_panel.machine([engine], QueueState(0, 0), {}, {})
    shown += model_table.models([model], False, HOSTILE)
    assert "<script" not in shown and "<img src=x" not in shown


def test_the_card_names_what_to_follow() -> None:
    running = job(id="run", key="k", status="running")
    shown = card(CardState(shown=job(), active=running, recent=[running, job()], media=media))
    assert 'data-id="run"' in shown and 'data-key="k"' in shown and 'data-shown="id1"' in shown
    assert 'data-bar="run"' in shown, "the job under way has its bar in the strip"
    assert shown.count('aria-current="true"') == 1


def test_addresses_are_relative_for_pages_behind_a_proxy_path() -> None:
    shown = card(CardState(shown=job(), recent=[job()], media=media))
    assert 'src="media/id1/result.mp4?exp=1&amp;sig=s"' in shown
    assert '"/media' not in shown


def test_quality_is_offered_only_after_a_fast_run() -> None:
    fast = card(CardState(shown=job(), media=media))
    slow = card(CardState(shown=job(params={"speed": "quality"}), media=media))
    assert "Re-render in Quality" in fast and "Re-render in Quality" not in slow


def test_failure_is_an_alert_and_a_cancelled_job_is_not() -> None:
    failed = card(CardState(shown=job(status="failed", error=OOM), media=media))
    cancelled = card(CardState(shown=job(status="cancelled", elapsed=12.0), media=media))
    assert 'role="alert"' in failed and 'role="alert"' not in cancelled
    assert "Cancelled after 12 s" in cancelled


def test_portraits_keep_their_edges_on_the_stage() -> None:
    assert 'class="fit near"' in card(CardState(shown=job(), media=media))
    assert 'class="fit near"' not in card(CardState(shown=job(width=480, height=832), media=media))


@pytest.mark.parametrize("status", ["queued", "running", "done", "failed", "cancelled"])
@pytest.mark.parametrize("mode", ["image_to_video", "text_to_image"])
def test_the_stage_knows_the_shape_of_what_is_made(status: str, mode: str) -> None:
    shown = job(status=status, mode=mode, width=480, height=832, error=OOM if status == "failed" else None)
    assert 'style="--wide:480;--high:832"' in card(CardState(shown=shown, media=media))
    assert "--wide" not in card(CardState(shown=replace(shown, width=0, height=0), media=media))


def test_a_finished_picture_is_shown_as_one() -> None:
    still = job(mode="text_to_image", params={"model": "wan"}, frames=1, fps=0.0)
    shown = card(CardState(shown=still, recent=[still], media=media))
    assert "<video" not in shown and 'src="media/id1/result.png?exp=1&amp;sig=s"' in shown
    assert 'data-act="picture"' in shown and 'data-act="frame"' not in shown
    assert "Re-render in Quality" not in shown and "poster.jpg" not in shown
    tile = library.grid([still], media, time.time())
    assert "result.png" in tile and ">Picture<" in tile and "download=1" in tile


def test_clips_with_sound_have_a_sound_button() -> None:
    assert 'data-p="mute"' in card(CardState(shown=job(mode="sound_to_video"), media=media))
    assert 'data-p="mute"' not in card(CardState(shown=job(), media=media))


def test_a_job_without_a_picture_promises_none() -> None:
    running = job(mode="text_to_video", status="running")
    shown = card(CardState(shown=running, active=running, recent=[running], media=media, has_picture=False))
    assert "Your picture" not in shown and "/input?" not in shown
    assert 'data-live="preview"' in shown, "a preview finds its place"


def test_library_counts() -> None:
    assert "48 clips, 1.2 GB. Kept for 30 days." in library.heading(48, 1_200_000_000, 30)
    assert "1 clip, " in library.heading(1, 5, 30)
    # Also above the tile of a failed or waiting job.
    assert "No finished clips yet. Clips are kept for 30 days." in library.heading(0, 0, 30)


def test_models_say_what_is_missing() -> None:
    both = ("image_to_video", "fast_video")
    states = [
        ModelState("High", "a.safetensors", "diffusion_models", 14_300_000_000, both, False, "ready"),
        ModelState("LoRA", "b.safetensors", "loras", 1_200_000_000, both, False, "missing"),
        ModelState("Extra", "c.safetensors", "clip_vision", 1_300_000_000, both, True, "missing"),
    ]
    shown = model_table.models(states, False, "/models")
    assert "need 1 more file, 1.2 GB." in shown, "an optional file is not needed"
    assert "The demo engine needs no models." in model_table.models(states, True, "/models")


def known(*missing: str, state: str = "missing") -> list[ModelState]:
    """The whole catalogue, ready but for the files of these roles."""
    return [
        ModelState(f.title, f.name, f.folder, f.bytes, f.modes, f.optional,
                   state if f.role in missing else "ready")
        for f in load_catalog().files
    ]  # fmt: skip


def test_every_group_counts_the_files_it_shares() -> None:
    shown = model_table.models(known("text_encoder"), False, "")
    for title in (
        "Image-to-Video and Fast 4-step need",
        "Sound-to-Video needs",
        "Animate needs",
        "Text-to-Video and Text-to-Image need",
    ):
        assert f"{title} 1 more file, 6.7 GB." in shown
    assert shown.count("umt5_xxl_fp8_e4m3fn_scaled</code>") == 1, "listed once"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("unseen", "Not seen by ComfyUI"),
        ("wrong_size", "Wrong size"),
        ("damaged", "Damaged"),
        ("unreadable", "Not readable"),
        ("half_eaten", "Half eaten"),
    ],
)
def test_states_of_a_file_in_words(state: str, words: str) -> None:
    shown = model_table.models(known("s2v", state=state), False, "")
    assert f"<span>{words}</span>" in shown and "Sound-to-Video needs 1 more file" in shown


def test_a_better_file_stands_in() -> None:
    assert "Every mode is ready." in model_table.models(known("animate"), False, "")
    assert "Animate is ready." in model_table.models(known("s2v", "animate"), False, "")
    assert missing_models.lacking("animate", {"speed": "fast"}, known("animate")) == []
    neither = known("animate", "animate_v2", "animate_2", "animate_2_distilled")
    assert missing_models.lacking("animate", {}, neither)[0].name.startswith("Wan2_2-Animate")


def test_with_animate_2_only_replace_needs_the_first_animate() -> None:
    states = known("animate", "animate_v2", "lora_relight")
    assert missing_models.lacking("animate", {"method": "move"}, states) == []
    (model, relight) = missing_models.lacking("animate", {"method": "mix"}, states)
    assert model.name.startswith("Wan2_2-Animate") and "relight" in relight.name
    assert "–" in model_table.models(states, False, ""), "its size is known once it is there"


@pytest.mark.parametrize(
    ("mode", "values", "missing", "count"),
    [
        ("text_to_video", {"speed": "quality"}, ("t2v_high", "t2v_low", "lora_t2v_high"), 2),
        ("text_to_video", {"speed": "fast"}, ("t2v_high", "t2v_low", "lora_t2v_high"), 2),
        (
            "text_to_video",
            {"speed": "fast"},
            ("lora_t2v_high", "lora_t2v_250928_high", "lora_t2v_1217_high"),
            1,
        ),
        ("text_to_image", {"model": "wan"}, ("t2v_high", "t2v_low", "flux"), 2),
        ("text_to_image", {"model": "flux"}, ("t2v_high", "t2v_low", "flux"), 1),
        ("image_to_video", {"clip_vision": True}, ("clip_vision",), 0),
        ("sound_to_video", {}, ("animate",), 0),
    ],
)
def test_what_a_tab_lacks_goes_by_its_settings(
    mode: str, values: dict[str, object], missing: tuple[str, ...], count: int
) -> None:
    assert len(missing_models.lacking(mode, values, known(*missing))) == count


def test_a_tab_says_what_how_big_from_where_and_how() -> None:
    files = missing_models.lacking("text_to_video", {"speed": "quality"}, known("t2v_high", "t2v_low"))
    assert missing_models.headline("text_to_video", files) == "Text-to-Video needs 2 more files, 28.6 GB"
    shown = missing_models.panel("text_to_video", files)
    assert "from Comfy-Org/Wan_2.2_ComfyUI_Repackaged" in shown and "14.3 GB" in shown
    assert 'data-copy="python app.py models download text_to_video"' in shown
    assert missing_models.panel("text_to_video", []) == ""
    hidden = missing_models.lacking("text_to_video", {}, known("t2v_high", state="unseen"))
    assert "python app.py models paths" in missing_models.panel("text_to_video", hidden)


def test_waves() -> None:
    assert media_preview.loudest([0.1, 0.9, 0.2, 5.0], 2) == [0.9, 1.0]
    assert media_preview.loudest([0.5], 140) == [0.5] and media_preview.loudest([], 140) == []
    assert media_preview.wave([0.0] * 1000, "k").count("M") == media_preview.BARS


@pytest.mark.parametrize(
    ("start", "length", "part"),
    [
        (0.0, 0.0, (0.0, 60.0)),
        (10.0, 5.0, (10.0, 15.0)),
        (50.0, 30.0, (50.0, 60.0)),
        (99.0, 0.0, (0.0, 60.0)),
    ],
)
def test_parts_of_a_file(start: float, length: float, part: tuple[float, float]) -> None:
    assert media_preview.Trim("start", "duration", start, length).part(60.0) == part


def test_a_chosen_file_is_no_markup() -> None:
    path = f"/tmp/{HOSTILE}.mp3"
    for kind in ("sound", "video"):
        shown = media_preview.chosen(
            "m", "n", kind, path, 60.0, [0.5], media_preview.Trim("start", "duration")
        )
        assert "<script" not in shown and "onerror=alert" not in shown
        assert shown.count('role="slider"') == 2 and 'aria-valuetext="1:00"' in shown
    assert 'role="slider"' not in media_preview.chosen("m", "n", "sound", path)


def test_every_icon_that_is_asked_for_is_drawn() -> None:
    ui = Path(wording.__file__).parent
    asked = {"wave", "film"} | {
        n for p in ui.rglob("*.py") for n in re.findall(r"""icon\(["'](\w+)["']""", p.read_text("utf-8"))
    }
    assert "download" in asked and asked <= set(SHAPES)
