"""Calls that wait for their job: progress, heartbeats, and how they end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from backend.errors import OutOfMemory
from backend.jobs.snapshot import Snapshot
from tests.support.api_page import Page
from tests.support.waiting import until
from ui.api.calls import Pace

pytestmark = pytest.mark.full


def test_a_waiting_call_reports_progress_and_status(page: Page, client: Client, picture: str) -> None:
    page.studio.finish_at_once = False
    call = client.submit(image=handle_file(picture), api_name="/image_to_video")
    until(call.outputs)
    job_id = list(page.studio.jobs)[-1]
    page.studio.jobs[job_id] = replace(page.studio.jobs[job_id], status="running")
    page.studio.states[job_id] = Snapshot(
        version=2, status="running", stage="draw", step=2, steps=20, percent=31.0
    )
    until(lambda: [answer for answer in call.outputs() if answer[1]["status"] == "running"])
    page.studio.states[job_id] = replace(page.studio.states[job_id], version=3, step=3, percent=35.0)
    units = until(
        lambda: [u for u in call.status().progress_data or () if u.desc == "Generating, step 4 of 20"]
    )
    assert (units[0].index, units[0].length) == (35, 100)
    page.studio.end(job_id, "done")
    assert call.result(timeout=60)[1]["status"] == "done"
    seen = [answer[1]["status"] for answer in call.outputs()]
    assert list(dict.fromkeys(seen)) == ["queued", "running", "done"] and seen == sorted(seen, key=seen.index)


@pytest.fixture
def lively(page: Page) -> Iterator[None]:
    """Waiting calls get an update every few milliseconds."""
    endpoints, pace = page.endpoints.calls, page.endpoints.calls.pace
    endpoints.pace = replace(pace, heartbeat=0.05)
    yield
    endpoints.pace = pace


def test_a_waiting_call_is_kept_alive(page: Page, client: Client, picture: str, lively: None) -> None:
    page.studio.finish_at_once = False
    call = client.submit(image=handle_file(picture), api_name="/image_to_video")
    until(lambda: len(call.outputs()) > 2)
    assert all(answer[0] is None and answer[1]["status"] == "queued" for answer in call.outputs())
    page.studio.end(list(page.studio.jobs)[-1], "done")
    assert call.result(timeout=60)[0]


def test_a_waiting_call_gets_an_update_at_least_every_ten_seconds() -> None:
    assert Pace().heartbeat + Pace().longest < 10
    waits = [Pace().pause(waited) for waited in (0.0, 20.0, 1e6)]
    assert waits == [Pace().shortest, 0.2, Pace().longest], "short at first, then longer, within limits"


def test_the_job_runs_on_when_the_caller_goes(page: Page, client: Client, picture: str) -> None:
    page.studio.finish_at_once = False
    call = client.submit(image=handle_file(picture), api_name="/image_to_video")
    until(lambda: page.studio.submits)
    job_id = list(page.studio.jobs)[-1]
    until(call.outputs)
    until(lambda: page.endpoints.calls.waiting == 1)  # the calls of earlier tests are over
    call.cancel()
    until(lambda: page.endpoints.calls.waiting == 0)
    assert page.studio.jobs[job_id].status == "queued"
    page.studio.end(job_id, "done")


def test_cancel_reaches_the_waiting_caller(page: Page, client: Client, picture: str) -> None:
    page.studio.finish_at_once = False
    call = client.submit(image=handle_file(picture), api_name="/image_to_video")
    until(call.outputs)
    job = list(page.studio.jobs.values())[-1]
    assert client.predict(id=job.id, key=job.key, api_name="/cancel")["status"] == "cancelled"
    with pytest.raises(AppError, match=r"^The job was cancelled\. "):
        call.result(timeout=60)


def test_a_failed_job_says_what_the_page_says(page: Page, client: Client, picture: str) -> None:
    page.studio.finish_at_once = False
    call = client.submit(image=handle_file(picture), api_name="/image_to_video")
    until(call.outputs)
    job = list(page.studio.jobs.values())[-1]
    error = OutOfMemory("The GPU ran out of memory.")
    page.studio.end(job.id, "failed", error.to_dict())
    with pytest.raises(AppError) as caught:
        call.result(timeout=60)
    assert str(caught.value) == f"The GPU ran out of memory. {error.hint}"
    assert page.refused("result", [job.id, job.key]) == str(caught.value)
    assert page.call("job", [job.id, job.key])[1][0]["error"]["code"] == "out_of_memory"
