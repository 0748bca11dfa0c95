"""The nodes for finished frames on a real ComfyUI from 0.33 on: what the demo engine says of them is true."""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import av
import pytest

from tests.support import demo_inputs
from tests.support.finishing import CASES, CONTRACT, FAILURE, TOO_SMALL, Graph, graph, plain, recoloured
from tests.support.waiting import until

SECONDS = 600.0


def call(address: str, path: str, body: Any = None) -> tuple[int, bytes]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address + path, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.fixture(scope="module")
def server(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address, once the clip is there under a name of its own."""
    info = json.loads(call(address, "/object_info/FrameInterpolate")[1])
    if not info:
        pytest.skip("this ComfyUI is older than 0.33")
    clip = tmp_path_factory.mktemp("clip") / "finishing.mp4"
    demo_inputs.clip(clip)
    mark = uuid.uuid4().hex
    lines = f'--{mark}\r\nContent-Disposition: form-data; name="image"; filename="{clip.name}"\r\n\r\n'
    body = lines.encode() + clip.read_bytes() + f"\r\n--{mark}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={mark}"}
    with urllib.request.urlopen(urllib.request.Request(address + "/upload/image", body, kind)) as answer:
        name = json.loads(answer.read())["name"]
    UPLOADED[address] = name
    yield address


UPLOADED: dict[str, str] = {}


def ended(address: str, given: Graph) -> dict[str, Any]:
    """The history entry of a graph that reads the clip."""
    given["1"]["inputs"]["file"] = UPLOADED[address]
    status, body = call(address, "/prompt", {"prompt": given})
    assert status == 200, body
    id = json.loads(body)["prompt_id"]
    found = until(lambda: json.loads(call(address, f"/history/{id}")[1]), SECONDS, id)
    entry: dict[str, Any] = found[id]
    return entry


def made(address: str, given: Graph) -> tuple[int, tuple[int, int], float]:
    """(frames, size, frames a second) of the video that a graph saves."""
    entry = ended(address, given)
    assert entry["status"]["status_str"] == "success", entry["status"]["messages"][-1]
    (output,) = entry["outputs"].values()
    (shown,) = output["images"]
    path = f"/view?filename={shown['filename']}&subfolder={shown['subfolder']}&type={shown['type']}"
    with av.open(io.BytesIO(call(address, path)[1])) as container:
        video = container.streams.video[0]
        frames = sum(1 for _ in container.decode(video))
        return frames, (video.width, video.height), float(video.average_rate or 0)


@pytest.mark.parametrize(("name", "frames", "size", "rate"), CASES)
def test_counts_and_sizes(name: str, frames: int, size: tuple[int, int], rate: int, server: str) -> None:
    assert made(server, graph(name)) == (frames, size, pytest.approx(rate))


def test_film_fails_below_64_pixels_a_side(server: str) -> None:
    entry = ended(server, graph(TOO_SMALL))
    kind, data = entry["status"]["messages"][-1]
    assert kind == "execution_error" and FAILURE in data["exception_message"]


@pytest.mark.parametrize("stats", ["per_frame", "uniform", "target_frame"])
def test_colours_are_transferred(stats: str, server: str) -> None:
    more = {"source_stats.target_index": 3} if stats == "target_frame" else {}
    assert made(server, recoloured(source_stats=stats, **more))[:2] == (24, (96, 64))


@pytest.mark.parametrize("name", CONTRACT)
def test_the_contract(name: str, server: str) -> None:
    assert plain(json.loads(call(server, f"/object_info/{name}")[1])[name]) == CONTRACT[name]


def errors(address: str, given: Graph, node: str) -> list[tuple[str, str]]:
    given["1"]["inputs"]["file"] = UPLOADED[address]
    status, body = call(address, "/prompt", {"prompt": given})
    assert status == 400, body
    return [(one["type"], one["details"]) for one in json.loads(body)["node_errors"][node]["errors"]]


def test_what_is_refused(server: str) -> None:
    for name in ("interp_rife", "upscale_x2"):
        missing = graph(name)
        missing["3"]["inputs"]["model_name"] = "none.pth"
        ((kind, details),) = errors(server, missing, "3")
        assert kind == "value_not_in_list" and details.startswith("model_name: 'none.pth' not in [")
    many = graph("interp_rife")
    many["4"]["inputs"]["multiplier"] = 17
    assert errors(server, many, "4") == [("value_bigger_than_max", "multiplier")]
    part = recoloured(source_stats="target_frame")
    assert errors(server, part, "4") == [("required_input_missing", "target_index")]
