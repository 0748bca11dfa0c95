"""Runs of jobs as (seconds, event), recorded and stretched or simulated, and what a tracker said of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from backend.engines.comfy import protocol
from backend.engines.demo.schedule import Schedule
from backend.events import Event, Progress, Stage, Started
from backend.jobs.outline import Outline
from backend.jobs.progress import Tracker
from backend.jobs.snapshot import Snapshot
from tests.support.transcripts import Transcript, frame_of
from workflows.compile import Compiled
from workflows.graph.label import Label

Timeline = list[tuple[float, Event]]
Stretch = Mapping[str, float]
"""Stage -> factor of the seconds that its nodes took."""


@dataclass(frozen=True)
class Said:
    """What was shown at a moment of a run."""

    at: float
    snapshot: Snapshot


def follow(
    timeline: Timeline, compiled: Compiled, expected: Mapping[str, float], samples: int = 200
) -> tuple[list[Said], Tracker]:
    """What a tracker said at every event and in between, and the tracker at the end of the run."""
    tracker = Tracker()
    tracker.expect(Outline.of(compiled), expected)
    end = timeline[-1][0]
    ticks = [end * n / samples for n in range(samples)]
    said: list[Said] = []
    for at, event in timeline:
        while ticks and ticks[0] < at:
            tick = ticks.pop(0)
            said.append(Said(tick, tracker.snapshot(tick)))
        tracker.feed(event, at)
        said.append(Said(at, tracker.snapshot(at)))
    return said, tracker


def simulated(compiled: Compiled, seconds: Callable[[str, Label, int], float]) -> Timeline:
    """A run in ComfyUI's order. `seconds`: (class, label, graph) -> of the node, for a sampler of a step."""
    timeline: Timeline = []
    now, known = 0.0, dict[str, Any]()
    for index, (graph, labels) in enumerate(zip(compiled.graphs, compiled.labels, strict=True)):
        cached = {node for node, what in graph.items() if node in known and _loads(what, known[node])}
        known = dict(graph)
        timeline.append((now, Started(index, tuple(cached))))
        outputs = [n for n, what in graph.items() if what["class_type"] in ("SaveVideo", "SaveImage")]
        order = Schedule(graph, outputs, cached.__contains__, outputs.__contains__)
        while order:
            node = order.next()
            assert node is not None
            order.done(node)
            label = labels[node]
            stage = Stage(label.stage, label.text, node, label.chunk, label.chunks)
            timeline.append((now, stage))
            took = seconds(graph[node]["class_type"], label, index)
            for step in range(label.steps):
                now += took
                timeline.append((now, Progress(label.first_step + step + 1, compiled.sampling_steps)))
            now += 0.0 if label.steps else took
    return [*timeline, (now, Stage("save", "Saving"))]


def _loads(what: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    return what == before and not any(isinstance(v, list) for v in what["inputs"].values())


def recorded(
    transcript: Transcript, kinds: Mapping[str, str], stretch: Stretch, graphs: int = 1
) -> tuple[Timeline, Compiled]:
    """A recorded run, `graphs` times in a row as the graphs of one job, with each node's seconds stretched by
    stage. `kinds`: classes of nodes, which the recording lacks."""
    prompt_id = transcript.posted()[0]
    labels = _labels(transcript, prompt_id, kinds)
    per_graph = sum(label.steps for label in labels.values())
    drawn = sum(1 for label in labels.values() if label.steps)
    total, chunks = per_graph * graphs, drawn * graphs
    timeline: Timeline = []
    all_labels, now = [], 0.0
    for index in range(graphs):
        moved = {
            node: replace(
                label,
                first_step=label.first_step + index * per_graph,
                chunk=label.chunk + index * drawn if label.steps else 0,
                chunks=chunks if label.steps else 0,
            )
            for node, label in labels.items()
        }
        all_labels.append(moved)
        loaded = {**stretch, "load": 0.0} if index else stretch  # the server has them from the graph before
        for at, event in _replayed(transcript, prompt_id, moved, total, index, loaded):
            if not (index and isinstance(event, Stage) and event.stage == "load"):
                timeline.append((now + at, event))
        now = timeline[-1][0]
    graph = _graph(labels, kinds)
    several = tuple(
        {node: {**what, "inputs": {**what["inputs"], **_own(what, index)}} for node, what in graph.items()}
        for index in range(graphs)
    )  # fmt: skip
    compiled = Compiled(
        graphs=several, labels=tuple(all_labels), inputs=(), sampling_steps=total, evaluations=total,
        models=(), width=832, height=480, frames=77 * chunks, fps=16.0, steps=per_graph // drawn,
        segment_names=("",) * graphs, derived=((),) * graphs,
    )  # fmt: skip
    return timeline, compiled


def _labels(transcript: Transcript, prompt_id: str, kinds: Mapping[str, str]) -> dict[str, Label]:
    """In the order in which the nodes ran: samplers report steps, what follows the last of them ends the run,
    what comes before loads or reads."""
    labels, sampled, done = dict[str, Label](), transcript.labels(prompt_id), 0
    order = [node for _, kind, node in _ran(transcript, prompt_id) if kind == "executing"]
    samplers = [node for node in order if sampled[node].steps]
    for number, node in enumerate(order):
        if node in samplers:
            done += 1
            labels[node] = replace(sampled[node], text="Generating", chunk=done, chunks=len(samplers))
        elif node == order[-1]:
            labels[node] = Label("save", "Saving")
        elif kinds.get(node) == "VAEDecode" or number > order.index(samplers[-1]):
            labels[node] = Label("finish", "Finishing")
        else:
            load = kinds.get(node, "").endswith("Loader")
            labels[node] = Label("load", "Loading") if load else Label("read", "Reading")
    return labels


def _own(what: Mapping[str, Any], index: int) -> dict[str, Any]:
    """An input that differs between the graphs, for all nodes but loaders."""
    return {"graph": index} if "from" in what["inputs"] else {}


def _ran(transcript: Transcript, prompt_id: str) -> Iterator[tuple[float, str, str]]:
    for record in transcript.records:
        if "ws" not in record:
            continue
        kind, data = record["ws"]["type"], record["ws"]["data"]
        if data.get("prompt_id") == prompt_id and data.get("node") is not None:
            yield float(record["t"]), kind, str(data["node"])


def _graph(labels: Mapping[str, Label], kinds: Mapping[str, str]) -> dict[str, Any]:
    """A chain of the nodes in the order in which they ran; those without a class are light."""
    graph, last = dict[str, Any](), ""
    for node, label in labels.items():
        kind = "KSampler" if label.steps else "SaveVideo" if label.stage == "save" else kinds.get(node)
        if label.stage == "load":
            graph[node] = {"class_type": kind, "inputs": {"name": node}}
            continue
        inputs = {"from": [last, 0]} if last else {}
        graph[node] = {"class_type": kind or "LoadImage", "inputs": inputs}
        last = node
    return graph


def _replayed(
    transcript: Transcript, prompt_id: str, labels: Mapping[str, Label], total: int, index: int, by: Stretch
) -> Timeline:
    state = protocol.PromptState(prompt_id, labels, total, index)
    state = replace(state, step=min((la.first_step for la in labels.values() if la.steps), default=0))
    timeline: Timeline = []
    now, last, stage = 0.0, 0.0, ""
    for record in transcript.records:
        frame = frame_of(record)
        if frame is None or "ws" not in record:
            continue
        at = float(record["t"])
        now += (at - last) * (by.get(stage, 1.0) if stage else 0.0)
        last = at
        state, events = protocol.read_frame(json.dumps(record["ws"]), state)
        for event in events:
            timeline.append((now, event))
            if isinstance(event, Started):
                stage = "load"
            elif isinstance(event, Stage):
                stage = event.stage
        if state.ending:
            break
    return timeline
