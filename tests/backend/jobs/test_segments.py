"""A job's segments: the sound cut for each graph and mixed into the joined result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backend.errors import BadMedia
from backend.events import Output
from backend.jobs.segments import Segments
from backend.media.decoder import Decoder
from tests.support.compile_cases import sound
from tests.support.media_files import numbered, samples_of, tone, write_sound, write_video
from workflows.catalog import load_catalog
from workflows.compile import ServerFacts
from workflows.modes import sound_to_video
from workflows.params.media import Media

pytestmark = pytest.mark.full

RATE = 16_000


class Drawn:
    """Stands for an engine that has drawn a graph: its video, and the frames that it hands on."""

    def __init__(self, folder: Path, frames: int, tail: int) -> None:
        folder.mkdir()
        write_video(folder / "made.mp4", numbered(frames, (64, 64), 1), 16, options={"bf": "0"})
        for number in range(tail):
            Image.new("RGB", (64, 64), (number, 90, 90)).save(folder / f"made-tail_{number:05}.png")
        self.outputs = tuple(Output(path.name) for path in sorted(folder.iterdir()))
        self._folder = folder

    def fetch(self, output: Output, path: Path) -> None:
        path.write_bytes((self._folder / output.filename).read_bytes())


def test_a_refusal_names_the_file_of_its_owner(decoder: Decoder, tmp_path: Path) -> None:
    """The copy in the job's folder has the parameter's name."""
    path = write_sound(tmp_path / "audio", tone(1.0, RATE), RATE, form="wav")
    path.write_bytes(path.read_bytes()[:40])
    params = sound(audio=Media("talk", seconds=1.0), image=None, speed="fast", width=64, height=64)
    job = sound_to_video.build(params, load_catalog(), ServerFacts(frozenset()), "job", 1)
    segments = Segments(decoder, tmp_path, {"talk": path}, job, "job", titles={"talk": "whisper.m4a"})
    segments.reuse(0)
    with pytest.raises(BadMedia, match=r"^whisper\.m4a "):
        segments.derive(0)


def test_a_levelled_sound_has_no_step_at_a_seam(decoder: Decoder, tmp_path: Path) -> None:
    """A whisper in the first graph, a shout in the second: one gain for both, and for the file."""
    samples = np.concatenate((tone(10.0, RATE, level=0.02), tone(7.0, RATE, level=0.3)), axis=1)
    path = write_sound(tmp_path / "talk.wav", samples, RATE)
    params = sound(
        audio=Media("talk", seconds=17.0), image=None, speed="fast", level=True, width=64, height=64
    )
    job = sound_to_video.build(params, load_catalog(), ServerFacts(frozenset()), "job", 2)
    assert len(job.graphs) == 2
    segments = Segments(decoder, tmp_path, {"talk": path}, job, "job")
    segments.reuse(0)
    gains = []
    for index in range(len(job.graphs)):
        heard = job.derived[index][0]
        cut = samples_of(segments.derive(index)[heard.name])[0][:, round(heard.silence * RATE) :]
        gains.append(gain(cut, samples, heard.start))
        drawn: Any = Drawn(tmp_path / f"graph-{index}", job.kept[index], 73 * (index == 0))
        segments.collect(drawn, drawn.outputs, index)
    segments.join(tmp_path / "result")
    laid, rate = samples_of(decoder.cut_sound(tmp_path / "result", tmp_path / "laid.wav").path)
    assert rate == RATE and decoder.video_facts(tmp_path / "result").frames == 272
    assert gains[1] == pytest.approx(gains[0], rel=0.01)
    assert gains[0] < 2  # by itself the whisper would have become ten times louder
    for second in (3.0, 14.0):
        piece = laid[:, round(second * RATE) : round((second + 1) * RATE)]
        assert gain(piece, samples, second) == pytest.approx(gains[0], rel=0.1)  # AAC


def gain(made: np.ndarray, source: np.ndarray, start: float) -> float:
    """How much louder `made` is than the source from `start` seconds on."""
    begin = round(start * RATE)
    return float(made.std() / source[:, begin : begin + made.shape[1]].std())
