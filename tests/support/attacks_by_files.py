"""Attacks by files and bodies: paths, pictures that are none, bombs, names, JSON that is too long."""

from __future__ import annotations

from pathlib import Path

from tests.support.attack import (
    Case,
    answer_is,
    collector,
    is_refusal,
    made,
    multipart,
    once,
    outside,
    png,
    said,
    sentence,
)
from tests.support.security_site import META, Site, Visitor

CASES: list[Case] = []
case = collector(CASES)


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
