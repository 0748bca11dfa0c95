"""Who may import whom: the house's rule, read from the imports themselves."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BASE = {
    "backend.settings", "backend.errors", "backend.events", "backend.jobs", "backend.logs",
    "backend.exit_words", "backend.asker", "backend.threads", "backend.limits", "backend.database_errors",
    "backend.job_rows",
    "backend.env_file", "backend.env_names", "backend.log_lines", "backend.log_limits",
}  # fmt: skip
ROOMS = {  # rooms beside each other: none of them may know another
    "backend.line",
    "backend.lock",
    "backend.media",
    "backend.models",
    "backend.custom_nodes",
    "backend.store",
    "backend.engines",
    "backend.supervisor",
    "backend.access",
    "backend.throttle",
    "backend.accounts",
    "backend.greeting",
    "backend.bodies",
    "backend.connections",
    "backend.web_rules",
    "backend.secret_file",
    "backend.inputs",
    "backend.housekeeping",
    "backend.progress",
    "backend.estimate",
}
DISPATCH = {"backend.dispatch"}
COMPOSITION = {
    "backend.nodes_command", "backend.surroundings",
    "backend.server",
    "backend.studio", "backend.servers", "backend.views", "backend.runner", "backend.commands",
    "backend.model_commands", "backend.admin",
    "backend.forecast", "backend.health", "backend.parts", "backend.uploads", "backend.execute",
    "backend.intake", "backend.files", "backend.ends", "backend.strays",
    "backend.refusals", "backend.reasons", "backend.obstacles", "backend.interruptions",
    "backend.upkeep", "backend.bench", "backend.bench_command",
    "backend.sending", "backend.worker_command", "backend.worker_order", "backend.worker_download",
    "backend.worker_result", "backend.worker_claims", "backend.worker_records",
}  # fmt: skip


def modules() -> list[Path]:
    found = [ROOT / "app.py"]
    for top in ("workflows", "backend", "ui"):
        found += sorted((ROOT / top).rglob("*.py"))
    return [path for path in found if path.name != "__init__.py"]


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room(module: str) -> str:
    return next((one for one in ROOMS if module == one or module.startswith(one + ".")), "")


def known(name: str) -> bool:
    path = ROOT / Path(*name.split("."))
    return path.with_suffix(".py").exists() or path.is_dir()


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_keep_to_the_house(path: Path) -> None:
    me = name_of(path)
    ours = {n for n in imports(path) if n.split(".")[0] in {"workflows", "backend", "ui", "app"} and known(n)}
    tops = {n.split(".")[0] for n in imports(path)}
    if not me.startswith("ui.") and me != "app":
        assert "gradio" not in tops, "only ui and app may import gradio"
    if me.startswith("workflows."):
        assert tops <= set(sys.stdlib_module_names) | {"workflows", "yaml"}, "workflows is pure"
        return
    if me == "app":
        return
    if me.startswith("ui."):
        inner = {n for n in ours if n.startswith("backend.")}
        allowed = {
            "backend.studio", "backend.views", "backend.inputs", "backend.progress", "backend.media.facts",
            "backend.engines.base", "backend.engines", "backend.media", *BASE,
        }  # fmt: skip
        assert inner <= allowed, f"ui knows only the facade and its data: {inner - allowed}"
        return
    assert not any(n.split(".")[0] in {"ui", "app"} for n in ours), "backend knows no page"
    if me in BASE:
        bad = {n for n in ours if n.startswith("backend.") and n not in BASE}
        assert not bad, f"the base knows only itself and workflows: {bad}"
    elif room(me):
        bad = {n for n in ours if n.startswith("backend.") and n not in BASE and room(n) != room(me)}
        bad -= {"backend"}
        assert not bad, f"{room(me)} knows another room: {bad}"
    elif me in {"backend.web", "backend.guard", "backend.worker"}:
        assert not {n for n in ours if n.startswith("backend.store")}, "web asks the studio"
    else:
        assert me in COMPOSITION | DISPATCH, f"{me} is in no room of the house"


def test_package_inits_are_empty() -> None:
    for top in ("workflows", "backend", "ui"):
        for path in (ROOT / top).rglob("__init__.py"):
            assert path.read_text(encoding="utf-8") == "", f"{path} is not empty"


def test_workflows_never_looks_at_the_world() -> None:
    banned = {"os", "time", "random", "secrets", "socket", "subprocess", "datetime", "uuid", "requests"}
    for path in (ROOT / "workflows").glob("*.py"):
        used = {n.split(".")[0] for n in imports(path)} & banned
        assert not used, f"{path.name} uses {used}"
