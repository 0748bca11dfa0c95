"""A workflow is saved as ComfyUI's page opens it: one graph in each file, in API format."""

from __future__ import annotations

import io
import json
import zipfile
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from backend.cli.compile import compile_command, run_compile
from backend.jobs.workflow_files import graphs_of, workflow_file


def opens_in_comfyui(graph: Any) -> bool:
    """The test of ComfyUI's frontend for a graph in API format."""
    return (
        isinstance(graph, dict)
        and len(graph) > 0
        and all(
            isinstance(node, dict)
            and isinstance(node.get("class_type"), str)
            and isinstance(node.get("inputs"), dict)
            for node in graph.values()
        )
    )


@pytest.fixture(scope="module")
def song() -> list[dict[str, Any]]:
    """The graphs of a minute of sound."""
    return compile_command("sound_to_video", ["audio=song.wav", "media_seconds=60", "speed=fast", "seed=5"])


def test_one_graph_is_plain_json() -> None:
    graphs = compile_command("fast_video", ["image=boat.png", "prompt=wind in the wheat ✓", "seed=5"])
    file = workflow_file(graphs_of(json.dumps(graphs[0])))
    assert (file.suffix, file.media_type) == (".json", "application/json")
    assert json.loads(file.content) == graphs[0] and opens_in_comfyui(json.loads(file.content))
    assert workflow_file(graphs_of(json.dumps(graphs))) == file, "a list of one graph is one graph"


def test_several_graphs_are_one_file_each(song: list[dict[str, Any]]) -> None:
    assert len(song) > 1
    file = workflow_file(graphs_of(json.dumps(song)))
    assert (file.suffix, file.media_type) == (".zip", "application/zip")
    with zipfile.ZipFile(io.BytesIO(file.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"workflow-{number}.json" for number in range(1, len(song) + 1)]
        found = [json.loads(archive.read(name)) for name in archive.namelist()]
    assert found == song and all(map(opens_in_comfyui, found))
    assert not opens_in_comfyui(song), "a list of graphs is refused"
    assert workflow_file(song) == file, "the same graphs make the same bytes"


def test_compile_packs_the_graphs_into_a_zip(
    song: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = ["audio=song.wav", "media_seconds=60", "speed=fast", "seed=5"]
    plain, packed = tmp_path / "song.json", tmp_path / "song.zip"
    assert run_compile(Namespace(mode="sound_to_video", values=values, recipe=None, out=str(packed))) == 0
    assert capsys.readouterr().err == "" and packed.read_bytes() == workflow_file(song).content
    assert run_compile(Namespace(mode="sound_to_video", values=values, recipe=None, out=str(plain))) == 0
    assert json.loads(plain.read_text("utf-8")) == song, "a .json keeps the list"
    assert "use --out song.zip" in capsys.readouterr().err


@pytest.mark.parametrize("stored", ["", "{", "7", "[]", '["text"]', "null"])
def test_what_holds_no_graphs_is_an_error(stored: str) -> None:
    with pytest.raises(ValueError):
        graphs_of(stored)
