"""What each kind of engine can do, and that nothing outside its row decides by its name."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.engines import kinds
from backend.engines.base import EngineInfo
from backend.engines.kinds import KINDS, engine_name, location, silent, takes_whole
from backend.engines.runpod.engine import Endpoint, RunPodEngine
from backend.engines.runpod.http import RunPodHttp
from backend.jobs import preflight
from backend.jobs.job import Job
from backend.jobs.offers import Offers
from backend.notices import words
from tests.support.fake_engine import FakeEngine
from tests.support.paths import ROOT
from tests.support.sources import parsed
from workflows.graph.node_contract import Contract, facts, recorded
from workflows.notice import notice

ROWS = {
    "comfyui": {"has_contract", "reports_gpu", "runs_locally", "runs_from_folder", "adoptable", "lists_files",
                "keeps_logs"},
    "runpod": {"takes_whole", "has_workers", "error_is_reason"},
    "demo": {"has_contract", "simulated", "runs_locally"},
}  # fmt: skip
"""kind -> what is true of it"""

SETTING = ("settings.engine", "self.settings.engine")
"""WAN_ENGINE: how an engine is found, which is not the kind of the one that was found."""

SOURCES = ("app.py", "backend", "ui", "benchmarks", "scripts")


def test_rows() -> None:
    assert set(KINDS) == set(ROWS)
    for name, row in KINDS.items():
        assert row.id == name
        assert {field for field, value in vars(row).items() if value is True} == ROWS[name]
        assert all(value for value in vars(row).values() if isinstance(value, str))


@pytest.mark.parametrize(
    ("info", "name", "there"),
    [
        (EngineInfo("comfyui", "u", version="0.4", gpu="RTX 4090"), "RTX 4090 (comfyui 0.4)", "gpu"),
        (EngineInfo("comfyui", "u", version="0.3.64"), "comfyui (comfyui 0.3.64)", "here"),
        (EngineInfo("runpod", "u"), "RunPod Serverless", "runpod"),
        (EngineInfo("demo", "u", version="0.3.64", gpu="Demo"), "demo", "demo"),
    ],
)  # fmt: skip
def test_names_and_locations(info: EngineInfo, name: str, there: str) -> None:
    assert (engine_name(info), location(info)) == (name, there)


def test_what_is_said_of_one_that_does_not_answer() -> None:
    said = words(silent(EngineInfo("comfyui", "http://gpu:8188", error=notice("text", text="refused"))))
    assert said == "ComfyUI does not answer at http://gpu:8188. Check that it is running."
    said = words(silent(EngineInfo("demo", "http://gpu:8188", error=notice("text", text="refused"))))
    assert said == "The demo engine does not answer at http://gpu:8188."
    assert (
        words(silent(EngineInfo("runpod", "u", error=notice("text", text="No such key {x}."))))
        == "No such key {x}."
    )
    said = words(silent(EngineInfo("runpod", "u")))
    assert said == "RunPod does not answer. Check the connection to the internet."


class Unanswered(FakeEngine):
    """A ComfyUI that has not described its nodes yet."""

    def known_contract(self) -> Contract | None:
        return None


def endpoint() -> RunPodEngine:
    return RunPodEngine(Endpoint(RunPodHttp("http://127.0.0.1:9", "abc", "key")))


def test_an_endpoint_has_no_contract_and_is_planned_with_all_the_same() -> None:
    engine = endpoint()
    assert not kinds.kind_of(engine.info()).has_contract
    assert engine.contract() is None and engine.known_contract() is None
    offers = Offers((Unanswered(), engine)).all()
    assert [(offer.info.kind, offer.facts) for offer in offers] == [("runpod", facts(recorded()))]
    engine.close()


def test_while_no_server_has_described_its_nodes_the_first_is_planned_with() -> None:
    offers = Offers((Unanswered("http://one"), Unanswered("http://two"))).all()
    assert [(offer.info.address, offer.facts) for offer in offers] == [("http://one", facts(recorded()))]


def test_a_job_for_an_endpoint_is_compiled_by_what_is_recorded() -> None:
    engine, job = endpoint(), Job("j", "o", "text_to_video", {"prompt": "a boat", "seed": 1}, {}, 0.0)
    assert takes_whole(engine.info())
    assert preflight.compiled(job, engine).graphs == preflight.compiled(job, FakeEngine()).graphs
    engine.close()


def decisions(tree: ast.AST) -> list[int]:
    """Lines on which an engine's kind, or its row, is compared, matched or looked up by name."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.expr | ast.pattern) and any(map(_names_a_kind, _decided_by(node)))
    ]


def _decided_by(node: ast.expr | ast.pattern) -> list[ast.expr]:
    """What an expression or a case decides by; nothing for one that decides nothing, or by WAN_ENGINE."""
    match node:
        case ast.Compare():
            sides = [node.left, *node.comparators]
            return [] if any(ast.unparse(side) in SETTING for side in sides) else sides
        case ast.MatchValue():
            return [node.value]
        case ast.Subscript(value=ast.Dict() as table) | ast.Attribute(value=ast.Dict() as table):
            return [table]
        case ast.Call(func=ast.Attribute(attr="startswith" | "endswith")):
            return node.args
    return []


def _names_a_kind(node: ast.expr | None) -> bool:
    if isinstance(node, ast.Constant):
        return node.value in tuple(KINDS)
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(map(_names_a_kind, node.elts))
    if isinstance(node, ast.Dict):
        return any(map(_names_a_kind, node.keys))
    if isinstance(node, ast.Attribute) and node.attr == "id":
        return _names_a_kind(node.value)
    rows = ("COMFYUI", "RUNPOD", "DEMO")
    return (isinstance(node, ast.Name) and node.id in rows) or (
        isinstance(node, ast.Attribute) and node.attr in rows
    )


@pytest.mark.parametrize(
    "source",
    [
        'info.kind == "demo"',
        '"runpod" != kind',
        'engine.kind in ("comfyui", "demo")',
        '{"demo": "Demo"}.get(engine.kind, "ComfyUI")',
        '{"demo": 1, "runpod": 2}[engine.kind]',
        "kind_of(info) is kinds.DEMO",
        "info.kind == RUNPOD.id",
        'info.kind.startswith("runpod")',
        """
        match info.kind:
            case "comfyui":
                pass
        """,
        'job.engine == "demo"',
    ],
)
def test_a_decision_by_name_is_found(source: str) -> None:
    assert decisions(ast.parse(textwrap.dedent(source)))


@pytest.mark.parametrize(
    "source",
    ['settings.engine == "demo"', 'Choice("runpod", (), start=False)', 'row = {"demo": demo}', "RUNPOD.id"],
)
def test_the_setting_and_plain_uses_are_no_decisions(source: str) -> None:
    assert decisions(ast.parse(source)) == []


def sources() -> Iterator[Path]:
    for name in SOURCES:
        path = ROOT / name
        yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def test_no_kind_is_compared_with_a_name_outside_its_row() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sources()
        if path != Path(kinds.__file__).resolve()
        for line in decisions(parsed(path))
    ]
    assert found == []
