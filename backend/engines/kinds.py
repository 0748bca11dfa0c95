"""The kinds of engine, one row of data each. Code reads the capabilities of a row instead of comparing the
name of a kind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit

from backend.engines.base import EngineInfo
from backend.formatting import Location
from workflows.notice import Code, Notice, notice


@dataclass(frozen=True)
class EngineKind:
    """Names and capabilities of one kind of engine."""

    id: str  # EngineInfo.kind, in /healthz and in benchmark files
    name: str  # for a heading
    server: str  # within a sentence: "Waiting for ... to start"
    subject: str  # at the start of a sentence: "... stopped unexpectedly"
    service: str  # the full product name; stored with jobs unless a GPU is reported
    location: Location  # where a video is made
    silent: Code  # notice for an engine that does not respond; its argument is the address of a local one
    takes_whole: bool  # takes mode, parameters and media (Prompt.request) and compiles the graph itself
    has_contract: bool  # describes its nodes (/object_info), so that graphs can be checked before submission
    simulated: bool  # renders without models; results are marked DEMO
    reports_gpu: bool  # EngineInfo has GPU, memory and PyTorch version
    has_workers: bool  # an endpoint: reports counts of workers and jobs instead of memory
    runs_locally: bool  # is a process with its own address, possibly on this machine
    runs_from_folder: bool  # runs from a ComfyUI folder, which COMFYUI_DIR may name
    adoptable: bool  # a running one is used; otherwise this studio starts one
    lists_files: bool  # the listed models are files on the disk of its machine
    error_is_reason: bool  # EngineInfo.error is an explanation for the user
    keeps_logs: bool  # logs of its processes are kept after the studio stops


COMFYUI = EngineKind(
    id="comfyui",
    name="ComfyUI",
    server="ComfyUI",
    subject="ComfyUI",
    service="ComfyUI",
    location="gpu",
    silent="comfyui_silent",
    takes_whole=False,
    has_contract=True,
    simulated=False,
    reports_gpu=True,
    has_workers=False,
    runs_locally=True,
    runs_from_folder=True,
    adoptable=True,
    lists_files=True,
    error_is_reason=False,
    keeps_logs=True,
)
RUNPOD = EngineKind(
    id="runpod",
    name="RunPod",
    server="RunPod",
    subject="RunPod",
    service="RunPod Serverless",
    location="runpod",
    silent="runpod_silent",
    # The intermediate files of a long job are too large to be sent through RunPod, and only the worker knows
    # the available nodes.
    takes_whole=True,
    has_contract=False,
    simulated=False,
    reports_gpu=False,
    has_workers=True,
    runs_locally=False,
    runs_from_folder=False,
    adoptable=False,
    lists_files=False,
    error_is_reason=True,
    keeps_logs=False,
)
DEMO = EngineKind(
    id="demo",
    name="Demo",
    server="the demo engine",
    subject="The demo engine",
    service="demo",
    location="demo",
    silent="demo_silent",
    takes_whole=False,
    has_contract=True,
    simulated=True,
    reports_gpu=False,  # the reported device is simulated
    has_workers=False,
    runs_locally=True,
    runs_from_folder=False,
    adoptable=False,
    lists_files=False,
    error_is_reason=False,
    keeps_logs=False,
)

KINDS: Mapping[str, EngineKind] = MappingProxyType({row.id: row for row in (COMFYUI, RUNPOD, DEMO)})


LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Host names of this machine."""
_NAMED = re.compile(rf"\(({'|'.join(KINDS)}) ?([\w.+-]*)\)$")
"""The end of the name of an engine that reports its GPU."""


def kind_of(info: EngineInfo) -> EngineKind:
    """The kind of the engine that reported a snapshot."""
    return KINDS[info.kind]


def engine_name(info: EngineInfo) -> str:
    """The engine name that a job stores and that estimates are grouped by."""
    row = kind_of(info)
    return f"{info.gpu or row.id} ({row.id} {info.version})".strip() if row.reports_gpu else row.service


def version_in(name: str) -> str:
    """The version in a name that engine_name made, "" where there is none."""
    found = _NAMED.search(name)
    return found[2] if found else ""


def kind_in(name: str) -> str:
    """The kind of the engine whose name engine_name made, "" for an unknown one."""
    found = _NAMED.search(name)
    by_name = {row.service: row.id for row in KINDS.values()}
    return found[1] if found else by_name.get(name, "")


def location(info: EngineInfo) -> Location:
    """Where a video is made; "here" until the server has reported its GPU."""
    row = kind_of(info)
    return row.location if info.gpu or not row.reports_gpu else "here"


def silent(info: EngineInfo) -> Notice:
    """The notice for an engine that does not respond, with the reason where it is known."""
    row = kind_of(info)
    if info.fault is not None:
        return info.fault
    if row.error_is_reason and info.error is not None:
        return info.error
    return notice(row.silent, address=info.address) if row.runs_locally else notice(row.silent)


def shares_disk(info: EngineInfo) -> bool:
    """Whether the model files that a server lists are files on this machine's disk."""
    return kind_of(info).lists_files and urlsplit(info.address).hostname in LOOPBACK


def takes_whole(info: EngineInfo) -> bool:
    """Whether the engine takes whole jobs (Prompt.request) instead of graphs."""
    return kind_of(info).takes_whole
