"""Between a submitted job and an engine: compiled graphs, checked against what this engine takes."""

from __future__ import annotations

from backend.engines.base import Engine, EngineInfo
from backend.engines.kinds import takes_whole
from backend.errors import BadInput, GraphRejected, InternalError, MissingModel, MissingNode
from backend.jobs import bundle
from backend.jobs.job import Job
from backend.jobs.params import job_params
from backend.notices import files_text
from workflows.catalog import Catalog, load_catalog
from workflows.compile import Compiled, ServerFacts, compile
from workflows.graph.node_contract import Contract, Problem, check, facts, recorded
from workflows.modes.registry import title
from workflows.params.values import InvalidParam
from workflows.spec import ModeParams

OLDEST_COMFYUI = "0.3.64"


def compile_for(
    params: ModeParams, facts: ServerFacts, job_id: str, catalog: Catalog | None = None
) -> Compiled:
    """Compiles; a failure here is a mistake of ours or a setting that no constructor saw."""
    try:
        return compile(params, catalog or load_catalog(), facts, job_id)
    except InvalidParam as error:
        raise BadInput(error.message, error.hint, field=error.field) from error
    except (KeyError, TypeError, ValueError) as error:
        raise InternalError("The workflow could not be built.", detail=repr(error)) from error


def preflight(mode: str, compiled: Compiled, contract: Contract, info: EngineInfo) -> None:
    """Raises what this server would refuse: MissingModel, MissingNode, else GraphRejected.

    Pictures are left out: they are sent after this check.
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
    """What these problems amount to, in a creator's words."""
    detail = "; ".join(f"{p.node} {p.class_type}.{p.input}: {p.message}" for p in problems)
    files = {file.name: file for file in load_catalog().files}
    missing = sorted({str(p.value) for p in problems if p.kind == "not_in_list"} & set(files))
    nodes = sorted({p.class_type for p in problems if p.kind == "unknown_node"})
    unreadable = sorted({p.class_type for p in problems if p.kind == "unreadable_node"})
    where = f"The ComfyUI at {info.address}"
    if missing:
        return MissingModel(
            f"{title(mode)} needs {files_text(missing)}. {where} does not have it.",
            f"Run `python app.py models download {mode}`; System lists what is seen.",
            detail=detail,
        )
    if nodes:
        names = ", ".join(nodes)
        if info.version and _older(info.version, OLDEST_COMFYUI):
            return MissingNode(
                f"{title(mode)} needs ComfyUI {OLDEST_COMFYUI} or newer; this one is {info.version}.",
                f"Update ComfyUI at {info.address}.",
                detail=detail,
            )
        return MissingNode(
            f"{title(mode)} needs parts that {where[0].lower()}{where[1:]} does not have: {names}.",
            "Update ComfyUI, or add the custom nodes that bring them.",
            detail=detail,
        )
    if unreadable:
        return MissingNode(
            f"{title(mode)} needs {', '.join(unreadable)}. {where} describes it in a way that Wan Studio"
            " cannot read.",
            "Update ComfyUI and its custom nodes; one of them may replace this node by a faulty one.",
            detail=detail,
        )
    return GraphRejected("This ComfyUI would not take the workflow.", detail=detail)


def _older(version: str, than: str) -> bool:
    """Whether a dotted version comes before another; what cannot be read counts as not older."""
    try:
        return [int(part) for part in version.split(".")] < [int(part) for part in than.split(".")]
    except ValueError:
        return False


def checked(job: Job, engine: Engine) -> Compiled:
    """A job's graphs for this engine, checked against its contract; for one that does not describe its nodes
    they are made by what is recorded of ComfyUI, and there is nothing to check. Raises StudioError."""
    contract = engine.contract()
    made = compile_for(job_params(job), facts(contract or recorded()), job.id)
    if contract is not None:
        preflight(job.mode, made, contract, engine.info())
    return made


def compiled(job: Job, engine: Engine) -> Compiled:
    """The runner's compiler: a job for this engine, in the form that it takes. Raises StudioError."""
    made = checked(job, engine)
    return bundle.as_one(made) if takes_whole(engine.info()) else made
