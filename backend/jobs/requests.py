"""Requests for jobs: whose results and earlier jobs a caller may name, then the submission.

A request that is sent again gets the job of its first try before anything else is checked, so that it does
not matter what became of the jobs that it names.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from backend.jobs.extensions import Extender
from backend.jobs.family import Family
from backend.jobs.family_submission import FamilySubmitter
from backend.jobs.job import Job
from backend.jobs.job_storage import Submission
from backend.jobs.library import Library
from backend.jobs.submission import Submitter
from backend.jobs.views import EXTEND, JobView


class JobRequests:
    """Methods may be called from any thread. They raise NotFound, NotAllowed for another owner's jobs, and
    what a submission raises."""

    def __init__(
        self, library: Library, submitter: Submitter, families: FamilySubmitter, extender: Extender
    ) -> None:
        self._library, self._submitter = library, submitter
        self._families, self._extender = families, extender

    def submit(self, new: Submission, results: Any = "", earlier: JobView | None = None) -> Job:
        """Queues a new job (see Submitter.submit). `results`: as in named_results; `earlier`: the job that
        this one repeats. A joined video that is made again has its new part drawn again (see
        Extender.again)."""
        new = replace(new, files=self._library.with_results(new.mode, new.files, results))
        known = self._submitter.repeated(new)
        if known is None and earlier is not None and EXTEND in new.values:
            known = self._extender.repeated_again(new.owner, earlier.id, new.values)
        if known is not None:
            return known
        self._library.check_results(new.owner, new.files.items())
        if earlier is not None:
            new = replace(new, earlier=self._library.owned(new.owner, earlier.id, earlier.key))
        if new.earlier is not None and new.earlier.parts and EXTEND in new.values:
            return self._extender.again(new.owner, new.earlier, new.values, new.unlimited)
        return self._submitter.submit(new)

    def submit_family(self, new: Family) -> Job:
        """Queues a parent with its children (see FamilySubmitter.submit)."""
        known = self._families.repeated(new)
        if known is not None:
            return known
        self._library.check_results(new.owner, (file for part in new.parts for file in part.files.items()))
        return self._families.submit(new)
