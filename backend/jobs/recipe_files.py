"""The model files and LoRAs of a recipe, with their hashes, from what its runs were resolved to. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from backend.jobs.recipe import RecipeLora, RecipeModel
from workflows.catalog import load_catalog
from workflows.graph.lora_file import partner_of, spelled
from workflows.params.expert_names import parts_of
from workflows.resolved import Digest, Resolved

NOTHING = Digest()


def models(runs: Sequence[Resolved]) -> list[RecipeModel]:
    """The model files of all runs, each once; of several entries the one that was read."""
    found: dict[tuple[str, str], RecipeModel] = {}
    for run in runs:
        for role, name in (*run.files.items(), *run.detectors.items()):
            model = _model(name, role, run.digests.get(role, NOTHING))
            if (role, name) not in found or _rank(model) > _rank(found[role, name]):
                found[role, name] = model
    return list(found.values())


def loras(asked: Sequence[str], runs: Sequence[Resolved]) -> list[RecipeLora]:
    """The LoRAs by the names that were asked for, each with the file that was taken for it and the other one
    of its pair. One file that no name leads to belongs to the only LoRA without a pair."""
    names = list(dict.fromkeys(each for run in runs for each in run.loras))
    own = {name: spelled(name, names) for name in asked}
    left = [each for each in names if each not in own.values()]
    partners = {name: partner_of(file, left) for name, file in own.items() if file}
    alone = [name for name, partner in partners.items() if not partner]
    rest = [each for each in left if each not in partners.values()]
    if len(alone) == len(rest) == 1:
        partners[alone[0]] = rest[0]
    return [_lora(name, own[name], partners.get(name, ""), runs) for name in asked]


def _lora(name: str, own: str, partner: str, runs: Sequence[Resolved]) -> RecipeLora:
    found, other = _digest(own, runs), _digest(partner, runs)
    pair = RecipeModel(partner, "", other.sha256, other.size) if partner else None
    return RecipeLora(name, found.sha256, found.size, pair)


def _digest(name: str, runs: Sequence[Resolved]) -> Digest:
    """The digest of a LoRA; of several runs one that has the hash."""
    known = [run.digests[name] for run in runs if name in run.digests]
    return next((one for one in known if one.sha256), known[0] if known else NOTHING)


def _rank(model: RecipeModel) -> int:
    """2 for a file that was read, 1 for a published hash."""
    return (0 if not model.sha256 else 1) + (bool(model.sha256) and not model.published)


def _model(name: str, role: str, digest: Digest) -> RecipeModel:
    """A model file. Without a hash of its own it has that of the published file of its name, unless its size
    shows that it is another one."""
    if digest.sha256:
        return RecipeModel(name, role, digest.sha256, digest.size)
    sha256, size, exact = _published().get(parts_of(name)[-1], ("", 0, False))
    if digest.size and (not exact or size != digest.size):
        sha256 = ""
    known = digest.size or (size if sha256 and exact else 0)
    return RecipeModel(name, role, sha256, known, bool(sha256))


@lru_cache(maxsize=1)
def _published() -> Mapping[str, tuple[str, int, bool]]:
    """Name -> sha256, bytes, and whether these are exact, of the published files."""
    catalog = load_catalog()
    return {
        file.name: (file.sha256, file.bytes, file.exact) for file in (*catalog.files, *catalog.other_formats)
    }
