"""The states of the page that screenshots show: jobs of a FakeStudio (`scene_jobs`), and what is opened on
the page (`scene_views`)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page

from backend.models.state import FetchProgress
from backend.servers.ports import free_port
from scripts import scene_jobs as jobs
from scripts import scene_views as views
from tests.support.fake_studio import FakeStudio
from ui.tabs.registry import TABS
from workflows.catalog import load_catalog
from workflows.notice import notice

TAB_KEYS = (*(tab.key for tab in TABS), "library", "system")
HELD = 0.62
"""The share of a running job that is done: in the middle of the generation, with a preview."""
PUBLIC = (
    "Anybody with the address can use this page (a share link). "
    "Set WAN_AUTH=name:password and start again to ask for a login."
)


@dataclass(frozen=True)
class Scene:
    """fill: adds the jobs, and returns the query of the page's address; views: name -> opens something in the
    first tab; tabs: keys of the tabs to look at; each_tab: what is done in each of them."""

    fill: Callable[[FakeStudio, Path], str]
    views: Mapping[str, Callable[[Page], None]] = field(default_factory=dict)
    tabs: tuple[str, ...] = TAB_KEYS
    each_tab: Callable[[Page, str, Path], None] | None = None
    lacking: bool = False


@contextlib.contextmanager
def served(lacking: bool) -> Iterator[tuple[str, FakeStudio]]:
    """Serves the page of a FakeStudio that simulates a ComfyUI on an RTX 4090; yields URL and studio.
    lacking: files of the models are missing, and the page is public."""
    from ui import page

    studio = FakeStudio(seconds=1e-9, hold=HELD)
    names = [file.name for file in load_catalog().files]
    studio.missing = {name for name in names if lacking and name.startswith(("wan2.2_", "wan_2.1_vae"))}
    if lacking:
        studio.obstacle = notice("text", text="Files are missing.")
        studio.warning = PUBLIC
    blocks = page.build(studio)  # type: ignore[arg-type]
    _, url, _ = blocks.launch(
        server_name="127.0.0.1", server_port=free_port(), prevent_thread_lock=True, quiet=True,
        app_kwargs={"routes": [*studio.routes(), *page.routes()]},
        **page.launch_options(studio),  # type: ignore[arg-type]
    )  # fmt: skip
    try:
        yield url.rstrip("/"), studio
    finally:
        blocks.close(verbose=False)


def clear(studio: FakeStudio) -> None:
    """Removes every job, and everything that an earlier scene has set."""
    for known in (studio.runs, studio.deleted, studio.expired, studio.foreign, studio.reduced):
        known.clear()
    studio.fail, studio.state, studio.engine, studio.is_paused = "", "ok", "comfyui", False
    studio.all_are_admin, studio.fetching, studio.lora_rows = False, FetchProgress(), []
    studio.lora_pictures.clear()
    studio.other_files.clear()


SCENES: dict[str, Scene] = {
    "empty": Scene(jobs.empty, {"suggestions": views.suggestions}),
    "filled": Scene(jobs.empty, tabs=TAB_KEYS[:5], each_tab=views.filled),
    "troubled": Scene(jobs.empty, tabs=("image", "animate", "text"), each_tab=views.troubled),
    "choices": Scene(jobs.choices, tabs=("image", "animate", "text", "system"), each_tab=views.chosen),
    "fetching": Scene(jobs.fetching, tabs=("system",)),
    "running": Scene(jobs.running, {"queue": views.queue}),
    "form": Scene(
        jobs.empty,
        {
            "several": views.several, "presets": views.presets, "managed": views.managed,
            "saved": views.saved, "loop": views.loop, "recipe": views.recipe,
        },
        ("image",),
    ),
    "variations": Scene(jobs.variations, tabs=("image",)),
    "playing": Scene(
        jobs.playing,
        {"picked": views.picked, "pair": views.pair, "alone": views.alone},
        ("image", "library"),
    ),
    "incomplete": Scene(jobs.incomplete, {"picked": views.picked}, ("image",)),
    "queued": Scene(jobs.queued, {"queue": views.queue}, ("image", "library", "system")),
    "done": Scene(
        jobs.done,
        {
            "menu": views.menu, "tools": views.tools, "details": views.details, "hovered": views.hovered,
            "none": views.found_none, "deleted": views.deleted,
        },
    ),
    "finals": Scene(
        jobs.finals,
        {
            "finish": views.finish, "choosing": views.choosing, "compared": views.compared,
            "slider": views.slider,
        },
        ("image",),
    ),
    "joined": Scene(jobs.joined, {"extend": views.extend, "reroll": views.reroll}, ("image",)),
    "tall": Scene(jobs.tall, {"reused": views.reused}, ("image", "library")),
    "failed": Scene(jobs.failed, {"all": views.all_jobs}),
    "stopped": Scene(jobs.stopped, tabs=("image", "library")),
    "expired": Scene(jobs.expired, {"all": views.all_jobs}, ("image",)),
    "lost": Scene(jobs.lost, tabs=("image", "library", "system")),
    "link": Scene(jobs.link, tabs=("image", "library")),
    "unknown": Scene(jobs.unknown, tabs=("image",)),
    "demo": Scene(jobs.demo, tabs=("image", "animate", "library", "system")),
    "missing": Scene(jobs.empty, lacking=True),
}  # fmt: skip
