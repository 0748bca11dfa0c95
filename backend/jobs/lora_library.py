"""The LoRAs of the engines: what can be chosen for a mode, and their pictures."""

from __future__ import annotations

from collections.abc import Collection

from backend.errors import BadInput
from backend.jobs.offers import Offers
from backend.media.decoder import Decoder
from backend.models.lora_files import LoraFiles
from backend.models.lora_pictures import LoraPictures
from backend.models.lora_rows import lora_rows
from backend.models.state import LoraList, LoraState
from workflows.compile import ServerFacts
from workflows.graph.lora_file import spelled
from workflows.modes.registry import MODES

MOST = 60
"""Rows of one answer."""


class LoraLibrary:
    """Asks the first engine that lists its LoRAs; others are compared with it when a job is planned. Any
    thread may ask."""

    def __init__(self, offers: Offers, decoder: Decoder) -> None:
        self._offers = offers
        self._pictures = LoraPictures(decoder)

    def find(self, mode: str, search: str = "", names: Collection[str] = (), most: int = MOST) -> LoraList:
        """The LoRAs for a mode by search words, or those of these names. Raises BadInput for an unknown
        mode."""
        if mode not in MODES:
            raise BadInput.of("no_such_mode", given=mode, names=tuple(MODES))
        facts = self._facts()
        if facts is None:
            return LoraList(listed=False)
        files = facts.loras
        if not isinstance(files, LoraFiles):
            return LoraList(listed=False)
        rows = lora_rows(files, facts, MODES[mode].lora_targets, search)
        if names:
            rows = _named(rows, names)
        return LoraList(tuple(rows[:most]), True, len(rows))

    def picture(self, name: str) -> bytes:
        """The small picture of a LoRA as JPEG; empty for none."""
        facts = self._facts()
        files = facts.loras if facts is not None else {}
        if not isinstance(files, LoraFiles) or name not in files:
            return b""
        paths = (files.path(one) for one in (name, files[name].partner))
        found = (self._pictures.of(path) for path in paths if path is not None)
        return next((data for data in found if data), b"")

    def _facts(self) -> ServerFacts | None:
        offers = self._offers.all()
        return next((one.facts for one in offers if isinstance(one.facts.loras, LoraFiles)), None)


def _named(rows: list[LoraState], names: Collection[str]) -> list[LoraState]:
    """The rows of these names, which may be written as people write them."""
    listed = [name for row in rows for name in (row.name, row.partner) if name]
    wanted = {spelled(name, listed) for name in names}
    return [row for row in rows if row.name in wanted or (row.partner and row.partner in wanted)]
