"""Every event of the page may arrive twice under one id: a page sends it again when the stream of answers is
silent or breaks. No second arrival changes anything, whatever the visitor has done meanwhile."""

from __future__ import annotations

import inspect
import secrets
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from backend import requester
from tests.support.fake_studio import FakeStudio
from tests.support.who_may import HANDLERS
from ui import page as layout

OWNER = "owner-token-of-a-fake-studio-0001"
VALUES = {"prompt": "A boat", "speed": "fast", "resolution": "draft", "seconds": 0.5, "seed": 7}
CHANGES = {
    "submit_on_generate.<locals>.submit": "submit",
    "Again.again": "submit",
    "Finish.quality": "finish",
    "Finish.finish": "finish",
    "Again.retry": "submit",
    "Extend.extend": "extend",
    "Extend.reroll": "reroll",
    "Again.vary": "submit",
    "LibraryActions.retry": "submit",
    "LibraryActions.vary": "submit",
    "Stage.cancel": "cancel",
    "Queue.cancel": "cancel",
    "Queue.cancel_all": "cancel_all",
    "Queue.up": "move",
    "Queue.down": "move",
    "Queue.pause": "pause",
    "Queue.resume": "resume",
    "SystemActions.pause": "pause",
    "SystemActions.resume": "resume",
    "SystemActions.choose": "choose_model",
    "ModelDownload.start": "fetch_models",
    "ModelDownload.cancel": "cancel_fetch",
    "Keeping.delete": "delete",
    "Keeping.keep": "delete",
    "Keeping.undo": "undo_delete",
    "Keeping.pin": "pin",
    "Keeping.unpin": "pin",
    "Visit.on_load": "new_owner",
}
"""Handler -> what its first arrival changes in the studio. All others only read."""
HARMLESS = {
    "submit",  # finds the job of the first arrival: tests/backend/jobs/test_repeats.py
    "finish",  # likewise: tests/backend/jobs/test_finals.py
    "cancel",  # an ended job stays as it is
    "delete",  # postpones the removal, so that Undo is offered again
    "new_owner",  # the first token is lost with its answer
}
"""Changes that a second arrival may ask the studio for."""
READS = {
    "active", "engines", "file_kind", "first_frame", "health", "input_file", "input_files", "inspect",
    "is_admin", "is_owner", "job", "jobs", "line", "media_url", "model_scan", "models", "owns", "paused",
    "plan", "preview", "progress", "queue", "queue_rows", "result_path", "sources", "draft_file", "status",
    "totals", "trouble", "waveform", "live_progress", "input_path", "public_warning", "secret", "claim_admin",
    "fetch_available", "fetch_progress", "plan_models", "relations", "final_plan", "whole",
}  # fmt: skip
"""Methods that change nothing a visitor has."""


class Recorder:
    """A studio that notes which of its methods are called."""

    def __init__(self, studio: FakeStudio) -> None:
        self.studio, self.calls = studio, list[str]()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.studio, name)
        if not inspect.ismethod(found) and not inspect.isfunction(found):
            return found

        def call(*args: Any, **more: Any) -> Any:
            self.calls.append(name)
            return found(*args, **more)

        return call


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The page over a recorder, whose studio each test replaces; a picture that was uploaded."""
    uploads = tmp_path_factory.mktemp("uploads")
    picture = uploads / "1" / "fjord.jpg"
    picture.parent.mkdir()
    Image.new("RGB", (96, 54), (20, 40, 80)).save(picture)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(uploads))
        studio = Recorder(FakeStudio())
        page: Any = layout.build(studio)  # type: ignore[arg-type]
        yield SimpleNamespace(page=page, studio=studio, picture=picture)


@pytest.fixture
def scene(built: SimpleNamespace) -> SimpleNamespace:
    """A studio with a finished, a deleted, a cancelled, a running and three waiting jobs, and finished
    variations."""
    fake = built.studio.studio = FakeStudio(seconds=1e9)
    jobs = {}
    for name in ("done", "deleted", "cancelled", "running", "first", "second", "third"):
        jobs[name] = job = fake.add("image_to_video", VALUES, built.picture)
        if name == "cancelled":
            fake.cancel(job.id, job.key)
        elif name in ("done", "deleted"):
            fake.runs[job.id].view = replace(job, status="done", elapsed=65.0)
    jobs["set"] = fake.add_set("image_to_video", [{**VALUES, "seed": seed} for seed in (1, 2)], built.picture)
    for child in fake.runs[jobs["set"].id].members:
        fake.runs[child].view = replace(fake.runs[child].view, status="done", elapsed=65.0)
    fake.runs[jobs["set"].id].view = replace(fake.runs[jobs["set"].id].view, elapsed=65.0)
    jobs["set"] = fake.job(jobs["set"].id, jobs["set"].key)
    fake.delete(OWNER, jobs["deleted"].id, jobs["deleted"].key, undo=True)
    return SimpleNamespace(**vars(built), fake=fake, jobs=jobs)


def handlers(page: Any) -> Iterator[Any]:
    """The page's own events that run on the server, each handler once."""
    seen = set()
    for fn in page.fns.values():
        if fn.fn is not None and fn.api_visibility == "private" and fn.fn.__qualname__ not in seen:
            seen.add(fn.fn.__qualname__)
            yield fn


ABOUT = {
    "Keeping.undo": "deleted",
    "LibraryActions.retry": "cancelled",
    "Again.retry": "cancelled",
    "Keeping.keep": "set",
}
"""Handler -> the job that its event is about; the others are about the finished one."""


def arrive(scene: SimpleNamespace, name: str, request: str, about: str = "") -> set[str]:
    """The studio's methods that one arrival of this handler's event calls."""
    fn = next(fn for fn in handlers(scene.page) if fn.fn.__qualname__ == name)
    waits = name.startswith(("Queue.", "Stage.cancel"))
    job = scene.jobs[about or ("second" if waits else ABOUT.get(name, "done"))]
    data = {
        "id": job.id, "key": job.key, "on": "card", "shown": "", "shownkey": "", "change": "{}",
        "mode": "animate", "field": "video", "n": 0, "path": str(scene.picture), "role": "vae",
        "picked": [[one.id, one.key] for one in scene.jobs["set"].children[:1]],
        "file": "a.safetensors", "forms": {"image_to_video": {"values": {"prompt": "kept"}, "media": {}}},
    }  # fmt: skip
    values = [value_of(block, scene.picture) for block in fn.inputs]
    if name != "Visit.on_load" and fn.inputs and isinstance(fn.inputs[0], gr.BrowserState):
        values[0] = OWNER
    args: list[Any] = []
    for parameter in inspect.signature(fn.fn).parameters.values():
        if "EventData" in str(parameter.annotation):
            args.append(SimpleNamespace(_data=data))
        elif "Request" in str(parameter.annotation):
            args.append(SimpleNamespace(username="root"))
        elif parameter.kind is parameter.VAR_POSITIONAL:
            args += values
        elif values:
            args.append(values.pop(0))
    scene.studio.calls.clear()
    with requester.attempt(request), warnings.catch_warnings(), suppress(gr.Error):
        warnings.simplefilter("ignore")  # messages outside of a page
        fn.fn(*args)
    return set(scene.studio.calls)


def value_of(block: Any, picture: Any) -> Any:
    """What a handler gets of a component that the visitor has not changed, a picture being chosen."""
    return picture if str(block.elem_id).endswith("-image") else getattr(block, "value", None)


def state(fake: FakeStudio) -> Any:
    """What the visitor and the admin have."""
    runs = [(name, run.view.status, run.view.pinned) for name, run in fake.runs.items()]
    return runs, sorted(fake.deleted), fake.is_paused, getattr(fake, "chosen_models", {})


def test_every_handler_is_tried(scene: SimpleNamespace) -> None:
    assert {fn.fn.__qualname__ for fn in handlers(scene.page)} == HANDLERS.keys()
    assert CHANGES.keys() <= HANDLERS.keys()


def test_a_change_travels_through_the_queue_where_its_request_has_an_id(scene: SimpleNamespace) -> None:
    direct = {fn.fn.__qualname__ for fn in handlers(scene.page) if not fn.queue}
    assert direct & CHANGES.keys() == {"Visit.on_load"}


@pytest.mark.parametrize("name", sorted(HANDLERS))
def test_a_second_arrival_changes_nothing(scene: SimpleNamespace, name: str) -> None:
    scene.fake.is_paused = name.endswith(".resume")
    request, changed = secrets.token_hex(8), {CHANGES[name]} if name in CHANGES else set()
    assert arrive(scene, name, request) - READS == changed
    after = state(scene.fake)
    second = arrive(scene, name, request) - READS
    assert second <= HARMLESS & changed
    if not second & {"submit", "finish"}:
        assert state(scene.fake) == after


CONTRARY = [
    ("Keeping.pin", "Keeping.unpin", "done"),
    ("Keeping.unpin", "Keeping.pin", "done"),
    ("Keeping.undo", "Keeping.delete", "deleted"),
    ("Queue.up", "Queue.down", "second"),
    ("Queue.down", "Queue.up", "second"),
    ("Queue.pause", "Queue.resume", ""),
    ("Queue.resume", "SystemActions.pause", ""),
    ("SystemActions.pause", "SystemActions.resume", ""),
]


@pytest.mark.parametrize(("lost", "later", "about"), CONTRARY)
def test_what_was_done_meanwhile_stays(scene: SimpleNamespace, lost: str, later: str, about: str) -> None:
    """The answer to one press is lost; the contrary button is pressed; then the first press arrives again."""
    requests = [secrets.token_hex(8), secrets.token_hex(8)]
    arrive(scene, lost, requests[0], about)
    changed = state(scene.fake)
    arrive(scene, later, requests[1], about)
    meanwhile = state(scene.fake)
    assert meanwhile != changed
    arrive(scene, lost, requests[0], about)
    assert state(scene.fake) == meanwhile


def test_cancel_all_stops_only_what_there_was(scene: SimpleNamespace) -> None:
    request = secrets.token_hex(8)
    arrive(scene, "Queue.cancel_all", request)
    new = scene.fake.add("image_to_video", VALUES, scene.picture)
    arrive(scene, "Queue.cancel_all", request)
    assert scene.fake.job(new.id, new.key).status == "running"


def test_undo_is_offered_after_every_deletion(scene: SimpleNamespace) -> None:
    """The script distinguishes two deletions by their numbers, also after a restart of the app."""
    shown = []
    for page in (scene.page, scene.page, layout.build(scene.studio)):
        keeping = next(fn for fn in handlers(page) if fn.fn.__qualname__ == "Keeping.delete").fn.__self__
        job = scene.jobs["done"]
        event = SimpleNamespace(_data={"id": job.id, "key": job.key})
        with requester.attempt("request-0001"):
            shown.append(keeping.delete(OWNER, "", "", 60, "clips", event)[keeping.box])
    assert all(scene.jobs["done"].id in html for html in shown) and len(set(shown)) == 3
