"""The System tab: servers, queue, memory and disks on the left, model files on the right."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from backend.engines.kinds import kind_of
from ui.i18n.texts import escaped, text
from ui.views.machine_panel import machine
from ui.views.model_download import download_panel
from ui.views.model_table import models

if TYPE_CHECKING:
    from backend.models.state import ModelScan, SetOffer, SetRequest
    from backend.studio import Studio

EVENTS = ("pause", "resume")
JS = (
    f"const events = {list(EVENTS)!r};\n"
    "const start = () => window.wanStudio\n"
    "  ? window.wanStudio.grid({element, trigger, watch, events}) : setTimeout(start, 15);\n"
    "start();"
)


CHOOSE_JS = """
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-change]");
  if (!button) return;
  const { role, file, change } = button.dataset;
  trigger("choose", { role, file, change });
});
"""
"""A click on a file of the model table."""


DOWNLOAD_EVENTS = ("look", "plan", "start", "cancel")
DOWNLOAD_JS = (
    f"const events = {list(DOWNLOAD_EVENTS)!r};\n"
    "const start = () => window.wanStudio?.modelDownload\n"
    "  ? window.wanStudio.modelDownload({element, trigger, watch, events}) : setTimeout(start, 15);\n"
    "start();"
)


@dataclass
class System:
    """The tab's components and how they are filled."""

    studio: Studio
    left: Any = None
    right: Any = None
    download: Any = None

    def build(self) -> None:
        with gr.Row(elem_classes=["ws-system"]):
            self.left = gr.HTML(
                _heading(), apply_default_css=False, elem_classes=["ws-machine"], js_on_load=JS
            )
            with gr.Column(elem_classes=["ws-models-column"]):
                self.download = gr.HTML(
                    "", apply_default_css=False, elem_id="ws-download", js_on_load=DOWNLOAD_JS
                )
                self.right = gr.HTML(
                    "", apply_default_css=False, elem_classes=["ws-models"], js_on_load=CHOOSE_JS
                )

    def outputs(self) -> list[Any]:
        """The components that `fill` writes."""
        return [self.left, self.right, self.download]

    def fill(self, owner: str, request: gr.Request) -> dict[Any, str]:
        """Both columns and the download, from one scan of the model files."""
        scan = self.studio.model_scan()
        left = self._machine(owner, request, self.studio.health(scan))
        return {
            self.left: left,
            self.right: self.table(owner, request, scan),
            self.download: self.download_row(owner, request),
        }

    def table(self, owner: str, request: gr.Request, scan: ModelScan | None = None) -> str:
        """The right column."""
        engines = self.studio.engines()
        demo = bool(engines) and all(kind_of(engine).simulated for engine in engines)
        scan = scan or self.studio.model_scan()
        return models(
            scan.files,
            demo,
            str(self.studio.settings.models_dir),
            scan.disk,
            endpoint=any(kind_of(engine).has_workers for engine in engines),
            admin=self.studio.is_admin(owner, request.username or ""),
        )

    def download_row(
        self,
        owner: str,
        request: gr.Request,
        offer: SetOffer | None = None,
        asked: SetRequest | None = None,
    ) -> str:
        """The download of models; "" for everyone but the admin, and where it cannot reach the engine.
        asked: what the form says, if it is not offered."""
        user = request.username or ""
        if not self.studio.is_admin(owner, user) or not self.studio.fetch_available():
            return ""
        known = [one for one in self.studio.engines() if one.vram_total and not kind_of(one).simulated]
        gigabytes = round(known[0].vram_total / (1 << 30)) if known else 0
        return download_panel(self.studio.fetch_progress(owner, user), offer, gigabytes, asked)

    def machine(self, owner: str, request: gr.Request) -> str:
        """The left column."""
        return self._machine(owner, request, self.studio.health())

    def _machine(self, owner: str, request: gr.Request, health: dict[str, Any]) -> str:
        admin = self.studio.is_admin(owner, request.username or "")
        shown = machine(
            self.studio.engines(), self.studio.queue(), health, self.disks(), self.studio.paused(), admin
        )
        return _heading() + shown

    def disks(self) -> dict[str, tuple[int, int]]:
        """name -> (bytes used, bytes in all) of the disks that hold models and library."""
        found: dict[str, tuple[int, int]] = {}
        for name, folder in (
            (text("system.disk_models"), self.studio.settings.models_dir),
            (text("system.disk_library"), self.studio.settings.data_dir),
        ):
            with contextlib.suppress(OSError):
                usage = shutil.disk_usage(folder)
                found[name] = (usage.used, usage.total)
        return found


def _heading() -> str:
    """The tab's heading, for screen readers."""
    return f'<h1 class="sr">{escaped("page.system")}</h1>'
