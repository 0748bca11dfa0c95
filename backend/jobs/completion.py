"""Makes the inputs of a job that waited for the results of other jobs, once those are linked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from backend.jobs import bundle, folders, planning, result_inputs
from backend.jobs.given_files import FileChecker
from backend.jobs.job import Job
from backend.jobs.layout import INPUTS, ORIGINALS, answer_name
from backend.jobs.offers import Offers
from backend.jobs.params import make_params
from backend.jobs.store import Store
from backend.media.decoder import Decoder
from backend.settings.model import Settings


class Completion:
    """For the jobs of one data folder. `settings`: called each time."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        store: Store,
        decoder: Decoder,
        offers: Offers,
        files: FileChecker,
    ) -> None:
        self._settings, self._store, self._decoder = settings, store, decoder
        self._offers, self._files = offers, files

    def complete(self, job: Job) -> Job:
        """The job with its inputs on disk, checked and measured as at a submit. May be repeated at any time:
        files left by an interrupted call are replaced. Raises BadMedia, BadInput, DiskFull, OSError."""
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
        files = self._files.look(job.owner, mode, paths, titles)
        known = {name: item.media for name, item in job.inputs.items()}
        params = make_params(mode, job.params, {**known, **files.sizes})
        kept = {
            name: replace(item, job=waiting[name].job, frame=waiting[name].frame)
            for name, item in files.keep(self._decoder, params, folder).items()
        }
        job = replace(job, inputs={**job.inputs, **kept})
        bundle.check_stored(params, job.inputs, folder, self._offers.infos())
        compiled, warnings = planning.accepted(job, self._offers.all(), self._settings().max_seconds)
        said = (*warnings, *(item.note for item in job.inputs.values() if item.note is not None))
        return replace(job.measured_by(compiled), warnings=tuple(dict.fromkeys(said)))
