from __future__ import annotations

import json
import random
import struct
from typing import Any

import pytest

from backend.engines.comfy import protocol
from backend.engines.comfy.protocol import PromptState
from backend.events import Cancelled, Event, Failed, Finished, Output, Preview, Progress, Stage, Started
from tests.support.transcripts import FILES, JPEG, Transcript, load, named
from workflows.graph.label import Label

# file -> for each prompt in the order of posting: ending by frames, sampling steps shown, of how many,
# files, previews, ending by the history ("" where no ending, or no history, was recorded).
DONE, ERROR, STOPPED = "finished", "failed", "cancelled"
EXPECTED: dict[str, list[tuple[str, int, int, int, int, str]]] = {
    "transcripts/client_chosen_prompt_id": [(DONE, 4, 4, 1, 0, DONE)],
    "transcripts/disconnect_and_poll_history": [("", 1, 2, 0, 0, DONE)],
    "transcripts/disconnect_and_reconnect_mid_job": [(DONE, 2, 2, 1, 0, DONE)],
    "transcripts/error_corrupt_audio": [(ERROR, 0, 0, 0, 0, ERROR)],
    "transcripts/error_corrupt_image": [(ERROR, 0, 0, 0, 0, ERROR)],
    "transcripts/error_missing_audio_encoder": [(ERROR, 0, 0, 0, 0, ERROR)],
    "transcripts/error_out_of_memory": [(ERROR, 0, 0, 0, 0, ERROR)],
    "transcripts/error_truncated_model": [(ERROR, 0, 0, 0, 0, ERROR)],
    "transcripts/feature_flags": [],
    "transcripts/interrupt": [(STOPPED, 3, 10, 0, 0, STOPPED)],
    "transcripts/interrupt_by_prompt_id": [(STOPPED, 5, 10, 0, 0, STOPPED)],
    "transcripts/interrupt_during_vae_decode": [(STOPPED, 4, 4, 0, 0, "")],
    "transcripts/interrupt_while_idle_then_job": [(DONE, 4, 4, 1, 0, "")],
    "transcripts/no_client_id": [("", 4, 4, 0, 0, DONE)],
    "transcripts/preview_s2v_with_metadata_flag": [(DONE, 2, 2, 1, 2, DONE)],
    "transcripts/preview_with_metadata_flag": [(DONE, 4, 4, 1, 4, DONE)],
    "transcripts/preview_without_feature_flag": [(DONE, 4, 4, 1, 4, DONE)],
    "transcripts/queue_cleared": [(STOPPED, 1, 2, 0, 0, ""), ("", 0, 0, 0, 0, ""), ("", 0, 0, 0, 0, "")],
    "transcripts/queue_front": [(STOPPED, 1, 2, 0, 0, ""), (DONE, 4, 4, 1, 0, ""), (DONE, 4, 4, 1, 0, "")],
    "transcripts/queue_seen_by_another_client": [],
    "transcripts/queue_two_jobs_one_deleted": [
        (STOPPED, 1, 2, 0, 0, ""),
        ("", 0, 0, 0, 0, ""),
        (DONE, 4, 4, 1, 0, DONE),
    ],
    "transcripts/rerun_back_to_first": [(DONE, 4, 4, 1, 0, DONE)],
    "transcripts/rerun_identical": [(DONE, 0, 0, 1, 0, DONE)],
    "transcripts/rerun_image_changed": [(DONE, 4, 4, 1, 0, DONE)],
    "transcripts/rerun_length_changed": [(DONE, 4, 4, 1, 0, DONE)],
    "transcripts/rerun_lora_strength_changed": [(DONE, 4, 4, 1, 0, DONE)],
    "transcripts/rerun_prompt_changed": [(DONE, 4, 4, 1, 0, DONE)],
    "transcripts/rerun_seed_changed": [(DONE, 4, 4, 1, 0, DONE)],
    "transcripts/second_socket_same_id_older_closes": [("", 0, 0, 0, 0, DONE)],
    "transcripts/server_killed_mid_job": [
        ("", 2, 10, 0, 0, ""),
        ("", 0, 0, 0, 0, ""),
        ("", 1, 10, 0, 0, ""),
    ],
    "transcripts/success_animate_2chunk": [(DONE, 4, 4, 1, 0, DONE)],
    "transcripts/success_i2v_cold": [(DONE, 4, 4, 1, 0, DONE)],
    "transcripts/success_s2v_3chunk": [(DONE, 12, 12, 1, 0, DONE)],
    "transcripts/success_t2v": [(DONE, 4, 4, 1, 0, DONE)],
    "transcripts-0.33/success_animate_mix_2chunk": [(DONE, 4, 4, 1, 4, DONE)],
    "transcripts-0.33/success_i2v_two_expert_4step": [(DONE, 4, 4, 1, 4, DONE)],
    "transcripts-0.33/success_s2v_2chunk_20step": [(DONE, 40, 40, 1, 40, DONE)],
}

SEQUENCES = {
    "success_i2v_cold": "start 4 5 1 3 2 6 7 8 9 13 step1 step2 10 11 12 14 step3 step4 15 16 17 file end",
    "preview_with_metadata_flag": "start 12 step1 picture step2 picture 13 step3 picture step4 picture "
    "14 15 16 file end",
    "preview_without_feature_flag": None,
    "transcripts-0.33/success_i2v_two_expert_4step": "start 4 5 1 3 2 6 7 8 9 13 step1 picture step2 picture "
    "10 11 12 14 step3 picture step4 picture 15 16 17 file end",
    # Step 2 came while the socket was down: the list of all nodes after the reconnect says so.
    "disconnect_and_reconnect_mid_job": "start 5 2 6 7 8 12 step1 14 step2 15 16 file end",
    "interrupt_by_prompt_id": "start 12 step1 step2 step3 step4 step5 stopped",
    "interrupt_during_vae_decode": "start 5 12 step1 step2 13 step3 step4 14 15 stopped",
    "error_truncated_model": "start 5 2 6 failed",
    "error_out_of_memory": "start 5 failed",
    "rerun_identical": "start file end",
    "no_client_id": "start step1 step2 step3 step4",
}


def follow(transcript: Transcript, prompt_id: str) -> tuple[PromptState, list[Event]]:
    new_state, events = fresh(transcript, prompt_id), []
    for frame in transcript.frames():
        new_state, more = protocol.read_frame(frame, new_state)
        events += more
    return new_state, events


def fresh(transcript: Transcript, prompt_id: str) -> PromptState:
    labels = transcript.labels(prompt_id)
    return PromptState(prompt_id, labels, sum(label.steps for label in labels.values()))


def in_words(events: list[Event]) -> str:
    words = []
    for event in events:
        if isinstance(event, Stage):
            words.append(event.node)
        elif isinstance(event, Progress):
            words.append(f"step{event.step}")
        else:
            names = {Started: "start", Preview: "picture", Output: "file", Finished: "end"}
            names |= {Cancelled: "stopped", Failed: "failed"}
            words.append(names[type(event)])
    return " ".join(words)


def test_every_transcript_is_in_the_table() -> None:
    assert {load(path).name for path in FILES} == set(EXPECTED)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_transcript(path: Any) -> None:
    transcript = load(path)
    found = []
    for prompt_id in transcript.posted():
        new_state, events = follow(transcript, prompt_id)
        steps = [event.step for event in events if isinstance(event, Progress)]
        assert steps == sorted(set(steps)), "progress is shown once and never goes back"
        assert sum(isinstance(event, Started) for event in events) <= 1
        endings = [event for event in events if isinstance(event, (Finished, Failed, Cancelled))]
        assert endings == events[-1:] if new_state.ending else not endings, (
            "one ending, and it is the last event"
        )
        pictures = sum(isinstance(event, Preview) for event in events)
        entry = protocol.history_entry(transcript.history(prompt_id), prompt_id)
        late, _ = protocol.read_history(entry, fresh(transcript, prompt_id))
        found.append(
            (
                new_state.ending,
                new_state.step,
                new_state.sampling_steps,
                len(new_state.outputs),
                pictures,
                late.ending,
            )
        )
        if new_state.ending == late.ending == DONE:
            assert new_state.outputs == late.outputs, "frames and history name the same files"
        if new_state.ending == late.ending == ERROR:
            assert new_state.error and late.error
            assert new_state.error.to_dict() == late.error.to_dict(), "frames and history tell the same error"
    assert found == EXPECTED[transcript.name]


@pytest.mark.parametrize("name", [name for name, words in SEQUENCES.items() if words])
def test_sequence(name: str) -> None:
    transcript = named(name)
    _, events = follow(transcript, transcript.posted()[0])
    assert in_words(events) == SEQUENCES[name]


def test_previews_without_metadata_come_in_their_place() -> None:
    transcript = named("preview_without_feature_flag")
    _, events = follow(transcript, transcript.posted()[0])
    words = in_words(events).split()
    assert [words[words.index("picture") - 1], words.count("picture")] == ["step1", 4]


def test_outputs_and_cached_nodes() -> None:
    transcript = named("rerun_seed_changed")
    new_state, events = follow(transcript, transcript.posted()[0])
    started = events[0]
    assert isinstance(started, Started)
    assert started.cached
    assert new_state.outputs[0].subfolder == "rig"
    assert new_state.outputs[0].filename.endswith(".mp4")
    assert new_state.outputs[0].kind == "output"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("error_out_of_memory", "out_of_memory"),
        ("error_corrupt_audio", "engine_bad_input"),
        ("error_corrupt_image", "engine_bad_input"),
        ("error_missing_audio_encoder", "missing_model"),
        ("error_truncated_model", "bad_model_file"),
    ],
)
def test_failures_have_their_own_error(name: str, code: str) -> None:
    transcript = named(name)
    new_state, events = follow(transcript, transcript.posted()[0])
    assert new_state.error
    assert new_state.error.code == code
    last = events[-1]
    assert isinstance(last, Failed)
    assert last.error["code"] == code
    assert "Traceback" not in new_state.error.message
    assert "execution.py" in new_state.error.detail


# -- frames of one's own making ---------------------------------------------------------------

MINE, OTHER = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
LABELS = {
    "3": Label("load", "Loading"),
    "12": Label("draw", "Generating", steps=2),
    "13": Label("draw", "Refining", steps=4, first_step=2),
}


def new_state() -> PromptState:
    return PromptState(MINE, LABELS, 6)


def feed(state: PromptState, *frames: Any) -> tuple[PromptState, list[Event]]:
    events: list[Event] = []
    for frame in frames:
        state, more = protocol.read_frame(
            frame if isinstance(frame, (str, bytes)) else json.dumps(frame), state
        )
        events += more
    return state, events


def frame(kind: str, prompt_id: str | None = MINE, **data: Any) -> dict[str, Any]:
    return {"type": kind, "data": {**({"prompt_id": prompt_id} if prompt_id else {}), **data}}


def preview(kind: int, prompt_id: str = "", image: bytes = JPEG) -> bytes:
    if kind == 4:
        metadata = json.dumps({"prompt_id": prompt_id, "image_type": "image/jpeg"}).encode()
        return struct.pack(">II", 4, len(metadata)) + metadata + image
    return struct.pack(">II", kind, 1) + image


def test_progress_is_counted_over_the_whole_job() -> None:
    _, events = feed(
        new_state(),
        frame("progress", value=1, max=2, node="12"),
        frame("progress", value=1, max=4, node="13"),
        frame("progress", value=4, max=4, node="13"),
    )
    assert events[1:] == [Progress(1, 6), Progress(3, 6), Progress(6, 6)]


def test_a_sampler_that_reports_twice_the_steps_is_scaled() -> None:
    _, events = feed(
        new_state(),
        frame("progress", value=3, max=8, node="13"),
        frame("progress", value=4, max=8, node="13"),
    )
    assert events[1:] == [Progress(3, 6), Progress(4, 6)]


def test_a_graph_that_follows_another_goes_on_counting() -> None:
    labels = {"12": Label("draw", "Generating", steps=2, first_step=10)}
    _, events = feed(PromptState(MINE, labels, 12, index=1), frame("progress", value=1, max=2, node="12"))
    assert events == [Started(1), Progress(11, 12)]


def test_a_stage_says_which_chunk_is_drawn() -> None:
    labels = {"12": Label("draw", "Generating, part 2 of 5", 2, 2, chunk=2, chunks=5)}
    _, events = feed(PromptState(MINE, labels, 10), frame("executing", node="12"))
    assert Stage("draw", "Generating, part 2 of 5", "12", chunk=2, chunks=5) in events


def test_progress_of_other_nodes_is_not_sampling() -> None:
    _, events = feed(
        new_state(), frame("progress", value=1, max=2, node="3"), frame("progress", value=1, max=2, node="99")
    )
    assert events == [Started()]


def test_frames_of_other_prompts_are_ignored() -> None:
    state, events = feed(
        new_state(),
        frame("execution_start", OTHER),
        frame("executing", OTHER, node="12"),
        frame("progress", OTHER, value=1, max=2, node="12"),
        preview(1),
        preview(4, OTHER),
        frame("executed", OTHER, node="16", output={"images": [{"filename": "x.mp4"}]}),
        frame("execution_success", OTHER),
    )
    assert events == []
    assert not state.ending


def test_a_preview_without_metadata_belongs_to_the_executing_prompt() -> None:
    state, events = feed(new_state(), preview(1), frame("executing", OTHER, node="12"), preview(1))
    assert events == []
    _, events = feed(state, frame("executing", node="12"), preview(1), preview(4, MINE), preview(4, OTHER))
    assert events[-2:] == [Preview(JPEG), Preview(JPEG)]
    assert len(events) == 4


def test_png_previews_have_their_mime_type() -> None:
    png = b"\x89PNG\r\n\x1a\n123"
    _, events = feed(new_state(), preview(4, MINE, png))
    assert events == [Preview(png, "image/png")]


def test_a_node_without_a_prompt_counts_only_for_a_running_job() -> None:
    bare = frame("executing", None, node="12")
    _, events = feed(new_state(), bare)
    assert events == []
    state, _ = feed(new_state(), frame("execution_cached", nodes=[]))
    _, events = feed(state, bare, bare)
    assert events == [Stage("draw", "Generating", "12")]


def test_stale_ends_are_ignored() -> None:
    state, events = feed(
        new_state(), frame("executing", None, node=None), frame("executing", OTHER, node=None)
    )
    assert events == []
    assert not state.ending
    state, events = feed(
        state, frame("execution_success"), frame("executing", node=None), frame("execution_error")
    )
    assert in_words(events) == "start end"


def test_a_node_of_a_subgraph_is_reported_as_the_node_it_came_from() -> None:
    _, events = feed(new_state(), frame("executing", node="12:0:3", display_node="12"))
    assert events[1:] == [Stage("draw", "Generating", "12")]


def test_every_kind_of_file_is_an_output_once() -> None:
    video = {"filename": "a.mp4", "subfolder": "s", "type": "output"}
    one = frame("executed", node="16", output={"images": [video], "animated": [True], "text": ["x"]})
    two = frame(
        "executed", node="17", output={"audio": [{"filename": "b.flac", "type": "temp"}], "images": [video]}
    )
    state, events = feed(new_state(), one, two)
    assert events == [Output("a.mp4", "s", "output"), Output("b.flac", "", "temp")]
    state, more = protocol.read_history(
        {
            "status": {"status_str": "success"},
            "outputs": {"16": {"images": [video]}, "18": {"gifs": [{"filename": "c.gif"}]}},
        },
        state,
    )
    assert [event for event in more if isinstance(event, Output)] == [Output("c.gif", "", "output")]
    assert state.ending == "finished"


def test_history_of_an_interrupted_job_is_not_a_failure() -> None:
    entry = {"status": {"status_str": "error", "messages": [["execution_interrupted", {"prompt_id": MINE}]]}}
    state, events = protocol.read_history(entry, new_state())
    assert (state.ending, events) == ("cancelled", (Cancelled(),))


def test_history_that_only_says_error() -> None:
    state, events = protocol.read_history({"status": {"status_str": "error"}, "outputs": {}}, new_state())
    assert state.ending == "failed"
    assert isinstance(events[-1], Failed)


def test_no_history_no_events() -> None:
    assert protocol.read_history(None, new_state()) == (new_state(), ())
    assert protocol.history_entry({}, MINE) is None
    assert protocol.history_entry([], MINE) is None


QUEUE = {
    "queue_running": [[7, OTHER, {}, {"client_id": "somebody"}, ["16"]]],
    "queue_pending": [
        [12, "late", {}, {"client_id": "somebody"}, ["16"]],
        [9, MINE, {}, {"client_id": "lane-1"}, ["16"]],
        [8, "ours", {}, {"client_id": "lane-2"}, ["16"]],
        [-3, "front", {}, {}, ["16"]],
    ],
}


def test_place_in_the_queue() -> None:
    assert protocol.queue_position(QUEUE, MINE) == protocol.QueuePosition(False, 3, "lane-1")
    assert protocol.queue_position(QUEUE, MINE, "lane-") == protocol.QueuePosition(False, 2, "lane-1")
    assert protocol.queue_position(QUEUE, OTHER, "lane-") == protocol.QueuePosition(True, 0, "somebody")
    assert protocol.queue_position(QUEUE, "nobody") is None
    for broken in (None, [], {}, {"queue_running": 3, "queue_pending": [1, [], ["x", MINE]]}):
        protocol.queue_position(broken, MINE)


def test_recorded_queue() -> None:
    body = json.loads((FILES[0].parent.parent / "http" / "queue_one_running_two_pending.json").read_text())[
        "body"
    ]
    ids = [item[1] for item in (*body["queue_running"], *body["queue_pending"])]
    assert [protocol.queue_position(body, name) for name in ids] == [
        protocol.QueuePosition(True, 0, body["queue_running"][0][3]["client_id"]),
        protocol.QueuePosition(False, 1, body["queue_running"][0][3]["client_id"]),
        protocol.QueuePosition(False, 2, body["queue_running"][0][3]["client_id"]),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "null",
        "[]",
        "1",
        '{"type": "executing"}',
        '{"type": 3, "data": {}}',
        '{"type": "progress", "data": 1}',
        '{"type": {}, "data": {}}',
        '{"type": "crystools.monitor", "data": {"cpu": 3}}',
        b"",
        b"\0\0\0\1",
        b"\xff" * 40,
    ],
)
def test_unknown_and_damaged_frames_are_ignored(text: str | bytes) -> None:
    assert protocol.read_frame(text, new_state()) == (new_state(), ())


def test_no_mangled_frame_raises() -> None:
    chance = random.Random(64)
    frames = [frame for path in FILES for frame in load(path).frames()]
    for original in chance.sample(frames, 400):
        state = PromptState(MINE, LABELS, 6, started=True)
        if isinstance(original, bytes):
            broken = bytearray(original)
            for _ in range(3):
                broken[chance.randrange(len(broken))] = chance.randrange(256)
            protocol.read_frame(bytes(broken[: chance.randrange(len(broken))]), state)
        else:
            message = json.loads(original)
            protocol.read_frame(json.dumps(_mangled(message, chance)), state)
            entry = {"status": _mangled({"messages": [["execution_error", message["data"]]]}, chance)}
            protocol.read_history({**entry, "outputs": _mangled({"1": message["data"]}, chance)}, state)


def _mangled(value: Any, chance: random.Random) -> Any:
    """The same with some parts in another type, prompt ids made ours so that they are looked at."""
    if chance.random() < 0.15:
        return chance.choice([None, 0, -1.5, "", "x", [], {}, [[]], {"a": 1}, True])
    if isinstance(value, dict):
        return {key: MINE if key == "prompt_id" else _mangled(part, chance) for key, part in value.items()}
    if isinstance(value, list):
        return [_mangled(part, chance) for part in value]
    return value
