"""Requests that an exception ended: what is answered and what is logged.

A request that Gradio or another library cannot make sense of ends in an exception there. Such requests must
not fill the log with tracebacks, so these exceptions get one line. One that passed through code of this
project is a mistake of ours and logged in full.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from pathlib import Path

from starlette.exceptions import HTTPException

from backend.log_lines import short
from backend.web.exchange import Exchange, Refused

log = logging.getLogger("wan.web")

ROOT = Path(__file__).resolve().parents[2]
OURS = (ROOT / "backend", ROOT / "ui", ROOT / "workflows")
PASSED_THROUGH = frozenset({"middleware.py", "exchange.py", "request_body.py", "logins.py", "failures.py"})
"""Modules beside this one that every request passes."""
TEXT_SHOWN = 200
"""Characters of an exception's text in the log."""


async def answered(exchange: Exchange, error: Exception, named: str) -> bool:
    """Logs the error of a request and ends its response; False where only closing the connection can end it.
    named: method and path."""
    if is_ours(error):
        log.error("%s failed", named, exc_info=error)
    elif not any(isinstance(one, HTTPException) for one in chain(error)):
        log.warning("%s failed: %s", named, described(error), extra={"kind": f"failed {place(error)}"})
    if not exchange.status:
        await exchange.refuse(Refused.of("not_answered", 500))
        return True
    return exchange.complete or await exchange.end_stream()


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error, those in its group, and what they were raised from."""
    seen: list[BaseException] = [error]
    for one in seen:
        yield one
        inner = list(getattr(one, "exceptions", ()))
        causes = [cause for cause in (one.__cause__, one.__context__) if cause is not None]
        seen += [new for new in (*inner, *causes) if not any(new is known for known in seen)]


def is_ours(error: BaseException) -> bool:
    """Whether code of this project raised it, or called what raised it."""
    return any(
        _is_ours(Path(frame.filename))
        for one in chain(error)
        for frame in traceback.extract_tb(one.__traceback__)
    )


def place(error: BaseException) -> str:
    """Where it was raised: file and line."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"


def described(error: BaseException) -> str:
    """Its type, text and place, in one line."""
    return f"{type(error).__name__} at {place(error)}: {short(repr(str(error)), TEXT_SHOWN)}"


def _is_ours(file: Path) -> bool:
    if file.parent == Path(__file__).parent and file.name in PASSED_THROUGH:
        return False
    if file.is_relative_to(ROOT / "ui" / "gradio_fixes"):
        return False
    return any(file.is_relative_to(folder) for folder in OURS)
