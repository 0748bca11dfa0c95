"""Measured times and memory of graphics cards: cards.yaml, and what `bench --random-weights` writes. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

STAGES = ("load", "read", "draw", "finish", "save", "own")
VRAM_TOLERANCE = 0.1
"""Cards of one name whose memory differs by more are different cards (A100 with 40 and 80 GB)."""
MAX_SECONDS = 1e7
MAKERS = frozenset({"nvidia", "geforce", "tesla", "amd", "radeon", "intel", "gpu"})


@dataclass(frozen=True)
class CardRun:
    """One job on the card. `stages`: seconds, with loading the models; `gpu_peak`, `ram_peak`: bytes, 0 if
    unknown; `out_of_memory`: it failed for lack of memory, and has no times; `model`: the kind that drew it,
    "" for the usual one of its mode."""

    mode: str
    width: int
    height: int
    frames: int
    steps: int
    evaluations: int
    chunks: int
    stages: Mapping[str, float]
    gpu_peak: int = 0
    ram_peak: int = 0
    out_of_memory: bool = False
    model: str = ""


@dataclass(frozen=True)
class Card:
    """`vram`: bytes, 0 if unknown; `source`: who measured it; `own`: measured on this machine."""

    gpu: str
    vram: int
    source: str
    runs: tuple[CardRun, ...]
    own: bool = False

    def is_gpu(self, name: str, vram: int) -> bool:
        """Whether a GPU of this name and memory is this card."""
        if _plain(name) != _plain(self.gpu):
            return False
        return not (vram and self.vram) or abs(vram / self.vram - 1) <= VRAM_TOLERANCE


def _plain(name: str) -> tuple[str, ...]:
    return tuple(word for word in re.findall(r"[a-z0-9]+", name.lower()) if word not in MAKERS)


def parse_card(data: Mapping[str, Any], *, own: bool = False) -> Card:
    """A card from an entry of cards.yaml or the JSON of a benchmark. Raises ValueError."""
    try:
        about = data.get("card", data)
        runs = tuple(_run(row) for row in data["rows"] if row.get("stages") or row.get("out_of_memory"))
        gpu, vram = str(about["gpu"]), int(about.get("vram") or 0)
        source = str(data.get("source") or "")
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"not the measurements of a card: {error!r}") from error
    if not _plain(gpu) or not (own or source):
        raise ValueError("the measurements of a card need its name, and a source if they are not its own")
    return Card(gpu, vram, source, runs, own)


def _run(row: Mapping[str, Any]) -> CardRun:
    stages = {name: float(seconds) for name, seconds in dict(row.get("stages") or {}).items()}
    if stages and row.get("first") and row.get("seconds"):  # the stages are those of a later run
        loading = max(0.0, float(row["first"]) - float(row["seconds"]))
        stages["load"] = stages.get("load", 0.0) + loading
    made = CardRun(
        mode=str(row["mode"]),
        width=int(row["width"]),
        height=int(row["height"]),
        frames=int(row["frames"]),
        steps=int(row["steps"]),
        evaluations=int(row["evaluations"]),
        chunks=int(row["chunks"]),
        stages={name: stages[name] for name in STAGES if name in stages},
        gpu_peak=int(row.get("gpu_peak") or 0),
        ram_peak=int(row.get("ram_peak") or 0),
        out_of_memory=bool(row.get("out_of_memory")),
        model=str(row.get("model") or ""),
    )
    least = min(made.width, made.height, made.frames, made.steps, made.evaluations, made.chunks)
    if least < 1 or any(not 0 <= seconds < MAX_SECONDS for seconds in stages.values()):
        raise ValueError(f"out of range: {row!r:.200}")
    return made


def find_card(cards: Iterable[Card], gpu: str, vram: int) -> Card | None:
    """The measurements of this GPU, those of this machine first."""
    found = [card for card in cards if card.is_gpu(gpu, vram)]
    return max(found, key=lambda card: card.own, default=None)


@lru_cache(maxsize=1)
def load_cards() -> tuple[Card, ...]:
    """cards.yaml, read once."""
    data = yaml.safe_load((Path(__file__).parent / "cards.yaml").read_text(encoding="utf-8"))
    return tuple(parse_card(entry) for entry in data["cards"])
