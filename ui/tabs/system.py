"""System: what the engine says of itself, and the model files it has."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from ui.system import machine, models

if TYPE_CHECKING:
    from backend.studio import Studio


@dataclass
class System:
    """The tab's components and how they are filled."""

    studio: Studio
    left: Any = None
    right: Any = None

    def build(self) -> None:
        with gr.Row(elem_classes=["ws-system"]):
            self.left = gr.HTML("", apply_default_css=False, elem_classes=["ws-machine"])
            self.right = gr.HTML("", apply_default_css=False, elem_classes=["ws-models"])

    def outputs(self) -> list[Any]:
        return [self.left, self.right]

    def fill(self) -> list[str]:
        """Both columns, as of now."""
        engines = self.studio.engines()
        demo = bool(engines) and all(engine.kind == "demo" for engine in engines)
        health = self.studio.health()
        taken = health.get("models_disk")  # mode -> bytes, once the inventory says
        return [
            machine(engines, self.studio.queue(), health, self.disks()),
            models(
                self.studio.models(),
                demo,
                str(self.studio.settings.models_dir),
                taken if isinstance(taken, dict) else {},
            ),
        ]

    def disks(self) -> dict[str, tuple[int, int]]:
        """The disks that models and library lie on, as far as this machine sees them."""
        found: dict[str, tuple[int, int]] = {}
        for name, folder in (
            ("Disk, models", self.studio.settings.models_dir),
            ("Disk, library", self.studio.settings.data_dir),
        ):
            with contextlib.suppress(OSError):
                usage = shutil.disk_usage(folder)
                found[name] = (usage.used, usage.total)
        return found
