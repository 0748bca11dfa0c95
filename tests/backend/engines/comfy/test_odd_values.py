"""Values that JSON can hold and no ComfyUI means: endless numbers, deep nesting, half characters, types.

In every answer and frame: none raises, and none reaches what is stored or shown."""

from __future__ import annotations

import itertools
import json
import math
import struct
from typing import Any

import pytest

from backend.engines.comfy import protocol
from backend.engines.comfy.execution_errors import execution_error
from backend.engines.comfy.folders import input_folder
from backend.engines.comfy.info import engine_info, list_models
from backend.engines.comfy.protocol import PromptState
from backend.engines.comfy.validation_errors import validation_error
from backend.engines.json_values import decoded
from backend.errors import StudioError
from backend.events import Cancelled, EndedAt, Failed, Finished, Output, Preview, Progress, Started
from tests.support.transcripts import JPEG
from workflows.graph.label import Label
from workflows.graph.node_contract import facts, from_object_info

MINE, OTHER = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
LABELS = {"12": Label("draw", "Generating", steps=4)}
HUGE = 10**350
"""More than a float has room for, and fewer digits than JSON readers refuse."""
NUMBERS = (math.inf, -math.inf, math.nan, HUGE, -HUGE, 1e308, -1, True, "7", "", None, [], {}, [[1]])
DEEP = "[" * 100_000 + "]" * 100_000
HALF = "\ud800"
"""Half of a surrogate pair: JSON can hold it, UTF-8 cannot."""
MISUSED = {
    "half a character": f"bad{HALF}name",
    "NUL": "a\0b",
    "colours of a terminal": "\x1b[31mred\x1b[0m",
    "reversed text": "a\u202eb",
}


def state(**more: Any) -> PromptState:
    return PromptState(MINE, LABELS, 4, **more)


def frame(kind: str, **data: Any) -> str:
    return json.dumps({"type": kind, "data": {"prompt_id": MINE, **data}})


def utf8(value: Any) -> bytes:
    """As it is sent to a browser and stored. Raises UnicodeEncodeError."""
    return json.dumps(value, ensure_ascii=False).encode()


# -- frames ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "maximum"), itertools.product(NUMBERS, NUMBERS))
def test_no_number_of_a_progress_frame_raises(value: Any, maximum: Any) -> None:
    one = frame("progress", node="12", value=value, max=maximum)
    all_nodes = frame("progress_state", nodes={"12": {"value": value, "max": maximum}})
    for text in (one, all_nodes):
        after, events = protocol.read_frame(text, state(started=True))
        assert 0 <= after.step <= 4 and all(isinstance(event, Progress) for event in events)


@pytest.mark.parametrize(
    "text",
    [
        DEEP,
        f'{{"type": "progress", "data": {DEEP}}}',
        f'{{"type": "executed", "data": {{"prompt_id": "{MINE}", "output": {DEEP}}}}}',
        '{"type": "progress", "data": {"prompt_id": "' + MINE + '", "value": ' + "9" * 5000 + "}}",
        struct.pack(">II", 4, len(DEEP)) + DEEP.encode() + JPEG,
        struct.pack(">II", 4, 2**32 - 1) + b"{}" + JPEG,
        struct.pack(">II", 4, 0) + JPEG,
        struct.pack(">II", 4, 2) + b"\xff\xfe" + JPEG,
        struct.pack(">II", 4, 4) + b"null" + JPEG,
        struct.pack(">II", 2**32 - 1, 1) + JPEG,
        struct.pack(">II", 2, 1) + JPEG,
        struct.pack(">II", 1, 1),
        struct.pack(">II", 1, 1) + b"RIFF\0\0\0\0WAVEfmt ",
        struct.pack(">II", 1, 1) + b"RIFF",
        struct.pack(">II", 1, 1) + b"<svg onload=alert(1)>",
    ],
    ids=lambda text: str(text)[:40],
)  # fmt: skip
def test_frames_that_mean_nothing(text: str | bytes) -> None:
    before = state(started=True, running=MINE)
    after, events = protocol.read_frame(text, before)
    assert events == () and not after.ending


@pytest.mark.parametrize("image", [JPEG, b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBPVP8 "])
def test_previews_of_each_kind(image: bytes) -> None:
    _, events = protocol.read_frame(struct.pack(">II", 1, 9) + image, state(running=MINE))
    assert [type(event) for event in events] == [Preview]


@pytest.mark.parametrize("bad", [9, None, "x", [], {"a": 1}, True, HUGE, HALF])
def test_frames_of_no_prompt_in_particular_change_nothing(bad: Any) -> None:
    for kind in ("execution_start", "progress", "executed", "execution_success", "execution_error"):
        text = json.dumps({"type": kind, "data": {"prompt_id": bad, "node": "12", "value": 1, "max": 2}})
        after, events = protocol.read_frame(text, state())
        assert events == () and not after.ending, kind


def test_the_end_counts_once_and_in_any_order() -> None:
    """A success that is sent twice, steps after it, and an error and an interruption after it."""
    frames = ["execution_success", "execution_success", "execution_interrupted", "execution_error"]
    after, events = state(), []
    for kind in frames:
        after, more = protocol.read_frame(frame(kind), after)
        events += more
    after, more = protocol.read_frame(frame("progress", node="12", value=4, max=4), after)
    history = {"status": {"status_str": "error", "messages": [["execution_interrupted", {}]]}, "outputs": {}}
    after, late = protocol.read_history(history, after)
    assert [type(event) for event in (*events, *more, *late)] == [Started, Finished]


def test_an_output_before_its_start_is_kept() -> None:
    after, events = protocol.read_frame(
        frame("executed", node="9", output={"images": [{"filename": "a.mp4"}]}), state()
    )
    after, more = protocol.read_frame(frame("execution_start"), after)
    after, last = protocol.read_frame(frame("execution_success"), after)
    assert after.outputs == (Output("a.mp4", "", "output"),) and after.ending == "finished"
    assert [type(event) for event in (*events, *more, *last)] == [Output, Started, Finished]


# -- history -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stamp", NUMBERS)
def test_no_time_of_a_history_raises(stamp: Any) -> None:
    entry = {
        "status": {"messages": [["execution_success", {"timestamp": stamp}]]},
        "outputs": {"9": {"images": [{"filename": "a.mp4"}]}},
    }
    after, events = protocol.read_history(entry, state())
    assert after.ending == "finished" and after.outputs
    assert all(math.isfinite(event.unix) and event.unix > 0 for event in events if isinstance(event, EndedAt))


@pytest.mark.parametrize(
    "files",
    [
        None, "a.mp4", ["a.mp4"], [["a.mp4"]], [{"filename": None}], [{"filename": ["a.mp4"]}],
        [{"filename": ""}], [{"name": "a.mp4"}], {"filename": "a.mp4"}, [{"filename": f"a{HALF}.mp4"}],
        [{"filename": "a\0.mp4"}], [{"filename": "a.mp4", "subfolder": f"x{HALF}"}],
        [{"filename": "a.mp4", "subfolder": {"a": 1}}], [{"filename": "a.mp4", "type": ["output"]}],
        [{"filename": "a\n.mp4"}], [{"filename": "x" * 5000 + ".mp4"}],
    ],
    ids=lambda value: str(value)[:40].encode("ascii", "backslashreplace").decode(),
)  # fmt: skip
def test_names_that_no_file_can_have_are_no_outputs(files: Any) -> None:
    entry = {"status": {"status_str": "success"}, "outputs": {"9": {"images": files}}}
    after, events = protocol.read_history(entry, state())
    assert after.ending == "finished" and after.outputs == ()
    assert [type(event) for event in events] == [Started, Finished]
    frames = frame("executed", node="9", output={"images": files})
    assert protocol.read_frame(frames, state(started=True))[1] == ()


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("Größe 寸法.mp4", ""), ("a b.mp4", "wan studio/x"), ("..a..mp4", "a..b"), ("a.mp4", "wan\\studio"),
        ("a%2Fb.mp4", ""), ("a'\"&?#.mp4", ""),
    ],
)  # fmt: skip
def test_odd_names_that_files_can_have_are_outputs(name: str, folder: str) -> None:
    entry = {"status": {}, "outputs": {"9": {"images": [{"filename": name, "subfolder": folder}]}}}
    assert protocol.read_history(entry, state())[0].outputs == (Output(name, folder, "output"),)


@pytest.mark.parametrize(
    "status",
    [None, [], "success", {"messages": None}, {"messages": {"a": 1}}, {"messages": [[], [1], [HALF, {}], 5]},
     {"messages": [["execution_success"]]}, {"messages": [["execution_success", None]]},
     {"status_str": ["error"]}, {"status_str": None, "completed": "yes"}],
)  # fmt: skip
def test_a_status_of_another_form_leaves_the_outputs(status: Any) -> None:
    entry = {"status": status, "outputs": {"9": {"images": [{"filename": "a.mp4"}]}}}
    after, _ = protocol.read_history(entry, state())
    assert after.outputs == (Output("a.mp4", "", "output"),)


def test_an_interrupted_prompt_is_cancelled_whatever_else_its_history_says() -> None:
    messages = [["execution_interrupted", {}], ["execution_error", {}], ["execution_success", {}]]
    for order in itertools.permutations(messages):
        entry = {"status": {"status_str": "success", "messages": list(order)}, "outputs": {}}
        assert protocol.read_history(entry, state())[1] == (Cancelled(),)


def test_an_entry_of_another_prompt_is_none() -> None:
    entry = {"prompt": [3, OTHER, {}, {}, []], "status": {}, "outputs": {}}
    assert protocol.history_entry({OTHER: entry}, MINE) is None
    assert protocol.history_entry(entry, MINE) is None
    own = {**entry, "prompt": [3, MINE, {}, {}, []]}
    assert protocol.history_entry(own, MINE) == protocol.history_entry({MINE: own}, MINE) == own
    for prompt in (None, [], [1], "x", {"a": 1}):
        assert protocol.history_entry({**entry, "prompt": prompt}, MINE), prompt


# -- queue ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mine", "theirs"), itertools.product(NUMBERS, NUMBERS))
def test_no_number_of_a_queue_raises(mine: Any, theirs: Any) -> None:
    queue = {"queue_running": [[theirs, OTHER]], "queue_pending": [[mine, MINE], [theirs, "third"]]}
    found = protocol.queue_position(queue, MINE)
    assert found is not None and not found.running and 1 <= found.others <= 2


@pytest.mark.parametrize("extra", [None, [], {"client_id": None}, {"client_id": [HALF]}, {"client_id": 5}])
def test_a_client_of_another_form_is_none(extra: Any) -> None:
    queue = {"queue_running": [[1, MINE, {}, extra]], "queue_pending": []}
    found = protocol.queue_position(queue, MINE)
    assert found == protocol.QueuePosition(True, 0, "")


# -- what a server reports about itself ---------------------------------------------------------------------

STATS: dict[str, Any] = {
    "system": {
        "comfyui_version": "0.33.0", "python_version": "3.12.3 (main)", "pytorch_version": "2.10.0",
        "ram_total": 64, "ram_free": 32, "argv": ["main.py"],
    },
    "devices": [{"name": "cuda:0 RTX", "vram_total": 24, "vram_free": 12}],
}  # fmt: skip


@pytest.mark.parametrize("part", ["system", "devices"])
@pytest.mark.parametrize(
    "value",
    [*NUMBERS, HALF, "a\0b", "x" * 100_000, "<b>x</b>", {"a": {}}, [HALF]],
    ids=lambda v: repr(v)[:20],
)
def test_no_field_of_the_statistics_raises_or_is_shown_without_bounds(part: str, value: Any) -> None:
    stats = json.loads(json.dumps(STATS))
    target = stats["system"] if part == "system" else stats["devices"][0]
    for field in list(target):
        one = {**stats, part: {**target, field: value}} if part == "system" else {
            **stats, "devices": [{**target, field: value}]
        }  # fmt: skip
        info = engine_info(one, {}, "http://a")
        for size in (info.vram_total, info.vram_free, info.ram_total, info.ram_free):
            assert 0 <= size < 2**63, (field, size)
        for text in (info.version, info.gpu, info.python, info.pytorch):
            assert len(text) <= 200 and text.isprintable() and utf8(text) is not None, (field, text[:50])
        input_folder(one["system"].get("argv"))


@pytest.mark.parametrize(
    "argv", [["\0/main.py"], [HALF], ["--input-directory"], [None], [[]], [HUGE], "x", {}]
)
def test_no_command_line_raises(argv: Any) -> None:
    assert input_folder(argv) is None


class Models:
    """Answers /models and /models/<folder>."""

    def __init__(self, folders: Any, names: Any) -> None:
        self.folders, self.names = folders, names

    def get(self, path: str) -> Any:
        return self.folders if path == "/models" else self.names


@pytest.mark.parametrize(
    ("names", "read"),
    [
        (["a.safetensors", None, 5, ["b"], {"name": "c.safetensors"}, HALF, "d\0", ""], ("a.safetensors",)),
        (["sub/Größe.safetensors", "sub\\b.gguf"], ("sub/Größe.safetensors", "sub\\b.gguf")),
        (None, ()), ({"a": 1}, ()), ("a.safetensors", ()), ([], ()),
    ],
)  # fmt: skip
def test_only_names_are_model_files(names: Any, read: tuple[str, ...]) -> None:
    assert list_models(Models(["vae"], names)) == {"vae": read}  # type: ignore[arg-type]
    for folders in (None, {}, "vae", [None, ["vae"], 5]):
        assert list_models(Models(folders, names)) == {}  # type: ignore[arg-type]


# -- nodes ---------------------------------------------------------------------------------------------

GOOD = {"input": {"required": {"x": ["INT", {"min": 0, "max": 9, "step": 3}]}}, "output": ["IMAGE"]}


def one_input(spec: str) -> str:
    return (
        f'{{"Odd": {{"input": {{"required": {{"x": {spec}}}}}, "output": []}}, "Good": {json.dumps(GOOD)}}}'
    )


@pytest.mark.parametrize(
    "spec",
    [
        '["INT", {"min": "0", "max": "9"}]', '["INT", {"min": NaN}]', '["INT", {"max": 1e999}]',
        '["INT", {"step": "1"}]', '["INT", {"step": -1}]', f'["INT", {{"max": {HUGE}}}]',
        '["FLOAT", {"min": [0]}]', '[[["a", ["b"]]]]', '[["a", null]]', '[[{"a": 1}]]', "[[]]", "[null]",
        '["COMBO", {"options": "abc"}]', '["COMBO", {"options": null}]', '["COMBO", [1]]',
        '["INT", {"min": 0}, {"min": 5}]', '["INT", {"min": 0, "min": "x"}]', '"INT"', '{"0": "INT"}', "[5]",
        '["a\\ud800b"]', '[["\\ud800"]]', DEEP, '["COMBO", {"options": ' + DEEP + "}]",
        '["COMFY_DYNAMICCOMBO_V3", {"options": [{"key": "a", "inputs": ' + DEEP + "}]}]",
        '["INT", {"default": ' + DEEP + "}]", '["INT", {"tooltip": "\\ud800"}]',
        '["INT", {"max": ' + "9" * 5000 + "}]",
    ],
    ids=lambda text: text[:40],
)  # fmt: skip
def test_no_input_of_one_node_harms_another(spec: str) -> None:
    contract = from_object_info(decoded(one_input(spec).encode()))
    assert contract.nodes["Good"] == from_object_info({"Good": GOOD}).nodes["Good"]
    assert ("Odd" in contract.nodes) != ("Odd" in contract.skipped)
    facts(contract)
    utf8([*contract.skipped.values()])


def test_bytes_that_are_no_text_and_names_that_come_twice() -> None:
    text = f'{{"Odd\ud800": {{"input": 5}}, "Good": 5, "Good": {json.dumps(GOOD)}}}'
    contract = from_object_info(decoded(text.encode("utf-8", "surrogatepass")))
    assert "Good" in contract.nodes


# -- failures and refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize("text", MISUSED.values(), ids=MISUSED)
def test_what_a_failure_says_can_be_stored_and_shown(text: str) -> None:
    data = {
        "exception_type": f"Odd{text}", "exception_message": f"It failed: {text} {text}.safetensors",
        "node_type": text, "node_id": text, "traceback": [text], "current_inputs": {text: [text]},
    }  # fmt: skip
    for more in ({}, {"exception_type": "FileNotFoundError", "node_type": "UNETLoader"}):
        error = execution_error({**data, **more}, "draw", "ComfyUI")
        check_text(error)
    _, events = protocol.read_frame(frame("execution_error", **data), state())
    assert isinstance(events[-1], Failed)
    utf8(events[-1].error)


@pytest.mark.parametrize("text", MISUSED.values(), ids=MISUSED)
def test_what_a_refusal_says_can_be_stored_and_shown(text: str) -> None:
    for kind in (
        "value_not_in_list",
        "value_smaller_than_min",
        "invalid_input_type",
        "custom_validation_failed",
    ):
        problem = {
            "type": kind, "message": text, "details": text,
            "extra_info": {
                "input_name": text, "received_value": f"{text}.safetensors",
                "input_config": ["INT", {"min": text}],
            },
        }  # fmt: skip
        body = {"error": {"type": text, "message": text}, "node_errors": {
            "3": {"class_type": text, "errors": [problem]}}}  # fmt: skip
        check_text(validation_error(body))
    check_text(validation_error({"error": text}))
    check_text(validation_error(text, 500))


def check_text(error: StudioError) -> None:
    utf8(error.to_dict())
    utf8(error.detail)
    for said in (error.message, error.hint, error.cause):
        assert not set(said) & set("\0\x1b\u202e"), said
