"""Compiles a job for an engine and checks the graphs against the engine's node contract."""

from __future__ import annotations

from collections.abc import Sequence

from backend.engines.base import Engine, EngineInfo
from backend.engines.kinds import takes_whole
from backend.errors import GraphRejected, InternalError, MissingModel, MissingNode
from backend.jobs import bundle
from backend.jobs.job import Job
from backend.jobs.params import job_params, refused
from backend.jobs.server_facts import FactsOf, plain_facts
from workflows.catalog import Catalog, load_catalog
from workflows.compile import Compiled, ServerFacts, compile, model_obstacle
from workflows.graph.node_contract import Contract, Problem, check
from workflows.params.values import InvalidParam
from workflows.resolved import Resolved
from workflows.spec import ModeParams

OLDEST_COMFYUI = "0.3.64"


def compile_for(
    params: ModeParams,
    facts: ServerFacts,
    job_id: str,
    catalog: Catalog | None = None,
    keep: Resolved | None = None,
) -> Compiled:
    """Compiles. Raises BadInput for a setting that this server lacks, InternalError for a faulty builder."""
    try:
        return compile(params, catalog or load_catalog(), facts, job_id, keep)
    except InvalidParam as error:
        raise refused(error) from error
    except (KeyError, TypeError, ValueError) as error:
        raise InternalError.of("workflow_failed", detail=repr(error)) from error


def preflight(mode: str, compiled: Compiled, contract: Contract, info: EngineInfo) -> None:
    """Raises MissingModel, MissingNode or GraphRejected for graphs that this server would refuse.

    Input files are not checked: they are uploaded later.
    """
    problems = tuple(
        problem
        for graph in compiled.graphs
        for problem in check(graph, contract)
        if not (problem.kind == "not_in_list" and problem.value in compiled.inputs)
    )
    if problems:
        raise refusal(mode, problems, info)


def refusal(mode: str, problems: tuple[Problem, ...], info: EngineInfo) -> GraphRejected:
    """The error for these problems: missing model files first, then missing and unreadable nodes."""
    detail = "; ".join(f"{p.node} {p.class_type}.{p.input}: {p.message}" for p in problems)
    files = {file.name: file for file in load_catalog().files}
    missing = sorted({str(p.value) for p in problems if p.kind == "not_in_list"} & set(files))
    nodes = sorted({p.class_type for p in problems if p.kind == "unknown_node"})
    unreadable = sorted({p.class_type for p in problems if p.kind == "unreadable_node"})
    if missing:
        return MissingModel.of(
            "server_lacks_models",
            mode=mode,
            command=_fetches(mode, missing),
            files=tuple(missing),
            address=info.address,
            detail=detail,
        )
    if nodes and info.version and _older(info.version, OLDEST_COMFYUI):
        return MissingNode.of(
            "comfyui_too_old",
            mode=mode,
            oldest=OLDEST_COMFYUI,
            version=info.version,
            address=info.address,
            detail=detail,
        )
    if nodes:
        return MissingNode.of(
            "server_lacks_nodes", mode=mode, names=tuple(nodes), address=info.address, detail=detail
        )
    if unreadable:
        return MissingNode.of(
            "nodes_unreadable", mode=mode, names=tuple(unreadable), address=info.address, detail=detail
        )
    return GraphRejected.of("workflow_refused", detail=detail)


def _fetches(mode: str, names: Sequence[str]) -> str:
    """What `models download` takes to fetch these files: the mode, unless it does not fetch all of them."""
    fetched = {file.name for file in load_catalog().sets(mode)[0][1]}
    return mode if fetched.issuperset(names) else next(name for name in names if name not in fetched)


def _older(version: str, than: str) -> bool:
    """Whether a dotted version precedes another; False for one that cannot be parsed."""
    try:
        return [int(part) for part in version.split(".")] < [int(part) for part in than.split(".")]
    except ValueError:
        return False


def checked(job: Job, engine: Engine, facts_of: FactsOf = plain_facts) -> Compiled:
    """A job compiled for this engine and checked against its contract. An engine without a contract gets
    graphs for the recorded ComfyUI, unchecked. Raises StudioError."""
    contract = engine.contract()
    server = facts_of(engine.info(), contract)
    params = job_params(job)
    keep = Resolved.from_json(job.resolved)
    made = compile_for(params, server, job.id, keep=keep)
    if contract is not None:
        obstacle = model_obstacle(params, made, server, keep)
        if obstacle is not None:
            raise MissingModel.because(obstacle)
        preflight(job.mode, made, contract, engine.info())
    return made


def compiled(job: Job, engine: Engine, facts_of: FactsOf = plain_facts) -> Compiled:
    """A job compiled for this engine; one graph for an engine that takes whole jobs. Raises StudioError."""
    made = checked(job, engine, facts_of)
    return bundle.as_one(made) if takes_whole(engine.info()) else made
