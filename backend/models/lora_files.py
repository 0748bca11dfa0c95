"""The LoRAs of one server for the compiler: each file is looked at when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from backend.models.file_names import name_facts
from backend.models.lora_header import HEADERS, NO_TARGET, UNREAD, LoraHeader, LoraHeaders
from backend.models.lora_sidecars import NOTHING, SIDECARS, Sidecar, Sidecars
from backend.models.pairs import same_file
from workflows.graph.lora_file import LoraFile, by_name, partner_of
from workflows.params.expert_names import named_expert, other_name, parts_of

if TYPE_CHECKING:
    from backend.models.roots import Roots


class LoraFiles(Mapping[str, LoraFile]):
    """Name, as the server spells it -> what is known. roots: the folders of the server's machine if that is
    this one, else None: then names alone decide. Any thread may ask."""

    def __init__(
        self,
        names: Sequence[str],
        roots: Roots | None = None,
        headers: LoraHeaders = HEADERS,
        sidecars: Sidecars = SIDECARS,
    ) -> None:
        self.names = tuple(names)
        self._set = frozenset(names)
        self._by_bare_name: dict[str, list[str]] = {}
        for name in names:
            self._by_bare_name.setdefault(_bare(name), []).append(name)
        self._roots, self._headers, self._sidecars = roots, headers, sidecars

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
            fault=header.fault,
            seen=header.read,
            parts=frozenset(header.parts),
            applied=header.applied,
            unjudged=header.unjudged,
            size=header.size,
            twins=self._twins(name),
        )

    @property
    def local(self) -> bool:
        """Whether the files are on this disk."""
        return self._roots is not None

    def path(self, name: str) -> Path | None:
        """The file on this disk; None for one of a server elsewhere."""
        return self._roots.path("loras", name) if self._roots is not None and name in self._set else None

    def header(self, name: str) -> LoraHeader:
        """What its header says; UNREAD for a file that is not on this disk."""
        path = self.path(name)
        if path is not None:
            return self._headers.of(path)
        lost = self._roots is not None and name in self._set and self._roots.leads_nowhere("loras", name)
        return NO_TARGET if lost else UNREAD

    def beside(self, name: str) -> Sidecar:
        """The contents of the files beside it."""
        path = self.path(name)
        return self._sidecars.of(path) if path is not None else NOTHING

    def words(self, name: str) -> tuple[str, ...]:
        """Its trigger words: those in files beside it, which its owner can edit, else its metadata's."""
        return self.beside(name).words or self.header(name).words

    def title(self, name: str) -> str:
        """Its title; "" for none."""
        return self.header(name).title or self.beside(name).title

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

    def _twins(self, name: str) -> tuple[str, ...]:
        """The files of its name in other folders that have its content."""
        others = self._by_bare_name.get(_bare(name), ())
        return tuple(one for one in others if one != name and self._same(name, one))

    @staticmethod
    def _title(header: LoraHeader) -> str:
        return header.output if named_expert(f"{header.output}.x") else header.title

    def _same(self, one: str, other: str) -> bool:
        first, second = self.path(one), self.path(other)
        return first is not None and second is not None and same_file(first, second)


def _bare(name: str) -> str:
    """A name without its folders, for comparing."""
    return parts_of(name)[-1].casefold()
