"""Attacks by markup, and by other pages in a visitor's browser."""

from __future__ import annotations

import json

from tests.support.attack import (
    MARKUP,
    POD,
    SMALL,
    Case,
    collector,
    once,
    png,
    said,
    visitor_jobs,
)
from tests.support.security_site import META, Site, Visitor

CASES: list[Case] = []
case = collector(CASES)


# -- markup ----------------------------------------------------------------------------------------------


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


@case("HTML in a job's mode, an owner token, an id and a key, in what is answered", "refused, nothing run")
def _(site: Site) -> str:
    attacker = Visitor(site)
    attacker.token = "<b>not a token</b>"
    kind, answer = attacker.call("text_to_video", "x", *SMALL)
    first = kind == "error" and "owner token" in said(answer)
    kind, answer = attacker.call("job", MARKUP, MARKUP, owner=False)
    second = kind == "error" and "<" not in said(answer)
    return "refused, nothing run" if first and second else f"{answer}"


# -- other pages -----------------------------------------------------------------------------------------


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
