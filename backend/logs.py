"""The log: on stderr and in a rotated file, as text or JSON, with job ids and every traceback.

Work for a job runs inside `job_context(job_id)`: each line logged there carries the id, and the texts given
with it (the creator's prompts) are redacted in messages and tracebacks, whichever code logs them.

The log cannot fill a disk: lines are limited in length (log_lines.py), lines of one kind in number
(log_limits.py), and the file in size.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import os
import re
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TextIO

from backend.log_limits import PRINTS, Sampler
from backend.log_lines import SHORTEST_REDACTED, JsonFormatter, Redactor, TextFormatter, message

EARLIER_FILES = 3
"""Rotated log files that are kept besides the current one."""
RECORDS_BEFORE_FILE = 500
"""The latest records from before the log file is opened; they are written to it then."""
PRINTED_MAX = 500
"""Characters of a printed line."""
QUIET = ("httpx", "httpcore", "mcp", "asyncio", "PIL", "urllib3", "python_multipart")
"""Libraries whose "info" and "debug" lines are noise, or contain the addresses of requests."""
_JOB = re.compile(r"\bjob ([0-9a-f]{32})\b")

_context: contextvars.ContextVar[tuple[str, tuple[str, ...]]] = contextvars.ContextVar(
    "log_context", default=("", ())
)


@contextlib.contextmanager
def job_context(job_id: str, texts: Iterable[object] = ()) -> Iterator[None]:
    """Lines that this thread or task logs within it carry the job's id; `texts` are redacted in them."""
    private_texts = tuple(
        text for text in texts if isinstance(text, str) and len(text.strip()) >= SHORTEST_REDACTED
    )
    token = _context.set((job_id, private_texts))
    try:
        yield
    finally:
        _context.reset(token)


def prompt_texts(params: Mapping[str, Any]) -> tuple[object, ...]:
    """The texts of a job's parameters that only its creator may read."""
    return tuple(params.get(name) for name in ("prompt", "negative_prompt"))


class JobFilter(logging.Filter):
    """Adds the job's id and the texts to redact to each record, in the thread that logs it."""

    def filter(self, record: logging.LogRecord) -> bool:
        job, texts = _context.get()
        if not job:
            found = _JOB.search(message(record))
            job = found[1] if found else ""
        record.job, record.private_texts = job, texts
        return True


class LogFile(RotatingFileHandler):
    """A file that is rotated by size. The first failure to write is reported on stderr."""

    def __init__(self, path: Path, most_bytes: int) -> None:
        self._failed = False
        super().__init__(
            path,
            maxBytes=most_bytes,
            backupCount=EARLIER_FILES,
            encoding="utf-8",
            errors="backslashreplace",
            delay=True,
        )

    def _open(self) -> Any:
        return open(
            self.baseFilename,
            self.mode,
            encoding=self.encoding,
            errors=self.errors,
            opener=lambda name, flags: os.open(name, flags, 0o600),
        )

    def handleError(self, record: logging.LogRecord) -> None:
        if not self._failed and sys.__stderr__ is not None:
            self._failed = True
            with contextlib.suppress(OSError, ValueError):
                print(f"The log file {self.baseFilename} cannot be written.", file=sys.__stderr__)


class Console(logging.StreamHandler):
    """stderr. A failure to write, such as to a closed pipe or a full disk, is ignored."""

    def handleError(self, record: logging.LogRecord) -> None:
        return


class BackgroundHandler(QueueHandler):
    """Writes the records of another handler in a thread of its own, so that no caller, such as the event
    loop, waits for the disk. The sampler bounds the queue."""

    def __init__(self, target: logging.Handler) -> None:
        super().__init__(SimpleQueue())
        self._writer = QueueListener(self.queue, target)
        self._target, self._writes = target, False

    def emit(self, record: logging.LogRecord) -> None:
        if not self._writes:  # at first, and after uvicorn's set-up, which closes all handlers
            self._writes = True
            self._writer.start()
        super().emit(record)

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record  # unchanged: the target formats it, in this process

    def close(self) -> None:
        """Writes the queue, then closes the target; a later record opens it again."""
        with self.lock or contextlib.nullcontext():
            if self._writes:
                self._writes = False
                self._writer.stop()
        self._target.close()
        super().close()


class Log(logging.Handler):
    """Writes the records that the sampler admits to its outputs, and counts of those that it does not."""

    def __init__(self, formatter: logging.Formatter, sampler: Sampler, outputs: Iterable[logging.Handler]):
        super().__init__()
        self.formatter, self._sampler, self._outputs = formatter, sampler, list(outputs)
        for output in self._outputs:
            output.setFormatter(formatter)
        self._before_file: deque[logging.LogRecord] | None = deque(maxlen=RECORDS_BEFORE_FILE)
        self._timer: threading.Timer | None = None
        self.addFilter(JobFilter())

    def emit(self, record: logging.LogRecord) -> None:
        self._write_left_out()
        if self._sampler.admit(record):
            self._write(record)
        elif self._timer is None:
            self._timer = threading.Timer(self._sampler.seconds, self._window_is_over)
            self._timer.daemon = True
            with contextlib.suppress(RuntimeError):  # the interpreter is shutting down
                self._timer.start()

    def add_file(self, file: logging.Handler) -> None:
        """Adds an output, which also gets the records so far."""
        with self.lock or contextlib.nullcontext():
            file.setFormatter(self.formatter)
            for record in self._before_file or ():
                file.handle(record)
            self._before_file = None
            self._outputs.append(BackgroundHandler(file))

    def close(self) -> None:
        """Writes the pending counts and closes the outputs."""
        with self.lock or contextlib.nullcontext():
            if self._timer is not None:
                self._timer.cancel()
            self._write_left_out(everything=True)
        for output in self._outputs:
            with contextlib.suppress(OSError):  # the disk is full
                output.close()
        super().close()

    def _window_is_over(self) -> None:
        with self.lock or contextlib.nullcontext():
            self._timer = None
            self._write_left_out(everything=True)

    def _write_left_out(self, everything: bool = False) -> None:
        for left in self._sampler.take_left_out(everything):
            message = "%d more lines within %.0f s were left out: %s"
            values = (left.count, self._sampler.seconds, left.template)
            record = logging.LogRecord(left.logger, left.level, "", 0, message, values, None)
            record.job, record.private_texts = "", ()
            self._write(record)

    def _write(self, record: logging.LogRecord) -> None:
        if self._before_file is not None:
            self._before_file.append(record)
        for output in self._outputs:
            output.handle(record)


class LoggedStream:
    """Replaces sys.stdout or sys.stderr: each printed line becomes a line of the log."""

    def __init__(self, stream: TextIO, level: int) -> None:
        self._stream, self._level = stream, level
        self._log, self._rest, self._lock = logging.getLogger(PRINTS), "", threading.Lock()

    def write(self, text: str) -> int:
        with self._lock:
            *lines, self._rest = (self._rest + text).split("\n")
            if len(self._rest) > PRINTED_MAX:
                lines, self._rest = [*lines, self._rest], ""
        for line in lines:
            if line.strip():
                self._log.log(
                    self._level, "%s", line if len(line) <= PRINTED_MAX else line[:PRINTED_MAX] + "..."
                )
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Does nothing: an incomplete line stays in the buffer."""

    def isatty(self) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def printing_logged() -> Iterator[TextIO]:
    """Within it, printed lines go to the log. Yields the original stdout, for output that is not a log."""
    out, err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = LoggedStream(out, logging.INFO), LoggedStream(err, logging.WARNING)
    try:
        yield out
    finally:
        sys.stdout, sys.stderr = out, err


def start(
    level: str,
    form: str,
    show_prompts: bool = False,
    secrets: Iterable[str] = (),
    console: bool = True,
    sampler: Sampler | None = None,
) -> None:
    """Sends all records, and every uncaught exception, to stderr in this form.

    level: debug, info or warning. form: text or json. secrets: texts that are redacted in every line
    (passwords, keys). console: whether to write to stderr at all. The loggers in QUIET stay at warning.
    """
    redactor = Redactor(show_prompts, secrets)
    formatter = JsonFormatter(redactor) if form == "json" else TextFormatter(redactor)
    outputs = [Console()] if console else []
    handler = Log(formatter, sampler or Sampler(), outputs)
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


def to_file(path: Path, most_bytes: int) -> None:
    """Writes the log, from `start` on, to this file as well; it is rotated at `most_bytes`."""
    log = next((handler for handler in logging.getLogger().handlers if isinstance(handler, Log)), None)
    if log is None:
        return
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    except OSError as error:
        logging.getLogger("wan").warning("the log file %s cannot be written: %s", path, error.strerror)
        return
    log.add_file(LogFile(path, most_bytes))


def adopt(*names: str) -> None:
    """Removes the handlers that libraries give their loggers, as uvicorn does when it starts."""
    for name in names:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
