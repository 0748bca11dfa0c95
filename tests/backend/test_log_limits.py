"""The log cannot fill a disk: the length of lines, their number and the file's size are limited."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import os
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from backend import logs
from backend.log_limits import Sampler
from backend.log_lines import MESSAGE_MAX, TRACE_MAX
from backend.security.accounts import Accounts
from backend.security.tokens import new_token
from backend.web.request_rates import Rates
from tests.support.guarded_site import JOIN, UPLOAD, Clock, Site
from tests.support.tiers import deep

FLOOD, REQUESTS = 2_000, 400
ROOM = 20_000
"""Bytes that a flood of one kind may write within a minute."""


@pytest.fixture(autouse=True)
def put_back() -> Iterator[None]:
    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook, sys.unraisablehook)
    handlers, level = root.handlers[:], root.level
    yield
    for handler in root.handlers:
        if isinstance(handler, logs.Log):
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    logging.captureWarnings(False)


LONG = "/" + "x" * 5_000

REFUSALS: dict[str, Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]] = {
    "401": lambda http: http.post("/gradio_api/mcp/"),
    "403": lambda http: http.post(JOIN, headers={"origin": "https://evil.example"}),
    "404": lambda http: http.get(LONG),
    "404 with control characters": lambda http: http.get("/%0a%1b%5b31mfake%00%e2%80%ae" * 50),
    "404 file": lambda http: http.get("/gradio_api/file=/etc/" + "y" * 5_000),
    "413": lambda http: http.post(JOIN, headers={"content-length": "999999", "expect": "100-continue"}),
    "429": lambda http: http.post(JOIN, json={}),
    "429 newcomer": lambda http: http.post(JOIN, json={}, headers={"x-wan-owner": new_token()}),
    "429 upload": lambda http: http.post(UPLOAD, content=b"x", headers={"x-forwarded-for": "1.2.3.4"}),
    "login": lambda http: http.post("/login", data={"username": "ann", "password": "guess"}),
    "method": lambda http: http.request("X" * 50_000, "/nowhere"),
}  # fmt: skip


@pytest.mark.full
@pytest.mark.parametrize("form", ["text", deep("json")])
@pytest.mark.parametrize("kind", REFUSALS)
def test_many_refusals_write_few_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, form: str
) -> None:
    logs.start("info", form)

    async def flood() -> None:
        rates = Rates(
            address=(10, 9e9),
            newcomers=(10, 9e9),
            logins=(10, 9e9),
            uploads=(1, 0 if "upload" in kind else 9),
        )
        site = Site(tmp_path, rates, accounts=Accounts((("ann", "right"),)), upload_wait_seconds=0)
        async with site.client() as http:
            codes = [(await REFUSALS[kind](http)).status_code for _ in range(REQUESTS)]
        assert codes[-1] >= 400

    asyncio.run(flood())
    text = capsys.readouterr().err
    assert 0 < len(text.encode()) < ROOM, len(text)
    logging.getLogger().handlers[0].close()
    assert "were left out" in capsys.readouterr().err, "the rest is counted"
    assert "\x1b" not in text and "\u202e" not in text and "\x00" not in text


@pytest.mark.parametrize("name", ["uvicorn.error", "wan.web", "wan.ui", "some.library"])
def test_tracebacks_of_request_handlers_are_limited(capsys: pytest.CaptureFixture[str], name: str) -> None:
    logs.start("info", "text")
    log = logging.getLogger(name)
    for _ in range(FLOOD):
        try:
            raise ValueError("x" * 10_000)
        except ValueError:
            log.exception("event %s: unexpected error", "y" * 10_000)
    assert len(capsys.readouterr().err.encode()) < 5 * (MESSAGE_MAX + TRACE_MAX + 200)


def test_each_kind_is_limited_and_the_rest_is_counted() -> None:
    clock, out = Clock(), io.StringIO()
    sampler = Sampler(clock)
    log = logs.Log(logging.Formatter(), sampler, [logging.StreamHandler(out)])

    def record(text: str, kind: str) -> None:
        made = logging.LogRecord("wan.web", logging.INFO, "", 0, text, None, None)
        made.kind = kind
        log.handle(made)

    for number in range(20):
        record(f"no {number}", "a")
    record("another kind", "b")
    assert out.getvalue().splitlines() == [f"no {number}" for number in range(5)] + ["another kind"]
    clock.now += 61
    record("later", "b")
    lines = out.getvalue().splitlines()
    assert lines[-1] == "later" and "15 more lines" in lines[-2], "said before the next line of any kind"
    for _ in range(6):
        record("again", "a")
    assert out.getvalue().count("again") == 5, "the next minute has its own few"
    log.close()
    assert "1 more lines" in out.getvalue().splitlines()[-1], "the end of the app leaves no count unsaid"


def test_the_count_is_written_when_no_other_line_follows() -> None:
    said = threading.Event()

    class Output(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "were left out" in record.getMessage():
                said.set()

    log = logs.Log(logging.Formatter(), Sampler(seconds=0.05), [Output()])
    for _ in range(100_000):
        log.handle(logging.LogRecord("wan.web", logging.INFO, "", 0, "no", None, None))
        if said.is_set():
            break
    assert said.wait(60)
    log.close()


@pytest.mark.parametrize("form", ["text", "json"])
def test_every_line_is_bounded(capsys: pytest.CaptureFixture[str], form: str) -> None:
    logs.start("info", form)
    log = logging.getLogger("wan.test")
    log.info("begin %s end", "x" * 1_000_000)
    log.info("\n" * 100_000)
    log.info("\x01" * 100_000)
    log.info("%s", "\udc80\x9b\u2028" * 100_000)
    log.info("one argument: %s %s", "a" * 100_000)  # noqa: PLE1206
    try:
        try:
            raise ValueError("y" * 1_000_000)
        except ValueError as error:
            raise RuntimeError("line\n" * 100_000) from error
    except RuntimeError:
        log.exception("failed")
    log.info("stack", stack_info=True)
    text = capsys.readouterr().err
    text.encode()  # lone surrogates are escaped
    assert len(text) < 8 * (MESSAGE_MAX + TRACE_MAX)
    assert "begin xxx" in text and "xxx end" in text and "1000010 in all" in text, (
        "cut in the middle, and said"
    )
    assert "failed" in text and "RuntimeError" in text and "ValueError" in text and "one argument" in text
    for control in ("\x01", "\x9b", "\u2028"):
        assert control not in text
    if form == "json":
        assert [json.loads(line) for line in text.splitlines()]


def test_printed_lines_become_log_lines(capsys: pytest.CaptureFixture[str]) -> None:
    logs.start("info", "text")
    with logs.printing_logged() as out:
        print("printed\nby a library")
        try:
            raise ValueError("printed too")
        except ValueError:
            traceback.print_exc()
        print("address of the page", file=out)
        assert not sys.stdout.isatty() and sys.stdout.encoding
        for _ in range(FLOOD):
            print("x" * 10_000, end="")
            print("y" * 10_000, file=sys.stderr)
    assert not isinstance(sys.stdout, logs.LoggedStream)
    seen = capsys.readouterr()
    assert seen.out == "address of the page\n"
    assert "wan.prints: printed\n" in seen.err and "ValueError: printed too" in seen.err
    assert len(seen.err) < 100 * 1_000


def written() -> None:
    """Everything that was logged is in the file: closing the log writes what waits."""
    for handler in logging.getLogger().handlers:
        handler.close()


def test_the_file_is_rotated_and_contains_earlier_records(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.start("debug", "text", secrets=["secret-word"])
    log = logging.getLogger("wan.test")
    log.info("at the very start, with secret-word")
    logs.to_file(tmp_path / "logs" / "studio.log", 10_000)
    for number in range(2_000):
        log.debug("line %d %s", number, "x" * 100)
    written()
    files = sorted((tmp_path / "logs").iterdir())
    assert [file.name for file in files] == ["studio.log", *(f"studio.log.{n}" for n in (1, 2, 3))]
    assert all(file.stat().st_size <= 10_000 and file.stat().st_mode & 0o077 == 0 for file in files)
    assert "line 1999" in files[0].read_text()
    assert "at the very start" in capsys.readouterr().err


def test_records_from_before_the_file_are_in_it(tmp_path: Path) -> None:
    logs.start("info", "json", secrets=["secret-word"], console=False)
    logging.getLogger("wan.test").info("at the very start, with secret-word")
    logs.to_file(tmp_path / "studio.log", 10_000)
    logging.getLogger("wan.test").info("later")
    written()
    lines = [json.loads(line)["message"] for line in (tmp_path / "studio.log").read_text().splitlines()]
    assert lines == ["at the very start, with [secret]", "later"]


@pytest.mark.parametrize("place", ["folder", "full"])
def test_a_file_that_cannot_be_written_raises_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    logs.start("info", "text")
    if place == "full":
        if not Path("/dev/full").exists():
            pytest.skip("no /dev/full here")
        (tmp_path / "studio.log").symlink_to("/dev/full")
        logs.to_file(tmp_path / "studio.log", 0)
    else:
        (tmp_path / "file").write_text("")
        logs.to_file(tmp_path / "file" / "logs" / "studio.log", 10_000)
    for _ in range(3):
        logging.getLogger("wan.test").info("still said")
    text = capsys.readouterr().err
    assert text.count("still said") == 3 and text.count("cannot be written") <= 1 and "Traceback" not in text


def test_a_closed_console_raises_nothing() -> None:
    read, write = os.pipe()
    os.close(read)
    with contextlib.suppress(OSError), os.fdopen(write, "w") as stream:
        console = logs.Console(stream)
        console.handle(logging.LogRecord("wan.test", logging.INFO, "", 0, "gone", None, None))
