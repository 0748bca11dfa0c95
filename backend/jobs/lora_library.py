"""The LoRAs of the engines: what can be chosen for a mode, and their pictures."""

from __future__ import annotations

from collections.abc import Collection

from backend.errors import BadInput
from backend.jobs.endpoint_loras import EndpointLoras
from backend.jobs.offers import Offers
from backend.media.decoder import Decoder
from backend.models.lora_files import LoraFiles
from backend.models.lora_pictures import LoraPictures
from backend.models.lora_rows import LoraServer, lora_rows
from backend.models.state import LoraList, LoraState
from workflows.graph.lora_file import spelled
from workflows.modes.registry import MODES

MOST = 60
"""Rows of one answer."""


class LoraLibrary:
    """The LoRAs of all engines that list them. A job goes to an engine that has the files it needs, so it is
    enough that one engine has a LoRA. Any thread may ask."""

    def __init__(self, offers: Offers, decoder: Decoder, endpoint: EndpointLoras | None = None) -> None:
        """endpoint: what is known where no engine lists its LoRAs."""
        self._offers, self._endpoint = offers, endpoint
        self._pictures = LoraPictures(decoder)

    def find(self, mode: str, search: str = "", names: Collection[str] = (), most: int = MOST) -> LoraList:
        """The LoRAs for a mode by search words, or those of these names. Raises BadInput for an unknown
        mode."""
        if mode not in MODES:
            raise BadInput.of("no_such_mode", given=mode, names=tuple(MODES))
        servers = self._servers()
        listed = bool(servers)
        if not listed:
            servers = self._endpoint.servers(self._offers.infos()) if self._endpoint is not None else []
        rows = lora_rows(servers, MODES[mode].lora_targets, search)
        if names:
            rows = _named(rows, names)
        return LoraList(tuple(rows[:most]), listed, len(rows))

    def picture(self, name: str) -> bytes:
        """The small picture of a LoRA as JPEG; empty for none."""
        for server in self._servers():
            files = server.files
            if name not in files:
                continue
            paths = (files.path(one) for one in (name, files[name].partner))
            found = (self._pictures.of(path) for path in paths if path is not None)
            if data := next(filter(None, found), b""):
                return data
        return b""

    def _servers(self) -> list[LoraServer]:
        """The engines that have described themselves; those whose files are on this disk come first, because
        more is known about their LoRAs."""
        offers = self._offers.all()
        offers = [one for one in offers if one.info.state != "lost"] or offers
        found = {
            one.info.address: LoraServer(one.info.address, files, one.facts)
            for one in offers
            if isinstance(files := one.facts.loras, LoraFiles)
        }
        return sorted(found.values(), key=lambda one: not one.files.local)


def _named(rows: list[LoraState], names: Collection[str]) -> list[LoraState]:
    """The rows of these names, which may be written as people write them."""
    listed = [name for row in rows for name in (row.name, row.partner) if name]
    wanted = {spelled(name, listed) for name in names}
    return [row for row in rows if row.name in wanted or (row.partner and row.partner in wanted)]
