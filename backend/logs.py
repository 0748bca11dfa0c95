"""The log: which job a line is about, as text or JSON, with every traceback and without prompts.

What runs for a job runs inside `about(job_id)`: each line logged there carries the id, and the texts given
with it (the creator's prompts) are cut out of messages and tracebacks, whoever wrote them.
"""

from __future__ import annotations

import contextlib
import contextvars
import json
import logging
import re
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

CUT = "[prompt]"
SHORTEST_CUT = 4
"""Shorter texts than this are words of any line."""
QUIET = ("httpx", "httpcore", "mcp", "asyncio", "PIL", "urllib3", "python_multipart")
"""Libraries that would say at "info" or "debug" what nobody here asked for, requests' addresses among it."""
_JOB = re.compile(r"\bjob ([0-9a-f]{32})\b")

_about: contextvars.ContextVar[tuple[str, tuple[str, ...]]] = contextvars.ContextVar(
    "about", default=("", ())
)


@contextlib.contextmanager
def about(job_id: str, texts: Iterable[object] = ()) -> Iterator[None]:
    """Lines logged in here, by this thread or task, are about this job; `texts` are kept out of them."""
    kept_out = tuple(text for text in texts if isinstance(text, str) and len(text.strip()) >= SHORTEST_CUT)
    token = _about.set((job_id, kept_out))
    try:
        yield
    finally:
        _about.reset(token)


def prompts(params: Mapping[str, Any]) -> tuple[object, ...]:
    """The texts of a job's parameters that only its creator should read."""
    return tuple(params.get(name) for name in ("prompt", "negative_prompt"))


class Scissors:
    """Cuts out what the log must not have: the job's prompts unless they are wanted, and secrets always."""

    def __init__(self, show_prompts: bool = False, secrets: Iterable[str] = ()) -> None:
        self._show = show_prompts
        self._secrets = tuple(secret for secret in secrets if len(secret) >= SHORTEST_CUT)

    def cut(self, text: str, record: logging.LogRecord) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        for kept_out in () if self._show else getattr(record, "kept_out", ()):
            for form in {kept_out, repr(kept_out)[1:-1], json.dumps(kept_out)[1:-1]}:
                text = text.replace(form, CUT)
        return text


class TextFormatter(logging.Formatter):
    """`2026-01-31 12:00:00,000 INFO    wan.runner: done job=1f...`: one line, tracebacks below it."""

    def __init__(self, scissors: Scissors) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
        self._scissors = scissors

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = super().formatMessage(record).replace("\r", "\\r").replace("\n", "\n  ")
        job = getattr(record, "job", "")
        return f"{line} job={job}" if job and job not in line else line

    def format(self, record: logging.LogRecord) -> str:
        return self._scissors.cut(super().format(record), record)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, job and error where there are any."""

    def __init__(self, scissors: Scissors) -> None:
        super().__init__()
        self._scissors = scissors

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._scissors.cut(record.getMessage(), record),
        }
        if job := getattr(record, "job", ""):
            line["job"] = job
        if record.exc_info:
            line["error"] = self._scissors.cut(self.formatException(record.exc_info), record)
        return json.dumps(line, ensure_ascii=False)


class AboutJob(logging.Filter):
    """Puts the job's id, and what to keep out, on each record while the thread that logs it is at work."""

    def filter(self, record: logging.LogRecord) -> bool:
        job, texts = _about.get()
        if not job:
            found = _JOB.search(record.getMessage())
            job = found[1] if found else ""
        record.job, record.kept_out = job, texts
        return True


def start(level: str, form: str, show_prompts: bool = False, secrets: Iterable[str] = ()) -> None:
    """Sends everything that is logged, and every exception nobody caught, to stderr in this form.

    level: debug, info or warning. form: text or json. secrets: texts that no line may have (passwords, the
    admin token). Loggers of libraries stay at warning.
    """
    scissors = Scissors(show_prompts, secrets)
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter(scissors) if form == "json" else TextFormatter(scissors))
    handler.addFilter(AboutJob())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    log = logging.getLogger("wan")

    def of_process(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
        else:
            log.critical("unexpected error", exc_info=(kind, error, trace))

    def of_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not issubclass(args.exc_type, SystemExit):
            name = args.thread.name if args.thread else "?"
            log.critical(
                "thread %s: unexpected error",
                name,
                exc_info=(args.exc_type, args.exc_value, args.exc_traceback),
            )

    def unraisable(args: Any) -> None:
        if args.exc_value is not None:
            log.error(
                "unexpected error: %s",
                args.err_msg,
                exc_info=(args.exc_type, args.exc_value, args.exc_traceback),
            )

    sys.excepthook, threading.excepthook, sys.unraisablehook = of_process, of_thread, unraisable


def adopt(*names: str) -> None:
    """Takes over loggers that set up handlers of their own, as uvicorn does when it starts."""
    for name in names:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
