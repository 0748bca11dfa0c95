"""What the demo engine writes: size, frames, rate and sound as the graph asks for, and what it shows."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.support import demo_graphs as graphs
from tests.support import demo_inputs
from tests.support.demo_server import DemoServer

pytestmark = pytest.mark.full


@dataclass(frozen=True)
class Facts:
    width: int
    height: int
    frames: int
    fps: float
    codec: str
    pix_fmt: str
    sound: tuple[str, int, int, float] | None  # codec, rate, channels, seconds


def facts(path: Path) -> Facts:
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        sound = None
        if container.streams.audio:
            audio = container.streams.audio[0]
            context = audio.codec_context
            seconds = float(audio.duration * audio.time_base)
            sound = (context.name, context.sample_rate, context.channels, round(seconds, 3))
        frames = sum(1 for _ in container.decode(video))
        rate = round(float(video.average_rate or 0), 3)
        return Facts(video.width, video.height, frames, rate, video.codec_context.name, video.pix_fmt, sound)


def pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24").astype(np.int16) for frame in container.decode(video=0)]


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """Mean difference of two pictures without the corner that has the mark, 0 to 255."""
    height, width = one.shape[:2]
    return float(np.abs(one[height // 4 :, width // 4 :] - other[height // 4 :, width // 4 :]).mean())


def made(demo: DemoServer, graph: graphs.Graph) -> Path:
    entry = demo.wait(demo.submit(graph))
    assert entry["status"]["status_str"] == "success", entry["status"]["messages"][-1]
    (output,) = entry["outputs"].values()
    shown = output["images"][0]
    return demo.folder / shown["type"] / shown["subfolder"] / shown["filename"]


@pytest.mark.parametrize(
    ("asked", "frames", "size"),
    [
        ({"width": 832, "height": 480, "length": 81}, 81, (832, 480)),
        ({"width": 100, "height": 68, "length": 9}, 9, (96, 64)),
        ({"width": 70, "height": 64, "length": 7}, 5, (64, 64)),
        ({"width": 16, "height": 16, "length": 9}, 9, (16, 16)),
        ({"width": 72, "height": 64, "length": 2}, 1, (72, 64)),
    ],
)
def test_image_to_video(demo: DemoServer, asked: dict[str, Any], frames: int, size: tuple[int, int]) -> None:
    """Lengths and sizes as measured on a real ComfyUI."""
    path = made(demo, graphs.image_to_video(**asked))
    assert facts(path) == Facts(*size, frames, 16.0, "h264", "yuv420p", None)
    data = path.read_bytes()
    assert 0 < data.find(b"moov") < data.find(b"mdat"), "a browser must find the index in front"
    assert not list(path.parent.glob("*.part"))


def test_two_in_a_batch_follow_each_other(demo: DemoServer) -> None:
    graph = graphs.image_to_video()
    graph["6"]["inputs"]["batch_size"] = 2
    assert facts(made(demo, graph)).frames == 18


@pytest.mark.parametrize("fps", [24.0, 23.976, 30.0])
def test_frame_rate(demo: DemoServer, fps: float) -> None:
    graph = graphs.text_to_video()
    graph["15"]["inputs"]["fps"] = fps
    assert facts(made(demo, graph)).fps == pytest.approx(fps, abs=0.002)


def test_files_are_counted_as_comfyui_counts(demo: DemoServer) -> None:
    first = made(demo, graphs.text_to_video(seed=1, prefix="count/here"))
    other = made(demo, graphs.text_to_video(seed=2, prefix="count/here"))
    assert [first.name, other.name] == ["here_00001_.mp4", "here_00002_.mp4"]
    assert first.parent == demo.folder / "output" / "count"


def test_nothing_is_written_outside_of_the_output_folder(demo: DemoServer) -> None:
    entry = demo.wait(demo.submit(graphs.text_to_video(prefix="../../escaped")))
    assert entry["status"]["messages"][-1][0] == "execution_error"
    assert not list(demo.folder.parent.glob("escaped*"))


def test_it_starts_on_the_creators_picture_and_moves(demo: DemoServer) -> None:
    graph = graphs.image_to_video(width=320, height=192, length=33, prompt="the camera pulls back")
    frames = pictures(made(demo, graph))
    with Image.open(demo.folder / "input" / graphs.PICTURE) as image:
        cropped = np.asarray(ImageOps.fit(image.convert("RGB"), (320, 192))).astype(np.int16)
    assert apart(frames[-1], cropped) < 6, "pulled back, all of the cropped picture is seen"
    assert apart(frames[0], frames[-1]) > 3, "and it was closer before"
    steps = [apart(a, b) for a, b in itertools.pairwise(frames)]
    assert max(steps) < 4 * (sum(steps) / len(steps)) + 0.5, "no jump"


def test_the_prompt_moves_the_camera(demo: DemoServer) -> None:
    """The picture is red on the left: panning left makes the frame redder."""

    def redder(prompt: str) -> float:
        graph = graphs.image_to_video(image=graphs.OTHER, width=320, height=160, length=17, prompt=prompt)
        frames = pictures(made(demo, graph))
        return float(frames[-1][..., 0].mean() - frames[0][..., 0].mean())

    assert redder("the camera pans left") > 5 > -5 > redder("the camera pans right")


def test_more_high_noise_steps_mean_more_motion(demo: DemoServer) -> None:
    def motion(hand_over: int) -> float:
        graph = graphs.image_to_video(
            width=192, height=112, length=17, steps=20, hand_over=hand_over, prompt="closer"
        )
        frames = pictures(made(demo, graph))
        return apart(frames[0], frames[-1])

    subtle, balanced, dynamic = motion(7), motion(10), motion(13)
    assert subtle < balanced < dynamic


def test_first_and_last_picture(demo: DemoServer) -> None:
    blue = Image.new("RGB", (160, 96), (20, 30, 200))
    blue.save(demo.folder / "input" / "end.png")
    graph = graphs.image_to_video(width=160, height=96, length=33, end_image="end.png")
    frames = pictures(made(demo, graph))
    assert apart(frames[-1], np.asarray(blue).astype(np.int16)) < 4
    assert apart(frames[0], frames[-1]) > 40
    assert apart(frames[len(frames) // 2], frames[-1]) > 10, "a blend, not a cut"


@pytest.mark.parametrize(("width", "height"), [(64, 64), (832, 480), (480, 832)])
def test_every_image_has_the_watermark(demo: DemoServer, width: int, height: int) -> None:
    """Bright letters on a dark plate in the top left, over the brightest of pictures."""
    Image.new("RGB", (width, height), "white").save(demo.folder / "input" / "white.png")
    frames = pictures(
        made(demo, graphs.image_to_video(image="white.png", width=width, height=height, length=5))
    )
    for frame in frames:
        corner = frame[: height // 4, : width // 2]
        assert corner.min() < 140 and frame[height // 2 :].min() > 240
        dark = np.argwhere(corner.mean(axis=2) < 190)
        (top, left), (bottom, right) = dark.min(axis=0), dark.max(axis=0)
        assert right - left >= 18 and bottom - top >= 6 and top > 0 and left > 0


def test_without_a_picture_the_prompt_is_drawn(demo: DemoServer) -> None:
    size: dict[str, Any] = {"width": 160, "height": 96, "length": 9}
    night = pictures(made(demo, graphs.text_to_video(prompt="a night sky", **size)))
    snow = pictures(made(demo, graphs.text_to_video(prompt="snow", **size)))
    again = pictures(made(demo, graphs.text_to_video(prompt="a night sky", seed=9, **size)))
    assert apart(night[0], snow[0]) > 30
    assert apart(night[0], again[0]) > 0.5


def test_wan_makes_one_picture_too(demo: DemoServer) -> None:
    graph = graphs.text_to_video(length=1, width=96, height=64)
    graph["15"] = {"class_type": "SaveImage", "inputs": {"images": ["14", 0], "filename_prefix": "t2i"}}
    del graph["16"]
    with Image.open(made(demo, graph)) as image:
        assert (image.size, image.format) == ((96, 64), "PNG")


def test_flux(demo: DemoServer) -> None:
    with Image.open(made(demo, graphs.flux())) as image:
        assert image.size == (96, 64)


def test_sound_to_video(demo: DemoServer) -> None:
    """n chunks of T latents give 4nT - 2 frames; the sound is cut to the video and never padded."""
    path = made(demo, graphs.sound_to_video(chunks=2, length=5))
    assert facts(path) == Facts(64, 64, 14, 16.0, "h264", "yuv420p", ("aac", 16000, 2, 0.875))
    longer = made(demo, graphs.sound_to_video(chunks=1, length=77))
    found = facts(longer)
    assert found.frames == 78 and found.sound is not None and found.sound[3] == pytest.approx(1.0, abs=0.07)


def test_sound_that_is_too_short(demo: DemoServer) -> None:
    graph = graphs.sound_to_video(chunks=1, sound="rig_audio_tiny_20ms.wav")
    event, data = demo.wait(demo.submit(graph))["status"]["messages"][-1]
    assert (event, data["node_type"], data["exception_type"]) == (
        "execution_error", "AudioEncoderEncode", "RuntimeError",
    )  # fmt: skip


def test_a_video_without_sound_as_sound(demo: DemoServer) -> None:
    graph = graphs.sound_to_video(chunks=1, sound="rig_face.mp4")
    data = demo.wait(demo.submit(graph))["status"]["messages"][-1][1]
    assert data["exception_message"] == "No audio stream found in the file.\n"


def test_a_segment_that_continues(demo: DemoServer) -> None:
    """73 frames of the segment before, encoded in front: exactly the new frames come out."""
    graph = graphs.sound_to_video(chunks=1, length=77)
    demo_inputs.clip(demo.folder / "input" / "before.mp4", frames=73, sound=False)
    encoded = {
        "30": {"class_type": "LoadVideo", "inputs": {"file": "before.mp4"}},
        "31": {"class_type": "GetVideoComponents", "inputs": {"video": ["30", 0]}},
        "32": {"class_type": "ImageScale", "inputs": {
            "image": ["31", 0], "upscale_method": "bicubic", "width": 64, "height": 64, "crop": "center",
        }},
        "33": {"class_type": "VAEEncode", "inputs": {"pixels": ["32", 0], "vae": ["4", 0]}},
        "34": {"class_type": "LatentConcat", "inputs": {
            "samples1": ["33", 0], "samples2": ["13", 0], "dim": "t",
        }},
    }  # fmt: skip
    graph.update(encoded)
    graph["12"]["inputs"]["ref_motion"] = ["32", 0]
    decode = next(node for node in graph.values() if node["class_type"] == "VAEDecode")
    decode["inputs"]["samples"] = ["34", 0]
    cut = next(node for node in graph.values() if node["class_type"] == "ImageFromBatch")
    cut["inputs"]["batch_index"] = 73
    assert facts(made(demo, graph)).frames == 80


@pytest.mark.parametrize(("length", "chunks", "frames"), [(9, 2, 13), (9, 4, 21), (29, 1, 29), (1, 1, 1)])
def test_animate(demo: DemoServer, length: int, chunks: int, frames: int) -> None:
    """L' + (n - 1)(L' - trim) frames; the sound is the driving video's."""
    found = facts(made(demo, graphs.animate(length=length, chunks=chunks)))
    assert (found.width, found.height, found.frames) == (64, 64, frames)
    assert found.sound is not None and found.sound[0] == "aac"
