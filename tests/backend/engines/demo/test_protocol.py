"""The demo engine's status codes and bodies beside the recorded ones."""

from __future__ import annotations

import copy
import json
import re
import uuid
from typing import Any

import pytest

from tests.support import demo_graphs as graphs
from tests.support import demo_inputs
from tests.support.demo_server import Answer, DemoServer, start_demo
from tests.support.paths import DATA

pytestmark = pytest.mark.full

HTTP = DATA / "http"
Graph = graphs.Graph


def recorded(name: str) -> Any:
    return json.loads((HTTP / f"{name}.json").read_text("utf-8"))


def plain(value: Any) -> Any:
    """Without what differs: lists of files, help texts, and the lines of code in a traceback."""
    if isinstance(value, dict):
        kept = {k: plain(v) for k, v in value.items() if k != "tooltip"}
        if "traceback" in kept:
            kept["traceback"] = "LINES"
        return kept
    if isinstance(value, list):
        if value and all(
            isinstance(one, str) and one.endswith((".safetensors", "pixel_space")) for one in value
        ):
            return "FILES"
        return [plain(one) for one in value]
    return re.sub(r"not in \[.*\]", "not in FILES", value) if isinstance(value, str) else value


def video(**changes: dict[str, Any]) -> Graph:
    """Text-to-Video with other inputs at some nodes, such as n12={"steps": 3}; None takes one away."""
    graph = graphs.text_to_video()
    for node, inputs in changes.items():
        for name, value in inputs.items():
            graph[node[1:]]["inputs"][name] = value
            if value is None and name != "null":
                del graph[node[1:]]["inputs"][name]
    return graph


def image_with(**inputs: Any) -> Graph:
    graph = graphs.image_to_video()
    graph["5"]["inputs"].update(inputs)
    return graph


def without_class() -> Graph:
    graph = graphs.text_to_video()
    del graph["16"]["class_type"]
    return graph


def renamed() -> Graph:
    graph = graphs.text_to_video()
    graph["16"]["class_type"] = "NoSuchNode"
    return graph


def less(*nodes: str) -> Graph:
    return {id: node for id, node in graphs.text_to_video().items() if id not in nodes}


def null_steps() -> Graph:
    graph = graphs.text_to_video()
    graph["12"]["inputs"]["steps"] = None
    return graph


def lost_video() -> Graph:
    graph = graphs.animate(chunks=1, mix=False)
    graph["8"]["inputs"]["file"] = "no_such_video.mp4"
    return graph


REFUSED: dict[str, Any] = {
    "missing_model": video(n6={"unet_name": "wan2.2_not_installed_14B.safetensors"}),
    "missing_two_models_and_vae": video(
        n6={"unet_name": "nope_high.safetensors"},
        n9={"unet_name": "nope_low.safetensors"},
        n4={"vae_name": "nope_vae.safetensors"},
    ),
    "missing_lora": video(n7={"lora_name": "nope.safetensors"}),
    "bad_combo_sampler": video(n12={"sampler_name": "no_such_sampler"}),
    "missing_required_input": video(n15={"fps": None}),
    "missing_required_link": video(n14={"samples": None}),
    "bad_type_string_for_int": video(n12={"steps": "many"}),
    "null_for_int": null_steps(),
    "too_small": video(n5={"width": 8}),
    "too_big": video(n12={"steps": 100000}),
    "seed_too_big": video(n12={"noise_seed": 2**64}),
    "seed_negative": video(n12={"noise_seed": -1}),
    "link_type_mismatch": video(n14={"vae": ["1", 0]}),
    "link_to_missing_node": less("4"),
    "link_slot_out_of_range": video(n14={"vae": ["4", 5]}),
    "link_wrong_length": video(n14={"vae": ["4"]}),
    "missing_input_image": image_with(image="no_such_image.png"),
    "missing_input_audio": graphs.sound_to_video(chunks=1, sound="no_such_audio.wav"),
    "missing_input_video": lost_video(),
    "unknown_node_class": renamed(),
    "no_class_type": without_class(),
    "no_output_node": less("16"),
    "empty_prompt": {},
}
ACCEPTED: dict[str, Any] = {
    "missing_audio_encoder": graphs.sound_to_video(chunks=1, encoder="nope.safetensors"),
    "numeric_string_for_int": video(n12={"steps": "4"}),
    "float_for_int": video(n12={"steps": 4.0}),
    "not_a_multiple_of_16_is_accepted": video(n5={"width": 72}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_prompts(demo: DemoServer, name: str) -> None:
    wanted = recorded("validation")[name]
    answer = demo.call("POST", "/prompt", {"prompt": REFUSED[name]})
    assert answer.status == wanted["status"] == 400
    assert plain(answer.json()) == plain(wanted["body"])


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted_prompts(demo: DemoServer, name: str) -> None:
    wanted = recorded("validation")[name]
    answer = demo.call("POST", "/prompt", {"prompt": ACCEPTED[name]})
    assert answer.status == wanted["status"] == 200
    body = answer.json()
    assert set(body) == set(wanted["body"]) and body["node_errors"] == {}
    demo.wait(body["prompt_id"])


def test_every_recorded_validation_is_looked_at() -> None:
    assert set(recorded("validation")) == {*REFUSED, *ACCEPTED, "no_prompt_key", "not_json"}


def test_a_body_that_is_no_prompt(demo: DemoServer) -> None:
    wanted = recorded("validation")
    serverless = {"input": {"workflow": graphs.text_to_video()}}
    for body in ({}, serverless):
        answer = demo.call("POST", "/prompt", body)
        assert (answer.status, answer.json()) == (400, wanted["no_prompt_key"]["body"])
    answer = demo.call("POST", "/prompt", b"nope")
    assert (answer.status, answer.body.decode()) == (500, wanted["not_json"]["body"])


def test_a_prompt_id_is_a_lowercase_uuid(demo: DemoServer) -> None:
    for id in ("rig-1", str(uuid.uuid4()).upper(), uuid.uuid4().hex, ""):
        answer = demo.call("POST", "/prompt", {"prompt": graphs.text_to_video(), "prompt_id": id})
        assert answer.status == 400 and answer.json()["error"]["details"] == id


def test_an_output_that_cannot_run_does_not_hold_up_the_other(demo: DemoServer) -> None:
    graph = graphs.text_to_video()
    graph["17"] = copy.deepcopy(graph["16"])
    del graph["17"]["inputs"]["filename_prefix"]
    answer = demo.call("POST", "/prompt", {"prompt": graph})
    assert answer.status == 200 and list(answer.json()["node_errors"]) == ["17"]
    assert list(demo.wait(answer.json()["prompt_id"])["outputs"]) == ["16"]


def test_a_missing_model_can_be_simulated() -> None:
    gone = "wan2.2_i2v_low_noise_14B_fp8_scaled.safetensors"
    with start_demo(without=(gone,)) as server:
        demo_inputs.make(server.folder / "input")
        answer = server.call("POST", "/prompt", {"prompt": graphs.image_to_video()})
        assert answer.status == 400
        errors = answer.json()["node_errors"]
        assert list(errors) == ["10"] and errors["10"]["errors"][0]["type"] == "value_not_in_list"
        assert gone not in server.call("GET", "/models/diffusion_models").json()


@pytest.mark.parametrize("name", ["features", "history_unknown", "queue_empty", "prompt_get"])
def test_plain_answers(demo: DemoServer, name: str) -> None:
    wanted = recorded(name)
    for prefix in ("", "/api"):
        answer = demo.call("GET", prefix + wanted["request"].split()[1])
        assert (answer.status, answer.json()) == (200, wanted["body"])


def test_free(demo: DemoServer) -> None:
    wanted = recorded("free")
    assert demo.call("POST", "/free", wanted["sent"]).status == wanted["status"]


def test_models(demo: DemoServer) -> None:
    wanted = recorded("models")
    newer = {"frame_interpolation"}  # folders that the recorded version did not have
    assert [name for name in demo.call("GET", "/models").json() if name not in newer] == wanted["/models"][
        "body"
    ]
    assert demo.call("GET", "/embeddings").json() == []
    assert demo.call("GET", "/models/nope").status == 404
    for folder in ("loras", "diffusion_models"):
        there = [name for name in wanted[f"/models/{folder}"]["body"] if not name.startswith("rig_")]
        assert set(there) <= set(demo.call("GET", f"/models/{folder}").json())


def test_object_info(demo: DemoServer) -> None:
    wanted = plain(recorded("object_info_one")["/object_info/SaveVideo"]["body"]["SaveVideo"])
    for text in ("output_tooltips", "description", "python_module"):
        del wanted[text]
    assert demo.call("GET", "/object_info/SaveVideo").json() == {"SaveVideo": wanted}
    assert demo.call("GET", "/object_info/NoSuchNode").json() == {}
    info = demo.call("GET", "/object_info").json()
    assert "rig_image.png" in info["LoadImage"]["input"]["required"]["image"][0]
    assert "rig_ref.mp4" in info["LoadVideo"]["input"]["required"]["file"][1]["options"]
    models = info["UNETLoader"]["input"]["required"]["unet_name"][0]
    assert "wan2.2_i2v_high_noise_14B_fp8_scaled.safetensors" in models


def test_every_node_on_offer_runs_and_every_one_that_runs_is_on_offer(demo: DemoServer) -> None:
    from backend.engines.demo.nodes import NODES

    assert set(demo.call("GET", "/object_info").json()) == set(NODES)


def test_system_stats_say_that_this_is_the_demo(demo: DemoServer) -> None:
    wanted = recorded("system_stats")["body"]
    body = demo.call("GET", "/system_stats").json()
    assert body["system"]["wan_studio_demo"] is True
    assert set(body["devices"][0]) == set(wanted["devices"][0])
    assert body["devices"][0]["name"] == "Demo engine, no GPU" and body["devices"][0]["vram_total"] > 1 << 28
    assert {"os", "ram_total", "ram_free", "comfyui_version", "python_version", "argv"} <= set(body["system"])


def test_the_page_says_what_this_is(demo: DemoServer) -> None:
    answer = demo.call("GET", "/")
    assert answer.status == 200 and "no model runs" in answer.body.decode().lower()


def test_history(demo: DemoServer) -> None:
    wanted = recorded("history_max_items_2")["body"]
    ids = [demo.submit(graphs.text_to_video(seed=seed), client_id="rig") for seed in (501, 502, 503)]
    for id in ids:
        demo.wait(id)
    page = demo.call("GET", "/history?max_items=2").json()
    assert list(page) == ids[1:] and len(wanted) == 2
    shape = next(iter(wanted.values()))
    entry = page[ids[1]]
    assert set(entry) == set(shape) and set(entry["status"]) == set(shape["status"])
    assert entry["prompt"][1] == ids[1] and entry["prompt"][3:] == [{"client_id": "rig"}, ["16"]]
    assert entry["outputs"]["16"]["animated"] == [True]
    assert entry["meta"]["16"] == {
        "node_id": "16", "display_node": "16", "parent_node": None, "real_node_id": "16",
    }  # fmt: skip
    first = next(iter(demo.call("GET", "/history").json()))
    assert list(demo.call("GET", "/history?max_items=1&offset=0").json()) == [first]
    demo.call("POST", "/history", {"delete": [ids[0]]})
    assert demo.call("GET", f"/history/{ids[0]}").json() == {}
    demo.call("POST", "/history", {"clear": True})
    assert demo.call("GET", "/history").json() == {}


def upload(demo: DemoServer, name: str, data: bytes, path: str = "/upload/image", **fields: str) -> Answer:
    mark = "limit"
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items()
    ]
    body = "".join(parts).encode()
    if name:
        head = f'--{mark}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'
        body += (head + "Content-Type: image/png\r\n\r\n").encode() + data + b"\r\n"
    body += f"--{mark}--\r\n".encode()
    return demo.call("POST", path, body, {"Content-Type": f"multipart/form-data; boundary={mark}"})


def test_uploads(demo: DemoServer) -> None:
    wanted = recorded("upload_image")
    name = wanted["first"]["body"]["name"]

    def same(case: str, answer: Answer) -> None:
        assert answer.status == wanted[case]["status"], case
        body = answer.json() if isinstance(wanted[case]["body"], dict) else answer.body.decode()
        assert body == wanted[case]["body"], case

    same("first", upload(demo, name, b"one"))
    same("same_name_same_bytes", upload(demo, name, b"one"))
    same("same_name_other_bytes", upload(demo, name, b"two"))
    same("same_name_other_bytes_overwrite", upload(demo, name, b"three", overwrite="true"))
    assert (demo.folder / "input" / name).read_bytes() == b"three"
    same("subfolder", upload(demo, name, b"one", subfolder="rig/a"))
    same("audio", upload(demo, wanted["audio"]["body"]["name"], b"sound", subfolder="rig"))
    same("outside_the_folder", upload(demo, name, b"one", subfolder="../../etc"))
    same("slash_in_the_name", upload(demo, "no/such.png", b"one"))
    same("no_file", upload(demo, "", b""))
    assert upload(demo, "/etc/x.png", b"one").status >= 400
    assert upload(demo, name, b"one", subfolder="/etc").status == 400
    assert upload(demo, name, b"one", type="elsewhere").status == 400


def test_an_uploaded_file_in_a_prompt(demo: DemoServer) -> None:
    data = (demo.folder / "input" / "rig_image.png").read_bytes()
    upload(demo, "up.png", data, subfolder="rig/a")
    for name in ("rig/a/up.png", "rig/a/up.png [input]"):
        entry = demo.wait(demo.submit(image_with(image=name)))
        assert entry["status"]["status_str"] == "success", name
    for name in ("../input/rig_image.png/../../../x", "/etc/hostname", "../../etc/hostname"):
        assert demo.call("POST", "/prompt", {"prompt": image_with(image=name)}).status == 400, name


def test_a_mask_is_laid_on_its_picture(demo: DemoServer) -> None:
    from PIL import Image

    mask = demo.folder / "mask.png"
    Image.new("RGBA", (96, 128), (0, 0, 0, 77)).save(mask)
    original = json.dumps({"filename": "rig_image.png", "type": "input"})
    answer = upload(demo, "masked.png", mask.read_bytes(), "/upload/mask", original_ref=original)
    assert answer.status == 200
    with Image.open(demo.folder / "input" / answer.json()["name"]) as image:
        assert image.mode == "RGBA" and image.getpixel((5, 5))[3] == 77  # type: ignore[index]


def test_view(demo: DemoServer) -> None:
    wanted = recorded("view_video")
    made = demo.wait(demo.submit(graphs.text_to_video(prefix="rig/view")))["outputs"]["16"]["images"][0]
    size = (demo.folder / "output" / "rig" / made["filename"]).stat().st_size
    address = f"/view?filename={made['filename']}&subfolder=rig&type=output"

    def same(case: str, answer: Answer, bytes: int) -> None:
        assert answer.status == wanted[case]["status"], case
        assert len(answer.body) == bytes, case
        kept = {"Connection", "Date", "Server", "Transfer-Encoding", "Content-Length"}
        if answer.status < 300:
            assert set(wanted[case]["headers"]) - kept <= set(answer.headers), case
            assert answer.headers["Content-Type"] == wanted[case]["headers"]["Content-Type"]

    whole = demo.call("GET", address)
    same("whole", whole, size)
    assert whole.headers["Content-Disposition"] == f'filename="{made["filename"]}"'
    same("range", demo.call("GET", address, headers={"Range": "bytes=0-99"}), 100)
    same("range_suffix", demo.call("GET", address, headers={"Range": "bytes=-50"}), 50)
    same("range_open", demo.call("GET", address, headers={"Range": "bytes=100-"}), size - 100)
    assert demo.call("GET", address, headers={"Range": f"bytes={size + 9}-"}).status == 416
    same("head", demo.call("HEAD", address), 0)
    etag = whole.headers["Etag"]
    assert demo.call("GET", address, headers={"If-None-Match": etag}).status == 304
    same("missing", demo.call("GET", "/view?filename=no.mp4"), 0)
    same("outside", demo.call("GET", f"/view?filename={made['filename']}&subfolder=../.."), 0)
    same("bad_type", demo.call("GET", address.replace("type=output", "type=nope")), 0)
    same("temp_type", demo.call("GET", address.replace("type=output", "type=temp")), 0)
    assert demo.call("GET", "/view?filename=../x.mp4").status == 400
    picture = demo.call("GET", "/view?filename=rig_image.png&type=input&preview=webp;90")
    assert picture.headers["Content-Type"] == "image/webp" and picture.body[8:12] == b"WEBP"


def test_pages_of_other_sites_are_refused(demo: DemoServer) -> None:
    assert demo.call("GET", "/queue", headers={"Sec-Fetch-Site": "cross-site"}).status == 403
    assert demo.call("GET", "/queue", headers={"Origin": "http://evil.example"}).status == 403
    assert demo.call("GET", "/queue", headers={"Origin": demo.url}).status == 200


def test_faults_are_available_only_if_enabled(demo: DemoServer) -> None:
    assert demo.call("POST", "/demo/faults", {"die_at_step": 1}).status == 404
