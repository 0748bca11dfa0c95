"""Finished jobs for tests of recipes, with what must not be in one."""

from __future__ import annotations

from backend.jobs.job import Job, StoredInput
from tests.support.round_trips import ONE
from workflows.compile import Compiled
from workflows.modes.registry import MODES
from workflows.spec import ModeParams

OWNER, TITLE = "owner-id-of-ann", "/home/ann/private.png"
DIGEST = "ab" * 32


def finished_job(params: ModeParams, made: Compiled, job_id: str = ONE) -> Job:
    """A finished job of these parameters."""
    spec = MODES[params.MODE]
    media = {name: one for name in spec.media if (one := getattr(params, name)) is not None}
    values = {field.name: getattr(params, field.name) for field in spec.fields}
    values["loras"] = [one.to_json() for one in values["loras"]] if values.get("loras") else ""
    inputs = {
        name: StoredInput(one, f"inputs/{name}", title=TITLE, digest=DIGEST, upload=f"originals/{name}")
        for name, one in media.items()
    }
    return Job(
        job_id, OWNER, params.MODE, values, inputs, created=0.0, status="done", seed=params.seed,
        engine="NVIDIA of ann (comfyui 0.33.1)", resolved=made.resolved.to_json(),
        server="http://ann.example:8188",
    ).measured_by(made)  # fmt: skip
