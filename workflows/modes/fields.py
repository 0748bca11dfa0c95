"""The parameters that several modes share, each specified once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from workflows.params.field import SECONDS, Choice, Field, Group, MediaField, MediaKind
from workflows.params.limits import (
    ASPECTS,
    GUIDANCE_MAX,
    GUIDANCE_MIN,
    PROMPT_MAX,
    SECONDS_MAX,
    SECONDS_MIN,
    SEED_MAX,
    STEPS_MAX,
)
from workflows.params.loras import STRENGTH_MAX
from workflows.params.sizes import SIZE_MAX, SIZE_MIN, SIZE_STEP
from workflows.spec import RANDOM_SEED, declare, declare_seed

LENGTHS = (2.0, 3.0, 5.0, 8.0)
"""Seconds that the page offers as buttons."""
LONGEST_FILE = 1e6
"""Seconds; a bound for the start and the length of a part, so that they are finite."""
OWN = "the mode's own"
BLANK = "Default"
"""What the page shows in an empty number whose value the mode chooses."""
SPEEDS = (Choice("fast", "Fast"), Choice("quality", "Quality"))
RESOLUTIONS = (Choice("draft", "Draft"), Choice("480p", "480p"), Choice("720p", "720p"))
MOTIONS = (
    Choice("balanced", "Balanced"),
    Choice("dynamic", "Dynamic"),
    Choice("subtle", "Subtle"),
    Choice("official", "Official"),
)
MOTION_NOTE = (
    "When the detail model takes over from the motion model. Dynamic = more movement, Subtle = less."
)

LORA_STRENGTHS = (0.4, 0.7, 1.0, 1.3, 0.2, 1.6, 0.55, 0.85, 1.15)
STEPS = (20, 12, 30, 8, 16, 24, 36, 40, 50)
GUIDANCES = (3.5, 2.5, 5.0, 7.0, 1.5, 4.0, 6.0, 2.0, 8.0)
SHIFTS = (5.0, 3.0, 8.0, 12.0, 2.0, 6.0, 10.0, 4.0, 15.0)
"""What variations in these begin with: the first as many as there are videos, in ascending order."""


def media(kind: MediaKind, label: str, help: str, *, required: bool = False, **more: Any) -> Any:
    """A picture, sound or video."""
    return declare(MediaField(kind=kind, label=label, help=help, required=required, **more))


def first_picture() -> Any:
    """The picture that a video begins with."""
    return media(
        "picture", "Picture", "The first picture of the video: uploaded here before, or a data: address.",
        required=True, heading="Drop or choose a picture",
    )  # fmt: skip


def choice(label: str, choices: tuple[Choice, ...], help: str, default: str = "", **more: Any) -> Any:
    """One of a few values, in the page's order. default: the API's; without one it is the first."""
    first = default or choices[0].value
    return declare(Field(kind="choice", label=label, help=help, choices=choices, default=first, **more))


def number(label: str, help: str, default: float, low: float, high: float, **more: Any) -> Any:
    """A number, both limits included."""
    return declare(Field(kind="number", label=label, help=help, default=default, low=low, high=high, **more))


def switch(
    label: str, note: str, help: str = "", *, group: Group = "", in_api: bool = False, later: int = 0
) -> Any:
    """On or off, off by default."""
    return declare(
        Field(
            kind="switch", label=label, note=note, help=help or note, default=False, in_api=in_api,
            group=group, later=later,
        )
    )  # fmt: skip


def prompt(label: str, help: str, placeholder: str) -> Any:
    """The prompt."""
    return declare(
        Field(
            kind="text", label=label, subject="The prompt", default="", high=PROMPT_MAX,
            help=f"{help}, up to {PROMPT_MAX:,} characters.", placeholder=placeholder, varies=True,
        )
    )  # fmt: skip


def negative_prompt(later: int = 0) -> Any:
    """The negative prompt; None: the catalogue's default, "": none."""
    return declare(
        Field(
            kind="text", later=later,
            label="Negative prompt", subject="The negative prompt", default=None, nullable=True,
            high=PROMPT_MAX, placeholder="None", group="prompt",
            note="WAN's default, sent in Chinese unless changed. Leave empty for none. Without guidance"
            " (Fast, Animate) only your own has an effect, and only with ComfyUI-KJNodes.",
            help="What should not be seen. Left out: a good default. Empty: nothing.",
        )
    )  # fmt: skip


def prompt_weights() -> Any:
    """Whether ( ) and embedding: in the prompts are ComfyUI's syntax; off: they are text."""
    return switch(
        "Prompt weights",
        "Reads (word:1.2) and embedding:name in the prompts as ComfyUI does. Off: they are plain text.",
        group="prompt",
        in_api=True,
        later=1,
    )


def nag() -> Any:
    """What the negative prompt does in runs without guidance."""
    return choice(
        "Negative prompt in Fast",
        (Choice("auto", "If possible"), Choice("off", "Never")),
        "auto lets a negative prompt of your own work at cfg 1 where the engine has the WanVideoNAG node"
        " (ComfyUI-KJNodes); off never does.",
        note="Without guidance (cfg 1) your own negative prompt works through NAG, if ComfyUI-KJNodes is"
        " installed.",
        group="prompt",
        later=1,
    )


def distillation(names: tuple[Choice, ...], first: str) -> Any:
    """Which distillation makes the experts fast. first: the one that is always there."""
    values = ", ".join(choice.value for choice in names)
    return choice(
        "Fast model",
        (Choice("auto", "Best installed", "The newest of these that is installed."), *names),
        f"With speed fast: which distillation, {values}; auto takes the best that is installed, else"
        f" {first}.",
        note="Which 4-step distillation Fast uses.",
        group="experts",
        later=1,
        varies=True,
    )


def loras() -> Any:
    """LoRAs of the creator's own, in order."""
    return declare(
        Field(
            kind="loras", label="LoRAs", subject="The LoRAs", default="", group="experts", later=1,
            help="LoRAs of your own, in order: a JSON list of objects with name (see /loras), strength"
            f" (1.0; {-STRENGTH_MAX:g} to {STRENGTH_MAX:g}) and strength_low, for the low-noise expert."
            " Of a pair give one file, the other is found.",
            varies=True, compared=LORA_STRENGTHS,
        )
    )  # fmt: skip


def resolution(shape: str = "; the picture gives the shape") -> Any:
    """How many pixels."""
    return choice(
        "Resolution", RESOLUTIONS, f"draft, 480p or 720p: how many pixels{shape}.", "480p", group="size"
    )


def width(source: str) -> Any:
    """The width in pixels. source: where 0 takes it from."""
    return _side("Width", f"Width in pixels, a multiple of {SIZE_STEP} from {SIZE_MIN} to {SIZE_MAX}; "
                 f"0 takes it from {source}.", source)  # fmt: skip


def height(source: str) -> Any:
    """The height in pixels, as `width`."""
    return _side("Height", "Height in pixels, as width; give both or neither.", source)


def _side(label: str, help: str, source: str) -> Any:
    return declare(
        Field(
            kind="side",
            label=label,
            help=help,
            default=0,
            zero=source,
            step=SIZE_STEP,
            unit="px",
            blank="Auto",
            group="size",
        )
    )


def seconds() -> Any:
    """The length of a clip that is given by no file."""
    return number(
        "Length", f"Length of the video, {SECONDS_MIN:g} to {SECONDS_MAX:g} seconds.", 5.0, SECONDS_MIN,
        SECONDS_MAX, subject="The length", unit=SECONDS, offered=LENGTHS,
    )  # fmt: skip


def part_start(help: str) -> Any:
    """Where the part of a file that is used begins."""
    return number(
        "Start", help, 0.0, 0, LONGEST_FILE, subject="The start", unit=SECONDS, step=0.1,
        note="In seconds",
    )  # fmt: skip


def part_length(label: str, subject: str, help: str) -> Any:
    """How long the part of a file that is used is; 0: to the end."""
    return number(
        label, help, 0.0, 0, LONGEST_FILE, subject=subject, unit=SECONDS, step=0.1, note="In seconds",
        blank="To the end",
    )  # fmt: skip


def motion(later: int = 0) -> Any:
    """Where the high-noise expert hands over to the low-noise one."""
    return choice(
        "Motion", MOTIONS, "How much moves: balanced, dynamic, subtle or official.", note=MOTION_NOTE,
        group="motion", later=later, varies=True,
    )  # fmt: skip


def speed(help: str) -> Any:
    """quality by default in the API, fast on the page."""
    return choice("Speed", SPEEDS, help, "quality", page_default="fast", varies=True)


def steps(least: int = 1, own: str = OWN, group: Group = "motion") -> Any:
    """Sampling steps; 0: the mode's own."""
    return declare(
        Field(
            kind="whole", label="Steps", default=0, high=STEPS_MAX, zero=own, blank=BLANK, group=group,
            help=f"Sampling steps, {least} to {STEPS_MAX}; 0 takes {own}.", varies=True, compared=STEPS,
        )
    )  # fmt: skip


def cfg() -> Any:
    """Guidance; 0: the mode's own."""
    return _guidance("CFG", "Guidance (cfg)", "Guidance", "prompt", GUIDANCES)


def shift() -> Any:
    """The shift of the noise schedule; 0: the mode's own."""
    return _guidance("Shift", "Shift", "Noise schedule shift", "motion", SHIFTS)


def _guidance(label: str, subject: str, what: str, group: Group, compared: tuple[float, ...]) -> Any:
    return number(
        label, f"{what}, {GUIDANCE_MIN:g} to {GUIDANCE_MAX:g}; 0 takes {OWN}.", 0.0, GUIDANCE_MIN,
        GUIDANCE_MAX, subject=subject, zero=OWN, step=0.1, blank=BLANK, group=group, varies=True,
        compared=compared,
    )  # fmt: skip


def seed(makes: str = "video", group: Group = "seed") -> Any:
    """The seed, already drawn: 0 to 2^53 - 1. -1 in the API asks for a random one."""
    return declare_seed(
        Field(
            kind="whole", label="Seed", subject="The seed", default=RANDOM_SEED, high=SEED_MAX,
            blank="Random", group=group, help=f"Same seed, same {makes}; -1 picks a random one.",
        )
    )  # fmt: skip


def fit() -> Any:
    """crop by default; pad: the picture is padded to the size before it is uploaded."""
    return choice(
        "Fit", (Choice("crop", "Crop"), Choice("pad", "Pad")), "crop or pad.", in_api=False,
        group="size",
        note="If the aspect ratio doesn't match: crop the picture, or pad it with blurred edges.",
    )  # fmt: skip


def loop(note: str) -> Any:
    """Whether the clip is a loop: its last frame leads into the first."""
    return switch(
        "Loop", note, f"Whether the video repeats without a visible seam. {note}", group="motion",
        in_api=True, later=2,
    )  # fmt: skip


def in_quality(mode: str) -> Callable[[Mapping[str, Any]], tuple[str, dict[str, Any]]]:
    """The same mode with speed=quality and the mode's own numbers."""
    change = {"speed": "quality", "steps": 0, "cfg": 0.0, "shift": 0.0}
    return lambda values: (mode, change)


def aspect() -> Any:
    """The shape of what is made from text alone."""
    names = tuple(ASPECTS)
    help = f"The shape: {', '.join(names[:-1])} or {names[-1]}."
    return choice("Shape", tuple(Choice(name, name) for name in names), help)
