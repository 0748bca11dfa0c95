"""The states of the page that screenshots show: the jobs of a FakeStudio, and what is opened on the page."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from backend.jobs.views import PartView, SeamView
from backend.models.state import FetchProgress, LoraState, SetRequest
from backend.servers.ports import free_port
from tests.support.fake_studio import FakeStudio
from ui.tabs.registry import TABS
from workflows.catalog import load_catalog
from workflows.notice import notice

ASSETS = Path(__file__).resolve().parent.parent / "ui" / "assets" / "starters"
TAB_KEYS = (*(tab.key for tab in TABS), "library", "system")
HELD = 0.62
"""The share of a running job that is done: in the middle of the generation, with a preview."""
PUBLIC = (
    "Anybody with the address can use this page (a share link). "
    "Set WAN_AUTH=name:password and start again to ask for a login."
)
PROMPTS = (
    "Slowly the fog lifts from the water while the camera glides forward, first light on the ridge",
    "She turns and smiles",
    "Waves roll in at dusk",
    "القمر يرتفع فوق الجبال",
    "The lantern sways",
    "Wheat bends in the wind under a lone tree, clouds race across the sky, handheld, a little film grain",
)
FILES = {
    "image_to_video": {"image": "dunes.jpg"},
    "sound_to_video": {"audio": "voice-12.mp3", "image": "character.jpg"},
    "animate": {"image": "character.jpg", "video": "walk-4.mp4"},
    "fast_video": {"image": "aurora.jpg"},
}
"""Mode -> field -> file of `files`. The names of sounds and videos contain their seconds."""


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


def files(folder: Path) -> Path:
    """Sample files under the names that a FakeStudio reads, and pictures of several shapes; returns the
    folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for source, name in (
        *((f"{name}.jpg", f"{name}.jpg") for name in ("aurora", "character", "dunes")),
        ("voice.mp3", "voice-12.mp3"), ("walk.mp4", "walk-4.mp4"),
    ):  # fmt: skip
        shutil.copy(ASSETS / source, folder / name)
    with Image.open(ASSETS / "moon.jpg") as moon:
        across, down = moon.size
        moon.crop((across // 2, 0, across // 2 + down * 9 // 16, down)).save(folder / "tall.jpg")
        moon.crop((across - down, 0, across, down)).resize((600, 600)).save(folder / "square.jpg")
    (folder / "broken.png").write_text("no picture")
    return folder


def clips(studio: FakeStudio, folder: Path) -> list[str]:
    """Finished clips of several shapes, ages and kinds, the newest last; returns their ids."""
    shapes = [*sorted(ASSETS.glob("[!cmvw]*.jpg"))[:3], folder / "tall.jpg", folder / "square.jpg"]
    shapes.append(ASSETS / "wheat.jpg")
    found = []
    for number, (prompt, picture) in enumerate(zip(PROMPTS, shapes, strict=True)):
        age = 86_400.0 * (len(PROMPTS) - 1 - number) / 2
        mode = "text_to_image" if number == 1 else "image_to_video"
        values = {
            "prompt": prompt, "speed": "fast" if number % 2 else "quality", "seconds": 1.0,
            "resolution": "draft", "seed": 271828 + number, "motion": "dynamic",
        }  # fmt: skip
        timings = {"load": 12.0, "read": 3.2, "draw": 41.0, "finish": 7.5, "save": 0.4, "own": 0.9}
        job = studio.add(mode, values, picture, created=time.time() - age, timings=timings)
        studio.complete(job)
        if number == 2:
            studio.pin("", job.id, job.key, True)
        found.append(job.id)
    return found


def empty(studio: FakeStudio, folder: Path) -> str:
    return ""


def running(studio: FakeStudio, folder: Path) -> str:
    """One job in the middle, three behind it."""
    clips(studio, folder)
    for number, prompt in enumerate(PROMPTS[2:]):
        studio.add("image_to_video", {"prompt": prompt, "seed": number}, ASSETS / "dunes.jpg")
    return ""


def queued(studio: FakeStudio, folder: Path) -> str:
    """The private link of a job that waits, while the queue is paused."""
    running(studio, folder)
    studio.is_paused = True
    job = next(run.view for run in studio.runs.values() if run.view.status == "queued")
    return f"/?job={job.id}&key={job.key}"


def done(studio: FakeStudio, folder: Path) -> str:
    clips(studio, folder)
    return ""


def tall(studio: FakeStudio, folder: Path) -> str:
    """A finished clip in portrait, made from a picture whose original is gone."""
    job = studio.runs[clips(studio, folder)[3]].view
    gone = notice("original_gone", width=576, height=1024)
    run = studio.runs[job.id]
    run.view = replace(run.view, warnings=(gone, notice("negative_prompt_unused")))
    studio.reduced.add(job.id)
    return f"/?job={job.id}&key={job.key}"


def failed(studio: FakeStudio, folder: Path) -> str:
    """Failed and cancelled jobs, with their files and without."""
    clips(studio, folder)
    for expired, prompt in ((True, PROMPTS[0]), (False, PROMPTS[1])):
        job = studio.add("image_to_video", {"prompt": prompt, "seed": 5}, ASSETS / "dunes.jpg")
        studio.cancel(job.id, job.key)
        studio.expired |= {job.id} if expired else set()
    studio.fail = "out_of_memory"
    values = {"prompt": PROMPTS[0], "resolution": "720p", "seconds": 8.0, "seed": 7}
    studio.expired.add(studio.add("image_to_video", values, ASSETS / "aurora.jpg").id)
    studio.add("image_to_video", values, ASSETS / "dunes.jpg")
    return ""


def stopped(studio: FakeStudio, folder: Path) -> str:
    """A cancelled job whose files are deleted."""
    clips(studio, folder)
    job = studio.add("image_to_video", {"prompt": PROMPTS[0], "seed": 5}, ASSETS / "dunes.jpg")
    studio.cancel(job.id, job.key)
    studio.expired.add(job.id)
    return f"/?job={job.id}&key={job.key}"


def expired(studio: FakeStudio, folder: Path) -> str:
    """A failed job whose files are deleted."""
    studio.fail = "out_of_memory"
    values = {"prompt": PROMPTS[0], "resolution": "720p", "seconds": 8.0, "seed": 7}
    studio.expired.add(studio.add("image_to_video", values, ASSETS / "aurora.jpg").id)
    return ""


def lost(studio: FakeStudio, folder: Path) -> str:
    """A finished clip whose files are gone, and an engine that does not answer."""
    found = clips(studio, folder)
    for name in (f"{found[-1]}.mp4", f"{found[-1]}.jpg"):
        (studio.folder / name).unlink()
    studio.state = "lost"
    return ""


def link(studio: FakeStudio, folder: Path) -> str:
    """The private link of another visitor's clip."""
    job = studio.add("image_to_video", {"prompt": PROMPTS[0], "speed": "fast"}, ASSETS / "forest.jpg")
    studio.complete(job)
    studio.foreign.add(job.id)
    return f"/?job={job.id}&key={job.key}"


def unknown(studio: FakeStudio, folder: Path) -> str:
    """The private link of a job that does not exist."""
    return "/?job=00000000-0000-4000-8000-00000000dead&key=wrong"


def demo(studio: FakeStudio, folder: Path) -> str:
    studio.engine = "demo"
    clips(studio, folder)
    return ""


def choices(studio: FakeStudio, folder: Path) -> str:
    """For an admin: LoRAs of several kinds, and model files to choose from."""
    studio.all_are_admin = True
    paper, other = (f"styles/Wan2.2-I2V-paper-cut_{one}.safetensors" for one in ("HIGH", "LOW"))
    studio.lora_rows = [
        LoraState(paper, "Paper cut", other, words=("papercut style", "layered paper")),
        LoraState("camera-orbit-360-around-the-subject-v2.safetensors", "Camera orbit", expert="high"),
        LoraState("old-film.safetensors", "Old film", note="Its name names no model."),
        LoraState("flux-grain.safetensors", "Grain", obstacle="It is made for Flux."),
    ]
    studio.lora_pictures[paper] = (ASSETS / "moon.jpg").read_bytes()
    high = load_catalog().file("i2v_high").name
    studio.other_files[high] = ("Wan/Wan2_2-I2V-A14B-HIGH_fp8_e4m3fn_scaled_KJ.safetensors",)
    return ""


def fetching(studio: FakeStudio, folder: Path) -> str:
    """A download of models at a third."""
    studio.all_are_admin = True
    studio.fetching = FetchProgress(
        "running", SetRequest("image_to_video"), load_catalog().file("i2v_high").name,
        fetched=12_300_000_000, total=35_100_000_000, rate=45e6, seconds=506.0,
    )  # fmt: skip
    return ""


def finals(studio: FakeStudio, folder: Path) -> str:
    """A draft whose original is gone, and its final."""
    draft = studio.runs[clips(studio, folder)[-2]].view
    final = studio.finish("owner-token-of-a-fake-studio-0001", draft.id, draft.key)
    studio.complete(final)
    studio.reduced.add(draft.id)
    return f"/?job={draft.id}&key={draft.key}"


def joined(studio: FakeStudio, folder: Path) -> str:
    """A clip of three parts, one of which was drawn before the previous one was drawn again."""
    job = studio.runs[clips(studio, folder)[-1]].view
    seam = SeamView(False, 0.4, 0.2, 1.1)
    third = job.frames // 3
    first = PartView(1, "a", "k", 5, job.title, "clip", "done", False, 0, third)
    second = PartView(2, "b", "k", 6, PROMPTS[4], "svi", "done", False, third, third, seam)
    last = PartView(3, "c", "k", 7, PROMPTS[1], "last_frame", "done", True, 2 * third, third, seam)
    studio.runs[job.id].view = replace(job, parts=(first, second, last))
    return f"/?job={job.id}&key={job.key}"


# -- what is opened on the page ------------------------------------------------------------------------------


def menu(page: Page) -> None:
    page.locator("#ws-card .steps.next [data-menu]").last.click()


def tools(page: Page) -> None:
    page.locator('#ws-card [data-p="tools"]').click()


def finish(page: Page) -> None:
    page.locator("#ws-card [data-act=finish-dialog]").first.click()
    page.locator("#ws-dialog-final .make").wait_for()


def choosing(page: Page) -> None:
    menu(page)
    page.locator("#ws-card").get_by_role("menuitem", name="Compare").click()
    page.locator("#ws-comparing").wait_for()


def compared(page: Page) -> None:
    page.locator("#ws-card .relations [data-act=compare]").click()
    page.locator("#ws-dialog-compare .compare-differs table").wait_for()


def slider(page: Page) -> None:
    compared(page)
    page.locator("#ws-dialog-compare label", has_text="Slider").click()


def extend(page: Page) -> None:
    page.locator("#ws-card [data-open=extend]").click()
    page.locator("#ws-dialog-extend summary").click()
    page.locator('#ws-dialog-extend [data-x="length"]:not(:empty)').wait_for()


def reroll(page: Page) -> None:
    page.locator("#ws-card [data-open=reroll]").last.click()
    page.locator("#ws-dialog-reroll .make").wait_for()


def details(page: Page) -> None:
    page.locator("#ws-card .about summary").click()
    page.locator("#ws-card .took summary").click()


def queue(page: Page) -> None:
    page.locator('[data-live="queue"]').click()
    page.locator("#ws-queue li").first.wait_for()


def suggestions(page: Page) -> None:
    page.locator("#tab-image .help-toggle").click()


def all_jobs(page: Page) -> None:
    page.locator("#tab-library-button").click()
    page.locator("#library-status label", has_text="All").click()
    page.locator(".stopped-tile").first.wait_for()


def hovered(page: Page) -> None:
    page.locator("#tab-library-button").click()
    page.locator(".tile").first.hover()


def found_none(page: Page) -> None:
    page.locator("#tab-library-button").click()
    page.locator("#library-search :is(input, textarea)").fill("nothing like it")
    page.locator("#ws-library .nothing").wait_for()


def deleted(page: Page) -> None:
    page.locator('#ws-card [data-act="delete"]').click()
    page.locator(".undo-toast").wait_for()


def reused(page: Page) -> None:
    menu(page)
    page.locator("#ws-card").get_by_role("menuitem", name="Reuse settings").click()
    page.locator("#tab-image .advice").wait_for()


def filled(page: Page, tab: str, folder: Path) -> None:
    """Files in every field, a prompt, and Advanced open."""
    for mode in next((one.modes for one in TABS if one.key == tab), ()):
        if not page.locator(f"#{mode}-prompt textarea").is_visible():
            continue
        for name, file in FILES.get(mode, {}).items():
            place = page.locator(f"#{mode}-{name}")
            if place.locator("img, .file-preview").count() == 0:
                place.locator("input[type=file]").set_input_files(folder / file)
                place.locator("img, .file-preview").first.wait_for(state="attached")
        page.locator(f"#{mode}-prompt textarea").fill(PROMPTS[0])
        button = page.locator(f'[aria-controls="{mode}-advanced"]')
        if button.get_attribute("aria-expanded") == "false":
            button.click()


def troubled(page: Page, tab: str, folder: Path) -> None:
    """A broken picture, a prompt over its limit, and a size that is not allowed."""
    for mode in next((one.modes for one in TABS if one.key == tab), ()):
        if not page.locator(f"#{mode}-prompt textarea").is_visible():
            continue
        picture = page.locator(f"#{mode}-image input[type=file]")
        if picture.count():
            picture.set_input_files(folder / "broken.png")
            page.locator(f"#tab-{tab} .ws-line .problem").first.wait_for()
        page.locator(f"#{mode}-prompt textarea").fill("A very long prompt. " * 210)
        button = page.locator(f'[aria-controls="{mode}-advanced"]')
        if button.get_attribute("aria-expanded") == "false":
            button.click()
        page.locator(f"#{mode}-width input").fill("17")
        page.locator(f"#{mode}-width input").press("Tab")


def chosen(page: Page, tab: str, folder: Path) -> None:
    """Advanced with the LoRAs and the model; on System the files of a set, and those for a role."""
    if tab == "system":
        page.locator("#ws-download [data-fetch=plan]").click()
        page.locator("#ws-download .fetch-files").wait_for()
        page.locator(".models summary").first.click()
        return
    mode = next(one.modes[0] for one in TABS if one.key == tab)
    advanced = page.locator(f'[aria-controls="{mode}-advanced"]')
    if advanced.get_attribute("aria-expanded") == "false":
        advanced.click()
    loras = page.locator(f"#{mode}-loras")
    loras.locator(".lora-add").click()
    loras.locator(".lora-option").first.click()
    loras.locator(".lora .chip").first.wait_for()
    loras.locator(".lora-add").click()
    loras.locator(".lora-option").first.wait_for()
    loras.evaluate("node => node.scrollIntoView({ block: 'start' })")


SCENES: dict[str, Scene] = {
    "empty": Scene(empty, {"suggestions": suggestions}),
    "filled": Scene(empty, tabs=TAB_KEYS[:5], each_tab=filled),
    "troubled": Scene(empty, tabs=("image", "animate", "text"), each_tab=troubled),
    "choices": Scene(choices, tabs=("image", "animate", "text", "system"), each_tab=chosen),
    "fetching": Scene(fetching, tabs=("system",)),
    "running": Scene(running, {"queue": queue}),
    "queued": Scene(queued, {"queue": queue}, ("image", "library", "system")),
    "done": Scene(
        done,
        {
            "menu": menu, "tools": tools, "details": details, "hovered": hovered, "none": found_none,
            "deleted": deleted,
        },
    ),
    "finals": Scene(
        finals,
        {"finish": finish, "choosing": choosing, "compared": compared, "slider": slider},
        ("image",),
    ),
    "joined": Scene(joined, {"extend": extend, "reroll": reroll}, ("image",)),
    "tall": Scene(tall, {"reused": reused}, ("image", "library")),
    "failed": Scene(failed, {"all": all_jobs}),
    "stopped": Scene(stopped, tabs=("image", "library")),
    "expired": Scene(expired, {"all": all_jobs}, ("image",)),
    "lost": Scene(lost, tabs=("image", "library", "system")),
    "link": Scene(link, tabs=("image", "library")),
    "unknown": Scene(unknown, tabs=("image",)),
    "demo": Scene(demo, tabs=("image", "animate", "library", "system")),
    "missing": Scene(empty, lacking=True),
}  # fmt: skip
