"""Loops on a real ComfyUI: frames, no doubled one, and the figures of the seam in the table."""

from __future__ import annotations

from typing import Any

import pytest

from backend.media.decoder import StoredMedia
from backend.media.loop_seam import loop_seam
from tests.live.runs import SIZE, Bench, Made, fps_of, pictures_of, seed
from workflows.modes.fast_video import FastVideo
from workflows.modes.image_to_video import ImageToVideo
from workflows.modes.text import TextToVideo
from workflows.params.media import Media
from workflows.spec import ModeParams


def looked_at(name: str, bench: Bench, params: ModeParams, *sources: StoredMedia) -> dict[str, float]:
    """Runs the job, looks at its frames, and notes the figures of its seam."""
    compiled = bench.compile(params)
    made: Made = bench.run(compiled, *sources)
    pictures = pictures_of(made.path)
    assert pictures.shape == (compiled.frames, compiled.height, compiled.width, 3)
    assert fps_of(made.path) == compiled.fps == 16
    assert made.steps[-1] == compiled.sampling_steps
    seam = loop_seam(str(made.path), name)
    figures = f"jump {seam['jump']:.2f}, usual {seam['usual']:.2f}, brightness {seam['brightness']:.2f}"
    bench.table.add(
        f"loop, {name}", "1", f"{pictures.shape[2]} x {pictures.shape[1]}",
        f"{len(pictures)} of {compiled.frames}", "16", f"{len(pictures) / 16:.3f}", "none", figures,
        f"{made.seconds:.0f}",
    )  # fmt: skip
    return seam


@pytest.mark.parametrize(
    ("name", "mode", "options"),
    [
        ("picture", ImageToVideo, {"steps": 4}),
        ("picture, fast", ImageToVideo, {"speed": "fast"}),
        ("picture, Fast tab", FastVideo, {}),
    ],
)
def test_a_loop_from_a_picture_doubles_no_frame(
    name: str, mode: Any, options: dict[str, Any], bench: Bench, picture: StoredMedia
) -> None:
    media = Media(picture.name, picture.width, picture.height)
    params = mode(image=media, prompt="A boat", seed=seed(), seconds=1.0, loop=True, **SIZE, **options)
    seam = looked_at(name, bench, params, picture)
    assert seam["frames"] == 16 and seam["jump"] > 0.2 * seam["usual"], "the first frame is doubled"


@pytest.mark.parametrize(
    ("name", "options"), [("words", {"steps": 4}), ("words, fast", {"speed": "fast", "seconds": 2.0})]
)
def test_a_loop_from_words_closes_with_a_usual_step(name: str, options: dict[str, Any], bench: Bench) -> None:
    given = {"prompt": "A boat", "seed": seed(), "seconds": 1.0, "loop": True, **SIZE, **options}
    seam = looked_at(name, bench, TextToVideo(**given))
    assert seam["frames"] == 16 * given["seconds"]
    assert 0.2 * seam["usual"] < seam["jump"] < 2.5 * seam["usual"]
