"""Job views as the page shows them, and jobs as the store returns them."""

from __future__ import annotations

from dataclasses import replace

from backend.jobs.job import Job, StoredInput
from backend.jobs.views import JobView
from workflows.notice import notice
from workflows.params.media import Media


def job(**changes: object) -> JobView:
    base = JobView(
        id="id1", key="key1", mode="image_to_video", status="done",
        params={"speed": "fast", "resolution": "480p", "prompt": "A boat"}, title="A boat", seed=271828,
        width=832, height=480, frames=81, fps=16.0, seconds=81 / 16, steps=4, engine="ComfyUI", demo=False,
        elapsed=65.0, created=1_700_000_000.0, finished=1_700_000_065.0, warnings=(), error=None,
        bytes=3_100_000,
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


def media(view: JobView, name: str, download: bool) -> str:
    return f"/media/{view.id}/{name}?exp=1&sig=s" + ("&download=1" if download else "")


def stored_job(number: int = 1, **changes: object) -> Job:
    values: dict = {
        "id": f"job{number}", "owner": "me", "mode": "image_to_video",
        "params": {"prompt": "Ünïcödé ✓ <b>", "seed": 7},
        "inputs": {"image": StoredInput(Media("a.png", width=3), "inputs/image")},
        "created": float(number), "seed": 7, "warnings": (notice("tiled_decode"),),
    }  # fmt: skip
    return Job(**{**values, **changes})
