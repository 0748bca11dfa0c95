"""The model files of one server for the compiler: resolved once for each list that the server reports."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from backend.models.choices import Choice, Choices
from backend.models.lora_files import LoraFiles
from backend.models.resolver import Resolution, Resolver, Server
from backend.models.roots import Roots, configs_of, models_folder
from workflows.catalog import Catalog, load_catalog
from workflows.graph.node_contract import Contract, RoleFile, ServerFacts, facts
from workflows.graph.object_info import FILE_INPUTS

if TYPE_CHECKING:
    from backend.settings.model import Settings

GGUF_LOADER = "UnetLoaderGGUF"


@dataclass(frozen=True)
class Where:
    """Which server it is. local: its files are on this machine; vram, ram (of the computer) in bytes, 0 when
    unknown."""

    address: str
    local: bool = False
    vram: int = 0
    gpu: str = ""
    version: str = ""
    ram: int = 0


class Finder:
    """Server facts with the files of all roles. Reads headers of files on the first call for a list and when
    choices change. Any thread may ask."""

    def __init__(self, settings: Settings, choices: Choices) -> None:
        self._settings = settings
        self.choices = choices
        self._lock = threading.Lock()
        self._known: dict[Where, tuple[Contract, Mapping[str, Choice], ServerFacts]] = {}

    def facts(self, contract: Contract, where: Where) -> ServerFacts:
        """What the server offers, with the files of the catalogue's roles."""
        chosen = self.choices.all()
        with self._lock:
            known = self._known.get(where)
            if known is not None and known[0] is contract and known[1] == chosen:
                return known[2]
        plain = replace(facts(contract), ram=where.ram)
        lists = lists_of(plain)
        roots = roots_of(self._settings) if where.local else None
        models: Mapping[str, RoleFile] = {}
        if lists.get("diffusion_models"):
            server = Server(lists, GGUF_LOADER in plain.nodes, where.vram, where.gpu, where.version)
            found = Resolver(load_catalog(), server, roots, chosen).resolve()
            models = role_files(found, load_catalog())
        plain = replace(plain, models=models, loras=LoraFiles(lists.get("loras", ()), roots))
        with self._lock:
            self._known[where] = (contract, chosen, plain)
        return plain


def lists_of(facts: ServerFacts) -> dict[str, tuple[str, ...]]:
    """Folder -> names of the model files that the server's loader nodes list."""
    found: dict[str, dict[str, None]] = {}
    for key, folder in FILE_INPUTS.items():
        for name in facts.options.get(key, ()):
            found.setdefault(folder, {})[name] = None
    return {folder: tuple(names) for folder, names in found.items()}


def merged_lists(models: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The folders of /models with those that ComfyUI-GGUF adds for its own loaders."""
    found = {folder: dict.fromkeys(names) for folder, names in models.items()}
    for added, folder in (("unet_gguf", "diffusion_models"), ("clip_gguf", "text_encoders")):
        if added in found:
            found.setdefault(folder, {}).update(found[added])
    return {folder: tuple(names) for folder, names in found.items()}


def roots_of(settings: Settings) -> Roots:
    """Where the ComfyUI of this machine looks for model files."""
    comfyui, options = settings.comfyui_dir, settings.comfyui_args
    if comfyui is None:
        return Roots(settings.models_dir, None, configs_of(options))
    configs = [comfyui / config for config in configs_of(options)]
    return Roots(settings.models_dir, models_folder(comfyui, options), configs, comfyui=comfyui)


def role_files(found: Mapping[str, Resolution], catalog: Catalog) -> dict[str, RoleFile]:
    """role -> file for the compiler. A role that cannot be filled keeps the catalogue's name, with the
    reason; one that is simply missing is left out."""
    files: dict[str, RoleFile] = {}
    for role, one in found.items():
        if one.used is not None:
            distilled = one.used.identity.speed == "baked"
            width = one.used.identity.width
            files[role] = RoleFile(one.used.name, distilled, one.obstacle, one.notes, width)
        elif one.obstacle is not None:
            files[role] = RoleFile(catalog.file(role).name, False, one.obstacle, one.notes)
    for file in catalog.files:
        instead = found.get(file.stands_in_for)
        if instead is not None and instead.why == "chosen":  # a choice by hand also wins over the better one
            files[file.role] = files[file.stands_in_for]
    return files
