"""`app.py bench`: the guide's rows, their figures, and the DEMO mark on times of the demo engine."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app import main
from backend.cli import bench_table
from backend.cli.bench_run import media
from backend.cli.bench_table import ROWS, Measured
from backend.cli.console import print_table
from backend.errors import BadInput
from backend.jobs.input_files import measured
from backend.jobs.params import make_params
from backend.jobs.preflight import compile_for
from backend.media.decoder import Decoder
from tests.support.demo_server import start_demo
from tests.support.paths import ROOT
from tests.support.waiting import until
from workflows.graph.node_contract import facts, recorded
from workflows.modes.registry import MODES

pytestmark = pytest.mark.full

GUIDE = {
    "1a": (512, 512, 17, 4, 15), "1b": (512, 512, 17, 4, 60), "2b": (512, 512, 17, 20, 300),
    "3a": (832, 480, 33, 4, 30), "3b": (832, 480, 33, 4, 120), "4b": (832, 480, 33, 20, 600),
    "5b": (512, 512, 16, 20, 360), "6b": (512, 512, 17, 20, 360),
}  # fmt: skip


def app(*arguments: str, cwd: Path = ROOT, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "app.py"), "bench", *arguments],
        capture_output=True, text=True, timeout=180, cwd=cwd, env={"PATH": "/usr/bin:/bin", **environ},
    )  # fmt: skip


def test_rows_compile_to_the_guides_parameters(tmp_path: Path) -> None:
    assert [row.name for row in ROWS] == list(GUIDE)
    with Decoder() as decoder:
        for row in ROWS:
            files = media(row, tmp_path, decoder.frames_to_video)
            given = {
                name: measured(decoder, MODES[row.mode].media[name].kind, path, name, path.name)
                for name, path in files.items()
            }
            params = make_params(row.mode, {**row.values, "seed": 1}, given)
            made = compile_for(params, facts(recorded()), "0" * 32)
            assert (made.width, made.height, made.frames, made.steps, row.guide) == GUIDE[row.name], row.name
            loras = [name for name in made.models if "lightx2v" in name]
            assert bool(loras) == row.lora, row.name


def test_which_rows() -> None:
    assert bench_table.chosen("") == ROWS
    assert [row.name for row in bench_table.chosen("5, 1,3B")] == ["1a", "1b", "3b", "5b"]
    with pytest.raises(BadInput, match="There is no row 9"):
        bench_table.chosen("1,9")


def test_the_columns_of_all_rows_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(bench_table.table())
    for row in ROWS:
        print_table(bench_table.table(Measured(row, (1000.0, 900.0, 800.0), 17)))
    head, *lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(ROWS)
    for column in ("workflow", "size", "frames", "steps", "LoRA", "first", "median", "spread", "guide"):
        at = head.index(column)
        assert all(line[at - 2 : at] == "  " and line[at] != " " for line in lines), column


def test_median_and_spread_leave_the_first_run_out(capsys: pytest.CaptureFixture[str]) -> None:
    def printed(one: Measured, demo: bool = False) -> str:
        print_table(bench_table.table(one, demo=demo))
        return capsys.readouterr().out.rstrip("\n")

    one = Measured(ROWS[0], (30.0, 12.0, 10.0, 20.0), 17, {"draw": 9.0})
    assert (one.first, one.median) == (30.0, 12.0)
    text = printed(one)
    assert "30.0 s" in text and "12.0 s" in text and "10.0 to 20.0 s" in text and "~15 s" in text
    assert "DEMO" not in text and printed(one, demo=True).endswith("DEMO")
    assert "not made" not in text and len(text) < 110
    row = bench_table.record([one], {}, False, "now", True)["rows"][0]
    assert row["of_guide"] == 0.8 and row["fastest"] == 10.0 and row["slowest"] == 20.0
    assert bench_table.record([one], {}, True, "now", True)["rows"][0]["of_guide"] is None
    only = Measured(ROWS[0], (30.0,), 17)
    assert only.median is None and "30.0 s" in printed(only)
    assert bench_table.record([only], {}, False, "now", True)["rows"][0]["of_guide"] == 2.0


@pytest.mark.deep
def test_figures_of_the_demo_engine_are_marked(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    done = app(
        "--rows", "1a,6", "--repeat", "1", "--out", str(out),
        WAN_ENGINE="demo", WAN_DEMO_STEP_SECONDS="0.001", WAN_DATA_DIR=str(tmp_path / "data"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line[:2] in ("1a", "6b")]
    assert len(lines) == 2 and all(line.endswith("DEMO") for line in lines)
    assert bench_table.DEMO_WORDS in done.stdout
    data = json.loads(out.read_text())
    assert data["demo"] is True and data["complete"] is True and data["engine"]["kind"] == "demo"
    assert [row["row"] for row in data["rows"]] == ["1a", "6b"]
    assert all(len(row["runs"]) == 2 and row["of_guide"] is None and not row["error"] for row in data["rows"])
    assert not (tmp_path / "data").exists(), "no result in the library"


def test_a_missing_model_fails_its_row_only(tmp_path: Path) -> None:
    lora = "wan2.2_i2v_lightx2v_4steps_lora_v1_high_noise.safetensors"
    with start_demo(without=(lora,)) as demo:
        done = app("--rows", "1", "--repeat", "0", COMFYUI_URL=demo.url, WAN_DATA_DIR=str(tmp_path))
    assert done.returncode == 1
    assert f"not made: Image-to-Video needs {lora} in loras" in done.stdout
    assert "python app.py models download image_to_video" in done.stdout
    assert "1b" in done.stdout and done.stdout.count("not made") == 1


def test_stopped_in_the_middle_it_leaves_nothing_behind(tmp_path: Path) -> None:
    with start_demo(step_seconds=1.0) as demo:
        bench_run = subprocess.Popen(
            [sys.executable, str(ROOT / "app.py"), "bench", "--rows", "2b"], cwd=ROOT, stdout=subprocess.PIPE,
            env={"PATH": "/usr/bin:/bin", "COMFYUI_URL": demo.url, "TMPDIR": str(tmp_path)},
        )  # fmt: skip
        until(lambda: demo.call("GET", "/queue").json()["queue_running"])
        bench_run.send_signal(signal.SIGTERM)
        bench_run.communicate(timeout=60)
        until(lambda: not demo.call("GET", "/queue").json()["queue_running"])  # the job was cancelled
    assert not list(tmp_path.glob("wan-bench-*"))


@pytest.mark.deep
def test_without_an_engine_it_says_so(tmp_path: Path) -> None:
    done = app("--rows", "1", COMFYUI_URL="http://127.0.0.1:9", WAN_DATA_DIR=str(tmp_path))
    assert done.returncode == 1
    assert "ComfyUI does not answer at" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("wrong", [("--rows", "7"), ("--repeat", "-1"), ("--repeat", "x")])
def test_wrong_use(wrong: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status: object = main(["bench", *wrong])
    except SystemExit as ended:
        status = ended.code
    told = capsys.readouterr()
    assert status == 2 and told.out == "" and told.err
