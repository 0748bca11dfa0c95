"""One prompt on its engine: adopted from an earlier run or posted, then followed to its outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from backend.engines.base import Engine, Prompt
from backend.errors import PromptGone
from backend.events import Output
from backend.jobs.job import Job
from backend.jobs.live import RunSink
from backend.jobs.recovery import another_attempt, restarted


def run_prompt(
    engine: Engine, job: Job, prompt: Prompt, sink: RunSink, take: Callable[[], bool] = lambda: False
) -> tuple[Job, tuple[Output, ...] | None]:
    """The job as saved while the prompt ran, and the files that the engine wrote; None for the files if they
    are here already.

    A job with a prompt id adopts that prompt while the engine has it. Otherwise `prompt` is posted as a new
    attempt, unless `take` uses what an earlier run collected. Raises StudioError; JobCancelled when the job
    was cancelled.
    """
    if job.prompt_id:
        left = replace(prompt, id=job.prompt_id, remote=job.remote)
        job = sink.prompt(replace(job, server=engine.info().address), engine)
        try:
            return job, engine.resume(left, sink.listener(job))
        except PromptGone:
            if take():
                return job, None
            sink.attempt_lost()
            job = another_attempt(restarted(job))
    elif take():
        return job, None
    posted = replace(job, prompt_id=prompt.id, remote="", server=engine.info().address)
    job = sink.prompt(posted, engine)
    return job, engine.run(prompt, sink.listener(job))
