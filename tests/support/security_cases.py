"""Attacks and their expected outcomes, one function per attack.

Each function takes a Site and returns the outcome as a short text, which has to be the expected one. The same
cases are the tests in test_security.py and the table of `python -m benchmarks.security`.
"""

from __future__ import annotations

import base64
import json
import socket
import struct
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from gradio_client import Client

from backend.security.tokens import media_address, new_token, sign
from tests.support.security_site import META, Site, Visitor

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


CASES: list[Case] = []


def case(attempt: str, expected: str, locked: bool = False) -> Callable[[Callable[[Site], str]], Any]:
    def add(run: Callable[[Site], str]) -> Callable[[Site], str]:
        CASES.append(Case(attempt, expected, run, locked))
        return run

    return add


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


# -- jobs of others ---------------------------------------------------------------------------------


@case("a job's id with no key, a made-up key, another job's key, by /job, /result and /cancel", "not found")
def _(site: Site) -> str:
    victim, attacker = Visitor(site), Visitor(site)
    theirs, mine = made(victim), made(attacker)
    seen = set()
    for key in ("", new_token()[:24], mine["key"], None, 5, [], {"$ne": ""}):
        for name in ("job", "result", "cancel"):
            kind, answer = attacker.call(name, theirs["id"], key)
            refused = kind == "error" and "There is no such video" in said(answer)
            seen.add("not found" if refused else f"{name} answered {answer}")
    return once(seen)


@case("the same through the page's poll", "gone")
def _(site: Site) -> str:
    theirs, attacker = made(Visitor(site)), Visitor(site)
    seen = set()
    for request in (
        {"id": theirs["id"], "key": ""}, {"id": theirs["id"], "key": sign(b"", "job", theirs["id"])},
        {"id": [theirs["id"]], "key": {}},
    ):  # fmt: skip
        answer = attacker.poll(request)
        seen.add("gone" if answer.get("gone") and "job" not in answer else str(answer))
    return once(seen)


@case(
    "private events of the page by number: show, cancel, again, retry, reuse, delete without the key",
    "nothing",
)
def _(site: Site) -> str:
    victim, attacker = Visitor(site), Visitor(site)
    theirs = made(victim, "A secret boat drifts")
    seen = set()
    right = victim.event(
        site.fn("ws-card", "show"), [attacker.token], {"id": theirs["id"], "key": theirs["key"]}
    )
    assert "secret boat" in json.dumps(right), "the key opens it"
    for key in ("", new_token()[:24]):
        data = {"id": theirs["id"], "key": key, "shown": theirs["id"], "change": "{}", **SENT}
        for elem, name in (
            ("ws-card", "show"), ("ws-card", "cancel"), ("ws-card", "again"), ("ws-card", "quality"),
            ("ws-card", "retry"), ("ws-card", "reuse"), ("ws-card", "picture"), ("ws-card", "send"),
            ("ws-library", "reuse"), ("ws-library", "show"), ("ws-library", "delete"), ("ws-library", "send"),
            ("ws-library", "pin"),
        ):  # fmt: skip
            fn = site.fn(elem, name)
            answer = json.dumps(attacker.event(fn, event_values(site, fn, attacker), data))
            leaks = "secret boat" in answer or theirs["id"] in answer
            seen.add(f"{name} leaks" if leaks else "nothing")
    kind, answer = victim.call("job", theirs["id"], theirs["key"])
    return once(seen) if kind == "complete" and answer[0]["status"] == "done" else "the job is gone"


@case(
    "the queue's panel by number: listing, moving, cancelling, cancelling all, pausing what is another's",
    "nothing, and the owner's own call works",
)
def _(site: Site) -> str:
    victim, attacker = Visitor(site), Visitor(site)
    long = ("", "16:9", "480p", 640, 640, 5, "quality", 100, 0, 0, -1, False)
    jobs = [victim.call("text_to_video", "A secret boat", *long)[1][1] for _ in range(3)]
    last, seen = jobs[-1], set()
    for key in (last["key"], "", new_token()[:24]):
        data = {"id": last["id"], "key": key}
        for name in ("list", "up", "down", "cancel_all", "pause", "cancel"):
            if name == "cancel" and key == last["key"]:
                continue  # the holder of the key may
            for token in (attacker.token, "", None, ["x"]):
                answer = json.dumps(attacker.event(site.fn("ws-queue", name), [token], data))
                leaks = "secret boat" in answer or last["id"] in answer
                seen.add(f"{name} leaks" if leaks else "nothing")
    states = {victim.call("job", job["id"], job["key"])[1][0]["status"] for job in jobs}
    mine = victim.call("text_to_video", "A secret boat", *long)[1][1]
    own = json.dumps(victim.event(site.fn("ws-queue", "cancel_all"), [victim.token], {}))
    ended = victim.call("job", mine["id"], mine["key"])[1][0]["status"]
    works = "cancelled" not in states and ended == "cancelled" and "Paused by" not in own
    return f"{once(seen)}, and the owner's own call {'works' if works else f'fails: {states} {ended}'}"


HALF = "\ud800"
"""Half of a surrogate pair: JSON can say it, UTF-8 cannot."""


@case("every private event by number: too few values, lists, objects and half characters", "nothing")
def _(site: Site) -> str:
    attacker, seen = Visitor(site), {"nothing"}
    told = {
        "id": HALF,
        "key": 5,
        "mode": {},
        "shown": [],
        "change": "[1]",
        "n": 10**30,
        "forms": {"animate": 5},
    }
    events = [
        one
        for one in site.config["dependencies"]
        if one["backend_fn"] and one.get("api_visibility") == "private"
    ]
    assert len(events) > 40
    for event in events:
        wanted = len(event["inputs"])
        for values, data in (([], None), ([["x"]] * wanted, told), ([None] * wanted, told)):
            answer = json.dumps(attacker.event(event["id"], values, data))
            if "went wrong" in answer:
                seen.add(f"{event['targets']} {values[:1]}: {answer[:200]}")
    return once(seen)


@case("the functions of the page's components, with anything", "nothing")
def _(site: Site) -> str:
    attacker, seen = Visitor(site), {"nothing"}
    made_up = {"id": HALF, "key": [], "more": [[1], [HALF, {}]], "seen": {}, "owner": 5, "draft": HALF}
    paths = {"path": f"{HALF}.png", "files": [[5, HALF], "x"], "owner": attacker.token, "draft": "a" * 32}
    for elem, name in (
        ("ws-card", "poll"), ("ws-card", "choices"), ("ws-drafts", "keep"), ("ws-drafts", "retain"),
        ("ws-card", "nope"), ("ws-header", "poll"),
    ):  # fmt: skip
        for asked in (None, 5, "x", [], [[]], made_up, paths):
            answer = json.dumps(attacker.server_function(elem, name, asked))
            if "went wrong" in answer or "Internal" in answer:
                seen.add(f"{name} {asked}: {answer[:200]}")
    for body in (
        {}, [], 5, {"component_id": 10**9, "fn_name": "poll", "session_hash": "x", "data": None},
        {"component_id": "x", "fn_name": 5, "session_hash": [], "data": None},
    ):  # fmt: skip
        status = attacker.post("/gradio_api/component_server", body).status_code
        seen.add("nothing" if status < 500 else f"{body}: {status}")
    return once(seen)


def event_values(site: Site, fn: int, visitor: Visitor) -> list[Any]:
    """The event's inputs as a page of this visitor has them."""
    return [visitor.token, *site.values(fn)[1:]]


@case("private events with a private link's id and key: only looking and cancelling are for everybody", "no")
def _(site: Site) -> str:
    victim, guest = Visitor(site), Visitor(site)
    theirs = made(victim, "A lake for guests")
    data = {"id": theirs["id"], "key": theirs["key"], "shown": "", "change": "{}", **SENT}
    seen = set()
    for elem, name in (
        ("ws-card", "again"), ("ws-card", "quality"), ("ws-card", "retry"), ("ws-card", "reuse"),
        ("ws-card", "delete"), ("ws-card", "pin"), ("ws-library", "reuse"), ("ws-library", "retry"),
        ("ws-card", "send"), ("ws-library", "send"), ("ws-card", "picture"),
        ("ws-library", "delete"), ("ws-library", "pin"), ("ws-undo", "undo"),
    ):  # fmt: skip
        fn = site.fn(elem, name)
        answer = json.dumps(guest.event(fn, event_values(site, fn, guest), data))
        seen.add(f"{name} leaks" if "A lake for guests" in answer or theirs["id"] in answer else "no")
    kind, answer = victim.call("job", theirs["id"], theirs["key"])
    looked = json.dumps(guest.event(site.fn("ws-card", "show"), [guest.token], data))
    assert kind == "complete" and "lake for guests" in looked and '"delete' not in looked
    assert 'data-act=\\"reuse' not in looked and 'data-act=\\"delete' not in looked, (
        "the card does not offer it"
    )
    mine = json.dumps(victim.event(site.fn("tab-library", "select"), [victim.token, "", "", 60, "any"]))
    assert theirs["id"] in mine and 'aria-pressed=\\"true' not in mine, "neither deleted nor pinned"
    return once(seen)


@case("another's library with a token of one's own, none, a wrong one, and SQL in the search", "nothing")
def _(site: Site) -> str:
    victim, attacker = Visitor(site), Visitor(site)
    theirs = made(victim, "A secret lake at dawn")
    fn = site.fn("tab-library", "select")
    mine = json.dumps(victim.event(fn, [victim.token, "", "secret lake", 60, "any"]))
    assert theirs["id"] in mine, "the owner sees it"
    seen = set()
    for token in (attacker.token, "", None, "%", victim.token[:-1], victim.token.lower() + "x", ["x"]):
        for search in ("", "secret", "' OR 1=1 --", '") OR 1=1 --', "%"):
            answer = json.dumps(attacker.event(fn, [token, "", search, 60, "any"]))
            seen.add("leaks" if theirs["id"] in answer or "secret lake" in answer else "nothing")
    return once(seen)


@case("a result's address with no, a forged, a shortened, another file's or a stretched signature", "404")
def _(site: Site) -> str:
    victim = Visitor(site)
    theirs, other = made(victim), made(victim)
    good = address(victim, theirs)
    query = {name: values[0] for name, values in parse_qs(urlsplit(good).query).items()}
    assert victim.http.get(good).status_code == 200
    path, exp, sig = f"/media/{theirs['id']}", query["exp"], query["sig"]
    later = str(int(exp) + 10**6)
    forged = media_address(b"\0" * 32, theirs["id"], "result.mp4", int(exp))
    seen = set()
    for bad in (
        f"{path}/result.mp4", f"{path}/result.mp4?exp={exp}", f"{path}/result.mp4?exp={exp}&sig={sig[:-1]}",
        f"{path}/result.mp4?exp={later}&sig={sig}", f"{path}/workflow.json?exp={exp}&sig={sig}",
        f"/media/{other['id']}/result.mp4?exp={exp}&sig={sig}", forged, f"{path}/result.mp4?exp=-1&sig={sig}",
        f"{path}/..%2f{theirs['id']}%2fresult.mp4?exp={exp}&sig={sig}",
        f"{path}/%2e%2e%2fsecret?exp={exp}&sig={sig}",
    ):  # fmt: skip
        seen.add(str(Visitor(site).http.get(bad).status_code))
    return once(seen)


def address(visitor: Visitor, job: dict[str, Any], name: str = "result.mp4") -> str:
    """The signed URL of a job's file, as on its owner's page."""
    fn = visitor.site.fn("ws-card", "show")
    html = json.dumps(visitor.event(fn, [visitor.token], {"id": job["id"], "key": job["key"]}))
    start = html.index(f"media/{job['id']}/{name}?")
    return "/" + html[start : html.index('\\"', start)].replace("&amp;", "&")


@case("a range of a result by its signed address", "206 with 10 bytes")
def _(site: Site) -> str:
    owner = Visitor(site)
    answer = Visitor(site).http.get(address(owner, made(owner)), headers={"Range": "bytes=0-9"})
    return f"{answer.status_code} with {len(answer.content)} bytes"


# -- files -------------------------------------------------------------------------------------------


@case(
    "the database, secrets, results and /etc/passwd through Gradio's file address, also by .. and links",
    "404",
)
def _(site: Site) -> str:
    owner = Visitor(site)
    job = made(owner)
    upload = owner.upload("a.png", png(8, 8))
    link = site.uploads / "link.png"
    link.unlink(missing_ok=True)
    link.symlink_to("/etc/passwd")
    assert owner.http.get(f"/gradio_api/file={upload}").status_code == 200
    seen = set()
    for name in (
        "/etc/passwd", str(site.data / "studio.db"), str(site.data / "secret"), str(site.data / "admin"),
        str(site.data / "jobs" / job["id"] / "result.mp4"), f"{site.uploads}/../data/admin", str(link),
        f"{site.uploads}/%2e%2e/data/admin", "../data/admin", "app.py", ".env", f"{site.url}/healthz",
        "https://example.com/a.png", "file:///etc/passwd",
    ):  # fmt: skip
        seen.add(str(owner.http.get(f"/gradio_api/file={name}").status_code))
    return once(seen)


@case(
    '{"path": ...} outside of the uploads, an address, a data: text, with and without meta, to an endpoint',
    "refused",
)
def _(site: Site) -> str:
    attacker, seen = Visitor(site), set()
    for path in outside(site):
        for value in ({"path": path, "meta": META}, {"path": path}, {"url": path, "meta": META}, path):
            kind, answer = attacker.call("fast_video", value, "x")
            seen.add("refused" if kind == "error" and is_refusal(said(answer)) else f"{value}: {answer}")
    return once(seen)


@case("the same to the page's own plan and submit events", "refused")
def _(site: Site) -> str:
    attacker, seen = Visitor(site), set()
    for elem, fn in (
        ("image_to_video-generate", site.fn("image_to_video-generate", "click")),
        ("plan", site.named("plan")),
    ):
        for path in outside(site):
            for value in ({"path": path, "meta": META}, {"path": path}):
                values = site.values(fn)
                values[site.place(fn, "image_to_video-image")] = value
                if elem.endswith("generate"):
                    values[0] = attacker.token
                answer = attacker.event(fn, values)
                seen.add("refused" if is_refusal(said(answer)) else f"{path}: {str(answer)[:200]}")
    return once(seen)


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


@case(
    "uploads named ../../x, /etc/x, with a shell's $(...) and `...`, 300 letters long",
    "inside the upload folder",
)
def _(site: Site) -> str:
    attacker, seen = Visitor(site), set()
    for name in (
        "../../../escaped.png", "/etc/escaped.png", "..\\..\\escaped.png", "$(touch escaped).png",
        "`touch escaped`.png", "a;touch escaped;.png", "-rf.png", "\x7f.png", "a" * 300 + ".png",
    ):  # fmt: skip
        path = attacker.upload(name, png(8, 8))
        inside = path.resolve().is_relative_to(site.uploads.resolve()) and path.is_file()
        kind, _ = attacker.call("fast_video", {"path": str(path), "meta": META}, "x", "balanced", "draft")
        seen.add("inside the upload folder" if inside and kind in ("complete", "error") else str(path))
    root = Path(__file__).resolve().parent.parent.parent
    stray = [
        p
        for p in (root / "escaped", site.folder / "escaped", site.folder.parent / "escaped.png")
        if p.exists()
    ]
    return f"{stray} were made" if stray else once(seen)


@case("text, HTML, SVG, a zip, a cut JPEG and nothing named .png, to every kind of field", "a sentence")
def _(site: Site) -> str:
    attacker, seen = Visitor(site), set()
    for data in (
        b"hello",
        b"<html><script>1</script>",
        b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        b"PK\3\4x",
        png(64, 64)[:60],
        b"",
    ):
        file = {"path": str(attacker.upload("a.png", data)), "meta": META}
        good = {"path": str(attacker.upload("b.png", png(64, 64))), "meta": META}
        for name, values in (
            ("fast_video", (file,)), ("sound_to_video", (file,)), ("animate", (good, file)),
        ):  # fmt: skip
            kind, answer = attacker.call(name, *values)
            seen.add(sentence(kind, answer))
    return once(seen)


@case("a picture of 60,000 x 60,000 pixels in 100 bytes", "a sentence")
def _(site: Site) -> str:
    attacker = Visitor(site)
    file = {"path": str(attacker.upload("bomb.png", png(60_000, 60_000, rows=1))), "meta": META}
    return sentence(*attacker.call("fast_video", file))


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


@case(
    "a file of 5 MB where 3 MB may be added, with its length said, in pieces; one of 3.5 MB",
    "413 with a sentence",
)
def _(site: Site) -> str:
    attacker, seen = Visitor(site), set()
    body = multipart(b"x" * 5_000_000)
    form = {"Content-Type": "multipart/form-data; boundary=edge"}
    for content in (
        body,
        iter([body[:100_000]] + [body[n : n + 500_000] for n in range(100_000, len(body), 500_000)]),
    ):
        answer = attacker.http.post("/gradio_api/upload", content=content, headers=form)
        ours = "larger than 3 MB" in answer.text
        seen.add(answer_is(answer, 413, "larger than 3 MB" if ours else "File size exceeded maximum"))
    answer = attacker.http.post(
        "/gradio_api/upload", content=multipart(b"x" * 3_500_000), headers=form
    )  # below the limit of requests, above that of files: Gradio's own response
    seen.add("413 with a sentence" if answer.status_code == 413 else f"{answer.status_code} {answer.text}")
    return once(seen)


@case("JSON of 1 MB to an event, an endpoint, the poll and the login", "413 with a sentence")
def _(site: Site) -> str:
    attacker, seen = Visitor(site), set()
    for path in ("queue/join", "call/job", "run/predict", "component_server"):
        answer = attacker.post(f"/gradio_api/{path}", {"data": ["x" * 1_000_000]})
        seen.add(answer_is(answer, 413, "too large"))
    seen.add(answer_is(attacker.http.post("/login", content=b"x" * 20_000), 413, "too large"))
    return once(seen)


def multipart(data: bytes) -> bytes:
    head = b'--edge\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    return head + data + b"\r\n--edge--\r\n"


def answer_is(answer: httpx.Response, status: int, words: str) -> str:
    fits = answer.status_code == status and words in answer.text
    return f"{status} with a sentence" if fits else f"{answer.status_code} {answer.text[:200]}"


# -- markup -------------------------------------------------------------------------------------------


@case("HTML in prompt, negative prompt and file name, shown on card, library, line and form", "escaped")
def _(site: Site) -> str:
    visitor, seen = Visitor(site), set()
    upload = visitor.upload(f"{MARKUP[:40]}.png", png(64, 64))
    fn = site.fn("image_to_video-generate", "click")
    values = site.values(fn)
    values[0] = visitor.token
    for field, value in (
        ("image", {"path": str(upload), "meta": META, "orig_name": MARKUP + ".png"}), ("prompt", MARKUP),
        ("negative_prompt", MARKUP), ("seconds", 2), ("width", 64), ("height", 64),
    ):  # fmt: skip
        values[site.place(fn, f"image_to_video-{field}")] = value
    shown = [visitor.event(fn, values)]
    job = next(iter(visitor_jobs(visitor)), None)
    assert job is not None, shown
    shown += [
        visitor.event(site.fn("tab-library", "select"), [visitor.token, "", MARKUP, 60, "clips"]),
        visitor.event(site.fn("tab-library", "select"), [visitor.token, MARKUP, "", 60, "clips"]),
        visitor.event(site.fn("ws-card", "show"), [visitor.token], job),
        visitor.event(site.fn("ws-library", "show"), [visitor.token], job),
        visitor.event(site.fn("ws-admin", "change"), [MARKUP]),
    ]
    assert any("onerror" in json.dumps(one) for one in shown[:1]), "it is shown at all"
    for one in shown:
        text = json.dumps(one)
        seen.add("bare markup" if "<img src=x" in text or "<script>alert" in text else "escaped")
    return once(seen)


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


@case("HTML in a job's mode, an owner token, an id and a key, in what is answered", "refused, nothing run")
def _(site: Site) -> str:
    attacker = Visitor(site)
    attacker.token = "<b>not a token</b>"
    kind, answer = attacker.call("text_to_video", "x", *SMALL)
    first = kind == "error" and "owner token" in said(answer)
    kind, answer = attacker.call("job", MARKUP, MARKUP, owner=False)
    second = kind == "error" and "<" not in said(answer)
    return "refused, nothing run" if first and second else f"{answer}"


# -- other pages ----------------------------------------------------------------------------------------


@case(
    f"POST and event stream from https://evil.example, a neighbouring pod and null, Host {POD}",
    "403, no leave to read",
)
def _(site: Site) -> str:
    seen = set()
    for origin in (
        "https://evil.example",
        "https://y-7860.proxy.runpod.net",
        "null",
        f"https://{POD}.evil.example",
    ):
        attacker = Visitor(site, {"Host": POD, "Origin": origin})
        for method, path in (
            ("POST", "/gradio_api/queue/join"), ("POST", "/gradio_api/run/predict"),
            ("POST", "/gradio_api/upload"),
            ("POST", "/gradio_api/component_server"), ("POST", "/login"), ("POST", "/gradio_api/mcp/"),
            ("OPTIONS", "/gradio_api/queue/join"), ("GET", "/gradio_api/queue/data?session_hash=x"),
            ("GET", "/config"), ("GET", "/"),
        ):  # fmt: skip
            asks = {"Access-Control-Request-Method": "POST"} if method == "OPTIONS" else {}
            answer = attacker.http.request(method, path, headers=asks)
            leave = [name for name in answer.headers if name.startswith("access-control")]
            seen.add(
                "403, no leave to read"
                if answer.status_code == 403 and not leave
                else f"{path} {answer.status_code} {leave}"
            )
    return once(seen)


@case(f"the page's own requests at {POD}, a share link, a Space and this machine", "served")
def _(site: Site) -> str:
    seen = set()
    for headers in (
        {"Host": POD, "Origin": f"https://{POD}", "X-Forwarded-Proto": "https"},
        {"Host": "abc.gradio.live", "Origin": "https://abc.gradio.live"},
        {
            "Host": "127.0.0.1:7860",
            "X-Forwarded-Host": "me-wan.hf.space",
            "Origin": "https://me-wan.hf.space",
        },
        {"Host": "127.0.0.1", "Origin": "https://odd.example", "Sec-Fetch-Site": "same-origin"},
        {"Origin": site.url},
        {},
    ):
        answer = Visitor(site, headers).poll({})
        seen.add("served" if "badge" in answer else str(answer))
    return once(seen)


@case("the page in a frame of another site, a script or picture from another host", "kept out by headers")
def _(site: Site) -> str:
    answer = Visitor(site).http.get("/")
    policy = answer.headers["content-security-policy"]
    safe = "frame-ancestors 'self'" in policy and "http" not in policy and "object-src 'none'" in policy
    safe = (
        safe
        and answer.headers["x-content-type-options"] == "nosniff"
        and answer.headers["referrer-policy"] == "no-referrer"
    )
    return "kept out by headers" if safe else policy


@case("Gradio's dashboards, recorder, editor, deep links, run history, proxy, docs", "404")
def _(site: Site) -> str:
    visitor, seen = Visitor(site), set()
    for path in (
        "/monitoring", "/monitoring/summary", "/gradio_api/runs", "/gradio_api/run-history/records",
        "/gradio_api/deep_link?session_hash=x", "/gradio_api/vibe-code/", "/gradio_api/dev/reload", "/docs",
        "/gradio_api/proxy=https://a.hf.space/x", "/openapi.json",
        "/gradio_api/custom_component/x/client/y/z",
    ):  # fmt: skip
        seen.add(str(visitor.http.get(path).status_code))
    for path in ("/gradio_api/process_recording", "/gradio_api/vibe-edit/", "/gradio_api/stream/x"):
        seen.add(str(visitor.post(path).status_code))
    return once(seen)


# -- limits ----------------------------------------------------------------------------------------------


@case(
    "hundreds of events at once from one visitor behind the proxy, another one asking meanwhile",
    "some 429, the other one served",
)
def _(site: Site) -> str:
    crowd = {"Host": POD, "X-Forwarded-For": "203.0.113.9"}
    attacker, other = (
        Visitor(site, {**crowd, "X-Wan-Owner": new_token()}),
        Visitor(site, {**crowd, "X-Wan-Owner": new_token()}),
    )
    codes: set[int] = set()
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            codes |= set(pool.map(lambda _: attacker.post("/gradio_api/cancel").status_code, range(200)))
            if 429 in codes:
                break
    served = "badge" in other.poll({})
    return "some 429, the other one served" if 429 in codes and served else f"{codes}, {served}"


@case("200 made-up owner tokens in a row behind the proxy", "429 before the 150th")
def _(site: Site) -> str:
    visitor = Visitor(site, {"Host": POD, "X-Forwarded-For": "203.0.113.10"})
    for number in range(200):
        if visitor.post("/gradio_api/cancel", headers={"X-Wan-Owner": new_token()}).status_code == 429:
            return "429 before the 150th" if 40 <= number < 150 else f"429 at {number}"
    return "never"


@case("headers that never end", "closed by the server")
def _(site: Site) -> str:
    with socket.create_connection(("127.0.0.1", site.port)) as connection:
        connection.settimeout(90)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")
        try:
            ended = connection.recv(100) == b""
        except ConnectionError:
            ended = True
        except TimeoutError:
            ended = False
    return "closed by the server" if ended else "kept open"


@case("a fifth video of one visitor on an open page (three may wait)", "a sentence with the limit")
def _(site: Site) -> str:
    visitor = Visitor(site)
    for _ in range(12):
        kind, answer = visitor.call(
            "text_to_video", "x", "", "16:9", "480p", 640, 640, 5, "quality", 100, 0, 0, -1, False
        )
        if kind == "error":
            drop(visitor)
            return (
                "a sentence with the limit"
                if "3 videos waiting, which is the limit" in said(answer)
                else said(answer)
            )
    drop(visitor)
    return "never"


def drop(visitor: Visitor) -> None:
    for job in visitor_jobs(visitor):
        visitor.call("cancel", job["id"], job["key"])


# -- the admin, and logins -----------------------------------------------------------------


@case("a wrong admin token, an empty one, one that is no text", "refused")
def _(site: Site) -> str:
    visitor, seen = Visitor(site), set()
    fn = site.named("on_load")
    for token in (new_token(), "", None, 5, ["x"], "x" * 10_000):
        answer = visitor.event(fn, [visitor.token, token, ""])
        refused = "error" in answer if isinstance(answer, dict) else answer[2] in ("no", "")
        seen.add("refused" if refused else str(answer))
    good = visitor.event(fn, [visitor.token, (site.data / "admin").read_text(), ""])
    assert good[2] == "yes", "the right one works"
    return once(seen)


@case("pausing the queue, and picking from the input folder, by number, as a stranger", "nothing")
def _(site: Site) -> str:
    stranger = Visitor(site)
    for token in (stranger.token, "", None, ["x"]):
        stranger.event(site.named("pause"), [token])
    fn = site.fn("image_to_video-inbox", "input")
    picked = json.dumps(stranger.event(fn, [stranger.token, "boat.png", None, None]))
    return "nothing" if not stranger.poll({})["paused"] and "boat.png" not in picked else picked


@case("the files of secrets, and what the log has of prompts", "mode 600, no prompt in the log")
def _(site: Site) -> str:
    made(Visitor(site), "An unmistakable zeppelin over Lisbon")
    modes = {oct((site.data / name).stat().st_mode & 0o777) for name in ("secret", "admin")}
    logged = "zeppelin" in site.log()
    return "mode 600, no prompt in the log" if modes == {"0o600"} and not logged else f"{modes} {logged}"


@case("an open page says so on the console", "warned")
def _(site: Site) -> str:
    return (
        "warned"
        if "Warning: Anybody with the address" in site.log() and "?admin=" in site.log()
        else site.log()[:500]
    )


@case("everything without a login: config, events, uploads, poll, files, endpoints, MCP", "401", locked=True)
def _(site: Site) -> str:
    visitor, seen = Visitor(site), set()
    for path in (
        "/config", "/gradio_api/info", "/gradio_api/queue/data?session_hash=x", "/gradio_api/mcp/sse",
        "/gradio_api/openapi.json", "/gradio_api/mcp/schema", f"/gradio_api/file={site.uploads}/a.png",
    ):  # fmt: skip
        seen.add(str(visitor.http.get(path).status_code))
    for path in ("queue/join", "run/predict", "call/text_to_video", "upload", "component_server", "mcp/"):
        seen.add(str(visitor.post(f"/gradio_api/{path}", {"data": [], "session_hash": "x"}).status_code))
    assert '"components":[]' in visitor.http.get("/").text.replace(" ", ""), "the page is only its login"
    return once(seen)


@case("/healthz without a login", "200 and nothing but health", locked=True)
def _(site: Site) -> str:
    answer = Visitor(site).http.get("/healthz")
    plain = set(answer.json()) == {"status", "engine", "queue"}
    return "200 and nothing but health" if answer.status_code == 200 and plain else answer.text


@case("gradio_client and MCP with user and password", "a video, tools", locked=True)
def _(site: Site) -> str:
    client = Client(site.url, auth=("bob", "other-password"), verbose=False, download_files=False)
    record = client.predict(
        prompt="A boat", width=64, height=64, seconds=0.25, speed="fast", api_name="/text_to_video"
    )[1]
    basic = base64.b64encode(b"bob:other-password").decode()
    hello = {
        "jsonrpc": "2.0", "id": 1, "method": "tools/list",
    }  # fmt: skip
    tools = Visitor(site).post(
        "/gradio_api/mcp/",
        hello,
        headers={"Authorization": f"Basic {basic}", "Accept": "application/json, text/event-stream"},
    )
    video = "a video" if record["status"] == "done" else str(record)
    return (
        f"{video}, tools"
        if tools.status_code == 200 and "text_to_video" in tools.text
        else f"{video}, {tools.text[:300]}"
    )


@case("pausing the queue as the second user, then as the first", "refused, then paused", locked=True)
def _(site: Site) -> str:
    ann = Visitor(site).log_in("ann", "right-password")
    bob = Visitor(site).log_in("bob", "other-password")
    bob.event(site.named("pause"), [ann.token])
    first = bob.poll({})["paused"]
    ann.event(site.named("pause"), [ann.token])
    second = ann.poll({})["paused"]
    ann.event(site.named("resume"), [ann.token])
    return "refused, then paused" if (first, second) == (False, True) else f"{first} {second}"


@case("logging out another visitor by a link or picture on another page", "403", locked=True)
def _(site: Site) -> str:
    ann = Visitor(site).log_in("ann", "right-password")
    seen = set()
    for mode in ("navigate", "no-cors"):
        headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode}
        seen.add(str(ann.http.get("/logout", headers=headers).status_code))
    return once(seen) if "badge" in ann.poll({}) else "logged out"


@case(
    "40 wrong passwords, eight at a time, then the right one at once",
    "10 tried, then 429 for all",
    locked=True,
)
def _(site: Site) -> str:
    visitor = Visitor(site, {"X-Forwarded-For": "198.51.100.40"})  # no other case guesses from there

    def try_login(number: int) -> int:
        form = {"username": "ann", "password": f"guess-{number}"}
        return visitor.http.post("/login", data=form).status_code

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(try_login, range(40)))
    right = visitor.http.post("/login", data={"username": "ann", "password": "right-password"}).status_code
    tried = codes.count(400)
    fits = 9 <= tried <= 11 and codes.count(429) == 40 - tried and right == 429
    return "10 tried, then 429 for all" if fits else f"{codes} {right}"
