"""Attacks on the limits of rates and places, on the admin, and on logins."""

from __future__ import annotations

import base64
import json
import socket
from concurrent.futures import ThreadPoolExecutor

from gradio_client import Client

from backend.security.tokens import new_token
from tests.support.attack import (
    POD,
    Case,
    collector,
    drop,
    made,
    once,
    said,
)
from tests.support.security_site import Site, Visitor

CASES: list[Case] = []
case = collector(CASES)


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


# -- the admin, and logins -------------------------------------------------------------------------------


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
