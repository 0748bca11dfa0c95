"""Chosen sounds and driving videos in words: places, parts, facts, routes. Pure; gives text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ui.views.wording import chunk_words, chunks, number, size

if TYPE_CHECKING:
    from backend.jobs.views import Plan
    from backend.media.facts import VideoFacts

ROUTE_WORDS = {
    "given": "Using your pose video.",
    "native": "ComfyUI detects pose and face in the driving video.",
    "preprocess": "The WanAnimatePreprocess nodes detect pose and face in the driving video.",
    "template": "The controlnet_aux nodes detect the pose in the driving video.",
    "driving": "",
}
MASK_WORDS = {
    "given": "Using your mask video.",
    "sam3": "SAM 3 detects the person.",
    "sam2": "SAM 2 detects the person.",
}


def clock_exact(seconds: float) -> str:
    """A place in a sound or video to a tenth: `0:42.5`; whole seconds as `0:42`."""
    tenths = max(0, round(seconds * 10))
    whole, rest = divmod(tenths, 10)
    text = f"{whole // 60}:{whole % 60:02d}"
    return f"{text}.{rest}" if rest else text


def part_facts(mode: str, part: float, whole: float, plan: Plan) -> list[str]:
    """The chosen part and its cost: `0:42 of 3:10`, `9 parts`, `About 12 min on this GPU`."""
    is_whole = abs(whole - part) < 0.05
    words = [clock_exact(whole) if is_whole else f"{clock_exact(part)} of {clock_exact(whole)}"]
    if plan.frames:
        words += [chunk_words(mode, plan.frames)]
        if chunks(mode, plan.frames) > 1 and plan.estimate is not None and not plan.estimate.is_first:
            words.append(plan.estimate.text)
    return words


def video_facts(facts: VideoFacts) -> list[str]:
    """`1920 × 1080`, `29.97 fps`, `With sound`, and what will be changed."""
    sound = "With sound" if facts.has_audio else "No sound"
    return [size(facts.width, facts.height), f"{number(facts.fps, 2)} fps", sound, facts.note]


def route(name: str) -> str:
    """Where Animate's pose, face and mask come from. name: Compiled.route, such as `native+sam3`."""
    pose, _, mask = name.partition("+")
    said = ROUTE_WORDS.get(pose, "")
    return " ".join(part for part in (said, MASK_WORDS.get(mask, "")) if part)
