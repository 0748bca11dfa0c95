"""Which file takes each role of the catalogue, and why: by what the files are and what the server lists.

In this order: the file chosen by hand, the catalogue's own file, the best of the others for this GPU. A file
that can be several things, or of which the name does not say how it is sampled, is used only when chosen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from backend.models.choices import Choice
from backend.models.file_headers import HEADERS, HeaderCache
from backend.models.file_names import GGUF, is_sidecar, name_facts, plain_name
from backend.models.formats import bits, rank
from backend.models.kinds import UNKNOWN, HeaderFacts, Identity, Kind, Speed, identify
from backend.models.pairs import same_file
from backend.models.roles import WANTS, Want, contradicts, fit, fits_by_name
from backend.models.roots import Roots
from workflows.catalog import Catalog, ModelFile
from workflows.notice import Notice, notice
from workflows.params.expert_names import without_precision
from workflows.params.loras import plain
from workflows.stages.distill import BAKED_ROLES

Why = Literal["", "chosen", "known", "found"]
_USUAL: tuple[Kind, ...] = ("t2v", "i2v", "ti2v_5b", "wan_1.3b", "i2v_2.1")
"""Kinds that stand for those whose headers look like theirs."""


@dataclass(frozen=True)
class Candidate:
    """A file that can take a role. name: as the server lists it below `folder`."""

    name: str
    identity: Identity
    known: bool = False  # the catalogue's own


@dataclass(frozen=True)
class Resolution:
    """What one role uses. why: "" when nothing is used; others: further files for the role, best first;
    asked: files that only a person can assign; notes: to be pointed out; obstacle: prevents jobs that use the
    role."""

    role: str
    used: Candidate | None = None
    why: Why = ""
    others: tuple[Candidate, ...] = ()
    asked: tuple[Candidate, ...] = ()
    notes: tuple[Notice, ...] = ()
    obstacle: Notice | None = None


@dataclass(frozen=True)
class Server:
    """What is known of the server. lists: folder -> names as it spells them; gguf: whether it has the loader
    nodes of ComfyUI-GGUF, None when unknown; vram in bytes, 0 when unknown."""

    lists: Mapping[str, Sequence[str]]
    gguf: bool | None = None
    vram: int = 0
    gpu: str = ""
    version: str = ""


@dataclass
class Resolver:
    """One resolution. roots: the folders of the server's machine if that is this one, else None: then names
    alone decide."""

    catalog: Catalog
    server: Server
    roots: Roots | None = None
    choices: Mapping[str, Choice] = field(default_factory=dict)
    headers: HeaderCache = HEADERS

    def resolve(self) -> dict[str, Resolution]:
        """role -> resolution, for every role of the catalogue."""
        found = {file.role: self._role(file) for file in self.catalog.files}
        for role, want in WANTS.items():
            if want.partner and want.expert == "high" and role in found and want.partner in found:
                found[role], found[want.partner] = self._paired(found[role], found[want.partner])
        return found

    def candidates(self, file: ModelFile) -> list[Candidate]:
        """All files for the role of a file, in the server's order."""
        want = WANTS.get(file.role)
        if want is None or not want.replaceable:
            names = [name for name in self.server.lists.get(file.folder, ()) if _is(name, file.name)]
        else:
            foreign = {
                other.name.casefold()
                for other in self.catalog.files
                if other.role not in (file.role, *BAKED_ROLES)
            }
            names = [n for n in self._names(file) if plain_name(n).casefold() not in foreign]
        chosen = self.choices.get(file.role)
        found = []
        for name in names:
            if is_sidecar(name):
                continue
            named = name_facts(name, file.folder)
            known = _is(name, file.name)
            passed = known or (chosen is not None and _is(name, plain_name(chosen.file)))
            if not passed and want is not None and want.kind == "lora" and fit(want, identify(named)) == "no":
                continue  # of many LoRAs only those are opened whose name fits
            found.append(Candidate(name, identify(named, self._header(file.folder, name)), known))
        return found

    def _names(self, file: ModelFile) -> list[str]:
        listed = list(self.server.lists.get(file.folder, ()))
        if self.roots is not None and self.server.gguf is False:
            listed += [n for n in self.roots.names(file.folder) if n.lower().endswith(GGUF)]
        return list(dict.fromkeys(listed))

    def _header(self, folder: str, name: str) -> HeaderFacts:
        if self.roots is None:
            return UNKNOWN
        path = self.roots.path(folder, name)
        if path is None:
            return HeaderFacts(fault="no_target") if self.roots.leads_nowhere(folder, name) else UNKNOWN
        return self.headers.facts(path)

    def _role(self, file: ModelFile) -> Resolution:
        want = WANTS.get(file.role)
        everyone = self.candidates(file)
        chosen = self.choices.get(file.role)
        notes: list[Notice] = []
        if chosen is not None:
            match, moved, namesakes = _chosen(chosen, everyone)
            if namesakes:
                names = tuple(one.name for one in namesakes)
                unclear = notice("chosen_model_ambiguous", file=chosen.file, title=file.title, names=names)
                return Resolution(file.role, None, "", namesakes, obstacle=unclear)
            if match is not None and moved:
                notes.append(
                    notice("chosen_model_moved", file=chosen.file, title=file.title, found=match.name)
                )
            if match is not None:
                match = replace(match, identity=replace(match.identity, speed=_speed(chosen, match.identity)))
                others = tuple(
                    one for one in everyone if one.name != match.name and self._fits(want, one) == "yes"
                )
                obstacle = self._obstacle(file, want, match)
                return Resolution(file.role, match, "chosen", others, notes=tuple(notes), obstacle=obstacle)
            notes.append(notice("chosen_model_gone", file=chosen.file, title=file.title))
        known = [one for one in everyone if one.known]
        good = [one for one in known if self._obstacle(file, want, one) is None]
        fitting = [one for one in everyone if not one.known and self._fits(want, one) == "yes"]
        barred = [one for one in fitting if _unloadable(want, one)]
        rest = [one for one in fitting if one not in barred]
        able = sorted((one for one in rest if not self._needs_loader(one)), key=self._rank)
        asked = tuple(
            one
            for one in everyone
            if not one.known and self._fits(want, one) == "ask" and not _unloadable(want, one)
        )
        if good:
            best = min(good, key=lambda one: (one.name.count("/") + one.name.count("\\"), one.name))
            return Resolution(file.role, best, "known", tuple(able), asked, tuple(notes))
        fault = self._obstacle(file, want, known[0]) if known else None
        if able:
            notes += [fault] if fault is not None else []
            return Resolution(file.role, able[0], "found", tuple(able[1:]), asked, tuple(notes))
        if fault is None and barred:
            fault = self._obstacle(file, want, barred[0])
        if fault is None and rest:
            fault = notice("gguf_without_loader", file=rest[0].name)
        if fault is None and asked:
            names = tuple(one.name for one in asked)
            fault = notice("model_not_clear", title=file.title, role=file.role, names=names)
        if fault is None and not known:
            fault = self._original_encoder(file)
        if fault is None and want is not None:
            bad = (one for one in everyone if not one.known and fits_by_name(want, one.identity))
            fault = next(filter(None, (self._obstacle(file, want, one) for one in bad)), None)
        return Resolution(file.role, None, "", (), asked, tuple(notes), fault)

    def _original_encoder(self, file: ModelFile) -> Notice | None:
        """Encoders in the layout of another loader, which ComfyUI lists and cannot load."""
        kinds = {"text_encoder": "text_encoder_kijai", "clip_vision": "clip_vision_original"}
        wrong = kinds.get(file.role)
        for name in self.server.lists.get(file.folder, ()) if wrong else ():
            found = identify(name_facts(name, file.folder), self._header(file.folder, name))
            if found.kind == wrong:
                return notice("model_other_layout", file=name, title=file.title, name=file.name)
        return None

    def _fits(self, want: Want | None, one: Candidate) -> str:
        return fit(want, one.identity) if want is not None else "no"

    def _obstacle(self, file: ModelFile, want: Want | None, one: Candidate) -> Notice | None:
        """What prevents the use of a file that is known by name or was chosen."""
        found = one.identity
        if _unloadable(want, one):
            return notice("gguf_animate_2", file=one.name, name=file.name, role=file.role)
        if found.fault and found.fault != "header_too_large":
            return notice("model_damaged", file=one.name, title=file.title, fault=found.fault)
        if want is not None and contradicts(want, found, one.known):
            is_kind = found.base if want.kind == "lora" and "lora" in found.possible else _shown(found)
            return notice("model_unlike_name", file=one.name, title=file.title, kind=is_kind or "other")
        if want is not None and found.experts_differ:
            other = "low" if want.expert == "high" else "high"
            return notice("expert_unlike_name", file=one.name, title=file.title, expert=other)
        if found.unloaded:
            return notice("gguf_type", file=one.name, title=file.title, type=found.unloaded)
        if found.speed == "unknown":
            return notice("model_speed_unknown", file=one.name, role=file.role)
        if self._needs_loader(one):
            return notice("gguf_without_loader", file=one.name)
        return None

    def _needs_loader(self, one: Candidate) -> bool:
        return one.name.lower().endswith(GGUF) and self.server.gguf is False

    def _rank(self, one: Candidate) -> tuple[int, tuple[int, int, int], str]:
        found, server = one.identity, self.server
        suits = rank(found.format, found.size, server.vram, server.gpu, server.version)
        return (1 if found.speed == "baked" else 0, suits, one.name)

    def _paired(self, high: Resolution, low: Resolution) -> tuple[Resolution, Resolution]:
        """Makes a pair of both: distilled or not alike, of one publisher where several are as good."""
        first, second = high.used, low.used
        if first is None or second is None:
            return high, low
        if first.identity.speed != second.identity.speed:
            high, low = _alike(high, "baked"), _alike(low, "baked")
        elif high.why == low.why == "found" and _stem(second.name) != _stem(first.name):
            low = _use(low, self._twin(first, second, low.others))
        if self._same(high, low):
            doubled = notice("pair_is_one_file", file=_name(low), other=_name(high))
            low = replace(low, obstacle=low.obstacle or doubled)
        return high, low

    def _twin(self, high: Candidate, low: Candidate, others: Sequence[Candidate]) -> Candidate:
        """The low expert for a high one: of the same name, else of a name that differs in its precision alone
        and needs no more memory; `low` where there is neither."""
        suits = self._rank(low)[:2]
        alike = [
            one for one in others if self._rank(one)[:2] == suits and _stem(one.name) == _stem(high.name)
        ]
        if alike or without_precision(_stem(low.name)) == without_precision(_stem(high.name)):
            return alike[0] if alike else low
        usable, most = suits[1][0], bits(high.identity.format) + 0.5
        return next(
            (
                one
                for one in others
                if without_precision(_stem(one.name)) == without_precision(_stem(high.name))
                and self._rank(one)[1][0] <= usable
                and bits(one.identity.format) <= most
            ),
            low,
        )

    def _same(self, high: Resolution, low: Resolution) -> bool:
        """Whether both experts are one file, under one name or two."""
        if _name(high) == _name(low):
            return True
        if self.roots is None:
            return False
        folder = self.catalog.file(high.role).folder
        one, other = self.roots.path(folder, _name(high)), self.roots.path(folder, _name(low))
        return one is not None and other is not None and same_file(one, other)


def _unloadable(want: Want | None, one: Candidate) -> bool:
    """Whether it is a GGUF file of a kind that only metadata identifies: its loader passes none."""
    return want is not None and not want.gguf and one.name.lower().endswith(GGUF)


def _name(found: Resolution) -> str:
    return found.used.name if found.used is not None else ""


def _alike(found: Resolution, speed: str) -> Resolution:
    """The resolution with a file of that speed, if there is one and no file was chosen by hand."""
    if found.used is None or found.used.identity.speed == speed or found.why == "chosen":
        return found
    twin = next((one for one in found.others if one.identity.speed == speed), None)
    return _use(found, twin) if twin is not None else found


def _use(found: Resolution, instead: Candidate) -> Resolution:
    if found.used is None or instead is found.used:
        return found
    others = (found.used, *(one for one in found.others if one is not instead))
    return replace(found, used=instead, why="found", others=others)


def _stem(name: str) -> str:
    """A name without its expert, so that both experts of one publisher have the same."""
    return re.sub(r"high|low|(?<![a-z])[hl]n?(?![a-z])", "*", name.lower())


def _is(name: str, known: str) -> bool:
    return plain(plain_name(name)) == plain(known)


def _chosen(
    choice: Choice, candidates: Sequence[Candidate]
) -> tuple[Candidate | None, bool, tuple[Candidate, ...]]:
    """(the chosen file, whether it is in another folder now, several files of its name).

    Slashes and case may differ. Of several files of its name in other folders the one of its size counts.
    """
    wanted = choice.file.replace("\\", "/")
    exact = (one for one in candidates if one.name.replace("\\", "/") == wanted)
    loose = (one for one in candidates if plain(one.name) == plain(wanted))
    match = next(exact, None) or next(loose, None)
    if match is not None:
        return match, False, ()
    alike = [one for one in candidates if _is(one.name, plain_name(choice.file))]
    sized = [one for one in alike if choice.size and one.identity.size == choice.size]
    found = sized if len(sized) == 1 else alike
    return (found[0], True, ()) if len(found) == 1 else (None, False, tuple(found))


def _speed(chosen: Choice, found: Identity) -> Speed:
    """How a chosen file is sampled: as the choice says, else as its name says."""
    if chosen.distilled is None:
        return found.speed
    return "baked" if chosen.distilled else ""


def _shown(found: Identity) -> str:
    """One kind to name in a sentence: of several the most usual one."""
    usual = (kind for kind in _USUAL if kind in found.possible)
    return found.kind or next(usual, min(found.possible, default=""))
