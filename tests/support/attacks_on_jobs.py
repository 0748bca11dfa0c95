"""Attacks on the jobs of others: by id and key, events of the page, results and their addresses."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

from backend.security.tokens import media_address, new_token, sign
from tests.support.attack import (
    SENT,
    Case,
    address,
    collector,
    event_values,
    made,
    once,
    said,
)
from tests.support.security_site import Site, Visitor

CASES: list[Case] = []
case = collector(CASES)
HALF = "\ud800"
"""Half of a surrogate pair: JSON can say it, UTF-8 cannot."""


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
            ("ws-card", "finish"), ("ws-card", "retry"), ("ws-card", "reuse"), ("ws-card", "picture"),
            ("ws-card", "send"), ("ws-library", "reuse"), ("ws-library", "show"), ("ws-library", "delete"),
            ("ws-library", "send"), ("ws-library", "pin"),
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


@case("private events with a private link's id and key: only looking and cancelling are for everybody", "no")
def _(site: Site) -> str:
    victim, guest = Visitor(site), Visitor(site)
    theirs = made(victim, "A lake for guests")
    data = {"id": theirs["id"], "key": theirs["key"], "shown": "", "change": "{}", **SENT}
    seen = set()
    for elem, name in (
        ("ws-card", "again"), ("ws-card", "quality"), ("ws-card", "retry"), ("ws-card", "reuse"),
        ("ws-card", "finish"), ("ws-card", "delete"), ("ws-card", "pin"), ("ws-library", "reuse"),
        ("ws-library", "retry"), ("ws-card", "send"), ("ws-library", "send"), ("ws-card", "picture"),
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


@case("a range of a result by its signed address", "206 with 10 bytes")
def _(site: Site) -> str:
    owner = Visitor(site)
    answer = Visitor(site).http.get(address(owner, made(owner)), headers={"Range": "bytes=0-9"})
    return f"{answer.status_code} with {len(answer.content)} bytes"
