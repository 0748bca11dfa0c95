"""Gain, silence and 16-bit PCM by pydub, which opens no file and starts no program."""

from __future__ import annotations

import ast
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from backend.media.sound_edit import HEADROOM_DB, pcm16, silence
from tests.support.media_files import tone
from tests.support.paths import ROOT
from tests.support.sources import parsed

SOURCES = sorted(
    path for top in ("backend", "ui", "workflows", "scripts") for path in (ROOT / top).rglob("*.py")
)


def samples(segment) -> np.ndarray:
    """(channels, samples) of a 16-bit segment."""
    assert segment.sample_width == 2
    return np.frombuffer(segment.raw_data, "<i2").reshape(-1, segment.channels).T


def rms_db(values: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(values.astype(np.float64) / 32768))))


def test_a_16_bit_source_is_unchanged_without_gain() -> None:
    values = np.random.default_rng(0).integers(-32768, 32768, (2, 10_000))
    segment = pcm16((values / 32768).astype(np.float32), 44_100)
    assert (segment.frame_rate, segment.channels) == (44_100, 2)
    assert np.array_equal(samples(segment), values)


@pytest.mark.parametrize("gain_db", [-30.0, -3.0, 0.0, 6.0, 30.0])
@pytest.mark.parametrize("channels", [1, 2])
def test_gain_changes_rms_and_peak_and_keeps_each_sample_in_place(channels: int, gain_db: float) -> None:
    block = tone(0.5, 48_000, channels, level=0.02)
    found = samples(pcm16(block, 48_000, gain_db))
    factor = 10 ** (gain_db / 20)
    assert found.shape == block.shape
    exact = block.astype(np.float64) * factor * 32768
    assert np.abs(found - exact).max() <= 0.51, "rounded, not truncated"
    assert abs(float(np.mean(found - exact))) < 0.05, "no offset"
    if gain_db >= 0:
        assert rms_db(found) == pytest.approx(rms_db(block * 32768) + gain_db, abs=0.01)
    assert np.abs(found).max() == pytest.approx(np.abs(block).max() * factor * 32768, abs=0.51)


def test_what_exceeds_full_scale_is_clipped_not_wrapped() -> None:
    block = np.array([[0.9, -0.9, 1.5, -1.5]], np.float32)
    assert samples(pcm16(block, 8000)).tolist() == [[29_491, -29_491, 32_767, -32_768]]
    assert samples(pcm16(block, 8000, 6.0)).tolist() == [[32_767, -32_768, 32_767, -32_768]]


def test_samples_above_full_scale_survive_when_the_gain_lowers_them() -> None:
    block = tone(0.1, 48_000, level=8.0)
    found = samples(pcm16(block, 48_000, -24.0))
    assert np.abs(found - block * 10 ** (-24 / 20) * 32768).max() <= 0.51
    assert np.abs(block).max() < 10 ** (HEADROOM_DB / 20)


def test_gain_makes_no_click_where_two_blocks_meet() -> None:
    block = tone(0.5, 48_000, 2, level=0.1)
    whole = samples(pcm16(block, 48_000, 9.5))
    cuts = [0, 1, 1000, 1001, 9999, block.shape[1]]
    pieces = [samples(pcm16(block[:, a:b], 48_000, 9.5)) for a, b in pairwise(cuts)]
    assert np.array_equal(np.concatenate(pieces, axis=1), whole)


@pytest.mark.parametrize("rate", [8000, 11_025, 37_800, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_silence_is_exact_to_the_sample(rate: int, channels: int) -> None:
    for count in (0, 1, 5512, 5513, 7 * rate + 1):
        made = silence(count, rate, channels)
        assert (made.frame_rate, made.frame_count()) == (rate, count)
        assert len(made.raw_data) == 2 * channels * count and not any(made.raw_data)


OPENING = {
    "from_file", "from_file_using_temporary_files", "from_mp3", "from_ogg", "from_flv", "from_wav",
    "from_raw", "export",
}  # fmt: skip


def test_pydub_opens_and_saves_no_file() -> None:
    """It would start ffmpeg for that, outside of the bounded child's rules. One module imports it."""
    for path in (ROOT / "app.py", *SOURCES):
        tree = parsed(path)
        used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        imported = {
            (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
            for node in ast.walk(tree)
            if isinstance(node, (ast.Import, ast.ImportFrom))
            for alias in node.names
        }
        if any(name.split(".")[0] == "pydub" for name in imported):
            assert path == ROOT / "backend/media/sound_edit.py"
            assert not used & OPENING


CHILD = """
import os, sys
def forbid(event, arguments):
    if event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty"):
        print(event, arguments, file=sys.stderr)
        os._exit(9)
sys.addaudithook(forbid)
from backend.media import sound
assert "pydub" in sys.modules
source, target = sys.argv[1:]
print(sound.cut(source, target, "a.wav", "audio", 0.25, 0.5, 0.125, (0.0, 0.0)))
"""


@pytest.mark.full
def test_cutting_starts_no_program_and_prints_nothing(tmp_path: Path) -> None:
    from tests.support.media_files import samples_of, write_sound

    source = write_sound(tmp_path / "a.wav", tone(1.0, 48_000, 2, level=0.1), 48_000)
    target = tmp_path / "cut.wav"
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", CHILD, source, target],
        cwd=ROOT, env={"PATH": "", "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "0.625", "")
    assert samples_of(target)[0].shape == (2, 30_000)


@pytest.mark.full
def test_the_app_does_not_load_the_sound_editor_at_its_start() -> None:
    check = "import sys, backend.studio; sys.exit('pydub' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT, timeout=60).returncode == 0
