"""The log: which job a line is about, on stderr and in a rotated file, as text or JSON, with every traceback.

What runs for a job runs inside `about(job_id)`: each line logged there carries the id, and the texts given
with it (the creator's prompts) are cut out of messages and tracebacks, whoever wrote them.

Nobody can fill a disk with it: lines are bounded in length (log_lines.py), lines of one kind in number
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
from backend.log_lines import SHORTEST_CUT, JsonFormatter, Scissors, TextFormatter, message

EARLIER_FILES = 3
"""How many full log files are kept beside the one that is written."""
EARLY_RECORDS = 500
"""Records from before the file is known that are written to it when it is."""
PRINTED_MAX = 500
"""Characters of a printed line."""
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


class AboutJob(logging.Filter):
    """Puts the job's id, and what to keep out, on each record while the thread that logs it is at work."""

    def filter(self, record: logging.LogRecord) -> bool:
        job, texts = _about.get()
        if not job:
            found = _JOB.search(message(record))
            job = found[1] if found else ""
        record.job, record.kept_out = job, texts
        return True


class LogFile(RotatingFileHandler):
    """A file that is rotated by size. What cannot be written there is told once, and still is on stderr."""

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
    """stderr. One that is closed, or a file on a full disk, stops nobody."""

    def handleError(self, record: logging.LogRecord) -> None:
        return


class InBackground(QueueHandler):
    """Another handler's records, written by a thread of their own, so that no caller, such as the event loop,
    waits for the disk. The sampler bounds how many wait."""

    def __init__(self, target: logging.Handler) -> None:
        super().__init__(SimpleQueue())
        self._writer = QueueListener(self.queue, target)
        self._target, self._writes = target, False

    def emit(self, record: logging.LogRecord) -> None:
        if not self._writes:  # at first, and after uvicorn's set-up, which closes every handler there is
            self._writes = True
            self._writer.start()
        super().emit(record)

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record  # as it is: the target formats it, in this process

    def close(self) -> None:
        """Writes what waits, then closes the target; a later record opens it again."""
        with self.lock or contextlib.nullcontext():
            if self._writes:
                self._writes = False
                self._writer.stop()
        self._target.close()
        super().close()


class Log(logging.Handler):
    """Writes what the sampler admits to its outputs, and how many records it did not."""

    def __init__(self, formatter: logging.Formatter, sampler: Sampler, outputs: Iterable[logging.Handler]):
        super().__init__()
        self.formatter, self._sampler, self._outputs = formatter, sampler, list(outputs)
        for output in self._outputs:
            output.setFormatter(formatter)
        self._early: deque[logging.LogRecord] | None = deque(maxlen=EARLY_RECORDS)
        self._timer: threading.Timer | None = None
        self.addFilter(AboutJob())

    def emit(self, record: logging.LogRecord) -> None:
        self._write_left_out()
        if self._sampler.admit(record):
            self._write(record)
        elif self._timer is None:
            self._timer = threading.Timer(self._sampler.seconds, self._time_is_over)
            self._timer.daemon = True
            with contextlib.suppress(RuntimeError):  # the interpreter ends
                self._timer.start()

    def add_file(self, file: logging.Handler) -> None:
        """One more output, which also gets what was written until now."""
        with self.lock or contextlib.nullcontext():
            file.setFormatter(self.formatter)
            for record in self._early or ():
                file.handle(record)
            self._early = None
            self._outputs.append(InBackground(file))

    def close(self) -> None:
        """Writes the counts that are still open, and closes the outputs."""
        with self.lock or contextlib.nullcontext():
            if self._timer is not None:
                self._timer.cancel()
            self._write_left_out(everything=True)
        for output in self._outputs:
            with contextlib.suppress(OSError):  # what a full disk did not take
                output.close()
        super().close()

    def _time_is_over(self) -> None:
        with self.lock or contextlib.nullcontext():
            self._timer = None
            self._write_left_out(everything=True)

    def _write_left_out(self, everything: bool = False) -> None:
        for left in self._sampler.take_left_out(everything):
            message = "%d more lines within %.0f s were left out: %s"
            values = (left.count, self._sampler.seconds, left.template)
            record = logging.LogRecord(left.logger, left.level, "", 0, message, values, None)
            record.job, record.kept_out = "", ()
            self._write(record)

    def _write(self, record: logging.LogRecord) -> None:
        if self._early is not None:
            self._early.append(record)
        for output in self._outputs:
            output.handle(record)


class Prints:
    """In place of sys.stdout or sys.stderr: what libraries print becomes lines of the log."""

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
        """Nothing waits here but half a line."""

    def isatty(self) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def prints_logged() -> Iterator[TextIO]:
    """Within it, whatever is printed goes to the log; yields the stdout of before, for what is not a log."""
    out, err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Prints(out, logging.INFO), Prints(err, logging.WARNING)
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
    """Sends everything that is logged, and every exception nobody caught, to stderr in this form.

    level: debug, info or warning. form: text or json. secrets: texts that no line may have (passwords, the
    admin token). console: whether stderr gets it. Loggers of libraries stay at warning.
    """
    scissors = Scissors(show_prompts, secrets)
    formatter = JsonFormatter(scissors) if form == "json" else TextFormatter(scissors)
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
    """From now on the log, with what it had since `start`, goes to this file too; rotated at that size."""
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
    """Takes over loggers that set up handlers of their own, as uvicorn does when it starts."""
    for name in names:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
