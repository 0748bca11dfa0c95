"""A run that repeats an earlier one gets the same graphs, also on a server that has better files by now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from workflows.catalog import Catalog
from workflows.compiled import Compiled
from workflows.graph.lora_file import LIST, LoraFile, find, listed, lora_file, partner_of
from workflows.graph.node_contract import RoleFile, ServerFacts
from workflows.graph.object_info import FILE_INPUTS
from workflows.modes.registry import MODES
from workflows.params.field import Field
from workflows.resolved import Resolved
from workflows.spec import ModeParams, specs
from workflows.stages.distill import AUTO, BAKED_ROLES, I2V, T2V

DECIDING = (
    "WanVideoNAG",
    "WanAnimate2ToVideo",
    "WanAnimate2Cache",
    "SDPoseKeypointExtractor",
    "PoseAndFaceDetection",
    "DWPreprocessor",
    "SAM3_VideoTrack",
    "Sam2Segmentation",
    "BlockifyMask",
)
"""Nodes that a mode uses where the server has them, without being asked to."""
CROPS = ("SDPoseKeypointExtractor", "CropByBBoxes")
"""The native pose detection needs the node that crops faces; another one uses it where it is there."""
SWITCHES = {"clip_vision": "CLIPVisionLoader", "easy_cache": "EasyCache"}
"""Parameter -> the node without which it is left out."""
DETECTORS = (("OnnxDetectionModelLoader", "vitpose_model"), ("OnnxDetectionModelLoader", "yolo_model"))
"""Inputs whose file is the first that the server lists."""
CACHES = {"default": "full", "int8": "int8", "int4": "int4"}
"""The type of numbers of WanAnimate2Cache -> the value of `pose_cache`."""
EITHER = ("animate_2", "animate_2_distilled")
"""Roles of which a run uses one, by what the server has."""
SIZE = frozenset({"resolution", "width", "height"})
FREE = SIZE | {"seed", "prompt", "seconds", "start", "duration"}
"""Parameters that can differ between two runs that are otherwise resolved alike."""
OF_SPEED = frozenset({"steps", "cfg", "shift", "distillation", "easy_cache"})
"""Parameters whose values belong to one speed."""
ROLES_OF_SPEED = (
    {role for one in I2V + T2V for role in one.loras.values()} | BAKED_ROLES | {"lora_480p", *EITHER}
)
"""Roles of files that a run has at one speed only."""
NODES_OF_SPEED = ("WanVideoNAG",)
"""Those of DECIDING that a run has at one speed only."""


def for_repetition(
    mode: str, earlier: Mapping[str, Any], stored: Mapping[str, Any], values: Mapping[str, Any]
) -> Resolved | None:
    """The `stored` Resolved of a job with the values `earlier`, as far as it holds for these `values`; None
    where they differ in what a run is resolved by. Absent values are the mode's defaults."""
    found = _without_digests(stored)
    own = {field.name: field.default for field in MODES[mode].fields}
    changed = {n for n in {*earlier, *values} if earlier.get(n, own.get(n)) != values.get(n, own.get(n))}
    if found is None or not changed <= FREE:
        return None
    return found.without(("width", "height")) if changed & SIZE else found


def for_final(stored: Mapping[str, Any], resized: bool, other_speed: bool) -> Resolved | None:
    """The `stored` Resolved of a clip, as far as it applies to its final. `resized`, `other_speed`: whether
    the final has another size or speed. None where nothing is known."""
    found = _without_digests(stored)
    if found is None:
        return None
    if resized:
        found = found.without(("width", "height"))
    if not other_speed:
        return found
    left = ROLES_OF_SPEED.union(found.distilled)
    files = {role: name for role, name in found.files.items() if role not in left}
    nodes = tuple(name for name in found.nodes if name not in NODES_OF_SPEED)
    return replace(found.without(OF_SPEED), files=files, distilled=(), nodes=nodes, free=NODES_OF_SPEED)


def _without_digests(stored: Mapping[str, Any]) -> Resolved | None:
    """A stored Resolved for another run, whose files are looked at again."""
    found = Resolved.from_json(stored)
    return replace(found, digests={}) if found is not None else None


def resolved_of(params: ModeParams, made: Compiled, catalog: Catalog, server: ServerFacts) -> Resolved:
    """What a compiled job took. `catalog`: with the names of its server."""
    nodes = [node for graph in made.graphs for node in graph.values()]
    classes = {node["class_type"] for node in nodes}
    used = [file for file in catalog.files if file.name in made.models]
    found: dict[str, Any] = {"steps": made.steps, "width": made.width, "height": made.height}
    for name in ("cfg", "shift"):
        figures = {node["inputs"][name] for node in nodes if name in node["inputs"]}
        if len(figures) == 1:
            found[name] = figures.pop()
    found |= {name: node in classes for name, node in SWITCHES.items()}
    found["distillation"] = made.distillation
    dtypes = [n["inputs"]["dtype"] for n in nodes if n["class_type"] == "WanAnimate2Cache"]
    found["pose_cache"] = CACHES[dtypes[0]] if dtypes else "off"
    return Resolved(
        {spec.name: found[spec.name] for spec in specs(type(params)) if _can_be(spec, found)},
        {file.role: file.name for file in used},
        tuple(file.role for file in catalog.files if file.distilled),
        tuple(name for name in (*DECIDING, *CROPS[1:]) if name in classes),
        {key: str(n["inputs"][key]) for n in nodes for kind, key in DETECTORS if n["class_type"] == kind},
        catalog.default_negative,
        loras := _own_loras(nodes, {file.name for file in used}),
        sizes={name: size for name in loras if name in server.loras and (size := server.loras[name].size)},
    )


def _own_loras(nodes: Iterable[Mapping[str, Any]], of_roles: Collection[str]) -> tuple[str, ...]:
    names = [node["inputs"]["lora_name"] for node in nodes if node["class_type"] == "LoraLoaderModelOnly"]
    return tuple(dict.fromkeys(name for name in names if name not in of_roles))


def _can_be(spec: object, found: Mapping[str, Any]) -> bool:
    if not isinstance(spec, Field) or spec.name not in found:
        return False
    return spec.kind != "choice" or found[spec.name] in spec.values


def gone(kept: Resolved, server: ServerFacts) -> tuple[str, ...]:
    """The files and nodes of an earlier run that this server does not have."""
    files = [name for name in kept.files.values() if not _spelled(name, server)]
    files += [name for name in kept.loras if not _lora(name, kept, server)]
    files += [name for name in kept.detectors.values() if not _detector_listed(name, server)]
    nodes = [name for name in kept.nodes if server.nodes and name not in server.nodes]
    return tuple(dict.fromkeys((*files, *nodes)))


def kept_params(params: ModeParams, kept: Resolved, lacking: Collection[str], catalog: Catalog) -> ModeParams:
    """The parameters with the earlier run's values where they leave them open. `lacking`: see `gone`."""
    changes = {}
    for spec in specs(type(params)):
        if not isinstance(spec, Field) or spec.name not in kept.values:
            continue
        given = getattr(params, spec.name)
        is_open = given == AUTO or (bool(spec.zero) and given == 0) or (spec.kind == "switch" and given)
        if is_open and not (spec.name == "distillation" and _lacks(kept, lacking, catalog)):
            changes[spec.name] = kept.values[spec.name]
    return replace(params, **changes) if changes else params  # type: ignore[type-var]


def _lacks(kept: Resolved, lacking: Collection[str], catalog: Catalog) -> bool:
    """Whether files of the earlier distillation are gone."""
    known = [one for one in I2V + T2V if one.name == kept.values["distillation"]]
    roles = [role for one in known for role in (*one.loras.values(), *one.experts.values())]
    return any(kept.files.get(role) in lacking for role in roles)


def kept_server(
    kept: Resolved, server: ServerFacts, lacking: Collection[str], catalog: Catalog
) -> ServerFacts:
    """The server with the earlier run's files in their roles, and without what that run did not use."""
    mine = {role: _spelled(name, server) for role, name in kept.files.items() if name not in lacking}
    models = {
        role: replace(file, distilled=role in kept.distilled) if kept.files.get(role) not in lacking else file
        for role, file in server.models.items()
    }
    for role, name in mine.items():
        if role not in models or models[role].name != name:
            models[role] = RoleFile(name, role in kept.distilled)
    hidden = {
        models[file.role].name if file.role in models else file.name
        for file in catalog.files
        if file.role not in kept.files and (file.stands_in_for in mine or _instead(file.role) in mine)
    } - set(mine.values())
    options = {
        key: tuple(name for name in names if name not in hidden) if key in FILE_INPUTS else names
        for key, names in server.options.items()
    }
    for kind, key in DETECTORS:
        if key in kept.detectors and _detector_listed(kept.detectors[key], server):
            options[(kind, key)] = (kept.detectors[key],)
    if LIST in options:
        options[LIST] = without_namesakes(kept, server).options[LIST]
    unused = {name for name in DECIDING if name not in kept.nodes and name not in kept.free}
    if CROPS[0] not in kept.nodes and CROPS[1] not in kept.nodes:
        unused.add(CROPS[1])
    loras = {**server.loras, **_partners(kept, server)}
    nodes = server.nodes - unused or server.nodes
    return replace(server, nodes=nodes, options=options, models=models, loras=loras)


def without_namesakes(kept: Resolved, server: ServerFacts) -> ServerFacts:
    """The server without LoRAs that share the name of one of the earlier run but are other files."""
    names = listed(server) or ()
    used = {each: name for each in kept.loras if (name := _lora(each, kept, server))}
    others = {one for each in used for one in find(each, names).namesakes} - set(used.values())
    if not others:
        return server
    return replace(server, options={**server.options, LIST: tuple(one for one in names if one not in others)})


def _partners(kept: Resolved, server: ServerFacts) -> dict[str, LoraFile]:
    """The earlier run's own LoRAs, each paired with no file that it did not use."""
    names = [name for each in kept.loras if (name := _lora(each, kept, server))]
    found = {}
    for name in names:
        file = lora_file(name, server)
        if file.partner not in names:
            file = replace(file, partner=partner_of(name, [one for one in names if one != name]))
        found[name] = file
    return found


def _instead(role: str) -> str:
    """The other one of EITHER, "" for any other role."""
    return EITHER[1 - EITHER.index(role)] if role in EITHER else ""


def _spelled(name: str, server: ServerFacts) -> str:
    """A model file as this server spells it, "" where it lists others only, or several of its name; unchanged
    where it lists none."""
    lists = [names for key, names in server.options.items() if key in FILE_INPUTS]
    if not lists or any(name in names for names in lists):
        return name
    found = dict.fromkeys(one for names in lists for one in names if _plain(one) == _plain(name))
    return next(iter(found)) if len(found) == 1 else ""


def _lora(name: str, kept: Resolved, server: ServerFacts) -> str:
    """A LoRA of an earlier run as this server spells it, "" where it is not there; of several files with its
    name the one of its size."""
    names = listed(server)
    if names is None:
        return name
    found = find(name, names)
    size = kept.sizes.get(name, 0)
    same = [one for one in found.namesakes if size and one in server.loras and server.loras[one].size == size]
    return same[0] if len(same) == 1 else lora_file(name, server).name


def _plain(name: str) -> str:
    """The name without its folders, which servers write with / or \\."""
    return name.replace("\\", "/").rpartition("/")[2].casefold()


def _detector_listed(name: str, server: ServerFacts) -> bool:
    lists: Iterable[tuple[str, ...]] = [server.options[key] for key in DETECTORS if key in server.options]
    return any(name in names for names in lists)
