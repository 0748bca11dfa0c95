"""Health and results by HTTP: signed addresses, Range, HEAD, names, nothing without a signature."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from backend.jobs.downloads import download_name
from backend.jobs.job import Job
from backend.web.routes import routes
from tests.support.scripted import OWNER, Make, ended, speak

pytestmark = pytest.mark.full

VALUES = {"prompt": "A boat <b>drifts</b> to the right, slowly", "seconds": 0.5, "width": 64, "height": 64}


@pytest.fixture
def site(make: Make, picture: Path) -> SimpleNamespace:
    studio = make()
    submitted = studio.submit(OWNER, "image_to_video", {**VALUES, "seed": 271828}, {"image": picture})
    job = ended(studio, submitted)
    return SimpleNamespace(studio=studio, job=job, http=TestClient(Starlette(routes=routes(studio))))


def test_health_needs_no_key(site: SimpleNamespace) -> None:
    answer = site.http.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "engine": "comfyui", "queue": {"waiting": 0, "running": 0}}


def test_the_result_with_range_and_head(site: SimpleNamespace) -> None:
    url = site.studio.media_url(site.job, "result.mp4")
    whole = site.http.get(url)
    assert whole.status_code == 200 and whole.headers["content-type"] == "video/mp4"
    assert whole.content == site.studio.result_path(site.job.id, site.job.key).read_bytes()
    part = site.http.get(url, headers={"Range": "bytes=10-19"})
    assert part.status_code == 206 and part.content == whole.content[10:20]
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole.content)}"
    tail = site.http.get(url, headers={"Range": "bytes=-5"})
    assert tail.status_code == 206 and tail.content == whole.content[-5:]
    assert site.http.get(url, headers={"Range": "bytes=99999999-"}).status_code == 416
    head = site.http.head(url)
    assert head.status_code == 200 and not head.content
    assert int(head.headers["content-length"]) == len(whole.content)


@pytest.mark.parametrize("name", ["poster.jpg", "workflow.json", "input"])
def test_the_other_files(site: SimpleNamespace, name: str) -> None:
    answer = site.http.get(site.studio.media_url(site.job, name))
    assert answer.status_code == 200 and answer.content
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_workflow_is_saved_as_comfyui_opens_it(site: SimpleNamespace, tone: Path) -> None:
    stored = site.http.get(site.studio.media_url(site.job, "workflow.json"))
    saved = site.http.get(site.studio.media_url(site.job, "workflow.json", download=True))
    assert saved.json() == stored.json() and isinstance(saved.json(), dict)
    assert 'filename="a-boat-b-drifts-b-271828-workflow.json"' in saved.headers["content-disposition"]
    studio = site.studio
    job = ended(studio, speak(studio, tone))
    url = studio.media_url(job, "workflow.json", download=True)
    stored = site.http.get(url.replace("&download=1", ""))
    assert isinstance(stored.json(), list) and len(stored.json()) > 1, "the stored form is a list"
    saved = site.http.get(url)
    assert saved.headers["content-type"] == "application/zip"
    assert '-7-workflow.zip"' in saved.headers["content-disposition"]
    assert saved.headers["x-content-type-options"] == "nosniff"
    with zipfile.ZipFile(io.BytesIO(saved.content)) as archive:
        assert [json.loads(archive.read(name)) for name in archive.namelist()] == stored.json()
    (studio.settings.jobs_dir / job.id / "workflow.json").write_text("{")
    assert site.http.get(url).text == "{", "what cannot be read is sent as it is"


def test_a_download_has_a_sensible_name(site: SimpleNamespace) -> None:
    answer = site.http.get(site.studio.media_url(site.job, "result.mp4", download=True))
    assert 'filename="a-boat-b-drifts-b-271828.mp4"' in answer.headers["content-disposition"]
    assert "content-disposition" not in site.http.get(site.studio.media_url(site.job, "result.mp4")).headers


def test_nothing_opens_without_its_signature(site: SimpleNamespace) -> None:
    url = site.studio.media_url(site.job, "result.mp4")
    path, _, query = url.partition("?")
    expires = query.split("&")[0]
    for bad in (
        path,
        f"{path}?{expires}",
        f"{path}?{expires}&sig=",
        f"{path}?exp=99999999999&{query.split('&')[1]}",
        url.replace("result.mp4", "workflow.json"),
        url.replace(site.job.id, "0" * 32),
        f"/media/{site.job.id}/..%2f..%2fsecret?{query}",
        f"/media/{site.job.id}/secret?{query}",
    ):
        assert site.http.get(bad).status_code == 404, bad


def test_a_deleted_job_is_gone(site: SimpleNamespace) -> None:
    url = site.studio.media_url(site.job, "result.mp4")
    site.studio.delete(OWNER, site.job.id, site.job.key)
    assert site.http.get(url).status_code == 404


def test_download_names() -> None:
    def name(prompt: str, demo: bool = False) -> str:
        job = Job("a", "o", "fast_video", {"prompt": prompt}, {}, created=0, seed=7, demo=demo)
        return download_name(job, "result.mp4")

    assert name("A fisherman drifts to the right across") == "a-fisherman-drifts-to-the-7.mp4"
    assert name("") == name("日本語 🎬") == "wan-fast-video-7.mp4"
    assert name("../../etc/passwd\r\nX: y") == "etc-passwd-x-y-7.mp4"
    assert name("wheat", demo=True) == "demo-wheat-7.mp4"
    assert len(name("x" * 4000)) <= 104
