"""Sound-to-Video, Animate and the text modes on a real ComfyUI: frames, sound, seams of long jobs."""

from __future__ import annotations

import math
import uuid
import wave
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from backend.engines.base import Prompt
from backend.engines.comfy import ComfyEngine
from backend.events import Event, Progress
from backend.media.probe import Decoder, StoredMedia
from backend.parts import Parts
from workflows import animate, sound_to_video
from workflows.catalog import load_catalog
from workflows.compile import Compiled, ServerFacts, compile
from workflows.node_contract import check, facts
from workflows.params import Animate, Media, Params, SoundToVideo, TextToImage, TextToVideo

SIZE = {"width": 64, "height": 64}
RATE, FPS = 16000, 16


def tone(path: Path, seconds: float) -> Media:
    """A tone that swells three times a second, as WAV."""
    t = np.arange(round(seconds * RATE)) / RATE
    samples = 0.4 * (0.5 + 0.5 * np.sin(6 * math.pi * t)) * np.sin(440 * math.pi * t)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return Media(path.name, seconds=seconds)


def film(path: Path, frames: int, sound: bool = True, shape: tuple[int, int] = (96, 64)) -> Media:
    """A square that walks to the right, on grey; with a tone."""
    width, height = shape
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("h264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        voice = container.add_stream("aac", rate=RATE, layout="mono") if sound else None
        for number in range(frames):
            picture = np.full((height, width, 3), 90, np.uint8)
            left = number % (width - 16)
            picture[20:50, left : left + 16] = (230, 200, 120)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        container.mux(stream.encode())
        if voice is not None:
            t = np.arange(frames * RATE // FPS) / RATE
            data = (0.3 * np.sin(440 * math.pi * t)).astype(np.float32)[None]
            frame = av.AudioFrame.from_ndarray(data, format="fltp", layout="mono")
            frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
            container.mux(voice.encode(frame))
            container.mux(voice.encode())
    return Media(path.name, width, height, frames, FPS, frames / FPS, sound)


@pytest.fixture(scope="module")
def server(engine: ComfyEngine) -> ServerFacts:
    return facts(engine.contract())


@pytest.fixture
def run(
    engine: ComfyEngine, decoder: Decoder, tmp_path: Path
) -> Callable[[Compiled, dict[str, Path]], tuple[Path, list[int]]]:
    """Runs all graphs of a job as the studio does; gives the result and the steps that were counted."""

    def run(compiled: Compiled, sources: dict[str, Path]) -> tuple[Path, list[int]]:
        contract = engine.contract()
        problems = [problem for graph in compiled.graphs for problem in check(graph, contract)]
        assert [p for p in problems if p.value not in compiled.inputs] == []  # those are sent later
        folder = tmp_path / uuid.uuid4().hex
        folder.mkdir()
        parts = Parts(decoder, folder, sources, compiled)
        events: list[Event] = []
        for index, (graph, labels) in enumerate(zip(compiled.graphs, compiled.labels, strict=True)):
            files = parts.files(index, graph)
            assert set(files) <= set(compiled.inputs)
            prompt = Prompt(str(uuid.uuid4()), graph, labels, compiled.sampling_steps, files, index)
            parts.fetch(engine, engine.run(prompt, events.append), index)
        parts.finish(folder / "result")
        return folder / "result", [event.step for event in events if isinstance(event, Progress)]

    return run


Run = Callable[[Compiled, dict[str, Path]], tuple[Path, list[int]]]


def seed() -> int:
    return uuid.uuid4().int % 2**50


def frames_of(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        rows = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack(rows).astype(np.float32)


def sound_seconds(path: Path) -> float:
    """Length of the sound, 0.0 without one."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return 0.0
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))


def looks_right(path: Path, compiled: Compiled, steps: list[int], sound: bool = True) -> np.ndarray:
    frames = frames_of(path)
    assert frames.shape == (compiled.frames, compiled.height, compiled.width, 3)
    assert steps == sorted(steps) and steps[-1] == compiled.sampling_steps
    length = compiled.frames / compiled.fps
    assert sound_seconds(path) == pytest.approx(length if sound else 0.0, abs=0.1)
    assert not sound or sound_seconds(path) > 0
    return frames


def no_doubled_frame(frames: np.ndarray, kept: tuple[int, ...]) -> None:
    """The picture changes at a seam at least a quarter as much as it mostly does around it."""
    moves = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
    for seam in np.cumsum(kept)[:-1]:
        around = moves[max(0, seam - 20) : seam + 20]
        assert moves[seam - 1] > np.median(around) / 4


@pytest.mark.parametrize("seconds", [0.2, 1.0, 4.9, 5.1, 12.0])
def test_sound(seconds: float, run: Run, server: ServerFacts, picture: StoredMedia, tmp_path: Path) -> None:
    audio = tone(tmp_path / "tone.wav", seconds)
    params = SoundToVideo(audio=audio, image=Media(picture.name, 160, 90), seed=seed(), speed="fast", **SIZE)
    compiled = compile(params, load_catalog(), server, uuid.uuid4().hex)
    assert compiled.sampling_steps == 4 * math.ceil((16 * seconds + 2) / 80)
    sources = {audio.name: tmp_path / "tone.wav", picture.name: picture.path}
    path, steps = run(compiled, sources)
    looks_right(path, compiled, steps)
    assert compiled.frames == round(16 * seconds)


def test_sound_options(run: Run, server: ServerFacts, tmp_path: Path) -> None:
    """Quality, no picture, a part of the sound, levelled."""
    audio = tone(tmp_path / "tone.wav", 3.0)
    params = SoundToVideo(audio=audio, seed=seed(), start=1.0, duration=1.5, level=True, **SIZE)
    compiled = compile(params, load_catalog(), server, uuid.uuid4().hex)
    path, steps = run(compiled, {audio.name: tmp_path / "tone.wav"})
    looks_right(path, compiled, steps)
    assert (compiled.frames, compiled.sampling_steps) == (24, 20)


def test_sound_in_two_graphs_is_as_long_as_in_one(
    run: Run, server: ServerFacts, picture: StoredMedia, tmp_path: Path
) -> None:
    audio = tone(tmp_path / "tone.wav", 12.0)
    params = SoundToVideo(
        audio=audio, image=Media(picture.name, 160, 90), seed=seed(), speed="fast", steps=2, **SIZE
    )
    sources = {audio.name: tmp_path / "tone.wav", picture.name: picture.path}
    lengths = []
    for most in (8, 2, 1):
        compiled = sound_to_video.build(params, load_catalog(), server, uuid.uuid4().hex, most)
        assert len(compiled.graphs) == {8: 1, 2: 2, 1: 3}[most]
        path, steps = run(compiled, sources)
        frames = looks_right(path, compiled, steps)
        no_doubled_frame(frames, compiled.kept)
        lengths.append(len(frames))
    assert lengths == [192, 192, 192]


def test_a_minute_of_sound(run: Run, server: ServerFacts, tmp_path: Path) -> None:
    audio = tone(tmp_path / "tone.wav", 60.0)
    params = SoundToVideo(audio=audio, seed=seed(), speed="fast", steps=1, **SIZE)
    compiled = compile(params, load_catalog(), server, uuid.uuid4().hex)
    path, steps = run(compiled, {audio.name: tmp_path / "tone.wav"})
    no_doubled_frame(looks_right(path, compiled, steps), compiled.kept)
    assert (compiled.frames, len(compiled.graphs)) == (960, 2)


@pytest.mark.parametrize("method", ["move", "mix"])
@pytest.mark.parametrize("chunks", [1, 3, 6])
def test_animate(
    method: str, chunks: int, run: Run, server: ServerFacts, picture: StoredMedia, tmp_path: Path
) -> None:
    frames = {1: 20, 3: 200, 6: 400}[chunks]
    video = film(tmp_path / "video.mp4", frames)
    mask = film(tmp_path / "mask.mp4", frames, sound=False)
    helpers: dict[str, Any] = {"mask": mask} if method == "mix" else {}
    params = Animate(
        image=Media(picture.name, 160, 90), video=video, method=method, seed=seed(), speed="fast", steps=2,
        **helpers, **SIZE,
    )  # fmt: skip
    compiled = compile(params, load_catalog(), server, uuid.uuid4().hex)
    assert compiled.sampling_steps == 2 * chunks and len(compiled.graphs) == (2 if chunks == 6 else 1)
    sources = {m.name: tmp_path / m.name for m in (video, mask)} | {picture.name: picture.path}
    path, steps = run(compiled, sources)
    no_doubled_frame(looks_right(path, compiled, steps), compiled.kept)
    assert compiled.frames == frames


def test_animate_in_two_graphs_is_as_long_as_in_one(
    run: Run, server: ServerFacts, picture: StoredMedia, tmp_path: Path
) -> None:
    video = film(tmp_path / "video.mp4", 150)
    params = Animate(
        image=Media(picture.name, 160, 90), video=video, seed=seed(), speed="fast", steps=1, **SIZE
    )
    sources = {video.name: tmp_path / video.name, picture.name: picture.path}
    for most in (4, 1):
        compiled = animate.build(params, load_catalog(), server, uuid.uuid4().hex, most)
        assert len(compiled.graphs) == {4: 1, 1: 3}[most]
        path, steps = run(compiled, sources)
        assert len(looks_right(path, compiled, steps)) == 150


def test_animate_options(run: Run, server: ServerFacts, picture: StoredMedia, tmp_path: Path) -> None:
    """Quality without relighting, own pose, face and mask, 24 a second, a part, no sound."""
    names = ("video", "pose", "face", "mask")
    files = {n: film(tmp_path / f"{n}.mp4", 48, sound=False, shape=(128, 96)) for n in names}
    params = Animate(
        image=Media(picture.name, 160, 90), video=files["video"], pose_video=files["pose"], method="mix",
        face_video=files["face"], mask=files["mask"], fps=24.0, start=0.5, seconds=1.5, relight=0.0,
        seed=seed(), steps=2, **SIZE,
    )  # fmt: skip
    compiled = compile(params, load_catalog(), server, uuid.uuid4().hex)
    sources = {m.name: tmp_path / m.name for m in files.values()} | {picture.name: picture.path}
    path, steps = run(compiled, sources)
    looks_right(path, compiled, steps, sound=False)
    assert (compiled.frames, compiled.fps) == (36, 24.0)


@pytest.mark.parametrize("speed", ["quality", "fast"])
def test_text_to_video(speed: str, run: Run, server: ServerFacts) -> None:
    params = TextToVideo(prompt="A boat", seed=seed(), speed=speed, seconds=0.5, **SIZE)
    compiled = compile(params, load_catalog(), server, uuid.uuid4().hex)
    path, steps = run(compiled, {})
    assert len(looks_right(path, compiled, steps, sound=False)) == 9


def test_text_to_image(run: Run, server: ServerFacts) -> None:
    params: Params = TextToImage(prompt="A boat", seed=seed(), width=96, height=64)
    path, steps = run(compile(params, load_catalog(), server, uuid.uuid4().hex), {})
    with Image.open(path) as picture:
        assert (picture.format, picture.size) == ("PNG", (96, 64))
    assert steps[-1] == 20
