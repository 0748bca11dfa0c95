"""The settings of RunPod Serverless: of a page that sends its jobs there, and of a worker."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from backend.settings import checks
from backend.settings.source import EnvironmentModel
from backend.settings.variable import variable

RUNPOD_URL = "https://api.runpod.ai/v2"


class RunPodSettings(EnvironmentModel):
    """The Serverless endpoint that a page sends its jobs to."""

    endpoint_id: Annotated[str, AfterValidator(checks.endpoint_id)] = variable(
        "RUNPOD_ENDPOINT_ID", "", "the Serverless endpoint that makes the videos", takes="an endpoint's id"
    )
    api_key: Annotated[str, AfterValidator(checks.api_key)] = variable(
        "RUNPOD_API_KEY", "", "an API key of the same RunPod account", takes="an API key", secret=True
    )
    base_url: Annotated[
        str, AfterValidator(lambda text: checks.http_url(text, "RUNPOD_ENDPOINT_BASE_URL", RUNPOD_URL))
    ] = variable(
        "RUNPOD_ENDPOINT_BASE_URL", RUNPOD_URL, "the address of RunPod's API", takes="an http address"
    )
    concurrency: int = variable(
        "WAN_RUNPOD_CONCURRENCY", 3, "videos at RunPod at the same time", least=1, most=100
    )
    minutes: float = variable(
        "WAN_RUNPOD_MINUTES", 60.0, "minutes after which RunPod stops a worker that is still on one video",
        least=0.1, most=10_080,
    )  # fmt: skip
    ttl_hours: float = variable(
        "WAN_RUNPOD_TTL_HOURS", 24.0, "hours that a video may spend at RunPod, waiting included",
        least=0.01, most=168,
    )  # fmt: skip

    @property
    def given(self) -> bool:
        """Whether there is an endpoint to send to."""
        return bool(self.endpoint_id and self.api_key)


class WorkerSettings(EnvironmentModel):
    """The worker of a Serverless endpoint (`app.py worker`)."""

    minutes: float = variable(
        "WAN_WORKER_MINUTES", 120.0, "on a worker: minutes that one video may take", least=0.1, most=10_080
    )
    start_seconds: float = variable(
        "WAN_WORKER_START_SECONDS", 600.0, "on a worker: seconds that ComfyUI may take to start",
        least=1, most=86_400,
    )  # fmt: skip
    volume: Path = variable(  # need not exist
        "WAN_WORKER_VOLUME", Path("/runpod-volume"), "on a worker: where the network volume is mounted",
        takes="a folder",
    )  # fmt: skip
    result_mb: float = variable(
        "WAN_WORKER_RESULT_MB", 10.0,
        "on a worker: the largest response that RunPod accepts, in MB; base64 makes a file a third larger",
        least=0.1, most=1000,
    )  # fmt: skip
