"""The rows of `bench --random-weights`: which they are, what files they need, table and JSON; which options
of COMFYUI_ARGS are left out; how memory is read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from backend.cli import random_rows
from backend.cli.bench_random import OWN_OPTIONS, targets, without
from backend.cli.bench_run import driving_frames, write_json
from backend.cli.console import print_table
from backend.cli.memory_watch import gpu_memory, resident
from backend.cli.random_rows import ROWS, Measured, RandomRow, chosen, parsed
from backend.engines.base import EngineInfo
from backend.errors import StudioError
from backend.jobs.cards import Cards
from backend.jobs.params import make_params
from backend.jobs.preflight import compile_for
from backend.models.random_weights.shapes import ROLES
from workflows.cards import parse_card
from workflows.catalog import load_catalog
from workflows.graph.node_contract import facts, recorded
from workflows.modes.registry import MODES
from workflows.params.media import Media

GIB = 1 << 30


def test_which_rows() -> None:
    assert [row.name for row in chosen("full", "", ())] == ["1", "2", "3"]
    assert chosen("full", "all", ()) == ROWS["full"] and chosen("tiny", "ALL", ()) == ROWS["tiny"]
    assert [row.name for row in chosen("full", "3, 1,3", ())] == ["3", "1"]
    own = "image_to_video,640x640,33"
    assert [row.name for row in chosen("full", "", [own])] == [own]
    assert [row.name for row in chosen("full", "1", [own])] == ["1", own]
    with pytest.raises(ValueError, match="9"):
        chosen("full", "1,9", ())


@pytest.mark.parametrize(
    ("text", "steps", "speed"),
    [
        ("image_to_video,832x480,81", 4, "fast"), ("image_to_video,832x480,81,quality", 20, "quality"),
        ("animate,832x480,77", 6, "fast"), ("text_to_video,64x64,5,2,fast", 2, "fast"),
        (" Sound_To_Video,512x512,80,10,QUALITY ", 10, "quality"),
    ],
)  # fmt: skip
def test_a_row_of_ones_own(text: str, steps: int, speed: str) -> None:
    row = parsed(text)
    assert (row.steps, row.speed) == (steps, speed) and row.mode in MODES


@pytest.mark.parametrize(
    "text",
    [
        "", "image_to_video", "image_to_video,832x480", "image_to_video,833x480,81", "x,832x480,81",
        "text_to_image,832x480,1", "image_to_video,832x480,0", "image_to_video,832x480,81,1",
        "image_to_video,832x480,81,101", "image_to_video,832x480,81,4,slow", "image_to_video,8x8,81",
    ],
)  # fmt: skip
def test_no_row(text: str) -> None:
    with pytest.raises(ValueError):
        parsed(text)


@pytest.mark.parametrize("row", [*ROWS["full"], *ROWS["tiny"]], ids=repr)
def test_a_row_has_its_frames(row: RandomRow) -> None:
    media = {"image": Media("image", row.width, row.height), "audio": Media("sound", seconds=row.frames / 16)}
    count = driving_frames(row.frames)
    media["video"] = Media("video", row.width, row.height, count, 16.0, count / 16)
    given = {name: media[name] for name in MODES[row.mode].media if name in media}
    params = make_params(row.mode, {**row.values, "seed": 1}, given)
    made = compile_for(params, facts(recorded()), "0" * 32)
    assert (made.width, made.height, made.frames) == (row.width, row.height, row.frames)
    assert made.steps == row.steps and MODES[row.mode].chunks(made.frames) == 1


@pytest.mark.parametrize("scale", ROWS)
def test_the_files_of_the_rows(scale: str) -> None:
    catalog = load_catalog()
    for row in ROWS[scale]:
        found = {file.role for file in random_rows.files([row], catalog, ROLES)}
        assert {"vae", "text_encoder"} <= found and found <= ROLES
        lora = {role for role in found if role.startswith("lora_") and role != "lora_relight"}
        assert bool(lora) == (row.speed == "fast"), row
    both = random_rows.files(ROWS["full"][:2], catalog, ROLES)
    assert sum(file.bytes for file in both) == pytest.approx(38.0e9, rel=0.01)
    assert len({file.name for file in both}) == len(both) == 6
    everything = random_rows.files(ROWS["full"], catalog, ROLES)
    assert sum(file.bytes for file in everything) == pytest.approx(106.6e9, rel=0.02)


def test_what_is_printed_and_written(capsys: pytest.CaptureFixture[str]) -> None:
    row = ROWS["full"][0]
    one = Measured(
        row, (95.0, 52.0), 832, 480, 81, 4, {"load": 3.0, "draw": 42.0, "finish": 5.0}, 21 * GIB, 19 * GIB,
        40 * GIB, 9 * GIB,
    )  # fmt: skip
    assert (one.first, one.whole, one.per_evaluation) == (95.0, 52.0, 10.5)
    failed = Measured(ROWS["full"][2], error="Not enough memory.", out_of_memory=True)
    for each in (None, one, failed):
        print_table(random_rows.table(each))
    head, line, _ = capsys.readouterr().out.splitlines()
    assert head.index("first") == line.index("95.0 s") and "10.50 s" in line and "22.5 GB" in line
    engine = {"gpu": "NVIDIA L4", "vram": 24 * GIB, "ram": 64 * GIB, "comfyui": "0.33.0"}
    data = json.loads(json.dumps(random_rows.record([one, failed], engine, "full", "now", whole=True)))
    assert data["rows"][0]["per_evaluation"] == 10.5 and data["rows"][0]["gpu_peak"] == 21 * GIB
    card = parse_card(data, own=True)
    assert (card.gpu, card.vram) == ("NVIDIA L4", 24 * GIB)
    assert [run.out_of_memory for run in card.runs] == [False, True]
    assert (card.runs[1].width, card.runs[1].frames, card.runs[1].evaluations) == (1280, 81, 4)
    other = Measured(row, error="The server was lost.")
    assert parse_card(random_rows.record([other], engine, "full", "now", True), own=True).runs == ()


def test_options_that_belong_to_another_folder_are_left_out() -> None:
    given = ["--fast", "--base-directory", "/a b", "--port=1", "--cuda-device", "1", "--user-directory", "/x"]
    given += ["--use-sage-attention"]
    assert without(given, OWN_OPTIONS) == ["--fast", "--cuda-device", "1", "--use-sage-attention"]


def test_where_the_figures_are_written(tmp_path: Path) -> None:
    gpu = EngineInfo("comfyui", "a", "ok", gpu="NVIDIA L4", vram_total=24 * GIB)
    cpu = EngineInfo("comfyui", "a", "ok", gpu="CPU", vram_total=24 * GIB)
    assert targets("tiny", tmp_path, gpu, None) == targets("full", tmp_path, cpu, None) == []
    out = tmp_path / "new" / "card.json"
    first, second = targets("full", tmp_path, gpu, str(out))
    assert first == out and second == tmp_path / "cards" / "nvidia-l4.json"
    one = Measured(ROWS["full"][0], (9.0,), 832, 480, 81, 4, {"draw": 8.0})
    engine = {"gpu": gpu.gpu, "vram": gpu.vram_total, "ram": GIB}
    for path in (first, second):
        write_json(path, random_rows.record([one], engine, "full", "now", whole=True))
    card = Cards(tmp_path).of(gpu)
    assert card is not None and card.own and card.runs[0].stages["draw"] == 8.0
    (tmp_path / "file").touch()
    with pytest.raises(StudioError, match="cannot be written"):
        write_json(tmp_path / "file" / "card.json", {})


def test_memory_is_read_from_the_server_and_its_process() -> None:
    device = {"type": "cuda", "vram_total": 24 * GIB, "vram_free": 4 * GIB, "torch_vram_total": 18 * GIB}
    assert gpu_memory({"devices": [device]}) == (20 * GIB, 18 * GIB)
    assert gpu_memory({"devices": [{**device, "type": "cpu"}]}) == (0, 0)
    assert gpu_memory({}) == gpu_memory({"devices": []}) == (0, 0)
    assert resident(os.getpid()) > 1_000_000 and resident(None) == 0
