"""Reads the recipe of a file or a job, and compares it with the files, models and nodes that are here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from backend.engines.kinds import shares_disk
from backend.errors import InputsGone
from backend.jobs import recipe, recipes, set_values
from backend.jobs.job import DONE, Job
from backend.jobs.library import Library
from backend.jobs.offers import Offers
from backend.jobs.recipe import Lacking, Recipe, RecipeModel
from backend.jobs.recipe_match import Disk, Matched, matched
from backend.jobs.recipe_texts import recipe_in
from backend.jobs.store import Store
from backend.jobs.views import SourceFile
from backend.media.decoder import Decoder
from backend.models.finder import lists_of
from backend.models.hasher import Hasher
from backend.models.roots import Roots
from backend.security import tokens
from workflows.catalog import load_catalog
from workflows.graph.lora_file import listed, spelled
from workflows.modes.registry import media_fields
from workflows.params.loras import check_loras


class RecipeLibrary:
    """Methods may be called from any thread."""

    def __init__(
        self,
        store: Store,
        library: Library,
        decoder: Decoder,
        offers: Offers,
        jobs_dir: Path,
        hasher: Hasher,
        roots: Callable[[], Roots],
        *,
        wait: float = 3.0,
        hashes: bool = True,
    ) -> None:
        """roots: where the ComfyUI of this machine looks for model files, now; wait: seconds for files to be
        hashed that a recipe may mean; hashes: whether files are hashed."""
        self._store, self._library, self._decoder = store, library, decoder
        self._offers, self._jobs_dir = offers, jobs_dir
        self._hasher, self._roots, self._wait, self._hashes = hasher, roots, wait, hashes

    def read(self, path: Path) -> Recipe:
        """The recipe in a video, a picture or a JSON file. Raises BadInput, BadMedia."""
        return recipe_in(self._decoder.metadata(path))

    def of_job(self, owner: str, job_id: str, key: str) -> Recipe:
        """The recipe of a job, for its owner (token) alone, whatever its file carries. Raises NotFound,
        NotAllowed."""
        job = self._library.owned(owner, job_id, key)
        children = self._store.children(job.id)[job.id] if job.assembly else []
        done = [child for child in children if child.status == DONE]
        graphs = recipes.stored_graphs(self._jobs_dir / job.id)
        return recipe.from_json(recipes.recipe_of(set_values.narrowed(job, children), graphs, done))

    def sources(self, owner: str, found: Recipe) -> dict[str, SourceFile]:
        """The files of a recipe that lie here among those that this owner (token) uploaded, by parameter."""
        if not tokens.is_token(owner):
            return {}
        sources = {}
        for name, file in found.media.items():
            held = list(self._held(tokens.owner_id(owner), file.kind, file.sha256)) if file.sha256 else []
            if held:
                sources[name] = next((one for one in held if not one.reduced), held[0])
        return sources

    def _held(self, owner_id: str, kind: str, digest: str) -> Iterator[SourceFile]:
        """The stored files of this content among the inputs of an owner's jobs."""
        for job in self._store.with_input(owner_id, digest):
            fields = media_fields(job.mode)
            for name, item in job.inputs.items():
                alike = item.digest == digest and name in fields and fields[name].kind == kind
                if alike and job.delete_after is None and (source := self._source(job, name)) is not None:
                    yield source

    def _source(self, job: Job, name: str) -> SourceFile | None:
        try:
            return self._library.files.source(job, name)
        except InputsGone:
            return None

    def here(self, found: Recipe) -> Recipe:
        """The recipe with the names that its LoRAs have here, as far as files are hashed: `lacking` waits for
        those that are not."""
        return self._matched(found, 0.0).recipe

    def _matched(self, found: Recipe, seconds: float) -> Matched:
        """What of its files is on this disk; nothing for servers elsewhere. seconds: see `matched`."""
        local = [offer for offer in self._offers.all() if shares_disk(offer.info)]
        if not local or not self._hashes:
            return Matched(found)
        facts = local[0].facts
        used = {file.role: file.name for file in load_catalog().files} | {
            role: file.name for role, file in facts.models.items()
        }
        return matched(found, Disk(self._roots(), lists_of(facts), used), self._hasher, seconds)

    def lacking(self, owner: str, found: Recipe) -> tuple[Lacking, ...]:
        """What of a recipe no server has or has by another name, which of its files this owner does not have
        here, and the settings that this version cannot use. Reads files."""
        about = self._matched(found, self._wait).notices
        told = {one.name for one in about}
        servers = self._offers.all()
        listed_files = [names for one in servers for names in one.info.models.values()]
        files = {_last(name) for names in listed_files for name in names}
        lacks = [
            Lacking("model", model.name)
            for model in found.models
            if files and _last(model.name) not in files and model.name not in told and _is_listed(model)
        ]
        lists = [names for one in servers if (names := listed(one.facts)) is not None]
        if lists:
            for lora in check_loras("loras", "", found.values.get("loras")):
                if lora.name not in told and not any(spelled(lora.name, names) for names in lists):
                    lacks.append(Lacking("lora", lora.name, "loras"))
        if found.origin == "wan_studio":
            known = frozenset().union(*(one.facts.nodes for one in servers))
            lacks += [Lacking("node", name) for name in recipe.lines_of(sorted(found.nodes - known)) if known]
        here = self.sources(owner, found)
        lacks += [Lacking("file", name, name) for name in found.media if name not in here]
        lacks += [Lacking("setting", name, name) for name in found.left_out]
        return tuple(dict.fromkeys((*about, *lacks)))


def _is_listed(model: RecipeModel) -> bool:
    """Whether the file is of a folder that servers list; those of detectors are not."""
    return not model.role or any(file.role == model.role for file in load_catalog().files)


def _last(name: str) -> str:
    return name.replace("\\", "/").rsplit("/", 1)[-1].casefold()
