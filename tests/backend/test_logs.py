"""The log: which job, in which form, without prompts and secrets, with every traceback."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Iterator

import pytest

from backend import logs
from backend.errors import EngineError
from tests.support.fake_engine import FakeEngine
from tests.support.paths import ROOT
from tests.support.scripted import OWNER, Make, ended

JOB = "0123456789abcdef0123456789abcdef"
PROMPT = 'A boat named "Ünder"\ndrifts to the right'


@pytest.fixture(autouse=True)
def put_back() -> Iterator[None]:
    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook, sys.unraisablehook)
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    logging.captureWarnings(False)


def test_lines_of_a_job_carry_its_id(capsys: pytest.CaptureFixture[str]) -> None:
    logs.start("info", "text")
    log = logging.getLogger("wan.test")
    with logs.job_context(JOB):
        log.info("reading the picture")
        log.info("job %s: done", JOB)
    log.info("idle")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith(f"wan.test: reading the picture job={JOB}")
    assert lines[1].endswith(f"job {JOB}: done"), "not said twice"
    assert lines[2].endswith("wan.test: idle")


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.start("info", "json")
    log = logging.getLogger("wan.test")
    log.info("job %s: queued", JOB)
    with logs.job_context(JOB):
        try:
            raise ValueError("two\nlines")
        except ValueError:
            log.exception("broken\nhere")
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (first["job"], first["level"], first["logger"]) == (JOB, "info", "wan.test")
    assert second["message"] == "broken\nhere" and "Traceback" in second["error"] and second["job"] == JOB
    assert second["time"].endswith("Z")


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("shown", [False, True])
def test_prompts_are_redacted_everywhere(form: str, shown: bool, capsys: pytest.CaptureFixture[str]) -> None:
    logs.start("info", form, show_prompts=shown)
    log = logging.getLogger("wan.test")
    with logs.job_context(JOB, (PROMPT, None, "no", "blurry and dull")):
        log.info("ComfyUI said: %s", json.dumps({"text": PROMPT}))
        log.info("got %r", {"text": PROMPT})
        try:
            raise ValueError(f"cannot read {PROMPT} or blurry and dull, no")
        except ValueError:
            log.exception("failed")
    text = capsys.readouterr().err
    for part in ("nder", "drifts to the right", "blurry and dull"):
        assert (part in text) == shown, part
    assert ("[prompt]" in text) != shown and "cannot read" in text


def test_secrets_are_always_redacted(capsys: pytest.CaptureFixture[str]) -> None:
    logs.start("info", "text", show_prompts=True, secrets=["pass-word-1", "abc"])
    logging.getLogger("wan.test").warning("a login with pass-word-1 and abc")
    text = capsys.readouterr().err
    assert "pass-word-1" not in text and "abc" in text, "a secret of three letters would cut words"


def test_a_line_break_does_not_start_a_new_entry(capsys: pytest.CaptureFixture[str]) -> None:
    logs.start("info", "text")
    logging.getLogger("wan.test").info("name: a.png\n2026-01-01 00:00:00,000 INFO    wan: all is well")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and lines[1].startswith("  ")


def test_uncaught_exceptions_are_logged(capsys: pytest.CaptureFixture[str]) -> None:
    logs.start("info", "json")

    def fall() -> None:
        raise RuntimeError("in a thread")

    thread = threading.Thread(target=fall, name="lane-0")
    thread.start()
    thread.join()
    try:
        raise RuntimeError("in the process")
    except RuntimeError:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert "lane-0" in lines[0]["message"] and "in a thread" in lines[0]["error"]
    assert "in the process" in lines[1]["error"]


def test_a_job_that_fails_with_its_prompt_in_the_reason(
    make: Make, engine: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.start("debug", "text")
    engine.error = EngineError("It broke.", detail="node 6 got text='a very secret boat'")
    studio = make()
    values = {"prompt": "a very secret boat", "seconds": 0.5, "width": 64, "height": 64}
    job = ended(studio, studio.submit(OWNER, "text_to_video", values, {}))
    text = capsys.readouterr().err
    assert job.status == "failed" and "It broke." in text and job.id in text
    assert "node 6 got" in text and "secret boat" not in text


def test_a_prompt_is_logged_when_asked_for(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    logs.start("info", "text", show_prompts=True)
    studio = make(WAN_LOG_PROMPTS="1")
    values = {"prompt": "a public boat", "seconds": 0.5, "width": 64, "height": 64}
    ended(studio, studio.submit(OWNER, "text_to_video", values, {}))
    assert "'a public boat'" in capsys.readouterr().err


def test_loggers_have_the_name_of_their_package() -> None:
    named = {
        (path.relative_to(ROOT).as_posix(), name)
        for top in ("backend", "ui")
        for path in (ROOT / top).rglob("*.py")
        for name in re.findall(
            r'^log = logging\.getLogger\("?([\w.]+)', path.read_text(encoding="utf-8"), re.M
        )
    }
    assert len(named) > 20
    for path, name in named:
        parts = path.removesuffix(".py").removeprefix("backend/").split("/")
        assert name in ("wan." + ".".join(parts[:1]), "wan." + ".".join(parts[:2])), path
