"""ComfyUI's refusal of a file names the creator's file: the one that it could not read, in every mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from backend.engines.base import Prompt
from backend.engines.comfy.execution_errors import execution_error
from backend.engines.comfy.validation_errors import validation_error
from backend.errors import BadEngineInput, StudioError
from backend.events import Event
from backend.jobs.execution import _named
from backend.jobs.job import Job, StoredInput
from tests.support.compile_cases import CASES, MODE_CASES, ROUTE_CASES, compiled, route_server
from tests.support.fake_engine import FakeEngine
from tests.support.media_files import numbered, write_video
from tests.support.scripted import OWNER, Make, ended
from workflows.compiled import Compiled
from workflows.modes.registry import MODES
from workflows.params.media import Media

ALL = {**{name: (params, "") for name, params in {**CASES, **MODE_CASES}.items()}, **ROUTE_CASES}
PARAMS = {name: params for name, (params, _) in ALL.items()}
SMALL = {"width": 64, "height": 64, "speed": "fast", "seed": 5}


def reads(graph: Mapping[str, Any], names: set[str]) -> Iterator[tuple[str, str, str]]:
    """(class, input, file) of each node of a graph that reads one of these files."""
    for node in graph.values():
        for name, value in node["inputs"].items():
            if isinstance(value, str) and value in names:
                yield node["class_type"], name, value


def unreadable(node: str, name: str, file: str) -> StudioError:
    """As ComfyUI reports it while it runs."""
    return execution_error(
        {
            "exception_type": "PIL.UnidentifiedImageError", "exception_message": "cannot identify image file",
            "node_type": node, "current_inputs": {name: [file], "other": [0]},
        }
    )  # fmt: skip


def missing(node: str, name: str, file: str) -> StudioError:
    """As ComfyUI reports it before it runs."""
    error = {
        "type": "custom_validation_failed", "message": "Custom validation failed for node",
        "details": f"{name} - Invalid file: {file}", "extra_info": {"input_name": name},
    }  # fmt: skip
    nodes = {"5": {"class_type": node, "errors": [error]}}
    return validation_error({"error": {"type": "prompt_outputs_failed_validation"}, "node_errors": nodes})


def mode_of(case: str) -> str:
    return next(mode for mode, spec in MODES.items() if spec.params is type(PARAMS[case]))


def inputs_of(case: str) -> dict[str, Media]:
    params = PARAMS[case]
    given = {name: getattr(params, name) for name in MODES[mode_of(case)].media}
    return {name: media for name, media in given.items() if media}


def plan_of(case: str) -> Compiled:
    params, route = ALL[case]
    return compiled(params, server=route_server(route) if route else None)


def distinct_cases() -> list[str]:
    """One case for each mode, preparation route and set of files."""
    found: dict[object, str] = {}
    for case, (_, route) in ALL.items():
        if inputs_of(case):
            found.setdefault((mode_of(case), route, *inputs_of(case)), case)
    return list(found.values())


def sources(plan: Compiled, media: Mapping[str, Media]) -> dict[str, str]:
    """Name in the graphs -> parameter."""
    found = {one.name: field for field, one in media.items()}
    for derived in (each for of_graph in plan.derived for each in of_graph):
        if derived.source in found:
            found[derived.name] = found[derived.source]
    return found


@pytest.mark.parametrize("report", [unreadable, missing])
@pytest.mark.parametrize("case", distinct_cases())
def test_the_file_that_a_node_reports_is_named(case: str, report: Callable[..., StudioError]) -> None:
    media, plan = inputs_of(case), plan_of(case)
    stored = {field: StoredInput(one, "", title=f"my {field}.bin") for field, one in media.items()}
    job = Job("1", "me", mode_of(case), {}, stored, created=0.0)
    names, tried = sources(plan, media), set()
    for graph in plan.graphs:
        for node, name, file in reads(graph, set(names)):
            error = report(node, name, file)
            assert isinstance(error, BadEngineInput), error
            named, field = _named(error, job, plan), names[file]
            assert named.message.endswith(f" The file is my {field}.bin.") and named.field == field
            tried.add(field)
    assert tried, "no node reads a file"


def test_every_media_field_is_tried() -> None:
    every = {(mode_of(case), field) for case in distinct_cases() for field in inputs_of(case)}
    assert every == {(mode, field) for mode, spec in MODES.items() for field in spec.media}


def test_all_files_are_named_where_the_report_names_none() -> None:
    case = next(case for case in PARAMS if len(inputs_of(case)) > 2)
    stored = {field: StoredInput(one, "", title=field) for field, one in inputs_of(case).items()}
    job = Job("1", "me", mode_of(case), {}, stored, created=0.0)
    error = execution_error({"exception_type": "UnidentifiedImageError", "node_type": "LoadImage"})
    assert isinstance(error, BadEngineInput)
    assert all(field in _named(error, job, plan_of(case)).hint for field in stored)


def failing_at(part: str) -> Callable[[Prompt, Callable[[Event], None]], None]:
    """A script that fails at the node whose class has this part and that reads a file of the prompt."""

    def script(prompt: Prompt, _: Callable[[Event], None]) -> None:
        found = [one for one in reads(prompt.graph, set(prompt.files)) if part in one[0]]
        raise unreadable(*found[-1])

    return script


@pytest.mark.full
def test_a_job_says_which_of_its_files_it_was(
    make: Make, engine: FakeEngine, picture: Path, tone: Path, tmp_path: Path
) -> None:
    studio = make()
    dance = write_video(tmp_path / "dance.mp4", numbered(25, (64, 64)), 25)
    cases = [
        ("image_to_video", {"image": picture}, "Image", "boat.png"),
        ("sound_to_video", {"audio": tone, "image": picture}, "Audio", "tone.wav"),
        ("animate", {"image": picture, "video": dance}, "Video", "dance.mp4"),
    ]
    for mode, files, part, title in cases:
        engine.script = failing_at(part)
        done = ended(studio, studio.submit(OWNER, mode, SMALL, files))
        assert done.error is not None and done.error["code"] == "engine_bad_input", mode
        assert done.error["message"].endswith(f"The file is {title}."), done.error
