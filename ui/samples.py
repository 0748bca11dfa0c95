"""What the empty tabs offer to try: sample files of assets/starters with settings, ready for Generate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ui.i18n.texts import table, text


@dataclass(frozen=True)
class Sample:
    """A filled form. `id`: of its texts below `samples`; `tab`: key of the tab that offers it; `mode`: whose
    form it fills; `tile`: its picture, "" for a sentence alone; `files`: parameter -> file in
    assets/starters; `values`: parameter -> value of the widget, besides the prompt."""

    id: str
    tab: str
    mode: str
    tile: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The words below its picture."""
        return text(f"samples.{self.id}.title")

    @property
    def prompt(self) -> str:
        """The sentence that it puts into the form; "" for none."""
        return table().get(f"samples.{self.id}.prompt", "")


CHARACTER, WALK = {"image": "character.jpg"}, {"video": "walk.mp4"}
SAMPLES: tuple[Sample, ...] = (
    Sample(
        "voice_character",
        "sound",
        "sound_to_video",
        "character-tile.jpg",
        {"audio": "voice.mp3", **CHARACTER},
    ),
    Sample("voice", "sound", "sound_to_video", "voice-tile.jpg", {"audio": "voice.mp3"}),
    Sample("move", "animate", "animate", "walk-tile.jpg", {**CHARACTER, **WALK}, {"method": "move"}),
    Sample(
        "mix",
        "animate",
        "animate",
        "mix-tile.jpg",
        {**CHARACTER, **WALK, "mask": "walk-mask.mp4"},
        {"method": "mix"},
    ),
    Sample("lighthouse", "text", "text_to_video"),
    Sample("market", "text", "text_to_video"),
    Sample("glider", "text", "text_to_video"),
)


def sample(name: object) -> Sample | None:
    """The sample of this id; None for anything else."""
    return next((one for one in SAMPLES if one.id == name), None)
