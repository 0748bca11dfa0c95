"""The named endpoints: parameters, results, callers, and the tools of the same names."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from backend.error_texts.hints import HINTS
from backend.errors import NotAllowed, QueueFull
from backend.security.tokens import new_token
from backend.settings.model import Settings
from backend.studio import Studio
from tests.support.api_page import NAMES, OF_A_CALL, PNG, REQUIRED, Page, ScriptedStudio
from tests.support.ports import free_port
from tests.support.signatures import differences
from ui.api.calls import Calls, SessionOwners
from ui.api.endpoints import register
from ui.i18n.texts import text
from workflows.modes.registry import MODES

pytestmark = pytest.mark.full


def test_names_order_and_defaults(page: Page) -> None:
    info = page.http.get("/gradio_api/info").json()["named_endpoints"]
    for name, expected in NAMES.items():
        parameters = info[name]["parameters"]
        assert [p["parameter_name"] for p in parameters] == list(expected)
        assert {p["parameter_name"]: p["parameter_default"] for p in parameters} == expected
        required = {p["parameter_name"] for p in parameters if not p["parameter_has_default"]}
        files = {file for mode in MODES.values() for file in mode.media}  # or a result in their place
        assert required == REQUIRED.get(name, {"id", "key"} & set(expected)) - files


def test_client_gets_the_file_and_the_record(page: Page, client: Client, picture: str) -> None:
    file, job = client.predict(image=handle_file(picture), prompt="sails", api_name="/image_to_video")
    assert Path(file).read_bytes() == b"video of " + job["id"].encode()
    assert Path(file).suffix == ".mp4"
    assert set(job) == {
        "id", "key", "mode", "status", "seed", "width", "height", "frames", "fps", "seconds", "steps",
        "engine", "elapsed", "created", "warnings", "warning_codes", "timings", "resolved", "models",
    }  # fmt: skip
    assert (job["status"], job["seed"]) == ("done", 7)
    owner, mode, values, files = page.studio.submits[0]
    assert mode == "image_to_video" and len(owner) >= 16
    assert values == {
        k: v
        for k, v in NAMES["/image_to_video"].items()
        if "image" not in k and k not in ("wait", "results", *OF_A_CALL)
    } | {"prompt": "sails"}
    assert list(files) == ["image"] and files["image"].is_relative_to(page.uploads)


def test_fast_video_and_last_picture(page: Page, client: Client, picture: str) -> None:
    client.predict(image=handle_file(picture), variant="480p", seconds=2, api_name="/fast_video")
    client.predict(image=handle_file(picture), end_image=handle_file(picture), api_name="/image_to_video")
    assert page.studio.submits[0][2]["variant"] == "480p"
    assert list(page.studio.submits[1][3]) == ["image", "end_image"]


def test_variations_reach_the_studio(page: Page, client: Client, picture: str) -> None:
    several = '{"motion": ["subtle", "dynamic"]}'
    client.predict(image=handle_file(picture), variations=4, api_name="/image_to_video")
    client.predict(image=handle_file(picture), vary=several, api_name="/image_to_video")
    assert page.studio.several == [(4, ""), (1, several)]


def test_a_final_is_made_for_the_owner_of_a_clip(page: Page, client: Client) -> None:
    """By keyword and by position, as a client and as a raw call; a refusal is the sentence."""
    _, draft = client.predict("a boat", api_name="/text_to_video")
    mine = {"x-wan-owner": "owner-token-of-a-caller-1"}
    given = [draft["id"], draft["key"], "720p", "fast", True]
    kind, (file, job) = page.call("finish", given, mine)
    assert kind == "complete" and job["source"] == draft["id"] and file["orig_name"].endswith(".mp4")
    assert page.studio.finals[-1] == (mine["x-wan-owner"], draft["id"], "720p", "fast")
    client.predict(id=draft["id"], key=draft["key"], wait=False, api_name="/finish")
    assert page.studio.finals[-1][1:] == (draft["id"], "480p", "quality")
    assert "no such video" in page.refused("finish", [draft["id"], "wrong", "480p", "quality", True])
    assert "wait must be" in page.refused("finish", [*given[:4], "yes"])
    page.studio.error = NotAllowed.of("owner_only")
    assert "Only the owner" in page.refused("finish", given)


OWN_NAME = {"image": "a.png", "audio": "a.mp3", "video": "a.mp4"}


@pytest.mark.parametrize("name", [name for name in REQUIRED if "wait" in NAMES[name]])
def test_each_mode_needs_only_what_is_marked(page: Page, name: str) -> None:
    given = {**NAMES[name], "prompt": "sails", "wait": True}
    given |= {field: page.upload(name=OWN_NAME[field]) for field in REQUIRED[name] if field != "prompt"}
    kind, answer = page.call(name[1:], list(given.values()))
    assert kind == "complete", answer
    file, job = answer
    assert (job["mode"], job["status"], job["seed"]) == (name[1:], "done", 7)
    assert page.http.get(file["url"]).content.startswith(b"video of ")
    _, mode, values, files = page.studio.submits[0]
    assert f"/{mode}" == name and set(files) == REQUIRED[name] - {"prompt"}
    names = NAMES[name].keys() - MODES[mode].media.keys() - OF_A_CALL.keys() - {"wait", "results"}
    assert set(values) == names and values["prompt"] == "sails"


def test_a_picture_comes_as_png(page: Page, client: Client) -> None:
    file, job = client.predict("a boat", api_name="/text_to_image")
    assert Path(file).suffix == ".png" and job["frames"] == 1
    _, (again, _) = page.call("result", [job["id"], job["key"]])
    assert again["orig_name"].startswith("wan-text-to-image-") and again["mime_type"] == "image/png"


def test_sound_and_videos_reach_the_studio(page: Page, client: Client, picture: str) -> None:
    client.predict(
        audio=handle_file(picture), image=handle_file(picture), start=2, duration=5, level=True,
        api_name="/sound_to_video",
    )  # fmt: skip
    client.predict(
        image=handle_file(picture), video=handle_file(picture), mask=handle_file(picture), method="mix",
        start=1.5, api_name="/animate",
    )  # fmt: skip
    sound, moved = page.studio.submits
    assert list(sound[3]) == ["audio", "image"]
    assert (sound[2]["start"], sound[2]["duration"], sound[2]["level"]) == (2, 5, True)
    assert list(moved[3]) == ["image", "video", "mask"]
    assert (moved[2]["method"], moved[2]["start"], moved[2]["relight"]) == ("mix", 1.5, 0.8)


def test_loras_are_listed_and_given_as_a_list_or_its_text(page: Page, client: Client) -> None:
    (found,) = client.predict(search="ink", api_name="/loras")
    assert (found["name"], found["partner"], found["words"]) == (
        "ink_high.safetensors", "ink_low.safetensors", ["1nk"],
    )  # fmt: skip
    assert client.predict(search="oil", api_name="/loras") == []
    assert "no such mode" in page.refused("loras", ["", "postcard"])
    given = [{"name": found["name"], "strength": 0.8}]
    for value in (given, json.dumps(given)):
        client.predict("a boat", loras=value, api_name="/text_to_image")
        assert page.studio.submits[-1][2]["loras"] == value
    assert "is in the list twice" in page.refused(
        "text_to_image",
        list({**NAMES["/text_to_image"], "prompt": "x", "loras": [found["name"]] * 2}.values()),
    )


@pytest.mark.parametrize("name", ["sound_to_video", "animate", "text_to_video", "text_to_image"])
def test_no_mode_needs_to_be_waited_for(page: Page, name: str) -> None:
    page.studio.finish_at_once = False
    given = {**NAMES[f"/{name}"], "prompt": "sails", "wait": False}
    given |= {field: page.upload() for field in REQUIRED[f"/{name}"] if field != "prompt"}
    mine = new_token()
    _, (file, job) = page.call(name, list(given.values()), {"X-Wan-Owner": mine})
    assert file is None and job["status"] == "queued" and page.studio.submits[0][0] == mine
    page.studio.end(job["id"], "cancelled")
    what = "picture" if name == "text_to_image" else "video"
    assert page.refused("result", [job["id"], job["key"]]).endswith(f"if you still want the {what}.")


def test_plain_http_needs_only_the_picture(page: Page) -> None:
    kind, (file, job) = page.call("image_to_video", [page.upload()])
    assert kind == "complete" and job["status"] == "done"
    assert page.http.get(file["url"]).content == b"video of " + job["id"].encode()
    ranged = page.http.get(file["url"], headers={"range": "bytes=0-4"})
    assert (ranged.status_code, ranged.content) == (206, b"video")


def test_each_result_has_its_own_random_address(page: Page) -> None:
    _, (first, job) = page.call("image_to_video", [page.upload()])
    _, (other, _) = page.call("image_to_video", [page.upload()])
    _, (again, _) = page.call("result", [job["id"], job["key"]])
    assert Path(first["path"]).parent != Path(other["path"]).parent
    assert again["path"] == first["path"], "one copy, however often it is asked for"
    assert Path(first["path"]).is_relative_to(page.uploads)
    assert len(Path(first["path"]).parent.name) == 40


def test_without_waiting_the_record_comes_at_once(page: Page, client: Client, picture: str) -> None:
    page.studio.finish_at_once = False
    file, job = client.predict(image=handle_file(picture), wait=False, api_name="/image_to_video")
    assert file is None and job["status"] == "queued"
    assert client.predict(id=job["id"], key=job["key"], api_name="/result")[0] is None
    page.studio.end(job["id"], "done")
    assert client.predict(id=job["id"], key=job["key"], api_name="/job")["status"] == "done"
    file, _ = client.predict(id=job["id"], key=job["key"], api_name="/result")
    assert Path(file).read_bytes().startswith(b"video of ")


def test_owner_of_a_call(page: Page, client: Client, picture: str) -> None:
    mine = new_token()
    page.call("image_to_video", [page.upload()], {"X-Wan-Owner": mine})
    for _ in range(2):
        client.predict(image=handle_file(picture), api_name="/image_to_video")
    page.call("image_to_video", [page.upload()])
    owners = [submit[0] for submit in page.studio.submits]
    assert owners[0] == mine
    assert owners[1] == owners[2]
    assert len(set(owners)) == 3
    for bad in ("short", "x" * 201, "a b c d e f g h i j k l", "ключ-ключ-ключ-ключ".encode()):
        headers: Any = {"X-Wan-Owner": bad}
        assert page.refused("image_to_video", [page.upload()], headers).startswith(
            "The owner token is not one."
        )


def test_session_owners_are_bounded() -> None:
    owners = SessionOwners(new_token, limit=2)
    first = owners.owner(None, "a")
    owners.owner(None, "b")
    assert owners.owner(None, "a") == first
    owners.owner(None, "c")  # pushes b out, the longest unused
    assert owners.owner(None, "a") == first
    assert len(owners._known) == 2
    assert owners.owner(None, None) != owners.owner(None, None)


def test_errors_of_the_studio(
    page: Page, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    page.studio.error = QueueFull("You already have 5 videos waiting, which is the limit.")
    said = page.refused("image_to_video", [page.upload()])
    assert said == f"{page.studio.error} {HINTS[QueueFull.code]}"
    page.studio.error = RuntimeError("secret detail")
    with caplog.at_level(logging.ERROR, logger="wan.ui"):
        assert page.refused("image_to_video", [page.upload()]) == text("errors.unexpected")
    assert "secret detail" in caplog.text  # ours, once; Gradio prints none
    assert "Traceback" not in capfd.readouterr().err


def test_waiting_calls_leave_places_for_the_page(page: Page) -> None:
    made = Calls(page.studio)  # type: ignore[arg-type]
    blocks = type("Blocks", (), {"max_threads": 8})()
    made.waiting = 5
    assert made.may_wait(blocks)
    made.waiting = 6
    assert not made.may_wait(blocks)


def test_tools_have_the_names_and_words_of_the_endpoints(page: Page) -> None:
    schemas = page.http.get("/gradio_api/mcp/schema").json()
    tools = {tool["name"]: tool for tool in schemas}
    assert {f"/{name}" for name in tools} - {"/echo"} == set(NAMES)
    for name, expected in NAMES.items():
        properties = tools[name[1:]]["inputSchema"]["properties"]
        assert list(properties) == list(expected)
        assert all(properties[parameter]["description"] for parameter in expected), name
    image = tools["image_to_video"]["inputSchema"]["properties"]["image"]
    assert image["type"] == "string"  # a file: tools give an address


def test_a_tool_call_makes_a_video(page: Page) -> None:
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    owner, said = new_token(), []
    picture = "data:image/png;base64," + base64.b64encode(PNG).decode()

    async def use() -> Any:
        address, headers = f"{page.url}/gradio_api/mcp/", {"X-Wan-Owner": owner}
        async with (
            streamablehttp_client(address, headers=headers) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            for wrong in ({"image": "https://example.com/a.png"}, {"image": picture, "seconds": 99}):
                refused = await session.call_tool("image_to_video", wrong)
                assert refused.isError
                said.append(refused.content[0].text)
            return await session.call_tool("image_to_video", {"image": picture, "prompt": "sails"})

    answer = asyncio.run(use())
    assert not answer.isError
    text = " ".join(part.text for part in answer.content)
    address = re.search(r"http://[^\s']+\.mp4", text)
    assert address and page.http.get(address[0]).content.startswith(b"video of ")
    assert "'status': 'done'" in text
    assert [(submit[0], submit[2]["prompt"]) for submit in page.studio.submits] == [(owner, "sails")]
    assert "Web addresses are not fetched." in said[0]
    assert "The length must be between" in said[1]


def test_with_the_studio_itself(launched: Page, tmp_path: Path) -> None:
    settings = Settings.from_env(
        {"WAN_ENGINE": "demo", "WAN_DATA_DIR": str(tmp_path / "data"), "WAN_DEMO_STEP_SECONDS": "0"}
    )
    picture, text = tmp_path / "boat.png", tmp_path / "notes.png"
    Image.new("RGB", (832, 480), "teal").save(picture)
    text.write_text("not a picture")
    studio = Studio(settings)
    try:
        studio.start()
        with gr.Blocks() as demo:
            register(studio)
        _, url, _ = demo.launch(
            server_port=free_port(), prevent_thread_lock=True, quiet=True, run_history=False, _frontend=False
        )
        client = Client(url, verbose=False, download_files=tmp_path / "down", analytics_enabled=False)
        with pytest.raises(AppError, match=r"^notes\.png is not a picture"):
            client.predict(image=handle_file(str(text)), api_name="/fast_video")
        file, job = client.predict(
            image=handle_file(str(picture)), resolution="draft", seconds=0.5, seed=5, api_name="/fast_video"
        )
        assert (job["status"], job["seed"], job["frames"]) == ("done", 5, 9)
        kept = tmp_path / "data" / "jobs" / job["id"] / "result.mp4"
        assert Path(file).read_bytes() == kept.read_bytes()
        assert client.predict(id=job["id"], key=job["key"], api_name="/job") == job
        demo.close()
    finally:
        studio.close()


def test_the_scripted_studio_is_like_the_real_one() -> None:
    assert differences(Studio, ScriptedStudio, whole=False) == []
