"""Assembles the page: header, tabs, job card, and which handler answers which event. One Blocks per app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from ui.actions.again import Again
from ui.actions.choices import Choices
from ui.actions.compare import Compare
from ui.actions.extend import Extend
from ui.actions.fill import FillForms
from ui.actions.finish import Finish
from ui.actions.generate import plan_on, submit_on_generate
from ui.actions.keeping import Keeping, undo_box
from ui.actions.library import LibraryActions
from ui.actions.model_download import ModelDownload
from ui.actions.offers import Offers
from ui.actions.once import Once
from ui.actions.presets import LoadPreset
from ui.actions.recipes import Recipes
from ui.actions.restore import RestoreForms
from ui.actions.stage import Stage
from ui.actions.system import SystemActions
from ui.actions.visit import TAKE_LINK, Visit
from ui.api.endpoints import register
from ui.forms.drafts import Drafts
from ui.forms.input_folder import InputFolder
from ui.forms.lora_picker import LoraPicker
from ui.forms.planner import Planner
from ui.forms.presets import PresetBox
from ui.forms.widgets import Form
from ui.gradio_fixes import broken_uploads, file_records, lean_config, sessions, upload_progress
from ui.gradio_fixes.raw_calls import exception_handlers
from ui.head import ADDRESS, launch_options, routes, starters
from ui.i18n.texts import text
from ui.job_card import Card
from ui.queue_panel import Queue
from ui.tabs.library import Library
from ui.tabs.registry import TABS
from ui.tabs.system import System
from ui.views.card_state import Starter
from ui.views.connection import connection_lines
from ui.views.header import header, public_line
from workflows.modes.registry import MODES

if TYPE_CHECKING:
    from backend.studio import Studio

__all__ = ["build", "exception_handlers", "launch_options", "routes"]

PUBLIC = "ws-public"
OFFERS_JS = (
    'const events = ["use"];'
    " const go = () => window.wanStudio?.offers"
    " ? window.wanStudio.offers({element, trigger, watch, upload}) : setTimeout(go, 15); go();"
)
STORAGE_KEY = "wan-studio-owner"
QUEUED: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": 16}
DIRECT: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
CLIENT: dict[str, Any] = {"api_visibility": "private"}
"""Only QUEUED events can show a message, which travels through the queue; DIRECT ones take one request,
CLIENT ones none."""
BEFORE_FILL = "(...given) => { window.wanStudio.drafts.before(); return given; }"
AFTER_RESTORE = "() => window.wanStudio.drafts.restored()"
AFTER_PRESET = "() => window.wanStudio.presets.applied()"
AFTER_EXTEND = "(answer) => window.wanStudio.extend.answered({!r}, answer)"
KNOW_OWNER = "(owner) => window.wanStudio.extend.owner(owner)"
AFTER_PRESS = "() => window.wanStudio.pressable({!r})"
"""Enables the buttons that a press has disabled; an answer that changes nothing on the page replaces none."""


def build(studio: Studio) -> gr.Blocks:
    """The page of this studio. Launch it with launch_options()."""
    broken_uploads.clean_up()
    upload_progress.bound()
    blocks = _Page(studio).blocks
    sessions.bound(blocks)
    file_records.keep_none(blocks)
    return blocks


def update_public_warning(page: gr.Blocks, studio: Studio) -> None:
    """Updates the warning about public access once the page is served and its addresses are known."""
    warning = studio.public_warning()
    line = next(block for block in page.blocks.values() if getattr(block, "elem_id", None) == PUBLIC)
    html = public_line(warning) if warning else ""
    if line.value != html:
        line.value, line.visible = html, bool(html)
        page.config = page.get_config_file()


class _Page:
    """Holds the components while the page is built."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.negative = text("advanced.negative")  # replaces the catalogue's Chinese one
        self.planner = Planner(studio, self.negative)
        self.starters = starters()
        shown = [
            Starter(s["title"], f"{ADDRESS}/starters/{s.get('small') or s['file']}") for s in self.starters
        ]
        begin = {tab.key: tab.begin for tab in TABS}
        self.card = Card(studio, shown, begin, f"{ADDRESS}/starters")
        self.stage = Stage(studio, self.card)
        self.finish = Finish(studio, self.stage)
        self.extend = Extend(studio, self.card, self.stage)
        self.input_folder = InputFolder(studio, self.planner.files)
        self.visit = Visit(studio, self.card, self.input_folder)
        self.library, self.system = Library(studio, starters=shown), System(studio)
        self.once = Once()
        self.queue = Queue(self.card, self.once)
        self.drafts = Drafts(studio)
        self.presets = PresetBox(studio, self.negative)
        self.forms: dict[str, Form] = {}
        self.choosers: dict[str, Any] = {}  # id of a tab with several forms -> the component that chooses
        # no delete_cache: it deletes at shutdown; backend/storage removes old uploads
        with gr.Blocks(title=text("page.title"), analytics_enabled=False, fill_width=True) as self.blocks:
            self._build()
            self._wire_forms()
            self._wire_visit()
            self._wire_card()
            self.queue.wire(self.visit.owner, self.shown, DIRECT, QUEUED)
            self._wire_library()
            self._wire_system()
            self._wire_drafts()
            register(studio)
            lean_config.leave_out(self.blocks)

    def _build(self) -> None:
        """Creates the components from top to bottom."""
        studio = self.studio
        known = Choices(studio, self.planner.files)
        pairs = Compare(studio, known)

        # Gradio sets attributes on the function, which a bound method does not allow
        async def choices(asked: Any = None, request: gr.Request = None) -> dict[str, Any]:
            return await known.answer(asked, request)

        async def finals(asked: Any = None, request: gr.Request = None) -> dict[str, Any]:
            return await self.finish.answer(asked, request)

        async def compared(asked: Any = None, request: gr.Request = None) -> dict[str, Any]:
            return await pairs.answer(asked, request)

        async def extend_plan(asked: Any = None, request: gr.Request = None) -> dict[str, Any]:
            return await self.extend.plan(asked, request)

        self.visit.owner = gr.BrowserState("", storage_key=STORAGE_KEY, secret=studio.secret("browser"))
        self.visit.admin_link = gr.Textbox("", visible="hidden", container=False, elem_id="ws-admin")
        self.visit.private_link = gr.Textbox("", visible="hidden", container=False, elem_id="ws-wanted")
        self.answer = gr.Textbox("", visible="hidden", container=False, elem_id="ws-answer")
        gr.HTML(
            header(studio.engines(), None),
            elem_id="ws-header",
            apply_default_css=False,
            js_on_load=None,
        )
        self.queue.build()
        warning = studio.public_warning()
        with gr.Column(elem_id="ws-page"):
            gr.HTML(connection_lines(), elem_id="ws-connection", apply_default_css=False, js_on_load=None)
            gr.HTML(
                public_line(warning) if warning else "",
                visible=bool(warning),
                elem_id=PUBLIC,
                apply_default_css=False,
            )
            self.offers = gr.HTML("", elem_id="ws-offers", js_on_load=OFFERS_JS)
            with gr.Tabs(selected=TABS[0].id, overflow_behavior="wrap", elem_id="ws-tabs") as self.tabs:
                self._build_tabs()
            self.shown = self.visit.shown = self.card.component(choices, finals, compared, extend_plan)
        self.undo = undo_box()
        self.drafts.build(self.forms)
        LoraPicker(self.studio).build()
        self.presets.build()

    def _build_tabs(self) -> None:
        for tab in TABS:
            with gr.Tab(tab.title, id=tab.id, elem_id=f"tab-{tab.key}"):
                if len(tab.modes) == 1 and MODES[tab.modes[0]].media:
                    self.input_folder.box(tab.modes[0])
                layout = tab.build(self.studio.settings.max_upload_mb, self.negative)
            for form in layout.forms:
                self.forms[form.mode] = form
            if layout.kind is not None:
                self.choosers[tab.id] = layout.kind
        with gr.Tab(text("page.library"), id="library", elem_id="tab-library") as self.library_tab:
            self.library.build()
        with gr.Tab(text("page.system"), id="system", elem_id="tab-system") as self.system_tab:
            self.system.build()

    def _wire_forms(self) -> None:
        for mode, form in self.forms.items():
            if mode in self.input_folder.boxes:
                self.input_folder.wire(form, self.visit.owner, **QUEUED)
            plan_on(self.planner, form, self.visit.owner)
            submit_on_generate(self.planner, self.stage, form, self.visit.owner, self.shown, **QUEUED)

    def _wire_visit(self) -> None:
        visit = self.visit
        loaded = self.blocks.load(visit.on_load, visit.inputs(), visit.outputs(), js=TAKE_LINK, **DIRECT)
        loaded.then(None, visit.owner, None, js=KNOW_OWNER, **CLIENT)
        visit.admin_link.change(visit.report_admin_link, visit.admin_link, None, **QUEUED)

    def _wire_card(self) -> None:
        card, stage, owner = self.shown, self.stage, self.visit.owner
        grid = self._grid()
        pressable = AFTER_PRESS.format('#ws-card [data-act="cancel"]')
        card.cancel(stage.cancel, owner, card, **QUEUED).then(None, js=pressable, **CLIENT)
        card.finished(stage.finished, owner, card, **QUEUED).then(**grid, **DIRECT)
        card.redraw(stage.redraw, owner, card, **DIRECT)
        card.show(stage.show, owner, card, **QUEUED)
        longer = self.extend
        for event, act, name in (
            (card.extend, longer.extend, "extend"),
            (card.reroll, longer.reroll, "reroll"),
        ):
            pressed = event(act, owner, [card, self.answer], **QUEUED)
            pressed.then(None, self.answer, None, js=AFTER_EXTEND.format(name), **CLIENT)
        self.again = again = Again(self.studio, self.planner.files, stage)
        card.again(again.again, owner, card, **QUEUED)
        card.quality(self.finish.quality, owner, card, **QUEUED)
        card.finish(self.finish.finish, owner, card, **QUEUED).then(**grid, **DIRECT)
        card.retry(again.retry, owner, card, **QUEUED)
        card.vary(again.vary, owner, card, **QUEUED)
        card.library(lambda: gr.Tabs(selected="library"), None, self.tabs, **DIRECT).then(**grid, **DIRECT)
        self.fill = FillForms(self.studio, self.planner, self.forms, self.tabs, self.choosers, self.starters)
        outputs = self.fill.outputs()
        fills: dict[str, Any] = {"js": BEFORE_FILL, **QUEUED}
        card.reuse(self.fill.reuse, owner, outputs, **fills)
        card.frame(self.fill.use_frame, None, outputs, **fills)
        card.picture(self.fill.use_picture, owner, outputs, **fills)
        card.send(self.fill.send, owner, outputs, **fills)
        last = {**fills, "trigger_mode": "always_last"}  # of two fast presses the second one counts
        card.starter(self.fill.use_starter, None, outputs, **last)
        card.sample(self.fill.use_sample, None, outputs, **last)
        self.library.tiles.starter(self.fill.use_starter, None, outputs, **last)
        self.library.tiles.reuse(self.fill.reuse, owner, outputs, **fills)
        self.library.tiles.send(self.fill.send, owner, outputs, **fills)
        pressable = AFTER_PRESS.format("[data-offer]")
        offers = Offers(self.studio, self.fill, Recipes(self.studio, self.fill, self.offers))
        self.offers.use(offers.use, owner, [*outputs, self.offers], **fills).then(
            None, js=pressable, **CLIENT
        )

    def _wire_library(self) -> None:
        library, tiles, owner, grid = self.library, self.library.tiles, self.visit.owner, self._grid()
        actions = LibraryActions(self.studio, self.fill, self.again, self.card, self.shown)
        tiles.show(actions.show, owner, actions.outputs(), **QUEUED)
        tiles.retry(actions.retry, owner, actions.outputs(), **QUEUED)
        tiles.vary(actions.vary, owner, actions.outputs(), **QUEUED)
        keeping = Keeping(self.studio, self.card, library, self.shown, self.undo, self.once)
        read, written = keeping.inputs(owner), keeping.outputs()
        for place in (tiles, self.shown):
            place.delete(keeping.delete, read, written, **QUEUED)
            place.pin(keeping.pin, read, written, **QUEUED)
            place.unpin(keeping.unpin, read, written, **QUEUED)
        self.shown.keep_picked(keeping.keep, read, written, **QUEUED)
        self.undo.undo(keeping.undo, read, written, **QUEUED)
        tiles.more(library.more, library.limit, library.limit, **QUEUED).then(**grid, **QUEUED)
        self.library_tab.select(**grid, **DIRECT)
        gr.on(
            [library.mode.change, library.status.change, library.search.change],
            **grid,
            trigger_mode="always_last",
            **QUEUED,
        )

    def _wire_system(self) -> None:
        system, owner = self.system, self.visit.owner
        actions = SystemActions(self.studio, system, self.once)
        for event in (self.system_tab.select, self.shown.engine):
            event(system.fill, owner, system.outputs(), **DIRECT)
        self.shown.system(system.machine, owner, system.left, **DIRECT)
        system.left.pause(actions.pause, owner, system.left, **QUEUED)
        system.left.resume(actions.resume, owner, system.left, **QUEUED)
        system.right.choose(actions.choose, owner, system.right, **QUEUED)
        ModelDownload(self.studio, system, self.once).wire(owner, DIRECT, QUEUED)

    def _wire_drafts(self) -> None:
        restore = RestoreForms(self.studio, self.fill).restore
        owner, shown = self.visit.owner, self.drafts.shown
        shown.restore(restore, owner, self.fill.outputs(), **QUEUED).then(None, js=AFTER_RESTORE, **CLIENT)
        self.drafts.wire(self.blocks, self.forms, self.choosers, owner)
        load, outputs = LoadPreset(self.presets, self.fill).apply, self.fill.outputs()
        loaded = self.presets.shown.apply(load, owner, outputs, js=BEFORE_FILL, **QUEUED)
        loaded.then(None, js=AFTER_PRESET, **CLIENT)

    def _grid(self) -> dict[str, Any]:
        """The event arguments that fill the Library."""
        return {
            "fn": self.library.fill,
            "inputs": self.library.inputs(self.visit.owner),
            "outputs": self.library.outputs(),
        }
