"""The import rules: which package may import which, checked against the imports themselves."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from scripts.structure import cycles, package_imports
from tests.support.paths import ROOT
from tests.support.sources import parsed

LAYERS: tuple[tuple[str, ...], ...] = (
    ("app",),
    ("ui", "backend.cli", "backend.web"),
    ("backend.studio",),
    ("backend.services",),
    ("backend.storage", "backend.worker"),
    ("backend.jobs", "backend.servers", "backend.system"),
    ("backend.engines", "backend.models", "backend.security"),
    ("backend.media", "backend.custom_nodes", "backend.settings"),
    ("backend.logs", "backend.events", "backend.threads", "backend.stopping"),
    ("backend.errors",),
    ("backend.notices",),
    ("backend.requester", "backend.log_limits", "backend.error_texts", "backend.formatting"),
    ("workflows", "backend.log_lines"),
)
"""Top to bottom: a package imports packages of lower layers only, and none of its own layer."""

LEVELS: dict[str, tuple[tuple[str, ...], ...]] = {
    "workflows": (
        ("workflows.compile", "workflows.continuing"),
        ("workflows.repetition", "workflows.finals"),
        ("workflows.modes",),
        ("workflows.stages",),
        ("workflows.spec",),
        ("workflows.compiled",),
        ("workflows.graph",),
        (
            "workflows.params",
            "workflows.catalog",
            "workflows.cards",
            "workflows.notice",
            "workflows.resolved",
        ),
    ),
    "backend.engines": (
        ("backend.engines.comfy", "backend.engines.runpod", "backend.engines.demo"),
        ("backend.engines.kinds",),
        (
            "backend.engines.base",
            "backend.engines.full_disk",
            "backend.engines.answer_size",
            "backend.engines.json_values",
        ),
    ),
}
"""The same rule inside the two packages that have layers of their own."""

ONLY: dict[str, frozenset[str]] = {
    "ui": frozenset(
        {
            "backend.studio", "backend.errors", "backend.formatting", "backend.logs", "backend.notices",
            "backend.requester", "backend.jobs.recipe",
            "backend.threads", "backend.jobs.job", "backend.jobs.views", "backend.jobs.snapshot",
            "backend.jobs.final_views",
            "backend.models.state", "backend.media.facts", "backend.media.formats",
            "backend.media.format_names", "backend.media.grid", "backend.engines.base",
            "backend.engines.kinds",
            "backend.storage.input_folder", "workflows",
        }
    ),
    "workflows": frozenset({"workflows"}),
}  # fmt: skip
"""What these import of this project, and nothing else: ui knows the facade and frozen data."""

NEVER: tuple[tuple[str, str], ...] = (
    ("backend.studio", "backend.worker"),
    ("backend.services", "backend.worker"),
    ("backend.web", "backend.jobs.store"),
)
"""(importer, imported) that no layer forbids and that must not be."""

GRADIO = ("ui", "app")
"""The only ones that import gradio: importing it takes seconds and 145 MB."""

WORLD = frozenset({"os", "time", "random", "secrets", "socket", "subprocess", "datetime", "uuid", "requests"})
"""Modules that a pure package does not use."""


def modules() -> list[Path]:
    found = [ROOT / "app.py"]
    for top in ("workflows", "backend", "ui"):
        found += sorted((ROOT / top).rglob("*.py"))
    return [path for path in found if path.name != "__init__.py"]


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def is_module(name: str) -> bool:
    path = ROOT / Path(*name.split("."))
    return path.with_suffix(".py").exists() or path.is_dir()


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """(dotted name, line) of each import; `from a import b` is a.b where that is a module, else a."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield (inner if is_module(inner) else node.module), node.lineno


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def layer(name: str, layers: tuple[tuple[str, ...], ...]) -> tuple[int, str] | None:
    """(index of the layer, package) that a module is in."""
    return next(
        ((index, package) for index, row in enumerate(layers) for package in row if within(name, package)),
        None,
    )


def ours(path: Path) -> list[tuple[str, int]]:
    return [
        (name, line)
        for name, line in imports(path)
        if name.split(".")[0] in {"app", "ui", "backend", "workflows"}
    ]


def violations(path: Path, layers: tuple[tuple[str, ...], ...]) -> list[str]:
    me, found = name_of(path), []
    mine = layer(me, layers)
    for name, line in ours(path):
        theirs = layer(name, layers)
        if mine is None or theirs is None or theirs[1] == mine[1]:
            continue
        if theirs[0] <= mine[0]:
            found.append(f"{path.relative_to(ROOT)}:{line}: {mine[1]} imports {name}")
    return found


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_every_module_is_in_a_layer_and_imports_downward(path: Path) -> None:
    assert layer(name_of(path), LAYERS) is not None, f"{name_of(path)} is in no layer"
    assert violations(path, LAYERS) == []


@pytest.mark.parametrize("package", LEVELS)
def test_packages_with_layers_of_their_own(package: str) -> None:
    inside = [path for path in modules() if within(name_of(path), package)]
    assert [path for path in inside if layer(name_of(path), LEVELS[package]) is None] == []
    assert [text for path in inside for text in violations(path, LEVELS[package])] == []


@pytest.mark.parametrize("package", ONLY)
def test_what_a_package_may_know(package: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in modules()
        if within(name_of(path), package)
        for name, line in ours(path)
        if not within(name, package) and not any(within(name, allowed) for allowed in ONLY[package])
    ]
    assert found == []


def test_imports_that_must_not_be() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in modules()
        for name, line in ours(path)
        for importer, imported in NEVER
        if within(name_of(path), importer) and within(name, imported)
    ]
    assert found == []


def test_only_the_page_imports_gradio() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in modules()
        for name, line in imports(path)
        if name.split(".")[0] == "gradio" and not any(within(name_of(path), one) for one in GRADIO)
    ]
    assert found == []


def test_workflows_are_pure() -> None:
    allowed = (set(sys.stdlib_module_names) - WORLD) | {"workflows", "yaml"}
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in modules()
        if within(name_of(path), "workflows")
        for name, line in imports(path)
        if name.split(".")[0] not in allowed
    ]
    assert found == []


def test_package_inits_are_empty() -> None:
    for top in ("workflows", "backend", "ui"):
        for path in (ROOT / top).rglob("__init__.py"):
            assert path.read_text(encoding="utf-8") == "", f"{path} is not empty"


def test_packages_do_not_import_each_other_in_a_circle() -> None:
    assert cycles(package_imports(ROOT)) == []
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


RETURNS: dict[tuple[str, str], str] = {
    ("backend/engines/comfy/monitor.py:wait", "backend/jobs/segments.py:collect"): "the engine's run is over",
    ("backend/engines/comfy/protocol.py:read_frame", "backend/jobs/live.py:receive"): "the job's listener",
    ("backend/jobs/live.py:snapshot", "ui/job_card.py:poll"): "the page asks for it",
}
"""(step, next step) of a walk that lead to a higher layer: results and events on their way to the page."""


def walks() -> list[list[str]]:
    """The walks of docs/architecture.md, their steps as path:function; those in JavaScript are left out."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    found = [re.findall(r"^\d+\. `([\w/]+\.py:\w+)`", part, re.MULTILINE) for part in page.split("\n## ")]
    return [steps for steps in found if steps]


def rises(walk: list[str]) -> list[tuple[str, str]]:
    """The steps whose next one is in a higher layer."""

    def level(step: str) -> int:
        found = layer(name_of(ROOT / step.partition(":")[0]), LAYERS)
        assert found is not None, step
        return found[0]

    return [(one, following) for one, following in pairwise(walk) if level(following) < level(one)]


def test_no_step_of_a_walk_goes_back_up() -> None:
    assert len(walks()) == 2 and all(len(walk) > 5 for walk in walks())
    found = [step for walk in walks() for step in rises(walk)]
    assert found == list(RETURNS), "a call into a higher layer, or a named return that is none"
    assert rises(["backend/jobs/lanes.py:_outcome", "backend/studio.py:submit"])
