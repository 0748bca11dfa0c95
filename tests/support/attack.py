"""What the modules of attacks share: what an attack is, and helpers that make jobs and read answers."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.security_site import Site, Visitor

POD = "x-7860.proxy.runpod.net"
MARKUP = '<img src=x onerror="alert(1)"><script>alert(2)</script>'
OPEN_ENV = {
    "RUNPOD_POD_ID": "x",
    "GRADIO_SERVER_NAME": "0.0.0.0",
    "WAN_ALLOWED_HOSTS": "abc.gradio.live,me-wan.hf.space",
}
LOCKED_ENV = {**OPEN_ENV, "WAN_AUTH": "ann:right-password,bob:other-password"}
SENT = {"mode": "animate", "field": "video"}
"""Where "Send to" sends a video."""
SMALL = ("", "16:9", "480p", 64, 64, 0.25, "fast")


@dataclass(frozen=True)
class Case:
    attempt: str
    expected: str
    run: Callable[[Site], str]
    locked: bool = False  # on the site with WAN_AUTH


def collector(cases: list[Case]) -> Callable[..., Any]:
    """The decorator that adds attacks to `cases`: @case(attempt, expected, locked=False)."""

    def case(attempt: str, expected: str, locked: bool = False) -> Callable[[Callable[[Site], str]], Any]:
        def add(run: Callable[[Site], str]) -> Callable[[Site], str]:
            cases.append(Case(attempt, expected, run, locked))
            return run

        return add

    return case


def made(visitor: Visitor, prompt: str = "A boat drifts") -> dict[str, Any]:
    """Makes a job of this visitor and returns its finished record."""
    kind, answer = visitor.call("text_to_video", prompt, *SMALL)
    assert kind == "complete", answer
    record: dict[str, Any] = answer[1]
    assert record["status"] == "done", record
    return record


def said(answer: Any) -> str:
    """The message of a rejection, from any kind of response."""
    if isinstance(answer, dict):
        return str(answer.get("error") or answer.get("detail") or "")
    return str(answer)


def once(found: set[str]) -> str:
    return " / ".join(sorted(found))


def event_values(site: Site, fn: int, visitor: Visitor) -> list[Any]:
    """The event's inputs as a page of this visitor has them."""
    return [visitor.token, *site.values(fn)[1:]]


def address(visitor: Visitor, job: dict[str, Any], name: str = "result.mp4") -> str:
    """The signed URL of a job's file, as on its owner's page."""
    fn = visitor.site.fn("ws-card", "show")
    html = json.dumps(visitor.event(fn, [visitor.token], {"id": job["id"], "key": job["key"]}))
    start = html.index(f"media/{job['id']}/{name}?")
    return "/" + html[start : html.index('\\"', start)].replace("&amp;", "&")


def outside(site: Site) -> list[str]:
    return [
        "/etc/passwd", str(site.data / "secret"), f"{site.uploads}/../data/admin", "/dev/zero",
        f"{site.url}/healthz", "http://169.254.169.254/latest/meta-data", "data:image/png;base64,AAAA",
        str(site.uploads), "/proc/self/environ",
    ]  # fmt: skip


def is_refusal(text: str) -> bool:
    return any(
        part in text
        for part in ("not uploaded here", "not fetched", "inside the request", "one uploaded file")
    )


def sentence(kind: str, answer: Any) -> str:
    text = said(answer)
    plain = text.endswith(".") and "Traceback" not in text and "/" not in text and "went wrong" not in text
    return "a sentence" if kind == "error" and plain else f"{kind}: {answer}"


def png(width: int, height: int, rows: int = 0) -> bytes:
    """A grey PNG whose header has this size; `rows`: the number of rows it really has."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress((b"\0" + b"\x80" * width) * (rows or height))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def multipart(data: bytes) -> bytes:
    head = b'--edge\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    return head + data + b"\r\n--edge--\r\n"


def answer_is(answer: httpx.Response, status: int, words: str) -> str:
    fits = answer.status_code == status and words in answer.text
    return f"{status} with a sentence" if fits else f"{answer.status_code} {answer.text[:200]}"


def visitor_jobs(visitor: Visitor) -> list[dict[str, str]]:
    """id and key of all jobs in a visitor's library."""
    text = json.dumps(
        visitor.event(visitor.site.fn("tab-library", "select"), [visitor.token, "", "", 60, "clips"])
    )
    found = []
    for piece in text.split('data-id=\\"')[1:]:
        if 'data-key=\\"' in piece:
            found.append({"id": piece[:32], "key": piece.split('data-key=\\"')[1].split('\\"')[0]})
    return found


def drop(visitor: Visitor) -> None:
    for job in visitor_jobs(visitor):
        visitor.call("cancel", job["id"], job["key"])
