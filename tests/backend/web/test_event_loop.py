"""The event loop never waits for a disk or database: one that does not answer delays no other visitor."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest

from backend.jobs.store import Store
from backend.jobs.views import JobView
from backend.studio import Studio
from tests.support.fake_engine import FakeEngine
from tests.support.loop_watch import LoopWatch, Touch, watch
from tests.support.scripted import Make, ended, until
from tests.support.security_site import META, Visitor
from tests.support.served_site import ServedSite

UPLOADS = "Gradio's own handling of an upload: one file in the upload folder, a local temporary folder"
SOURCE = "reads a file of the installed library, once"
LIBRARIES = {
    "gradio/route_utils.py:upload_fn": UPLOADS,
    "gradio/route_utils.py:on_headers_finished": UPLOADS,
    "gradio/route_utils.py:file_fetch": UPLOADS,
    "gradio/utils.py:is_in_or_equal": UPLOADS,
    "gradio/utils.py:_is_static_file": UPLOADS,
    "fastapi/routing.py:_extract_endpoint_context": SOURCE,
    "lowlevel/server.py:pkg_version": SOURCE,
}
"""What libraries do on the loop by themselves -> what it is: never in the data folder."""
VALUES = {"prompt": "A boat drifts", "seconds": 0.5, "width": 64, "height": 64}
STATES = ("queued", "running", "done", "cancelled")
OTHER = "owner-token-of-another-0001"


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> LoopWatch:
    """Comes before the studio: it wraps the database's connection."""
    return watch(monkeypatch)


@pytest.fixture
def serve(
    looked: LoopWatch, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., ServedSite]]:
    """Serves the page of a studio with these settings."""
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    for name, value in (("GRADIO_TEMP_DIR", str(uploads)), ("GRADIO_ANALYTICS_ENABLED", "False")):
        monkeypatch.setenv(name, value)
    sites: list[ServedSite] = []

    def build(**settings: str) -> ServedSite:
        studio = make(WAN_MAX_UPLOAD_MB="3", WAN_MAX_QUEUED_PER_OWNER="50", **settings)
        sites.append(ServedSite(studio, uploads))
        return sites[-1]

    yield build
    for site in sites:
        site.close()


def untouched(touches: list[Touch]) -> None:
    """Neither our code nor a library, but for LIBRARIES, has touched the disk."""
    ours = [str(touch) for touch in touches if touch.ours]
    assert not ours, "\n".join(dict.fromkeys(ours))
    others = {touch.by: str(touch) for touch in touches if touch.by not in LIBRARIES}
    assert not others, "\n".join(others.values())
    data = [str(touch) for touch in touches if "studio.db" in touch.what or "sqlite3" in touch.what]
    assert not data, "\n".join(data)


def forget(studio: Studio, job: JobView) -> JobView:
    """As after a restart of the app: the job is in the database only."""
    studio.scheduler.forget(job.id)
    return job


def submitted(site: ServedSite, who: Visitor, picture: Path) -> JobView:
    return site.studio.submit(who.token, "image_to_video", VALUES, {"image": picture})


def test_nothing_reads_or_writes_on_the_event_loop(
    serve: Callable[..., ServedSite], looked: LoopWatch, engine: FakeEngine, picture: Path
) -> None:
    site = serve()
    ann, studio = Visitor(site), site.studio
    old, done = (ended(studio, submitted(site, ann, picture)) for _ in range(2))
    forget(studio, old)
    foreign = ended(studio, studio.submit(OTHER, "image_to_video", VALUES, {"image": picture}))
    engine.hold.clear()
    running, waiting = (submitted(site, ann, picture) for _ in range(2))
    until(engine.drawing.is_set)
    with looked.on(site.thread) as touches:
        pages(site, ann)
        polls(site, ann, [old, done, foreign, running, waiting])
        files(site, ann, done, picture)
        calls(site, ann, done, waiting, picture)
        events(site, ann, done, running)
        presets(site, ann)
        cross = {"sec-fetch-site": "cross-site"}
        assert ann.post("/gradio_api/queue/join", headers=cross).status_code == 403
        assert ann.http.post("/gradio_api/run/predict", content=b"{" * 300_000).status_code == 413
        engine.hold.set()
        ended(studio, running)
    untouched(touches)


def test_a_login_does_not_block_the_event_loop(serve: Callable[..., ServedSite], looked: LoopWatch) -> None:
    site = serve(WAN_AUTH="ann:right-password")
    with looked.on(site.thread) as touches:
        ann = Visitor(site)
        for path in (
            "/",
            "/config",
            "/gradio_api/info",
            "/no-such-page",
            "/gradio_api/mcp/schema",
            "/media/a/b",
        ):
            assert ann.http.get(path).status_code in (200, 401, 404), path
        assert ann.post("/gradio_api/queue/join").status_code == 401
        assert ann.http.post("/login", data={"username": "ann", "password": "no"}).status_code == 400
        ann.log_in("ann", "right-password")
        assert ann.http.get("/config").status_code == 200
        assert "badge" in ann.poll({})
        assert ann.http.get("/gradio_api/mcp/schema").status_code == 200
        assert ann.http.get("/logout", follow_redirects=False).status_code < 500
    untouched(touches)


def pages(site: ServedSite, ann: Visitor) -> None:
    """Every address that the page loads, as the browser does."""
    for path in (
        "/", "/config", "/theme.css", "/favicon.ico", "/manifest.json", "/robots.txt", "/healthz",
        "/page/fonts/schibsted-grotesk-variable.woff2", "/gradio_api/info", "/gradio_api/openapi.json",
        "/gradio_api/startup-events", "/gradio_api/app_id", "/gradio_api/user", "/gradio_api/queue/status",
        "/gradio_api/mcp/schema",
    ):  # fmt: skip
        answer = ann.http.get(path, follow_redirects=True)
        assert answer.status_code in (200, 404), (path, answer.status_code, answer.text)


def polls(site: ServedSite, ann: Visitor, jobs: list[JobView]) -> None:
    more = [[job.id, job.key] for job in jobs]
    for job in jobs:
        told = ann.poll({"id": job.id, "key": job.key, "seen": 0, "more": more})
        assert told["job"]["status"] == site.studio.job(job.id, job.key).status
        assert set(told["more"]) == {job.id for job in jobs}
    key = jobs[0].key
    assert ann.poll({"id": jobs[0].id, "key": "wrong", "more": [["0" * 32, key]]})["gone"] is True
    for odd in (None, "text", [1], {"id": {}, "key": [], "more": "x"}, {"id": "no-job", "key": key}):
        assert "badge" in ann.poll(odd)
    pairs = [{"id": job.id, "key": job.key} for job in jobs[:2]]
    assert ann.server_function("ws-card", "finals", {"jobs": pairs})["plans"]["480p quality"]["possible"]
    assert len(ann.server_function("ws-card", "compared", {"clips": pairs})["clips"]) == 2
    for name in ("finals", "compared"):
        assert ann.server_function("ws-card", name, {"jobs": [7], "clips": "x"}) == {"gone": True}
    clip = {"owner": ann.token, "id": jobs[1].id, "key": jobs[1].key}
    assert ann.server_function("ws-card", "extend_plan", clip)["length"]
    assert ann.server_function("ws-card", "extend_plan", [7])["problems"]


def files(site: ServedSite, ann: Visitor, done: JobView, picture: Path) -> None:
    """Results, uploads and what is refused of them."""
    studio = site.studio
    for name in ("result.mp4", "poster.jpg", "workflow.json", "input"):
        url = studio.media_url(done, name, download=name == "workflow.json")
        assert ann.http.get(url).status_code == 200
        assert ann.http.head(url).status_code == 200
    result = studio.media_url(done, "result.mp4")
    assert ann.http.get(result, headers={"Range": "bytes=0-9"}).status_code == 206
    assert ann.http.get(result, headers={"Range": "bytes=99999999-"}).status_code == 416
    assert ann.http.get(result.replace("sig=", "sig=x")).status_code == 404
    uploaded = ann.upload("boat.png", picture.read_bytes())
    assert ann.http.get(f"/gradio_api/file={uploaded}").status_code == 200
    assert ann.http.get(f"/gradio_api/file={studio.settings.database}").status_code == 404
    about = {"owner": ann.token, "draft": "a" * 32}
    kept = ann.server_function("ws-drafts", "keep", {**about, "path": str(uploaded)})["id"]
    held = {"values": {"prompt": "A boat"}, "media": {"image": {"id": kept, "upload": str(uploaded)}}}
    filled = {**about, "forms": {"image_to_video": held}}
    assert "error" not in ann.event(site.fn("ws-drafts", "restore"), [ann.token], filled)
    assert ann.server_function("ws-drafts", "retain", {**about, "files": [[kept, str(uploaded)]]}) == {}
    too_large = ann.http.post("/gradio_api/upload", files={"files": ("a.png", bytes(5_000_000))})
    assert too_large.status_code == 413
    bad = ann.http.post("/gradio_api/upload", content=b"x", headers={"content-type": "text/plain"})
    assert bad.status_code == 400


def calls(site: ServedSite, ann: Visitor, done: JobView, waiting: JobView, picture: Path) -> None:
    """The endpoints, by HTTP and by MCP."""
    uploaded = {"path": str(ann.upload("boat.png", picture.read_bytes())), "meta": META}
    sizes = ("", None, None, "480p", 64, 64, 0.5, "balanced", "both", "fast", 0, 0.0, 0.0, 7)
    assert ann.call("image_to_video", uploaded, *sizes, False)[0] == "complete"
    assert ann.call("image_to_video", {"path": "/etc/passwd", "meta": META}, *sizes, False)[0] == "error"
    assert ann.call("image_to_video", uploaded, "x" * 5000)[0] == "error"
    assert ann.call("job", done.id, done.key)[1][0]["status"] == "done"
    assert ann.call("job", done.id, "wrong")[0] == "error"
    assert ann.call("result", done.id, done.key)[0] == "complete"
    assert ann.call("finish", done.id, done.key, "480p", "quality", False)[0] == "complete"
    assert ann.call("finish", done.id, "wrong", "480p", "quality", False)[0] == "error"
    assert ann.call("cancel", waiting.id, waiting.key)[1][0]["status"] == "cancelled"
    asked = {
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "job", "arguments": {"id": done.id, "key": done.key}},
    }  # fmt: skip
    accepts = {"accept": "application/json, text/event-stream"}
    answer = ann.http.post("/gradio_api/mcp/", json=asked, headers=accepts)
    assert answer.status_code == 200 and done.id in answer.text, answer.text


def events(site: ServedSite, ann: Visitor, done: JobView, running: JobView) -> None:
    """What the page's buttons do."""
    data = {"id": done.id, "key": done.key, "shown": running.id, "shownkey": running.key}
    for name in ("show", "finished", "redraw", "reuse", "picture", "finish", "extend", "reroll"):
        number = site.fn("ws-card", name)
        values = [ann.token if value in ("", None) else value for value in site.values(number)]
        ann.event(number, values, data)
    number = site.named("on_load")
    ann.event(number, [ann.token, "", f"{done.id} {done.key}"])
    ann.event(number, [ann.token, site.studio.admins.token, ""])
    form = site.fn("image_to_video-generate", "click")
    values = site.values(form)
    ann.event(form, values)
    values[site.place(form, "image_to_video-image")] = {"path": "/etc/passwd", "meta": META}
    ann.event(form, values)


def presets(site: ServedSite, ann: Visitor) -> None:
    """By the page and by a program; what another visitor sends about them is refused."""
    eve, id = Visitor(site), "a" * 32
    form = {"mode": "image_to_video", "name": "Mine", "values": {"speed": "quality"}, "default": True}

    def call(who: Visitor, called: str, **asked: Any) -> Any:
        return who.server_function("ws-presets", called, {"owner": who.token, **asked})

    assert call(ann, "preset_save", id=id, **form)["saved"] == id
    assert call(ann, "preset_rename", id=id, name="Renamed")["rows"][-1]["name"] == "Renamed"
    link = call(ann, "preset_share", id=id)["link"]
    assert call(eve, "preset_read", link=link)["name"] == "Renamed"
    apply = site.fn("ws-presets", "apply")
    assert "quality" in str(ann.event(apply, [ann.token], {"id": id}))
    for name in ("preset_rename", "preset_share", "preset_default"):
        assert call(eve, name, id=id, name="Stolen", mode=form["mode"])["refused"] == "preset_gone"
    call(eve, "preset_remove", id=id)
    assert "quality" not in str(eve.event(apply, [eve.token], {"id": id}))
    (mine,) = (one for one in ann.call("presets")[1][0] if not one["shipped"])
    assert (mine["id"], mine["name"], mine["default"]) == (id, "Renamed", True)
    assert all(one["shipped"] for one in eve.call("presets")[1][0])
    assert call(ann, "preset_default", mode=form["mode"], id="")["rows"][-1]["default"] is False
    assert call(ann, "preset_remove", id=id)["rows"] == call(eve, "presets")["rows"]
    for asked in (None, [], 5, {"owner": []}, {"values": 5}):
        assert "said" in ann.server_function("ws-presets", "preset_save", asked)


class Held:
    """A database that does not answer this question until `free`; `asked`: what waits for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, question: str = "get") -> None:
        self.free, self.asked = threading.Event(), list[Any]()
        answer = getattr(Store, question)

        def held(store: Store, asked: Any, *more: Any) -> Any:
            self.asked.append(asked)
            assert self.free.wait(120)
            return answer(store, asked, *more)

        monkeypatch.setattr(Store, question, held)


def test_stuck_reads_of_one_visitor_delay_no_other(
    serve: Callable[..., ServedSite], picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = serve()
    ann, bob = Visitor(site), Visitor(site)
    *jobs, mine = [forget(site.studio, ended(site.studio, submitted(site, ann, picture))) for _ in range(9)]
    url = site.studio.media_url(jobs[0], "result.mp4")
    for who in (ann, bob):
        assert who.http.get("/").status_code == 200  # each has a cookie of their own
    known = ended(site.studio, submitted(site, bob, picture))
    held = Held(monkeypatch)
    with ThreadPoolExecutor(50) as pool:
        stuck = [pool.submit(ann.poll, {"id": job.id, "key": job.key}) for job in jobs]
        stuck += [pool.submit(ann.call, "job", job.id, job.key) for job in jobs]
        stuck += [pool.submit(ann.http.get, url) for _ in range(20)]
        try:
            until(lambda: len(held.asked) >= 4, 60)  # as many as one visitor may have at once
            assert bob.http.get("/healthz").json()["queue"] == {"waiting": 0, "running": 0}
            assert bob.poll({})["badge"][0] == "ok"
            assert bob.poll({"id": known.id, "key": known.key})["job"]["status"] in STATES
            assert bob.http.get("/page/fonts/schibsted-grotesk-variable.woff2").status_code == 200
            read = pool.submit(bob.http.get, site.studio.media_url(mine, "poster.jpg"))
            until(lambda: mine.id in held.asked, 60)  # a place is left for another visitor's read
            assert held.asked.count(jobs[0].id) <= 3, "a poll, a call and a file: identical reads are one"
        finally:
            held.free.set()
        wait([*stuck, read], 120)
        assert read.result().status_code == 200
        assert all(one.result() is not None for one in stuck)


def test_a_poll_answers_without_what_the_database_keeps_back(
    serve: Callable[..., ServedSite], picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = serve()
    ann = Visitor(site)
    old, known = (ended(site.studio, submitted(site, ann, picture)) for _ in range(2))
    forget(site.studio, old)
    held = Held(monkeypatch)
    more = [[old.id, old.key], [known.id, known.key]]
    told = ann.poll({"id": old.id, "key": old.key, "more": more})
    assert "job" not in told and "gone" not in told and set(told["more"]) == {known.id}
    held.free.set()
    again = ann.poll({"id": old.id, "key": old.key, "more": more})
    assert again["job"]["status"] == "done" and set(again["more"]) == {old.id, known.id}


def test_writes_that_wait_for_another_program_delay_no_page(
    serve: Callable[..., ServedSite], engine: FakeEngine, picture: Path
) -> None:
    site = serve()
    ann = Visitor(site)
    done = ended(site.studio, submitted(site, ann, picture))
    engine.hold.clear()
    running = submitted(site, ann, picture)
    until(engine.drawing.is_set)
    with ThreadPoolExecutor(4) as pool:
        other = sqlite3.connect(site.studio.settings.database, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            begun = threading.Event()
            held = [
                pool.submit(lambda: (begun.set(), site.studio.pin(ann.token, done.id, done.key, True))),
                pool.submit(ann.call, "cancel", running.id, running.key),
            ]
            assert begun.wait(60)
            for _ in range(5):
                assert ann.http.get("/healthz").status_code == 200
                assert ann.poll({"id": running.id, "key": running.key})["job"]["status"] in STATES
            other.execute("COMMIT")
        finally:
            other.close()
            engine.hold.set()
        wait(held, 120)


@pytest.mark.parametrize("question", ["done_on", "save"])
def test_a_job_that_waits_for_the_database_is_polled_all_the_same(
    serve: Callable[..., ServedSite], picture: Path, monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    site = serve()
    ann = Visitor(site)
    held = Held(monkeypatch, question)
    try:
        job = submitted(site, ann, picture)
        until(lambda: held.asked, 60)
        assert ann.poll({"id": job.id, "key": job.key})["job"]["status"] in STATES
        assert ann.http.get("/healthz").json()["queue"]["running"] == 1
    finally:
        held.free.set()
    assert ended(site.studio, job).status == "done"
