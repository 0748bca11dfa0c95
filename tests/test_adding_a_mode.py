"""A new mode is a module and a tab with its texts, a line in each registry, rows in models.yaml, and golden
graphs.

The test adds a toy mode to a copy of the code in exactly these places, and finds it everywhere.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.full

MODE = '''
"""Postcard: a picture that hardly moves."""

from __future__ import annotations

from dataclasses import dataclass

from workflows.catalog import Catalog
from workflows.compiled import Compiled
from workflows.graph.node_contract import ServerFacts
from workflows.modes import fields
from workflows.modes.image_to_video import assemble, picture_size
from workflows.params.checks import check_sides
from workflows.params.media import Media
from workflows.params.field import Choice
from workflows.spec import ModeParams, ModeSpec
from workflows.stages.schedule import HIGH, LOW, Phase, Recipe


@dataclass(frozen=True, kw_only=True)
class Postcard(ModeParams):
    """A picture becomes a postcard."""

    MODE = "postcard"

    image: Media = fields.media("picture", "Picture", "The motif.", required=True, heading="Choose a motif")
    prompt: str = fields.prompt("What stirs?", "What stirs", "Leaves in the wind")
    paper: str = fields.choice("Paper", (Choice("matt", "Matt"), Choice("gloss", "Gloss")), "matt or gloss.")
    grain: float = fields.number("Grain", "How rough, 0 to 3.", 1.0, 0, 3, group="motion")
    resolution: str = fields.resolution()
    width: int = fields.width("resolution and picture")
    height: int = fields.height("resolution and picture")
    seconds: float = fields.seconds()
    seed: int = fields.seed()

    def check(self) -> None:
        check_sides(self)

    @property
    def size(self) -> tuple[int, int]:
        return picture_size(self)


def build(params: Postcard, catalog: Catalog, server: ServerFacts, job_id: str) -> Compiled:
    steps = 8 if params.paper == "gloss" else 6
    phases = (Phase(HIGH, 0, 2, 1.0), Phase(LOW, 2, steps, 1.0))
    run = Recipe(steps, 5.0, phases)
    return assemble(params, run, catalog, server, job_id, warnings=())


SPEC = ModeSpec(params=Postcard, title="Postcard", summary="Make a postcard.", build=build, tells=("paper",))
'''

TAB = '''
"""Postcard: its form follows from the mode."""

from __future__ import annotations

from ui.forms.builder import FormLayout
from ui.tabs.tab import Tab

TAB = Tab(id="postcard", key="postcard", forms=(FormLayout(mode="postcard"),))
'''

LINES = {
    "workflows/modes/registry.py": [
        ("import fast_video, image_to_video,", "import fast_video, image_to_video, postcard,"),
        ("        text.PICTURE,\n", "        text.PICTURE,\n        postcard.SPEC,\n"),
    ],
    "ui/tabs/registry.py": [
        ("import animate, fast, image_to_video,", "import animate, fast, image_to_video, postcard,"),
        ("text.TAB)", "text.TAB, postcard.TAB)"),
    ],
}
TEXTS = """tabs:
  postcard:
    title: Postcard
    short: Postcard
    begin: Choose a motif and press Generate.
"""
MODEL = """
  - role: paper
    name: paper.safetensors
    title: Paper
    folder: loras
    repo: somebody/paper
    path: paper.safetensors
    bytes: 1000
    needed_by: [postcard]
"""

FIND = """
import inspect, json, sys
sys.path.insert(0, ".")
import random
from pathlib import Path
from tests.support.fake_studio import FakeStudio
from tests.support.legal_values import legal
from ui.forms import schema
from ui.head import head
from ui.page import build
from ui.tabs.library import filters
from ui.views import model_table, wording
from workflows.catalog import load_catalog
from workflows.modes.registry import MODES, title

page = build(FakeStudio())
info = page.get_api_info()["named_endpoints"]["/postcard"]
parameters = {p["parameter_name"]: p for p in info["parameters"]}
draw = random.Random(5)
for _ in range(50):
    values = legal("postcard", draw)
    assert schema.to_values("postcard", schema.from_params("postcard", values)) == values
print(json.dumps({
    "parameters": list(parameters),
    "paper": parameters["paper"]["type"]["enum"],
    "required": [name for name, p in parameters.items() if not p["parameter_has_default"]],
    "help": next(fn.fn.__doc__ for fn in page.fns.values() if fn.api_name == "postcard"),
    "ids": sorted({str(b.elem_id) for b in page.blocks.values() if str(b.elem_id).startswith(("postcard", "tab-post"))}),
    "filter": ["Postcard", "postcard"] in [list(row) for row in filters()],
    "script": '"postcard": {"modes": ["postcard"]}' in head(),
    "style": "#tab-postcard-button" in head(),
    "stored": sorted(
        page.blocks[target].elem_id
        for fn in page.fns.values() if "drafts.save('postcard'" in str(fn.js) for target, _ in fn.targets
    ),
    "files": [model_table.group_title(group) for group in model_table.GROUPS if "postcard" in group],
    "needed": [file.name for file in load_catalog().needed("postcard")],
    "title": title("postcard"),
}))
"""  # noqa: E501


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code with the toy mode in it."""
    root = tmp_path_factory.mktemp("studio")
    for name in ("backend", "ui", "workflows", "tests/support"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("*.pyc.*"))
    shutil.copy(ROOT / "app.py", root)
    (root / "tests" / "__init__.py").touch()
    (root / "workflows/modes/postcard.py").write_text(MODE)
    (root / "ui/tabs/postcard.py").write_text(TAB)
    for name, changes in LINES.items():
        text = (root / name).read_text(encoding="utf-8")
        for old, new in changes:
            assert text.count(old) == 1, (name, old)
            text = text.replace(old, new)
        (root / name).write_text(text, encoding="utf-8")
    with (root / "workflows/models.yaml").open("a", encoding="utf-8") as catalog:
        catalog.write(MODEL)
    texts = root / "ui/i18n/en.yaml"
    table = texts.read_text(encoding="utf-8")
    assert table.count("\ntabs:\n") == 1
    texts.write_text(table.replace("tabs:\n", TEXTS, 1), encoding="utf-8")
    return root


def run(copy: Path, *arguments: str) -> str:
    env = {**os.environ, "GRADIO_TEMP_DIR": str(copy / "uploads"), "GRADIO_ANALYTICS_ENABLED": "False"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=copy, env=env, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


OF_A_CALL = ("wait", "variations", "vary", "results")


def test_it_is_on_the_page_in_the_api_and_in_every_list(copy: Path) -> None:
    found = json.loads(run(copy, "-c", FIND).splitlines()[-1])
    assert found["parameters"] == [
        "image", "prompt", "paper", "grain", "resolution", "width", "height", "seconds", "seed", *OF_A_CALL,
    ]  # fmt: skip
    assert found["paper"] == ["matt", "gloss"] and found["required"] == []
    assert found["help"].startswith("Make a postcard.") and "grain: How rough, 0 to 3." in found["help"]
    for name in ("image", "prompt", "paper", "seconds", "grain", "seed", "generate"):
        assert f"postcard-{name}" in found["ids"]
    assert "tab-postcard" in found["ids"] and found["filter"] and found["script"] and found["style"]
    assert found["stored"] == sorted(
        f"postcard-{name}" for name in found["parameters"] if name not in OF_A_CALL or name == "variations"
    ), "an unsent form keeps all of its fields"
    assert found["files"] == ["Postcard"] and found["needed"] == ["paper.safetensors"]
    assert found["title"] == "Postcard"


def test_it_compiles_on_the_command_line(copy: Path) -> None:
    graph = json.loads(run(copy, "app.py", "compile", "postcard", "image=a.png", "paper=gloss", "seed=5"))
    samplers = [node["inputs"] for node in graph.values() if node["class_type"] == "KSamplerAdvanced"]
    assert [(s["steps"], s["noise_seed"]) for s in samplers] == [(8, 5), (8, 0)]
    refused = subprocess.run(
        [sys.executable, "app.py", "compile", "postcard", "image=a.png", "grain=4"], cwd=copy,
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert refused.returncode == 2 and "Grain must be between 0 and 3" in refused.stderr
