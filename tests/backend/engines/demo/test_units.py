"""The demo engine's pure parts: order of nodes, cache, camera, frames without a server."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backend.engines.demo.cache import Cache, Result
from backend.engines.demo.camera import camera_for
from backend.engines.demo.encode import next_name
from backend.engines.demo.faults import Faults
from backend.engines.demo.media_reader import open_video, read_picture, read_sound
from backend.engines.demo.nodes_draw import motion_for
from backend.engines.demo.preview import preview
from backend.engines.demo.prompt_queue import PromptQueue, QueuedPrompt
from backend.engines.demo.scene import RenderedScene, loudness
from backend.engines.demo.schedule import Schedule, is_link
from backend.engines.demo.values import (
    ConcatenatedFrames,
    FrameRange,
    Latent,
    Scene,
    Sound,
    StillImage,
    crop_box,
    fit,
)
from backend.engines.demo.watermark import add_watermark, plate, without_watermark
from tests.support import demo_graphs as graphs
from tests.support import demo_inputs
from tests.support.waiting import until


def run_order(graph: graphs.Graph, cached: tuple[str, ...] = ()) -> list[str]:
    target = next(id for id, node in graph.items() if node["class_type"] == "SaveVideo")
    schedule = Schedule(graph, [target], lambda id: id in cached, lambda id: id == target)
    found = []
    while schedule:
        node = schedule.next()
        assert node is not None
        schedule.done(node)
        found.append(node)
    return found


def test_the_order_of_a_recorded_run() -> None:
    assert " ".join(run_order(graphs.image_to_video())) == "4 5 1 3 2 6 7 8 9 13 10 11 12 14 15 16 17"


def test_what_has_a_result_is_left_out() -> None:
    cached = tuple(str(node) for node in range(1, 13))
    assert run_order(graphs.image_to_video(), cached) == ["13", "14", "15", "16", "17"]


def test_a_cycle_is_found() -> None:
    graph: graphs.Graph = {
        "1": {"class_type": "A", "inputs": {"a": ["2", 0]}},
        "2": {"class_type": "A", "inputs": {"a": ["1", 0]}},
    }
    schedule = Schedule(graph, ["1"], lambda id: False, lambda id: False)
    assert schedule.next() is None and schedule.cycle_member() in graph


@pytest.mark.parametrize(
    ("value", "answer"),
    [(["1", 0], True), (["1"], False), ([1, 0], False), ("1", False), (["1", "0"], False)],
)
def test_links(value: Any, answer: bool) -> None:
    assert is_link(value) is answer


def test_freeing_comes_before_a_prompt_that_waits() -> None:
    queue = PromptQueue(lambda: None)
    item = QueuedPrompt(1.0, "id", {}, {}, [])
    for ask in ((queue.free, lambda: queue.put(item)), (lambda: queue.put(item), queue.free)):
        for step in ask:
            step()
        assert queue.take() is None and queue.remaining() == 1, "the cache is cleared first"
        assert queue.take_free() and not queue.take_free()
        assert queue.take() is item and queue.running() is item
        queue.finish(item, {})


def test_a_hang_at_a_node_lasts_until_it_is_released() -> None:
    faults, passed = Faults(lambda: None, lambda: None), threading.Event()
    faults.configure({"hang_at_node": "VAEDecode"})
    faults.at_node("KSampler")
    thread = threading.Thread(target=lambda: (faults.at_node("VAEDecode"), passed.set()))
    thread.start()
    until(lambda: not faults.pending())
    assert not passed.is_set()
    faults.configure({})
    thread.join(60)
    assert passed.is_set()


def test_the_cache_keeps_the_last_prompt_only() -> None:
    cache = Cache(lambda class_type, inputs: "")
    first, other = graphs.text_to_video(), graphs.text_to_video(seed=2)
    cache.begin(first)
    for id in first:
        cache.put(id, Result((id,)))
    cache.begin(other)
    assert [id for id in other if cache.get(id) is None] == ["12", "13", "14", "15", "16"]
    cache.begin(first)
    assert cache.get("12") is None and cache.get("1") == Result(("1",))


def test_node_ids_do_not_count_for_the_cache() -> None:
    cache = Cache(lambda class_type, inputs: "")
    cache.begin({"1": {"class_type": "A", "inputs": {"x": 1}}})
    cache.put("1", Result((5,)))
    cache.begin({"7": {"class_type": "A", "inputs": {"x": 1}}})
    assert cache.get("7") == Result((5,))


@pytest.mark.parametrize(
    ("text", "move"),
    [
        ("The camera pans LEFT.", (-1, 0, 0)),
        ("it drifts to the right", (1, 0, 0)),
        ("the mist rises", (0, 1, 0)),
        ("a slow push in", (0, 0, 1)),
        ("she comes closer", (0, 0, 1)),
        ("the camera pulls back to the left", (0, 0, -1)),
        ("a still lake, nothing moves left", (0, 0, 0)),
    ],
)
def test_camera_words(text: str, move: tuple[int, int, int]) -> None:
    camera = camera_for(text, 1, 1.0)
    assert (camera.across, camera.up, camera.closer) == move


def test_leftover_does_not_match_left() -> None:
    gentle = camera_for("", 5, 1.0)
    assert camera_for("leftover uprights", 5, 1.0) == gentle


@pytest.mark.parametrize("text", ["left", "right", "rises", "closer", "pull back", "still", "", "orbit"])
@pytest.mark.parametrize("motion", [0.6, 1.0, 1.5])
def test_the_camera_stays_in_the_picture_and_moves_smoothly(text: str, motion: float) -> None:
    camera = camera_for(text, 11, motion)
    boxes = np.array([camera.box(1000, 600, i / 80, i / 16, beat=0.5) for i in range(81)])
    assert boxes[:, :2].min() >= 0 and boxes[:, 2].max() <= 1000 + 1e-6 and boxes[:, 3].max() <= 600 + 1e-6
    ratio = (boxes[:, 2] - boxes[:, 0]) / (boxes[:, 3] - boxes[:, 1])
    assert np.allclose(ratio, 1000 / 600)
    assert np.abs(np.diff(boxes, 2, axis=0)).max() < 1.0, "no jerk: the speed changes slowly"


def test_motion_depends_on_the_expert_switch() -> None:
    assert motion_for(0, 7, 20) == pytest.approx(0.6)
    assert motion_for(0, 13, 20) == pytest.approx(1.5)
    assert 0.9 < motion_for(0, 10, 20) < 1.1
    assert motion_for(0, 20, 20) == 1.0


@pytest.mark.parametrize(
    ("size", "wanted"), [((200, 100), (50, 0, 150, 100)), ((100, 300), (0, 100, 100, 200))]
)
def test_crop_is_centred(size: tuple[int, int], wanted: tuple[float, ...]) -> None:
    assert crop_box(*size, 64, 64) == wanted


def test_ranges_and_concatenation() -> None:
    red, blue = (StillImage(Image.new("RGB", (8, 8), colour), 3) for colour in ("red", "blue"))
    joined = ConcatenatedFrames((red, FrameRange(blue, 1, 2)))
    assert joined.count == 5
    assert [joined.frame(i).getpixel((0, 0)) == (0, 0, 255) for i in range(5)] == [False] * 3 + [True] * 2


@pytest.mark.parametrize("width", [64, 128, 512, 832, 1280])
def test_the_watermark_scales_with_the_image(width: int) -> None:
    label, (x, y) = plate(width, width * 9 // 16)
    assert label.width + 2 * x <= width and label.height + y <= width * 9 // 16
    assert label.height >= 8 and 0.05 < label.width / width < 0.6


@pytest.mark.parametrize("size", [(512, 288), (832, 480), (1280, 720), (480, 832)])
def test_a_clip_that_begins_with_a_frame_of_another_shows_one_watermark(size: tuple[int, int]) -> None:
    sky = np.linspace((40, 60, 110), (220, 200, 160), size[1])[:, None].repeat(size[0], axis=1)
    picture = Image.fromarray(sky.astype(np.uint8))
    assert without_watermark(picture) is picture
    file = io.BytesIO()
    add_watermark(picture.copy()).save(file, "JPEG", quality=60)
    with Image.open(file) as marked:
        covered = without_watermark(marked.convert("RGB"))
    away = np.abs(np.asarray(covered).astype(float) - np.asarray(picture)).max()
    assert away < 40, "nothing of the letters or the plate is left"


def test_previews_clear_up_and_stay_small() -> None:
    picture = StillImage(demo_inputs.picture(400, 300))
    latent = Latent(104, 60, 21)

    def look(done: float, step: int) -> np.ndarray:
        with Image.open(io.BytesIO(preview(Scene("x", start=picture), latent, done, step))) as image:
            assert image.size == (512, 295) and image.format == "JPEG"
            return np.asarray(image).astype(float)

    final = look(1.0, 20)
    far, near = (np.abs(look(done, 20) - final).mean() for done in (0.05, 0.7))
    assert far > 2 * near > 0
    assert np.abs(look(1.0, 18) - final).mean() > 0.2, "it moves"


def test_a_picture_is_turned_upright_and_loses_its_transparency(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20), "red").save(tmp_path / "turned.jpg", exif=exif)
    assert read_picture(tmp_path / "turned.jpg").size == (20, 40)
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert read_picture(tmp_path / "clear.png").getpixel((1, 1)) == (255, 0, 0)


def test_a_video_is_read_frame_by_frame_and_backwards(tmp_path: Path) -> None:
    demo_inputs.clip(tmp_path / "a.mp4", frames=6)
    video_file = open_video(tmp_path / "a.mp4")
    assert (video_file.count, video_file.width, video_file.height, video_file.fps) == (6, 96, 64, 16.0)
    assert video_file.frame(5).size == video_file.frame(0).size == (96, 64)
    sound = read_sound(tmp_path / "a.mp4")
    assert sound is not None and sound.rate == 16000


def test_loudness_follows_the_sound() -> None:
    samples = np.zeros((1, 16000), np.float32)
    samples[0, 8000:] = np.sin(np.arange(8000))
    levels = loudness(Sound(samples, 16000), 100)
    assert len(levels) == 17 and max(levels[:7]) < 0.05 < 0.9 < max(levels[9:])
    assert loudness(None, 5) == []


def test_frames_depend_on_their_index_only() -> None:
    scene = Scene("closer", 3, start=StillImage(demo_inputs.picture(64, 64)))
    forward = RenderedScene(scene, 64, 48, 9)
    backward = RenderedScene(scene, 64, 48, 9)
    last = backward.frame(8)
    assert forward.frame(0).tobytes() == backward.frame(0).tobytes()
    assert forward.frame(8).tobytes() == last.tobytes()


def test_fit_gives_the_size_asked_for() -> None:
    assert fit(Image.new("RGB", (300, 10)), 64, 48).size == (64, 48)


def test_names_are_counted_per_prefix(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name in ("x_00007_.mp4", "x_00003_.png", "xy_00050_.mp4", "x_no_.mp4"):
        (tmp_path / "a" / name).touch()
    assert next_name(tmp_path, "a/x", 1, 1)[1:] == ("a", "x", 8)
    assert next_name(tmp_path, "new/y_%width%", 64, 1)[1:] == ("new", "y_64", 1)
    with pytest.raises(ValueError, match="outside"):
        next_name(tmp_path, "../x", 1, 1)


def test_crops_never_leave_the_picture() -> None:
    """Pillow refuses a box that is a hair outside: any size must come out inside."""
    for width in range(60, 420, 7):
        for size in ((604, 348), (981, 566), (77, 1501)):
            left, top, right, bottom = crop_box(width, 300, *size)
            assert 0 <= left < right <= width and 0 <= top < bottom <= 300


def test_chunks_meet_without_a_jump() -> None:
    """The last frames of a chunk and the first of the next show the same, whatever their seeds are."""
    picture, driving = StillImage(demo_inputs.picture(320, 200)), StillImage(Image.new("RGB", (32, 20)), 200)
    first = RenderedScene(Scene(seed=1, start=picture, driving=driving), 160, 96, 33)
    second = RenderedScene(Scene(seed=2, start=picture, driving=driving, offset=28), 160, 96, 33)
    for index in range(5):
        there, here = np.asarray(first.frame(28 + index)), np.asarray(second.frame(index))
        assert np.abs(there.astype(int) - here).max() <= 1
