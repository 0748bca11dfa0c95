"""A demo run beside the recorded run of the same graph: the same events, in the same order."""

from __future__ import annotations

import json
import re
import struct
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import websocket

from tests.support import demo_graphs as graphs
from tests.support import demo_inputs
from tests.support.demo_server import DemoServer, start_demo
from tests.support.transcripts import named

pytestmark = pytest.mark.full

Row = tuple[Any, ...]


def plain(message: dict[str, Any]) -> Row:
    """An event without what differs from run to run: ids, times, file numbers, unordered lists."""
    kind, data = message["type"], message["data"]
    if kind == "status":
        return (kind, data["status"]["exec_info"]["queue_remaining"], "sid" in data)
    if kind == "progress_state":
        rows = []
        for id, node in data["nodes"].items():
            assert node["prompt_id"] == data["prompt_id"] and node["parent_node_id"] is None
            assert node["node_id"] == node["display_node_id"] == node["real_node_id"] == id
            rows.append((id, node["value"], node["max"], node["state"]))
        return (kind, *rows)
    if kind == "executing":
        return (kind, data["node"], data.get("display_node"), "prompt_id" in data)
    if kind == "progress":
        return (kind, data["node"], data["value"], data["max"])
    if kind == "executed":
        text = json.dumps(data["output"])
        return (kind, data["node"], data["display_node"], re.sub(r'"[^"]*_\d{5}_\.mp4"', '"FILE"', text))
    row: list[Any] = [kind]
    for name, value in sorted(data.items()):
        if name in ("timestamp", "prompt_id"):
            value = type(value).__name__
        elif name in ("executed", "current_outputs"):
            value = sorted(value)
        elif name == "traceback":
            value = all(isinstance(line, str) for line in value) and len(value) > 0
        row.append((name, json.dumps(value)))
    return tuple(row)


def recorded(name: str) -> list[Row]:
    """The events of a transcript; binary frames by their type and node."""
    rows: list[Row] = []
    for record in named(name).records:
        if "ws" in record:
            rows.append(plain(record["ws"]))
        elif "binary" in record:
            rows.append(("binary", record["binary"], *sorted(record.get("metadata", {}))))
    return rows


class Client:
    """A websocket client that stores the messages it receives."""

    def __init__(self, demo: DemoServer, flags: bool = False) -> None:
        self.demo = demo
        self.id = uuid.uuid4().hex
        address = demo.url.replace("http", "ws") + "/ws?clientId=" + self.id
        self.socket = websocket.create_connection(address, timeout=60)
        if flags:
            data = {"supports_preview_metadata": True}
            self.socket.send(json.dumps({"type": "feature_flags", "data": data}))
        self.rows: list[Row] = []

    def close(self) -> None:
        self.socket.close()

    def hear(self) -> Row:
        frame = self.socket.recv()
        if isinstance(frame, bytes):
            kind = struct.unpack(">I", frame[:4])[0]
            names: list[str] = []
            if kind == 4:
                size = struct.unpack(">I", frame[4:8])[0]
                names = sorted(json.loads(frame[8 : 8 + size]))
                frame = frame[8 + size :]
            else:
                assert struct.unpack(">I", frame[4:8]) == (1,)
                frame = frame[8:]
            assert frame[:3] == b"\xff\xd8\xff"
            self.rows.append(("binary", kind, *names))
        else:
            self.rows.append(plain(json.loads(frame)))
        return self.rows[-1]

    def until(self, what: Callable[[Row], bool]) -> list[Row]:
        while not what(self.hear()):
            pass
        return self.rows


def ended(row: Row) -> bool:
    return row[:2] == ("executing", None)


def at_step(step: int) -> Callable[[Row], bool]:
    return lambda row: row[0] == "progress" and row[2] == step


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoServer]:
    folder = tmp_path_factory.mktemp("demo")
    demo_inputs.make(folder / "input")
    with start_demo(folder=folder, faults=True) as server:
        yield server


def play(demo: DemoServer, graph: graphs.Graph, **extra: Any) -> list[Row]:
    """All messages that a client receives from connecting to the end of its prompt."""
    client = Client(demo, flags=extra.pop("flags", False))
    try:
        client.hear()  # the greeting comes before anything that the prompt causes
        if client.rows[0][0] != "status":
            raise AssertionError(client.rows)
        demo.submit(graph, client_id=client.id, **extra)
        return client.until(ended)
    finally:
        client.close()


FIRST = graphs.image_to_video()
# In the order in which they were recorded: each leaves its results to the next.
SEQUENCE: tuple[tuple[str, graphs.Graph], ...] = (
    ("success_i2v_cold", FIRST),
    ("rerun_identical", FIRST),
    ("rerun_seed_changed", graphs.image_to_video(seed=2)),
    ("rerun_prompt_changed", graphs.image_to_video(seed=2, prompt="the camera pans left")),
    ("rerun_image_changed", graphs.image_to_video(image=graphs.OTHER)),
    ("rerun_back_to_first", FIRST),
    ("rerun_lora_strength_changed", graphs.image_to_video(strength=0.5)),
    ("rerun_length_changed", graphs.image_to_video(length=5)),
    ("success_t2v", graphs.text_to_video()),
    ("success_s2v_3chunk", graphs.sound_to_video()),
    ("success_animate_2chunk", graphs.animate()),
)


def test_the_recorded_row_of_jobs(demo: DemoServer) -> None:
    """One server, one job after the other: order of nodes, steps, cached lists and files."""
    demo.call("POST", "/free", {"free_memory": True})
    for name, graph in SEQUENCE:
        assert play(demo, graph) == recorded(name), name


def test_a_replaced_input_file_counts_as_changed(demo: DemoServer) -> None:
    path = demo.folder / "input" / "changes.png"
    demo_inputs.picture(64, 64).save(path)
    play(demo, graphs.image_to_video(image="changes.png"))
    demo_inputs.picture(64, 32).save(path)
    again = play(demo, graphs.image_to_video(image="changes.png"))
    assert ("executing", "5", "5", True) in again and ("executing", "2", "2", True) not in again


@pytest.mark.parametrize(
    ("name", "before", "graph"),
    [
        ("error_corrupt_image", graphs.text_to_video(), graphs.one_expert(image=graphs.CORRUPT)),
        (
            "error_missing_audio_encoder",
            graphs.text_to_video(),
            graphs.sound_to_video(chunks=1, encoder="nope.safetensors"),
        ),
    ],
)
def test_errors(demo: DemoServer, name: str, before: graphs.Graph, graph: graphs.Graph) -> None:
    play(demo, before)
    assert play(demo, graph) == recorded(name)


def test_damaged_sound(demo: DemoServer) -> None:
    """As recorded, but for the message: it has the path of the file in it."""
    play(demo, graphs.text_to_video())
    rows = play(demo, graphs.sound_to_video(chunks=1, sound=graphs.CORRUPT_SOUND))
    there = recorded("error_corrupt_audio")
    assert [row[0] for row in rows] == [row[0] for row in there]
    error, wanted = (dict(r[1:]) for r in (failure(rows), failure(there)))
    for key in ("node_id", "node_type", "exception_type", "executed", "current_inputs", "current_outputs"):
        assert error[key] == wanted[key]


def failure(rows: list[Row]) -> Row:
    return next(row for row in rows if row[0] == "execution_error")


def test_out_of_memory(demo: DemoServer) -> None:
    huge = graphs.text_to_video(width=16384, height=16384, length=16381)
    play(demo, graphs.image_to_video(prompt=huge["2"]["inputs"]["text"]))
    assert play(demo, huge) == recorded("error_out_of_memory")


def test_job_events_only_go_to_the_client_that_asked(demo: DemoServer) -> None:
    other = Client(demo)
    other.hear()
    play(demo, graphs.text_to_video(seed=77))
    other.until(lambda row: row[:2] == ("status", 0))
    assert {row[0] for row in other.rows} == {"status"}
    other.close()


def test_without_a_client_id_there_is_no_ending_event(demo: DemoServer) -> None:
    demo.call("POST", "/free", {"free_memory": True})
    listener = Client(demo)
    listener.hear()
    demo.submit(graphs.text_to_video(seed=78))
    listener.until(lambda row: row[:2] == ("status", 0))
    assert listener.rows == recorded("no_client_id")
    listener.close()


def test_client_chosen_prompt_id(demo: DemoServer) -> None:
    play(demo, graphs.text_to_video(seed=80))
    extra = {"client_id": "overridden", "extra_pnginfo": {"workflow": {"note": "rig"}}}
    assert play(demo, graphs.text_to_video(seed=81), extra_data=extra) == recorded("client_chosen_prompt_id")


def test_previews(demo: DemoServer) -> None:
    """Type 1 after the progress, or type 4 before it for clients that asked; none unless asked for."""
    demo.call("POST", "/free", {"free_memory": True})
    asked = {"preview_method": "latent2rgb"}
    assert play(demo, graphs.text_to_video(seed=5), extra_data=asked) == recorded(
        "preview_without_feature_flag"
    )
    again = play(demo, graphs.text_to_video(seed=6), extra_data=asked, flags=True)
    assert again == recorded("preview_with_metadata_flag")
    off = play(demo, graphs.text_to_video(seed=7), extra_data={"preview_method": "none"}, flags=True)
    assert not [row for row in off if row[0] == "binary"]


def test_previews_of_a_server_started_with_them(tmp_path: Path) -> None:
    demo_inputs.make(tmp_path / "input")
    with start_demo(folder=tmp_path, preview_method="auto") as server:
        play(server, graphs.text_to_video())
        rows = play(server, graphs.sound_to_video(chunks=1, steps=2), flags=True)
        assert rows == recorded("preview_s2v_with_metadata_flag")


def test_feature_flags_are_answered_once(demo: DemoServer) -> None:
    client = Client(demo, flags=True)
    client.hear()
    client.hear()
    client.socket.send(json.dumps({"type": "feature_flags", "data": {"supports_preview_metadata": False}}))
    assert client.rows == recorded("feature_flags")
    client.close()


def interrupted(demo: DemoServer, client: Client, **body: Any) -> list[Row]:
    """The client's messages up to the end of its prompt. The engine stands still at a fault until the request
    to interrupt it has been answered."""
    assert demo.call("POST", "/interrupt", body).status == 200
    demo.faults()
    return client.until(ended)


def test_interrupting(demo: DemoServer) -> None:
    play(demo, graphs.text_to_video())
    client = Client(demo)
    client.hear()
    demo.faults(hang_at_step=4)
    demo.submit(graphs.text_to_video(seed=2, steps=20, length=5), client_id=client.id)
    client.until(at_step(3))
    assert interrupted(demo, client) == recorded("interrupt")
    client.close()

    client = Client(demo)
    client.hear()
    demo.faults(hang_at_step=6)
    id = demo.submit(graphs.text_to_video(seed=3, steps=20, length=5), client_id=client.id)
    client.until(at_step(2))
    assert demo.call("POST", "/interrupt", {"prompt_id": "not-this-one"}).status == 200
    client.until(at_step(5))
    assert interrupted(demo, client, prompt_id=id) == recorded("interrupt_by_prompt_id")
    entry = demo.wait(id)
    assert entry["status"]["status_str"] == "error" and not entry["status"]["completed"]
    assert entry["status"]["messages"][-1][0] == "execution_interrupted"
    client.close()

    client = Client(demo)
    client.hear()
    demo.faults(hang_at_node="VAEDecode")
    demo.submit(graphs.text_to_video(seed=4, length=9), client_id=client.id)
    client.until(lambda row: row[:2] == ("executing", "14"))
    assert interrupted(demo, client) == recorded("interrupt_during_vae_decode")
    client.close()


def test_interrupting_while_idle_is_harmless(demo: DemoServer) -> None:
    play(demo, graphs.text_to_video(length=5))
    client = Client(demo)
    client.hear()
    demo.call("POST", "/interrupt", {})
    demo.submit(graphs.text_to_video(), client_id=client.id)
    assert client.until(ended) == recorded("interrupt_while_idle_then_job")
    client.close()


def without_counts_of_waiting(rows: list[Row]) -> list[Row]:
    """A post and the worker race, there as here: a status may come one event earlier or later."""
    return [row for row in rows if row[0] != "status"]


def test_deleting_from_the_queue(demo: DemoServer) -> None:
    play(demo, graphs.text_to_video(length=5))
    client = Client(demo)
    client.hear()
    big = [graphs.text_to_video(seed=seed, length=9 if seed != 12 else 5) for seed in (10, 11, 12)]
    demo.faults(hang_at_step=2)
    ids = [demo.submit(big[0], client_id=client.id)]
    client.until(lambda row: row[0] == "execution_start")
    ids += [demo.submit(graph, client_id=client.id) for graph in big[1:]]
    client.until(at_step(1))
    queue = demo.call("GET", "/queue").json()
    assert [item[1] for item in queue["queue_running"]] == ids[:1]
    assert [item[1] for item in queue["queue_pending"]] == ids[1:]
    assert queue["queue_pending"][0][2]["16"]["class_type"] == "SaveVideo"
    assert queue["queue_pending"][0][3:] == [{"client_id": client.id}, ["16"]]
    assert demo.call("GET", "/prompt").json() == {"exec_info": {"queue_remaining": 3}}
    for gone in (ids[1], "no-such-id", ids[0]):
        assert demo.call("POST", "/queue", {"delete": [gone]}).status == 200
    assert demo.call("GET", f"/history/{ids[1]}").json() == {}
    interrupted(demo, client)
    rows = client.until(ended)
    wanted = recorded("queue_two_jobs_one_deleted")
    assert without_counts_of_waiting(rows) == without_counts_of_waiting(wanted)
    assert [row for row in rows if row[0] == "status"] == [row for row in wanted if row[0] == "status"]
    assert demo.call("GET", f"/history/{ids[1]}").json() == {}
    client.close()


def test_clearing_the_queue_and_moving_to_its_front(demo: DemoServer) -> None:
    play(demo, graphs.text_to_video(length=5))
    client = Client(demo)
    client.hear()
    demo.faults(hang_at_step=2)
    for seed in (20, 21, 22):
        demo.submit(graphs.text_to_video(seed=seed), client_id=client.id)
    client.until(at_step(1))
    demo.call("POST", "/queue", {"clear": True})
    rows = interrupted(demo, client)
    assert without_counts_of_waiting(rows) == without_counts_of_waiting(recorded("queue_cleared"))
    client.close()

    client = Client(demo)
    client.hear()
    demo.faults(hang_at_step=2)
    demo.submit(graphs.text_to_video(seed=30), client_id=client.id)
    client.until(lambda row: row[0] == "execution_start")  # else the one for the front would be the first
    last = demo.submit(graphs.text_to_video(seed=31, length=9), client_id=client.id)
    body = {"prompt": graphs.text_to_video(seed=32, length=5), "client_id": client.id, "front": True}
    answer = demo.call("POST", "/prompt", body).json()
    assert answer["number"] < 0
    client.until(at_step(1))
    interrupted(demo, client)
    for _ in range(2):
        client.until(ended)
    assert without_counts_of_waiting(client.rows) == without_counts_of_waiting(recorded("queue_front"))
    order = list(demo.call("GET", "/history").json())
    assert order[-2:] == [answer["prompt_id"], last]
    client.close()


def test_coming_back_with_the_same_client_id(demo: DemoServer) -> None:
    first = Client(demo)
    first.hear()
    demo.faults(hang_at_step=2)
    demo.submit(graphs.text_to_video(steps=8), client_id=first.id)
    first.until(at_step(1))
    first.close()
    address = demo.url.replace("http", "ws") + "/ws?clientId=" + first.id
    second = Client.__new__(Client)
    second.demo, second.id, second.rows = demo, first.id, []
    second.socket = websocket.create_connection(address, timeout=60)
    assert second.hear() == ("status", 1, True)
    assert second.hear()[0:1] + second.rows[1][2:] == ("executing", None, False)
    demo.faults()
    second.until(ended)
    assert {row[0] for row in second.rows if row[0].startswith("execution")} == {"execution_success"}
    second.close()


def test_closing_an_older_socket_drops_the_newer_one(demo: DemoServer) -> None:
    """A trap of the real server, kept so that clients are tested against it."""
    old = Client(demo)
    old.hear()
    new = websocket.create_connection(demo.url.replace("http", "ws") + "/ws?clientId=" + old.id, timeout=60)
    assert json.loads(new.recv())["type"] == "status"
    new.settimeout(0.5)
    old.socket.close(timeout=60)
    demo.wait(demo.submit(graphs.text_to_video(seed=90), client_id=old.id))
    with pytest.raises(websocket.WebSocketTimeoutException):
        while True:
            assert json.loads(new.recv())["type"] == "status"
    new.close()


def test_a_malformed_graph_does_not_stop_the_engine(demo: DemoServer) -> None:
    """Inputs that no node asks for are not validated: a link to nowhere is found when it runs."""
    graph = graphs.text_to_video(seed=91)
    graph["14"]["inputs"]["extra"] = ["no-such-node", 0]
    graph["20"] = {"class_type": "VAEDecode"}
    rows = play(demo, graph)
    assert rows[-3][0] == "execution_error"
    assert play(demo, graphs.text_to_video(seed=92))[-3][0] == "execution_success"
