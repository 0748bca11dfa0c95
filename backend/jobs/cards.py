"""The measurements of a server's graphics card: this machine's own, in the data folder, and the table."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from pathlib import Path

from backend.engines.base import EngineInfo
from backend.engines.kinds import kind_of
from workflows.cards import Card, find_card, load_cards, parse_card

log = logging.getLogger("wan.jobs")

FOLDER = "cards"
"""The subfolder of the data folder with a file per card, as `bench --random-weights` writes them."""
CardOf = Callable[[EngineInfo], Card | None]


def no_card(info: EngineInfo) -> Card | None:
    """For an engine whose card is unknown."""
    return None


def has_card(info: EngineInfo) -> bool:
    """Whether the server has reported a GPU of its own."""
    return kind_of(info).reports_gpu and info.gpu not in ("", "CPU")


def file_name(gpu: str) -> str:
    """The name of a card's file in FOLDER."""
    return f"{re.sub(r'[^a-z0-9]+', '-', gpu.lower()).strip('-') or 'card'}.json"


class Cards:
    """Reads a file again after it has changed. Methods may be called from any thread."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / FOLDER
        self._read: dict[Path, tuple[tuple[int, int], Card | None]] = {}

    def of(self, info: EngineInfo) -> Card | None:
        """The measurements of this server's card; None when there are none."""
        if not has_card(info):
            return None
        return find_card((*self._own(), *load_cards()), info.gpu, info.vram_total)

    def _own(self) -> list[Card]:
        found = []
        for path in sorted(self._folder.glob("*.json")):
            try:
                stat = path.stat()
                known = self._read.get(path)
                stamp = (stat.st_mtime_ns, stat.st_size)
                if known is None or known[0] != stamp:
                    known = self._read[path] = (stamp, _parsed(path))
            except OSError as error:
                log.warning("the measurements in %s cannot be read: %s", path, error)
                continue
            if known[1] is not None:
                found.append(known[1])
        return found


def _parsed(path: Path) -> Card | None:
    """None for a file without measurements of a card; raises OSError."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data.get("scale") != "full":
            return None
        return parse_card(data, own=True)
    except (ValueError, AttributeError) as error:
        log.warning("the measurements in %s cannot be used: %s", path, error)
        return None
