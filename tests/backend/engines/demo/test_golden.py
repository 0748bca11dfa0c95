"""Every graph that the product compiles runs on the demo engine, at its full size in small steps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import demo_inputs
from tests.support.demo_server import DemoServer, start_demo
from tests.support.media_files import write_video
from tests.support.paths import GOLDEN
from workflows.catalog import load_catalog

pytestmark = pytest.mark.full

GOLDEN = sorted(GOLDEN.glob("*.json"))
PICTURE_MODES = ("image_to_video", "fast_video")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoServer]:
    with start_demo(folder=tmp_path_factory.mktemp("demo")) as server:
        yield server


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_compiled_graph_runs(demo: DemoServer, path: Path) -> None:
    """Shortened to nine frames of a small size; wiring and settings are those of the golden file."""
    golden = json.loads(path.read_text("utf-8"))
    if not path.stem.startswith(PICTURE_MODES):
        pytest.skip("other inputs than pictures")
    for name in golden["inputs"]:
        target = demo.folder / "input" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".mkv"):
            write_video(target, [np.asarray(demo_inputs.picture(64, 64))] * 13, 16, "ffv1")
        else:
            demo_inputs.picture(96, 64).save(target, "PNG")
    for graph in golden["graphs"]:
        small: dict[str, Any] = {"width": 64, "height": 64, "length": 9}
        for node in graph.values():
            node["inputs"].update({k: v for k, v in small.items() if k in node["inputs"]})
        entry = demo.wait(demo.submit(graph))
        assert entry["status"]["status_str"] == "success", entry["status"]["messages"][-1]
        assert len(entry["outputs"]) == 1


def test_there_are_graphs() -> None:
    assert len(GOLDEN) > 5


def test_it_has_every_file_that_the_catalog_names(demo: DemoServer) -> None:
    for file in load_catalog().files:
        there = demo.call("GET", f"/models/{file.folder}").json()
        assert file.name in there, file.name
