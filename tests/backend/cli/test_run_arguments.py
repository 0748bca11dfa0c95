"""What `run` refuses before it looks for a studio, and how it reads texts by an endpoint's schema."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client.exceptions import AppError
from PIL import Image

from app import main
from backend.cli.run_client import Call, Client, _typed
from backend.errors import BadInput, CallRefused, JobCancelled, StudioUnreachable
from backend.stopping import StopSignal

FILE = {"properties": {"path": {"type": "string"}}, "type": "object"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["text_to_video"], "prompt is empty"),
        (["text_to_video", "prompt"], "key=value"),
        (["text_to_video", "prompt=x", "seconds=long"], "seconds"),
        (["text_to_video", "prompt=x", "width=17"], "Width"),
        (["text_to_video", "prompt=x", "nonsense=1"], "nonsense"),
        (["text_to_video", "prompt=x", "--owner", "short"], "owner token"),
        (["text_to_video", "prompt=x", "--login", "ann"], "user:password"),
        (["text_to_video", "prompt=x", "--out", "/no/such/folder/a.mp4"], "folder"),
        (["image_to_video", "prompt=x"], "picture"),
        (["image_to_video", "image=none.png"], "none.png"),
        (["animate", "image=here.png", "video=none.mp4"], "none.mp4"),
        (["sound_to_video", "audio=none.wav"], "none.wav"),
        (["extend", "key=k"], "id=..."),
        (["finish", "id=1", "--url", "http://127.0.0.1:1"], "key=..."),
        (["finish", "id=1", "key=k", "--variations", "3"], "one video"),
        (["hologram"], "hologram"),
    ],
)
def test_wrong_use_is_2_with_a_sentence(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (64, 64)).save("here.png")
    try:
        status: object = main(["run", *arguments], tmp_path)
    except SystemExit as ended:
        status = ended.code
    told = capsys.readouterr()
    assert status == 2 and told.out == "" and says in told.err


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "integer"}, "7", 7),
        ({"type": "number"}, "0.5", 0.5),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, "3", 3.0),
        ({"type": "boolean"}, "yes", True),
        ({"type": "boolean"}, "FALSE", False),
        ({"type": "string"}, "5", "5"),
        ({"type": "string", "enum": ["a"]}, "b", "b"),
        ({}, "free", "free"),
    ],
)
def test_texts_become_what_the_schema_asks_for(schema: Mapping[str, Any], text: str, value: object) -> None:
    found = _typed("name", text, schema)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "integer"}, "2.5"),
        ({"type": "number"}, "many"),
        ({"type": "boolean"}, "perhaps"),
        (FILE, "no.png"),
    ],
)
def test_a_text_of_another_type_is_refused(schema: Mapping[str, Any], text: str) -> None:
    with pytest.raises(BadInput) as caught:
        _typed("name", text, schema)
    assert caught.value.field == "name"


class _Running:
    """One call at a studio: its outputs so far, and how it ends."""

    def __init__(self, outputs: list[Any], end: Exception | None) -> None:
        self._outputs, self._end = outputs, end

    def done(self) -> bool:
        return True

    def outputs(self) -> list[Any]:
        return self._outputs

    def result(self) -> Any:
        if self._end is not None:
            raise self._end
        return self._outputs[-1]


class _Scripted(Client):
    """A client whose studio answers by a script: each answer to /job, an exception to be raised."""

    def __init__(self, running: _Running, answers: list[Any], *, lost: float = 60.0) -> None:
        self.running, self.answers = running, answers
        self.asked: list[str] = []
        self.connections = 0
        super().__init__("http://studio", "an-owner-of-a-test", None, StopSignal(), ask=0.0, lost=lost)

    def _connected(self) -> Any:
        self.connections += 1
        self._parameters = {"text_to_video": {"prompt": {"type": "string"}}}
        return self

    def submit(self, **given: Any) -> _Running:
        return self.running

    def predict(self, **given: Any) -> Any:
        self.asked.append(given["api_name"])
        if given["api_name"] == "/result":
            return "/tmp/a.mp4", {}
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        self._folder.cleanup()


QUEUED = {"id": "1", "key": "k", "status": "queued"}
OOM = {"message": "Out of memory.", "hint": "Smaller."}
DONE = {**QUEUED, "status": "done"}
CALL = Call("text_to_video", {"prompt": "a"})
BROKEN = httpx.ReadError("reset")


def make(client: Client) -> Any:
    try:
        return client.make(CALL, lambda percent, words: None)
    finally:
        client.close()


def test_a_call_that_breaks_is_followed_until_the_job_ends() -> None:
    running = _Running([(None, QUEUED)], BROKEN)
    client = _Scripted(running, [QUEUED, BROKEN, BROKEN, {**QUEUED, "status": "running"}, DONE])
    running.done = iter([False, True]).__next__  # type: ignore[method-assign]
    running.status = lambda: type("Update", (), {"progress_data": None})()  # type: ignore[attr-defined]
    made = make(client)
    assert made.record == DONE and str(made.file) == "/tmp/a.mp4"
    assert client.connections == 3 and client.asked.count("/job") == 5


def test_a_call_that_is_answered_early_is_followed() -> None:
    client = _Scripted(_Running([(None, QUEUED)], None), [QUEUED, DONE])
    assert make(client).record == DONE


def test_a_studio_that_stays_away_ends_it_with_id_and_key() -> None:
    client = _Scripted(_Running([(None, QUEUED)], None), [BROKEN], lost=-1.0)
    with pytest.raises(StudioUnreachable) as caught:
        make(client)
    assert "id=1 key=k" in caught.value.message


def test_a_studio_that_is_gone_before_it_has_the_job_is_said() -> None:
    with pytest.raises(StudioUnreachable) as caught:
        make(_Scripted(_Running([], BROKEN), [DONE]))
    assert "http://studio" in caught.value.message


@pytest.mark.parametrize(
    ("last", "error", "says"),
    [
        ({**QUEUED, "status": "failed", "error": OOM}, CallRefused, "Out of memory. Smaller."),
        ({**QUEUED, "status": "failed"}, CallRefused, ""),
        ({**QUEUED, "status": "cancelled"}, JobCancelled, ""),
    ],
)  # fmt: skip
def test_how_a_followed_job_ends(last: Mapping[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error) as caught:
        make(_Scripted(_Running([(None, QUEUED)], None), [last]))
    assert says in str(caught.value)


def test_what_the_studio_refuses_is_said_in_its_words() -> None:
    with pytest.raises(CallRefused) as caught:
        make(_Scripted(_Running([], AppError("The queue is full.")), [DONE]))
    assert caught.value.message == "The queue is full."


def test_a_signal_cancels_the_job() -> None:
    client = _Scripted(_Running([(None, QUEUED)], None), [QUEUED])
    running = client.running
    running.done = lambda: False  # type: ignore[method-assign]

    def status() -> Any:
        client._stop.asked = True
        return type("Update", (), {"progress_data": None})()

    running.status = status  # type: ignore[attr-defined]
    began = time.monotonic()
    with pytest.raises(JobCancelled):
        make(client)
    assert client.asked == ["/cancel"] and time.monotonic() - began < 60


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (Call("extend", {"id": "1"}), CallRefused),
        (Call("text_to_video", {"image": "x.png"}), BadInput),
    ],
)
def test_what_the_studio_does_not_have_is_said(call: Call, error: type[Exception]) -> None:
    client = _Scripted(_Running([], None), [DONE])
    with pytest.raises(error):
        client.queue(call)
    client.close()
