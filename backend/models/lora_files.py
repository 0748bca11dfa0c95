"""The LoRAs of one server for the compiler: each file is looked at when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from backend.models.file_names import name_facts
from backend.models.lora_header import HEADERS, UNREAD, LoraHeader, LoraHeaders
from backend.models.pairs import same_file
from workflows.graph.lora_file import LoraFile, by_name, partner_of
from workflows.params.expert_names import named_expert, other_name, parts_of

if TYPE_CHECKING:
    from backend.models.roots import Roots


class LoraFiles(Mapping[str, LoraFile]):
    """Name, as the server spells it -> what is known. roots: the folders of the server's machine if that is
    this one, else None: then names alone decide. Any thread may ask."""

    def __init__(
        self, names: Sequence[str], roots: Roots | None = None, headers: LoraHeaders = HEADERS
    ) -> None:
        self.names = tuple(names)
        self._set = frozenset(names)
        self._roots, self._headers = roots, headers

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self._set

    def __getitem__(self, name: str) -> LoraFile:
        """Reads the header of the file, unless it is remembered. Raises KeyError."""
        if name not in self._set:
            raise KeyError(name)
        named, header = name_facts(name, "loras"), self.header(name)
        found = by_name(name, self.names)
        if not found.expert and header.expert:
            found = replace(found, expert=header.expert, partner=self._partner(name, header))
        not_lora = header.read and not header.lora
        return replace(
            found,
            base=named.base,
            purpose="not_a_lora" if not_lora else named.purpose,
            fits=frozenset(header.fits),
            ignored=header.ignored,
            partly=header.partly,
            width=header.width,
            scale=header.scale,
            same=bool(found.partner) and self._same(name, found.partner),
            differs=bool(named.expert and header.expert and named.expert != header.expert),
            fault=header.fault if header.fault != "header_too_large" else "",
            seen=header.read,
        )

    def path(self, name: str) -> Path | None:
        """The file on this disk; None for one of a server elsewhere."""
        return self._roots.path("loras", name) if self._roots is not None and name in self._set else None

    def header(self, name: str) -> LoraHeader:
        """What its header says; UNREAD for a file that is not on this disk."""
        path = self.path(name)
        return self._headers.of(path) if path is not None else UNREAD

    def _partner(self, name: str, header: LoraHeader) -> str:
        """The file of the other expert by the names in the metadata, for files whose own names say none."""
        folder = parts_of(name)[:-1]
        siblings = [
            one
            for one in self.names
            if one != name and parts_of(one)[:-1] == folder and not named_expert(one)
        ]
        titles = {one: f"{self._title(self.header(one))}.x" for one in siblings}
        wanted = f"{self._title(header)}.x"
        exact = [one for one, title in titles.items() if title == other_name(wanted) != wanted]
        near = partner_of(wanted, titles.values())
        found = exact or [one for one, title in titles.items() if near and title == near]
        return found[0] if len(found) == 1 else ""

    @staticmethod
    def _title(header: LoraHeader) -> str:
        return header.output if named_expert(f"{header.output}.x") else header.title

    def _same(self, one: str, other: str) -> bool:
        first, second = self.path(one), self.path(other)
        return first is not None and second is not None and same_file(first, second)
