"""The pinned custom nodes for Animate, and which packages fit which CUDA version. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

REPOSITORIES = "https://github.com"


@dataclass(frozen=True)
class Pack:
    """A repository of custom nodes. `name` is its folder in custom_nodes."""

    owner: str
    name: str
    commit: str
    about: str

    def url(self, base: str = REPOSITORIES) -> str:
        return f"{base.rstrip('/')}/{self.owner}/{self.name}"


PACKS = (
    Pack(
        "kijai",
        "ComfyUI-WanAnimatePreprocess",
        "0e0b6a2a555625acf4d4aefb780e27d06937132f",  # 1.0.3: the first that ComfyUI 0.23 shows .onnx files to
        "finds pose and face (with two .onnx files in models/detection)",
    ),
    Pack(
        "Fannovel16",
        "comfyui_controlnet_aux",
        "e8b689a513c3e6b63edc44066560ca5919c0576e",  # 1.1.5
        "finds the pose (DWPose; it fetches its own files)",
    ),
    Pack(
        "kijai",
        "ComfyUI-KJNodes",
        "3f20054214fec9f9234fd3841ae6f1e4287948f6",  # 1.5.0
        "makes a mask's outline coarse",
    ),
    Pack(
        "kijai",
        "ComfyUI-segment-anything-2",
        "0c35fff5f382803e2310103357b5e985f5437f32",
        "detects the person for Replace (SAM 2; downloads its own files)",
    ),
)


def wanted(requirements: Iterable[str], installed: Mapping[str, str]) -> list[str]:
    """The lines whose package is not installed, without duplicates.

    installed: normalised name -> version.
    """
    found: dict[str, None] = {}
    for line in requirements:
        line = line.split("#")[0].strip()
        name = re.match(r"[A-Za-z0-9][\w.-]*", line)
        if name and normal(name[0]) not in installed:
            found.setdefault(line)
    return list(found)


def constraints(installed: Mapping[str, str]) -> list[str]:
    """Constraints for pip: all installed versions, and an onnxruntime for the CUDA version of PyTorch.

    onnxruntime-gpu is built for CUDA 13 from 1.27 on (its package metadata).
    """
    lines = [f"{name}=={version}" for name, version in sorted(installed.items()) if _exact(version)]
    if "onnxruntime-gpu" not in installed and cuda_of(installed.get("torch", "")) == 12:
        lines.append("onnxruntime-gpu<1.27")
    return lines


def cuda_of(torch: str) -> int:
    """The major CUDA version that a version of PyTorch is built for; 0 for the CPU or when unknown.

    A version without a label is from PyPI and built for CUDA 13 from 2.11 on.
    """
    label = re.search(r"\+cu(\d\d)", torch)
    if label:
        return int(label[1])
    plain = re.fullmatch(r"(\d+)\.(\d+)[\w.]*", torch)
    return (13 if (int(plain[1]), int(plain[2])) >= (2, 11) else 12) if plain else 0


def normal(name: str) -> str:
    """The package name in pip's normalised form."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _exact(version: str) -> bool:
    return re.fullmatch(r"[\w.!+]+", version) is not None
