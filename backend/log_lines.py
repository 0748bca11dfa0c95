"""Formats log lines: text or JSON, limited in length, without prompts and secrets.

Messages and tracebacks can contain anything that was sent to the page. So long texts are cut in the middle,
and control characters, which could hide or imitate lines, are written as escapes.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterable
from typing import Any

REDACTED = "[prompt]"
SHORTEST_REDACTED = 4
"""Characters. Shorter texts are not redacted: they occur in any line."""
MESSAGE_MAX = 2_000
TRACE_MAX = 8_000
TRACE_LINE_MAX = 500
"""Characters of a message, of a traceback, and of one line of it."""

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that hide or imitate text, or that UTF-8 does not have. Line breaks and tabs are none."""


def short(text: str, most: int) -> str:
    """The text, cut in the middle to at most `most` characters; a mark there says how long it was."""
    if len(text) <= most:
        return text
    mark = f"[... cut, {len(text)} in all ...]"
    room = max(0, most - len(mark))
    return (text[: room - room // 2] + mark + text[len(text) - room // 2 :])[:most]


def printable(text: str) -> str:
    """Control characters and lone surrogates as escapes; line breaks and tabs stay."""
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def bounded(text: str, most: int) -> str:
    """At most `most` printable characters."""
    return short(printable(short(text, most)), most)


def message(record: logging.LogRecord) -> str:
    """The record's message; where the arguments do not fit its format, both as they are."""
    try:
        return record.getMessage()
    except Exception:
        return f"{record.msg} {record.args!r}"


class Redactor:
    """Redacts secrets, and the job's prompts unless they are to be logged."""

    def __init__(self, show_prompts: bool = False, secrets: Iterable[str] = ()) -> None:
        self._show = show_prompts
        self._secrets = tuple(secret for secret in secrets if len(secret) >= SHORTEST_REDACTED)

    def redact(self, text: str, record: logging.LogRecord) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        for private in () if self._show else getattr(record, "private_texts", ()):
            for form in {private, repr(private)[1:-1], json.dumps(private)[1:-1]}:
                text = text.replace(form, REDACTED)
        return text

    def message(self, record: logging.LogRecord) -> str:
        return bounded(self.redact(message(record), record), MESSAGE_MAX)

    def trace(self, record: logging.LogRecord, formatter: logging.Formatter) -> str:
        """The traceback, or the stack, that goes with the record; "" without one."""
        text = formatter.formatException(record.exc_info) if record.exc_info else record.stack_info or ""
        lines = self.redact(text, record).split("\n")
        return bounded("\n".join(short(line, TRACE_LINE_MAX) for line in lines), TRACE_MAX)


class TextFormatter(logging.Formatter):
    """`2026-01-31 12:00:00,000 INFO    wan.jobs: done job=1f...`: one line, tracebacks below it."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        text = short(self._redactor.message(record).replace("\n", "\n  "), MESSAGE_MAX)
        line = f"{self.formatTime(record)} {record.levelname:<7} {record.name}: {text}"
        job = getattr(record, "job", "")
        if job and job not in line:
            line += f" job={job}"
        trace = self._redactor.trace(record, self)
        return f"{line}\n{trace}" if trace else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, job and error where there are any."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._redactor.message(record),
        }
        if job := getattr(record, "job", ""):
            line["job"] = job
        if trace := self._redactor.trace(record, self):
            line["error"] = trace
        return json.dumps(line, ensure_ascii=False)
