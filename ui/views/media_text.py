"""Texts about a chosen sound or driving video: times, parts, facts, detection routes. No markup."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ui.i18n.texts import table, text
from ui.views.wording import number, parts, size

if TYPE_CHECKING:
    from backend.jobs.views import Plan
    from backend.media.facts import VideoFacts


def clock_exact(seconds: float) -> str:
    """A time in a sound or video to a tenth of a second: `0:42.5`; whole seconds as `0:42`."""
    tenths = max(0, round(seconds * 10))
    whole, rest = divmod(tenths, 10)
    minutes = f"{whole // 60}:{whole % 60:02d}"
    return f"{minutes}.{rest}" if rest else minutes


def part_facts(part: float, whole: float, plan: Plan) -> list[str]:
    """The chosen part and its cost: `0:42 of 3:10`, `9 parts`, `About 12 min on this GPU`."""
    is_whole = abs(whole - part) < 0.05
    words = [
        clock_exact(whole)
        if is_whole
        else text("media.part_of", part=clock_exact(part), whole=clock_exact(whole))
    ]
    if plan.frames:
        words += [parts(plan.chunks)]
        if plan.chunks > 1 and plan.estimate is not None and not plan.estimate.is_first:
            words.append(plan.estimate.text)
    return words


def video_facts(facts: VideoFacts) -> list[str]:
    """`1920 × 1080`, `29.97 fps`, `With sound`, and a note about conversions."""
    sound = text("media.with_sound") if facts.has_audio else text("media.no_sound")
    fps = text("format.fps", fps=number(facts.fps, 2))
    return [size(facts.width, facts.height), fps, sound, facts.note]


def route(name: str) -> str:
    """Where Animate's pose, face and mask come from, "" where nothing is detected. name: Compiled.route, such
    as `native+sam3`."""
    pose, _, mask = name.partition("+")
    found = table().get(f"media.pose.{pose}", ""), table().get(f"media.mask.{mask}", "")
    return " ".join(filter(None, found))
