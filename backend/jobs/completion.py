"""Makes the inputs of a job that waited for the results of other jobs, once those are linked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from backend.engines.kinds import takes_whole
from backend.errors import BadInput
from backend.jobs import bundle, folders, input_files, originals, planning, result_inputs
from backend.jobs.job import Job
from backend.jobs.layout import INPUTS, ORIGINALS, answer_name
from backend.jobs.offers import Offers
from backend.jobs.originals import OriginalLimits
from backend.jobs.params import make_params
from backend.jobs.store import Store
from backend.media.decoder import Decoder
from backend.settings.model import Settings
from workflows.modes.registry import MODES
from workflows.resolved import Resolved
from workflows.stages.lora_fit import OBSTACLES


class Completion:
    """For the jobs of one data folder. `settings`, `limits`: called each time."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        store: Store,
        decoder: Decoder,
        offers: Offers,
        limits: Callable[[], OriginalLimits],
    ) -> None:
        self._settings, self._store, self._decoder = settings, store, decoder
        self._offers, self._limits = offers, limits

    def complete(self, job: Job) -> Job:
        """The job with its inputs on disk, checked and measured as at a submit. May be repeated at any
        moment: what an interrupted call left is replaced. Raises BadMedia, BadInput, DiskFull, OSError."""
        mode, jobs_dir = job.mode, self._settings().jobs_dir
        folder = jobs_dir / job.id
        waiting = {name: item for name, item in job.inputs.items() if item.waits}
        for name in waiting:
            for below in (INPUTS, ORIGINALS):
                for left in (name, f"{name}-padded"):
                    folders.remove_below(folder / below, left)
        paths: dict[str, Path] = {}
        titles: dict[str, str] = {}
        for name, item in waiting.items():
            result = result_inputs.linked(folder, name)
            paths[name] = result_inputs.file_for(self._decoder, result, item, name)
            source = self._store.get(item.job)
            titles[name] = answer_name(source.mode if source is not None else mode, item.job)
        seen = {
            name: input_files.look(self._decoder, MODES[mode].files[name].kind, path, name, titles[name])
            for name, path in paths.items()
        }
        sizes = {name: input_files.as_media(facts, name) for name, facts in seen.items()}
        notes = {name: input_files.note(facts, name) for name, facts in seen.items()}
        known = {name: item.media for name, item in job.inputs.items()}
        params = make_params(mode, job.params, {**known, **sizes})
        find = self._store.with_input
        uploads = {
            name: originals.look(path, job.owner, find, jobs_dir, sizes[name]) for name, path in paths.items()
        }
        pictures = {name: one for name, one in uploads.items() if MODES[mode].files[name].kind == "picture"}
        whole = originals.kept(pictures, self._limits())
        kept = input_files.keep(self._decoder, params, uploads, whole, sizes, folder, notes, titles)
        kept = {
            name: replace(item, job=waiting[name].job, frame=waiting[name].frame)
            for name, item in kept.items()
        }
        job = replace(job, inputs={**job.inputs, **kept})
        if any(takes_whole(info) for info in self._offers.infos()):
            sent = {name: folder / item.unpadded for name, item in job.inputs.items()}
            bundle.check(params, {name: path.stat().st_size for name, path in sent.items()})
        known = {name: item.media for name, item in job.inputs.items()}
        checked = make_params(mode, job.params, known)
        found = planning.outlook(mode, checked, self._offers.all(), job.id, Resolved.from_json(job.resolved))
        if found.obstacle is not None and found.obstacle.code in OBSTACLES:
            raise BadInput.because(found.obstacle, field="loras")
        planning.check_length(mode, found.compiled, self._settings().max_seconds)
        said = (*found.warnings, *(item.note for item in job.inputs.values() if item.note is not None))
        return replace(job.measured_by(found.compiled), warnings=tuple(dict.fromkeys(said)))
