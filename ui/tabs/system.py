"""System: the servers, the queue and its pause, and the model files."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from backend.engines.kinds import kind_of
from ui.i18n.texts import text
from ui.views.machine_panel import machine
from ui.views.model_table import models

if TYPE_CHECKING:
    from backend.studio import Studio

EVENTS = ("pause", "resume")
JS = (
    f"const events = {list(EVENTS)!r};\n"
    "const start = () => window.wanStudio\n"
    "  ? window.wanStudio.grid({element, trigger, watch, events}) : setTimeout(start, 15);\n"
    "start();"
)


@dataclass
class System:
    """The tab's components and how they are filled."""

    studio: Studio
    left: Any = None
    right: Any = None

    def build(self) -> None:
        with gr.Row(elem_classes=["ws-system"]):
            self.left = gr.HTML("", apply_default_css=False, elem_classes=["ws-machine"], js_on_load=JS)
            self.right = gr.HTML("", apply_default_css=False, elem_classes=["ws-models"])

    def outputs(self) -> list[Any]:
        return [self.left, self.right]

    def fill(self, owner: str, request: gr.Request) -> list[str]:
        """Both columns, as of now."""
        engines = self.studio.engines()
        demo = bool(engines) and all(kind_of(engine).simulated for engine in engines)
        health = self.studio.health()
        taken = health.get("models_disk")  # mode -> bytes, once the inventory says
        return [
            self._machine(owner, request, health),
            models(
                self.studio.models(),
                demo,
                str(self.studio.settings.models_dir),
                taken if isinstance(taken, dict) else {},
                endpoint=any(kind_of(engine).has_workers for engine in engines),
            ),
        ]

    def machine(self, owner: str, request: gr.Request) -> str:
        """The left column, as of now."""
        return self._machine(owner, request, self.studio.health())

    def _machine(self, owner: str, request: gr.Request, health: dict[str, Any]) -> str:
        admin = self.studio.is_admin(owner, request.username or "")
        return machine(
            self.studio.engines(), self.studio.queue(), health, self.disks(), self.studio.paused(), admin
        )

    def disks(self) -> dict[str, tuple[int, int]]:
        """The disks that models and library lie on, as far as this machine sees them."""
        found: dict[str, tuple[int, int]] = {}
        for name, folder in (
            (text("system.disk_models"), self.studio.settings.models_dir),
            (text("system.disk_library"), self.studio.settings.data_dir),
        ):
            with contextlib.suppress(OSError):
                usage = shutil.disk_usage(folder)
                found[name] = (usage.used, usage.total)
        return found
