"""The jobs of the scenes that screenshots show: each function fills a FakeStudio and returns the query of the
page's address."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path

from PIL import Image

from backend.jobs.views import JobView, PartView, SeamView
from backend.models.state import FetchProgress, LoraState, SetRequest
from tests.support.fake_studio import FakeStudio
from workflows.catalog import load_catalog
from workflows.notice import notice

ASSETS = Path(__file__).resolve().parent.parent / "ui" / "assets" / "starters"
PROMPTS = (
    "Slowly the fog lifts from the water while the camera glides forward, first light on the ridge",
    "She turns and smiles",
    "Waves roll in at dusk",
    "القمر يرتفع فوق الجبال",
    "The lantern sways",
    "Wheat bends in the wind under a lone tree, clouds race across the sky, handheld, a little film grain",
)


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


def four(studio: FakeStudio, **vary: list[object]) -> tuple[JobView, list[str]]:
    """Four variations that wait: their parent, and their ids."""
    values = {"prompt": PROMPTS[0], "speed": "fast", "seconds": 1.0, "resolution": "draft"}
    shown: dict[str, list[object]] = vary or {"seed": [271828 + number for number in range(4)]}
    ((name, several),) = shown.items()
    each = [{"seed": 271828, **values, name: value} for value in several]
    whole = studio.add_set("image_to_video", each, ASSETS / "dunes.jpg", vary)
    return whole, studio.runs[whole.id].members


def variations(studio: FakeStudio, folder: Path) -> str:
    """One is done, one has failed, one is being made and one waits."""
    clips(studio, folder)
    whole, members = four(studio)
    studio.complete(studio.runs[members[0]].view)
    studio.break_down(studio.runs[members[1]].view)
    return f"/?job={whole.id}&key={whole.key}"


def playing(studio: FakeStudio, folder: Path) -> str:
    """All four are done; they differ in the prompt."""
    clips(studio, folder)
    whole, _ = four(studio, prompt=list(PROMPTS[:4]))
    studio.complete(whole)
    return f"/?job={whole.id}&key={whole.key}"


def incomplete(studio: FakeStudio, folder: Path) -> str:
    """Three are done, one has failed."""
    clips(studio, folder)
    whole, members = four(studio)
    studio.break_down(studio.runs[members[2]].view)
    for one in members:
        if studio.runs[one].view.status != "failed":
            studio.complete(studio.runs[one].view)
    return f"/?job={whole.id}&key={whole.key}"
