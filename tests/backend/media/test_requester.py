"""Who the decoder is asked for: on the page, over the API, by a job, in the worker."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from starlette.requests import Request

from backend import requester, services
from backend.errors import MediaBusy, ShuttingDown
from backend.media.decoder import Decoder
from backend.web.hosts import Hosts
from backend.web.middleware import AccessMiddleware, Rules
from tests.support import slow_child
from tests.support.fake_engine import FakeEngine
from tests.support.scripted import OWNER, Make, ended, until
from ui.gradio_fixes.event_errors import guard_events, owner_of

VALUES = {"prompt": "a boat", "seconds": 0.5, "width": 64, "height": 64, "speed": "fast", "seed": 3}
OTHER = "owner-token-of-another-2"


class Asked(Decoder):
    """A decoder that notes for whom it is asked."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.askers: list[tuple[str, requester.Requester]] = []

    def _ask_cached(self, op: str, *args: Any, **more: Any) -> Any:
        self.askers.append((op, requester.current()))
        return super()._ask_cached(op, *args, **more)

    def _ask(self, op: str, *args: Any, **more: Any) -> Any:
        self.askers.append((op, requester.current()))
        return super()._ask(op, *args, **more)

    def of(self, op: str) -> requester.Requester:
        return next(who for name, who in self.askers if name == op)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Asked]]:
    """The decoders of all studios that are made; the first argument for their constructor, if any."""
    made: list[Asked] = []

    def build(**more: Any) -> Asked:
        made.append(Asked(**more))
        return made[-1]

    monkeypatch.setattr(services, "Decoder", build)
    yield made


def test_a_submitted_file_is_decoded_for_its_owner_and_the_end_for_the_job(
    make: Make, asked: list[Asked], picture: Path
) -> None:
    studio = make()
    mine = studio.submit(OWNER, "image_to_video", VALUES, {"image": picture})
    assert ended(studio, mine).status == "done"
    (decoder,) = asked
    assert not decoder.of("picture").is_job and decoder.of("picture").owner
    assert decoder.of("normalise") == decoder.of("picture")
    for op in ("result", "poster"):
        assert decoder.of(op).is_job and decoder.of(op).owner == decoder.of("picture").owner
    with requester.visitor("as the page knows them"):
        studio.submit(OTHER, "image_to_video", VALUES, {"image": picture})
    assert decoder.askers[-1][1].owner or decoder.askers[-1][1].is_job
    assert any(who.owner == "as the page knows them" for _, who in decoder.askers)


def test_an_upload_is_decoded_once_until_it_is_a_job(make: Make, asked: list[Asked], picture: Path) -> None:
    studio = make()
    facts = studio.inspect("image_to_video", "image", picture)
    children = studio.decoder.pids()
    asked_child: list[str] = []
    real = studio.decoder._ask_child

    def counted(request: dict[str, Any], *rest: Any) -> Any:
        asked_child.append(request["op"])
        return real(request, *rest)

    studio.decoder._ask_child = counted  # type: ignore[method-assign]
    assert studio.inspect("image_to_video", "image", picture) == facts
    assert not studio.plan("image_to_video", VALUES, {"image": facts}).problems
    studio.submit(OWNER, "image_to_video", VALUES, {"image": picture})
    assert asked_child.count("picture") == 0
    # The job keeps a hard link to the upload, and so does a form.
    draft = studio.keep_draft_file(OTHER, "d" * 32, picture)
    studio.submit(OTHER, "image_to_video", VALUES, {"image": picture})
    assert draft and asked_child.count("picture") == 0 and asked_child.count("normalise") == 2
    assert children


def test_a_finished_video_waits_for_the_decoder(
    make: Make, engine: FakeEngine, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All places are taken, for longer than a visitor would wait."""
    command = (sys.executable, slow_child.__file__, str(tmp_path))
    monkeypatch.setattr(
        services, "Decoder",
        lambda **more: Decoder(**more, workers=1, command=command),
    )  # fmt: skip
    studio = make()
    until(lambda: (tmp_path / "log").exists(), 60)  # the first child is there
    engine.hold.clear()
    job = studio.submit(OWNER, "image_to_video", VALUES, {"image": picture})
    until(engine.drawing.is_set, 60)
    (tmp_path / "hold").touch()
    slow = tmp_path / "slow"
    slow.write_text("slow")
    look = threading.Thread(target=studio.inspect, args=("image_to_video", "image", slow))
    look.start()
    until(lambda: "picture slow" in (tmp_path / "log").read_text(), 60)
    engine.hold.set()
    until(lambda: studio.decoder.waiting() == 1, 60)
    other = tmp_path / "other"
    other.write_text("other")
    studio.decoder._wait_seconds = 0.1
    with pytest.raises(MediaBusy, match="other pictures"):
        studio.inspect("image_to_video", "image", other)
    assert studio.decoder.waiting() == 1 and studio.job(job.id, job.key).status == "running"
    (tmp_path / "hold").unlink()
    assert ended(studio, job, 60).status == "done"
    look.join()
    log = (tmp_path / "log").read_text().splitlines()
    assert [line.split()[0] for line in log[-3:]] == ["result", "poster", "with_metadata"]


@pytest.mark.parametrize("how", ["cancel", "close"])
def test_a_video_that_waits_for_the_decoder_is_cancelled_or_left_for_the_next_start(
    make: Make, engine: FakeEngine, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    command = (sys.executable, slow_child.__file__, str(tmp_path))
    monkeypatch.setattr(services, "Decoder", lambda **more: Decoder(**more, workers=1, command=command))
    studio = make()
    engine.hold.clear()
    job = studio.submit(OWNER, "image_to_video", VALUES, {"image": picture})
    until(engine.drawing.is_set, 60)
    (tmp_path / "hold").touch()
    slow = tmp_path / "slow"
    slow.write_text("slow")

    def look() -> None:
        with pytest.raises(ShuttingDown):
            studio.inspect("image_to_video", "image", slow)

    thread = threading.Thread(target=look)
    thread.start()
    until(lambda: "picture slow" in (tmp_path / "log").read_text(), 60)
    engine.hold.set()
    until(lambda: studio.decoder.waiting() == 1, 60)
    if how == "cancel":
        studio.cancel(job.id, job.key)
        assert ended(studio, job, 60).status == "cancelled"
    studio.close()
    thread.join()
    if how == "close":
        (tmp_path / "hold").unlink()
        again = make()
        assert ended(again, job, 60).status == "done"
        assert len(engine.prompts) == 1, "only its end was left to do"


# -- over HTTP ------------------------------------------------------------------------------------------


def gradio_request(**state: str) -> gr.Request:
    scope = {"type": "http", "headers": [], "client": ("1.2.3.4", 5), "state": state}
    return gr.Request(request=Request(scope), session_hash="session")


def test_the_requester_of_a_request() -> None:
    assert owner_of(gradio_request(visitor="visitor:abc")) == "visitor:abc"
    assert owner_of(gradio_request(visitor="address:1.2.3.4")) == "address:1.2.3.4"
    assert owner_of(gradio_request(visitor="direct:127.0.0.1")) == "direct:127.0.0.1:session"
    assert owner_of(gradio_request()) == ":session", "without a guard"
    assert (
        owner_of(Request({"type": "http", "headers": [], "state": {"visitor": "visitor:abc"}}))
        == "visitor:abc"
    )
    known = gradio_request(visitor="visitor:abc")
    known.username = "anna"
    assert owner_of(known) == "user:anna"
    assert owner_of(None) == owner_of(gr.Request()) == owner_of([]) == ""


@pytest.mark.parametrize("kind", ["sync", "coroutine", "generator", "thread"])
def test_every_event_runs_for_its_visitor(kind: str) -> None:
    seen: list[str] = []

    def look() -> str:
        seen.append(requester.current().owner)
        return "seen"

    async def coroutine() -> str:
        return look()

    async def generator() -> Any:
        yield await asyncio.to_thread(look)

    async def thread() -> str:
        return await asyncio.to_thread(look)

    calls = {"sync": look, "coroutine": coroutine, "generator": generator, "thread": thread}
    with gr.Blocks() as blocks:
        gr.Button().click(calls[kind], None, gr.Textbox())
    guard_events(blocks)

    async def two() -> None:
        state = gr.blocks.SessionState(blocks)  # type: ignore[attr-defined]
        for who in ("visitor:a", "visitor:b"):
            await blocks.process_api(blocks.fns[0], [], state=state, request=gradio_request(visitor=who))

    asyncio.run(two())
    assert seen == ["visitor:a", "visitor:b"]
    assert requester.current() == requester.INTERNAL


def test_the_middleware_sets_the_requester(tmp_path: Path) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(Request(scope).state.visitor)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def nothing(message: Any = None) -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def run(*headers: tuple[bytes, bytes]) -> None:
        scope = {
            "type": "http", "method": "GET", "path": "/", "headers": [(b"host", b"a.example"), *headers],
            "client": ("8.8.8.8", 1), "query_string": b"", "scheme": "http", "root_path": "",
        }  # fmt: skip
        await AccessMiddleware(app, Rules(1000, tmp_path, b"secret", hosts=Hosts(["a.example"])))(
            scope, nothing, nothing
        )

    asyncio.run(run())
    asyncio.run(run((b"x-wan-owner", OWNER.encode())))
    asyncio.run(run((b"x-wan-owner", OTHER.encode())))
    assert seen[0] == "address:8.8.8.8"
    assert all(who.startswith("visitor:") for who in seen[1:]) and len(set(seen)) == 3


# -- requesters -----------------------------------------------------------------------------------------


def test_the_first_name_of_a_visitor_counts() -> None:
    with requester.visitor("page"), requester.visitor("token"):
        assert requester.current().owner == "page"
        with requester.job("job"):
            assert requester.current().is_job and requester.current().owner == "job"
            with requester.visitor("inside"):
                assert requester.current().owner == "job"
        assert requester.current().owner == "page"
    assert requester.current() == requester.INTERNAL
