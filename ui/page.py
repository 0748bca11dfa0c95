"""The page: header, tabs, job card, and what happens between them. One Blocks per app."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from backend.errors import StudioError
from ui.api.endpoints import register
from ui.forms import schema as values
from ui.forms.input_folder import Inbox
from ui.forms.planner import Planner, sentence, wire
from ui.forms.uploads import checked_upload
from ui.forms.widgets import Form
from ui.gradio_fixes import broken_uploads
from ui.head import ADDRESS, ASSETS, launch_options, routes, starters
from ui.job_card import Card, event_text
from ui.tabs.library import Library
from ui.tabs.registry import TABS, tab_of
from ui.tabs.system import System
from ui.views.card import Starter
from ui.views.header import header, public_line
from workflows.catalog import load_catalog
from workflows.modes.registry import MODES

if TYPE_CHECKING:
    from backend.jobs.views import JobView
    from backend.studio import Studio

__all__ = ["build", "launch_options", "routes"]

log = logging.getLogger("wan.ui")

PUBLIC = "ws-public"
STORAGE_KEY = "wan-studio-owner"
PICTURE_MODE = "image_to_video"
"""Where a picture goes that was sent to no certain mode."""
SETTINGS_ONLY = "The settings are back in the form. Add the files again."
CACHE_SECONDS = (3600, 24 * 3600)
"""Uploads and the copies of results for the API: gone after a day; jobs keep theirs."""
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": 16}
DIRECT: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
"""QUIET events may show a toast, which travels by the queue; DIRECT ones answer in one request."""

TAKE_LINK = """(owner) => {
  const here = new URL(location.href);
  const token = here.searchParams.get("admin") || "";
  here.searchParams.delete("admin");
  if (token) history.replaceState(history.state, "", here);
  const job = ["job", "key"].map((name) => here.searchParams.get(name) || "").join(" ").slice(0, 400);
  return [owner, token, job.trim()];
}"""
"""What the address asks for. The token of an admin link leaves the address bar before anybody reads or copies
it; a private link stays while its job is on the stage."""


def build(studio: Studio) -> gr.Blocks:
    """The page of this studio. Launch it with launch_options()."""
    broken_uploads.clean_up()
    return _Page(studio).blocks


def say_who_reaches(page: gr.Blocks, studio: Studio) -> None:
    """Brings the page's warning up to date with what is known since it is served: a share link, or none."""
    warning = studio.public_warning()
    line = next(block for block in page.blocks.values() if getattr(block, "elem_id", None) == PUBLIC)
    text = public_line(warning) if warning else ""
    if line.value != text:
        line.value, line.visible = text, bool(text)
        page.config = page.get_config_file()


class _Page:
    """Holds the components while the page is put together."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        negative = load_catalog().default_negative
        self.planner = Planner(studio, negative)
        self.starters = starters()
        shown = [
            Starter(s["title"], f"{ADDRESS}/starters/{s.get('small') or s['file']}") for s in self.starters
        ]
        self.card = Card(studio, shown, {tab.key: tab.begin for tab in TABS})
        self.inbox = Inbox(studio, self.planner)
        self.library, self.system = Library(studio), System(studio)
        limit = studio.settings.max_upload_mb
        with gr.Blocks(
            title="Wan Studio", analytics_enabled=False, fill_width=True, delete_cache=CACHE_SECONDS
        ) as self.blocks:
            self.owner = gr.BrowserState("", storage_key=STORAGE_KEY, secret=studio.secret("browser"))
            self.link = gr.Textbox("", visible="hidden", container=False, elem_id="ws-admin")
            self.wanted = gr.Textbox("", visible="hidden", container=False, elem_id="ws-wanted")
            gr.HTML(
                header(studio.engines(), studio.queue()),
                elem_id="ws-header",
                apply_default_css=False,
                js_on_load=None,
            )
            warning = studio.public_warning()
            with gr.Column(elem_id="ws-page"):
                gr.HTML(
                    public_line(warning) if warning else "",
                    visible=bool(warning),
                    elem_id=PUBLIC,
                    apply_default_css=False,
                )
                with gr.Tabs(selected=TABS[0].id, overflow_behavior="wrap", elem_id="ws-tabs") as self.tabs:
                    opened: list[tuple[Form, gr.Tab]] = []
                    self.kinds: dict[str, Any] = {}  # tab with several forms -> what chooses between them
                    for tab in TABS:
                        with gr.Tab(tab.title, id=tab.id, elem_id=f"tab-{tab.key}") as shown_tab:
                            if len(tab.modes) == 1 and MODES[tab.modes[0]].media:
                                self.inbox.box(tab.modes[0])
                            layout = tab.build(limit, negative)
                        opened += [(to, shown_tab) for to in layout.forms]
                        if layout.kind is not None:
                            self.kinds[tab.id] = layout.kind
                    with gr.Tab("Library", id="library", elem_id="tab-library") as self.shelf:
                        self.library.build()
                    with gr.Tab("System", id="system", elem_id="tab-system") as self.facts:
                        self.system.build()
                with gr.Column(elem_id="ws-side"):
                    self.result = self.card.component()
            self.forms: dict[str, Form] = {to.mode: to for to, _ in opened}
            for number, (to, where) in enumerate(opened):
                if to.mode in self.inbox.boxes:
                    self.inbox.wire(to, self.owner, **QUIET)
                self._wire_form(to, self.blocks.load if number == 0 else where.select)
            self._wire()
            register(studio)

    def _wire(self) -> None:
        card, tiles = self.result, self.library.tiles
        shelf = {
            "fn": self.library.fill,
            "inputs": self.library.inputs(self.owner),
            "outputs": self.library.outputs(),
        }
        came = [self.owner, self.link, self.wanted]
        first = [self.owner, card, self.link, *self.inbox.outputs()]
        self.blocks.load(self.on_load, came, first, js=TAKE_LINK, **DIRECT)
        self.link.change(self.said_of_link, self.link, None, **QUIET)
        card.cancel(self.card.cancel, self.owner, card, **QUIET)
        card.finished(self.card.finished, self.owner, card, **QUIET).then(**shelf, **DIRECT)
        card.redraw(self.card.redraw, self.owner, card, **DIRECT)
        card.show(self.card.show, self.owner, card, **QUIET)
        for name in ("again", "quality", "retry"):
            getattr(card, name)(getattr(self, name), self.owner, card, **QUIET)
        card.library(lambda: gr.Tabs(selected="library"), None, self.tabs, **DIRECT).then(**shelf, **DIRECT)
        everything = [
            self.tabs,
            *self.kinds.values(),
            *(w for to in self.forms.values() for w in [*to.widgets.values(), *to.outputs()]),
        ]
        card.reuse(self.reuse, None, everything, **QUIET)
        card.frame(self.use_frame, None, everything, **QUIET)
        card.picture(self.use_picture, None, everything, **QUIET)
        card.starter(self.use_starter, None, everything, **QUIET)
        tiles.reuse(self.reuse, None, everything, **QUIET)
        tiles.show(self.show_from_library, self.owner, [self.tabs, *self.kinds.values(), card], **QUIET)
        tiles.delete(self.library.delete, None, None, **QUIET).then(**shelf, **QUIET).then(
            self.card.on_load, self.owner, card, **QUIET
        )
        for name in ("pin", "unpin"):
            getattr(tiles, name)(getattr(self.library, name), None, None, **QUIET).then(**shelf, **QUIET)
        tiles.more(self.library.more, self.library.limit, self.library.limit, **QUIET).then(**shelf, **QUIET)
        self.shelf.select(**shelf, **DIRECT)
        gr.on(
            [self.library.mode.change, self.library.search.change],
            **shelf,
            trigger_mode="always_last",
            **QUIET,
        )
        self.facts.select(self.system.fill, self.owner, self.system.outputs(), **DIRECT)
        card.engine(self.system.fill, self.owner, self.system.outputs(), **DIRECT)
        card.system(self.system.machine, self.owner, self.system.left, **DIRECT)
        for name in ("pause", "resume"):
            action = getattr(self.system.left, name)
            action(getattr(self.system, name), self.owner, self.system.left, **QUIET)

    def _wire_form(self, to: Form, shown: Callable[..., Any]) -> None:
        """shown: the event after which the form is seen first."""
        widgets = wire(self.planner, to, shown, self.result.engine, self.result.finished)
        names = list(to.widgets)

        def submit(owner: str, *given: Any) -> list[Any]:
            job, said = self.planner.submit(owner, to, dict(zip(names, given, strict=True)))
            if job is None:
                return [gr.skip(), *said]
            active = self.studio.active(owner)
            # A clip under way keeps the stage; the new one joins the strip below it.
            keeps = active is not None and active.id != job.id
            if keeps:
                gr.Info("Added to the queue.")
            return [self.card.html(owner, active if keeps else job), *said]

        to.button.click(
            submit, [self.owner, *widgets], [self.result, *to.outputs()], scroll_to_output=False, **QUIET
        )

    def on_load(self, owner: Any, link: Any, wanted: Any, request: gr.Request) -> list[Any]:
        """The visitor's token, made on the first visit, the card as they left it or with the job of a private
        link, what became of an admin link, and for the admin the input folder.

        link: the token of an admin link, "" for everybody else. wanted: "id key" of a private link, or "".
        """
        token = owner if self.studio.is_owner(owner) else self.studio.new_owner()
        said = ""
        if isinstance(link, str) and link:
            said = "yes" if self.studio.claim_admin(token, link) else "no"
        job_id, _, key = (wanted if isinstance(wanted, str) else "").strip().partition(" ")
        card = self.card.on_load(token, job_id, key)
        return [token, card, said, *self.inbox.shown(token, request.username or "")]

    def said_of_link(self, said: str) -> None:
        """Tells who opened an admin link what it did."""
        if said == "yes":
            gr.Info("You're signed in as the admin on this browser.")
        elif said == "no":
            gr.Warning("This admin link has expired. Use the one printed at the last start.")

    def again(self, owner: str, event: gr.EventData) -> Any:
        """The same with another seed."""
        return self._start(owner, event, {"seed": -1})

    def quality(self, owner: str, event: gr.EventData) -> Any:
        """The same seed in quality, after a fast run."""
        job = self.card.find(event)
        if job is None:
            return gr.skip()
        better = MODES[job.mode].in_quality if job.mode in MODES else None
        if better is None:
            return gr.skip()
        mode, change = better(job.params)
        if mode == job.mode:
            return self._start(owner, event, change)
        started = self.planner.again(owner, job, change, mode=mode)
        return gr.skip() if started is None else self.card.html(owner, self._stage(owner, started))

    def retry(self, owner: str, event: gr.EventData) -> Any:
        """The same with what the remedy changes."""
        try:
            change = json.loads(event_text(event, "change") or "{}")
        except ValueError:
            change = {}
        return self._start(owner, event, change if isinstance(change, dict) else {})

    def _start(self, owner: str, event: gr.EventData, change: Mapping[str, Any]) -> Any:
        job = self.card.find(event)
        started = self.planner.again(owner, job, change) if job is not None else None
        return gr.skip() if started is None else self.card.html(owner, self._stage(owner, started))

    def _stage(self, owner: str, started: JobView) -> JobView:
        active = self.studio.active(owner)
        if active is not None and active.id != started.id:
            gr.Info("Added to the queue.")
            return active
        return started

    def show_from_library(self, owner: str, event: gr.EventData) -> list[Any]:
        """The clip on the stage, in the tab it was made in."""
        job = self.card.find(event)
        if job is None:
            return [gr.skip()] * (2 + len(self.kinds))
        kinds = [job.mode if tab_of(job.mode).id == tab else gr.skip() for tab in self.kinds]
        return [_tab(job.mode), *kinds, self.card.html(owner, job, autoplay=True)]

    def reuse(self, event: gr.EventData) -> dict[Any, Any]:
        """The job's settings and files back into its form, seed and all."""
        job = self.card.find(event)
        if job is None or job.mode not in self.forms:
            return {self.tabs: gr.skip()}
        filled: dict[str, Any] = values.from_params(job.mode, job.params, self.planner.default_negative)
        filled["seed"] = job.seed
        try:
            kept = self.planner.inputs(job)
        except StudioError as error:  # the settings are still of use
            gr.Warning(f"{error.message} {SETTINGS_ONLY}")
            kept = {}
        for name, field in MODES[job.mode].media.items():
            path = kept.get(name)
            filled[name] = self.planner.for_page(path, field.file_name, job.mode, name) if path else None
        return self._fill(job.mode, filled)

    def use_starter(self, event: gr.EventData) -> dict[Any, Any]:
        """A starter's picture, and its prompt where it says what should move."""
        number = (getattr(event, "_data", None) or {}).get("n")
        mode = event_text(event, "mode") or PICTURE_MODE
        if not isinstance(number, int) or not 0 <= number < len(self.starters) or mode not in self.forms:
            return {self.tabs: gr.skip()}
        chosen = self.starters[number]
        path = ASSETS / "starters" / chosen["file"]
        filled: dict[str, Any] = {}
        if "image" in self.forms[mode].widgets:
            filled["image"] = self.planner.for_page(path, path.stem, mode, "image")
        if MODES[mode].trim is None:
            filled["prompt"] = chosen["prompt"]
        return self._fill(mode, filled)

    def use_frame(self, event: gr.EventData) -> dict[Any, Any]:
        """A frame of the clip, uploaded by the page, as the picture."""
        mode = event_text(event, "mode")
        if "image" not in values.file_names(mode):
            mode = PICTURE_MODE
        path = checked_upload(event_text(event, "path"))
        return {self.tabs: gr.skip()} if path is None else self._fill(mode, {"image": path})

    def use_picture(self, event: gr.EventData) -> dict[Any, Any]:
        """A finished picture as the picture of Image-to-Video."""
        job = self.card.find(event)
        try:
            made = self.studio.result_path(job.id, job.key) if job is not None else None
        except StudioError as error:
            gr.Warning(sentence(error))
            made = None
        path = self.planner.for_page(made, "picture", PICTURE_MODE, "image") if made else None
        return {self.tabs: gr.skip()} if path is None else self._fill(PICTURE_MODE, {"image": path})

    def _fill(self, mode: str, filled: Mapping[str, Any]) -> dict[Any, Any]:
        to = self.forms[mode]
        updates: dict[Any, Any] = {self.tabs: _tab(mode)}
        if tab_of(mode).id in self.kinds:
            updates[self.kinds[tab_of(mode).id]] = mode
        for name, value in filled.items():
            widget = to.widgets[name]
            if name in to.lines:
                updates[widget] = str(value) if value else None
            elif (field := to.spec.field(name)).offered:
                seconds = values.to_values(mode, {name: value})[name]
                updates[widget] = gr.Radio(choices=values.lengths(field, seconds), value=value)
            else:
                updates[widget] = value
        if {"prompt", "seed"} <= filled.keys():
            updates.update(zip(to.outputs(), self.planner.outcome(to, filled), strict=True))
        return updates


def _tab(mode: str) -> gr.Tabs:
    return gr.Tabs(selected=tab_of(mode).id)
