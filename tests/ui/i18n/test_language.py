"""A second language replaces every text: views rendered with a marked table show marked texts only."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from backend.engines.base import EngineInfo
from backend.jobs.snapshot import STAGES, Snapshot
from backend.jobs.views import Place, Plan, QueueState
from backend.media.facts import VideoFacts
from backend.models.state import ModelState
from tests.support.job_views import job, media
from ui.head import head
from ui.i18n import mode_texts
from ui.i18n.texts import ENGLISH, LOADER, table, text, use
from ui.views import (
    engine_badge,
    failure,
    form_messages,
    library,
    machine_panel,
    media_preview,
    media_text,
    missing_models,
    model_table,
    progress,
    wording,
)
from ui.views.card import card
from ui.views.card_state import CardState, Starter
from ui.views.header import header
from workflows.catalog import load_catalog
from workflows.modes.registry import MODES
from workflows.params.field import Field

OPEN, CLOSE = "⟦", "⟧"
SPOKEN = ("title", "alt", "aria-label", "aria-valuetext")
"""Attributes with text for a visitor or a screen reader."""
STATUSES = ("queued", "running", "done", "failed", "cancelled")
MODEL_STATES = ("ready", "missing", "unseen", "wrong_size", "damaged", "unreadable", "unknown")
NOW = 1_700_000_100.0


def mark(node: Any) -> Any:
    """A language file with every text in brackets."""
    if isinstance(node, dict):
        return {name: mark(value) for name, value in node.items()}
    return f"{OPEN}{node}{CLOSE}"


def modes() -> dict[str, Any]:
    """Overrides of the texts of all modes."""
    found: dict[str, Any] = {}
    for name, spec in MODES.items():
        found[name] = {"title": spec.title}
        for field in spec.all:
            parts: dict[str, Any] = {"label": field.label, "help": field.help}
            if isinstance(field, Field):
                parts |= {choice.value: {"label": choice.label} for choice in field.choices}
            found[name][field.name] = parts
    return found


@pytest.fixture(scope="module")
def language_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = yaml.load(ENGLISH.read_text("utf-8"), Loader=LOADER) | {"modes": modes()}
    path = tmp_path_factory.mktemp("language") / "xx.yaml"
    path.write_text(yaml.safe_dump(mark(texts), allow_unicode=True), "utf-8")
    return path


@pytest.fixture(autouse=True)
def marked(language_file: Path) -> Iterator[None]:
    """The marked table instead of the English one."""
    use(language_file)
    yield
    use(ENGLISH)


class Reader(HTMLParser):
    """Collects the visible and spoken text of a piece of HTML; <code> holds names of files and commands."""

    INLINE = ("code", "strong")

    def __init__(self) -> None:
        super().__init__()
        self.found = [""]
        self.code = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.code = tag == "code"
        if tag not in self.INLINE:
            self.found += [*(value or "" for name, value in attrs if name in SPOKEN), ""]

    def handle_endtag(self, tag: str) -> None:
        self.code = False
        if tag not in self.INLINE:
            self.found.append("")

    def handle_data(self, data: str) -> None:
        if not self.code:
            self.found[-1] += data


def unmarked(shown: str) -> list[str]:
    """The words of a text or of HTML that are outside of all brackets."""
    reader = Reader()
    reader.feed(shown)
    left = []
    for value in reader.found:
        while (outer := re.sub(f"{OPEN}[^{OPEN}{CLOSE}]*{CLOSE}", "", value)) != value:
            value = outer
        left += re.findall(r"[^\W\d_]+", value)
    return left


def snapshots() -> Iterator[Snapshot]:
    yield Snapshot()
    yield Snapshot(ahead=2)
    for stage in (*STAGES, "other"):
        yield Snapshot(status="running", stage=stage, elapsed=70.0, remaining=4000.0, step=1, steps=4)


def test_the_reader_finds_what_is_not_marked() -> None:
    assert unmarked('<b title="Left over">⟦all of ⟦it⟧⟧ 12 s<code>a.py</code></b>') == ["Left", "over", "s"]


@pytest.mark.full
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("status", STATUSES)
def test_the_card_and_the_library(mode: str, status: str) -> None:
    error = {"code": "out_of_memory", "message": "", "hint": "", "field": ""}
    for params in ({"speed": "fast", "resolution": "720p", "prompt": "7"}, {"speed": "quality"}):
        for snapshot in snapshots():
            shown = job(
                mode=mode, status=status, params=params, title="", error=error, engine="", pinned=True,
                demo=True, frames=640, fps=0.0 if MODES[mode].still else 16.0,
            )  # fmt: skip
            line = [Place(n, mode, n % 2 > 0, job(id=str(n), mode=mode, title="")) for n in range(14)]
            for paused in (False, True):
                state = CardState(
                    shown=shown, active=shown, recent=[shown], line=line, paused=paused, snapshot=snapshot,
                    media=media, inputs_deleted=paused, preview="data:," if paused else "",
                )  # fmt: skip
                assert unmarked(card(state)) == []
                answer = progress.progress(snapshot, paused)
                for name in ("words", "announcement", "left", "elapsed", "spoken", "place"):
                    assert unmarked(answer[name]) == [], name
        for age in (0, 4_000, 90_000, 900_000):
            for lacking in ((), (shown.id,)):
                tiles = library.grid([shown], media, shown.created + age, more=True, lacking=lacking)
                assert unmarked(tiles) == []
        assert unmarked(" ".join([*wording.recipe(shown), wording.resolution(shown)])) == []


def test_the_empty_card_and_the_empty_library() -> None:
    assert unmarked(card(CardState(starters=[Starter("1", "a.jpg")], begin={"a": "2"}))) == []
    for clips in (0, 1, 2):
        assert unmarked(library.heading(clips, 5_000, 30)) == []
    assert unmarked(library.grid([], media, NOW)) == []
    assert unmarked(library.grid([], media, NOW, text("library.no_match"))) == []


@pytest.mark.parametrize("kind", ["comfyui", "runpod", "demo"])
@pytest.mark.parametrize("state", ["ok", "starting", "lost"])
def test_the_header_and_the_machine(kind: str, state: str) -> None:
    for address in ("http://127.0.0.1:8188", "http://10.0.0.1:8188"):
        engine = EngineInfo(
            kind, address, state, gpu="4090", vram_total=24 << 30, vram_free=6 << 30, ram_total=64 << 30,
            ram_free=8 << 30, workers={"idle": 1, "running": 2}, running=1, pending=2,
        )  # fmt: skip
        entry = {"address": address, "running": 1, "pending": 2, "restarts": 3, "ours": True, "error": "7"}
        health = {"servers": [entry], "database": "ok"}
        queue = QueueState(1, 2)
        shown = header([engine], queue) + header([], None)
        for engines in ([engine], [engine, engine]):
            for paused in (False, True):
                for admin in (False, True):
                    shown += machine_panel.machine(engines, queue, health, {"1": (1, 2)}, paused, admin)
        badges = [engine_badge.badge([engine, engine]), engine_badge.badge([], "7")]
        shown += "".join(f"{badge.name} {badge.detail} {badge.tip}" for badge in badges)
        shown += engine_badge.engine_note([engine]) + engine_badge.queue(queue, 62.4, True)[0]
        assert set(unmarked(shown)) <= {"ComfyUI", "RunPod", "Demo"}, "names of products"


@pytest.mark.parametrize("state", MODEL_STATES)
def test_the_models(state: str) -> None:
    for wanted in (1, 99):
        states = [
            ModelState("1", f.name, f.folder, f.bytes, f.modes, f.optional, state if n < wanted else "ready")
            for n, f in enumerate(load_catalog().files)
        ]
        for demo in (False, True):
            for endpoint in (False, True):
                shown = model_table.models(states, demo, "/", {"animate": 5_000}, endpoint)
                assert unmarked(re.sub(r'<td title="[^"]*">', "<td>", shown)) == []
        for mode in MODES:
            lacking = missing_models.lacking(mode, {}, states)
            shown = re.sub(r"\(.*?\)", "", missing_models.panel(mode, lacking))
            assert unmarked(re.sub("Kijai|Comfy-Org|/[\\w.-]+", "", shown)) == []


def test_chosen_files_and_messages_of_a_form() -> None:
    trim = media_preview.Trim("a", "b", 3.2, 4.0)
    for kind in ("sound", "video"):
        assert unmarked(media_preview.chosen("m", "n", kind, "/1", 60.0, [0.5], trim)) == []
        assert unmarked(media_preview.chosen("m", "n", kind, "/1")) == []
    facts = [
        *media_text.part_facts(42.0, 190.0, Plan(frames=640, chunks=9)),
        *media_text.video_facts(VideoFacts(1, 2, 180, 29.97, 6.0, "h264", "yuv420p", True)),
        *media_text.video_facts(VideoFacts(1, 2, 180, 30.0, 6.0, "h264", "yuv420p", False)),
        *(media_text.route(f"{pose}+{mask}") for pose, mask in (("native", "sam3"), ("given", "given"))),
        form_messages.advanced_row("m", "1"),
        form_messages.hint_line("m"),
    ]
    assert unmarked(" ".join(facts)) == []


def test_failures() -> None:
    for mode in MODES:
        failed = job(mode=mode, status="failed", engine="7", params={}, frames=640, error=None, id="1")
        for gone in (False, True):
            files = list(MODES[mode].media)
            for mine in (False, True):
                assert unmarked(" ".join(failure.failure(failed, files, gone, mine))) == []
            assert unmarked(failure.kept(failed, files, gone)) == []
        assert unmarked(" ".join(remedy.label for remedy in failure.remedies(failed))) == []


def test_the_scripts_get_the_texts_of_the_language() -> None:
    found = re.search(r"window\.wanTexts = (\{.*?\});\n", head())
    assert found
    texts = json.loads(found[1])
    assert texts["generate"] == "⟦Generate⟧" and all(value.startswith(OPEN) for value in texts.values())


def test_texts_of_modes_come_from_the_language_or_from_the_specification() -> None:
    assert mode_texts.title("animate") == "⟦Animate⟧" and mode_texts.title("of_1999") == "of_1999"
    assert mode_texts.label("animate", "image") == f"⟦{MODES['animate'].by_name['image'].label}⟧"
    use(ENGLISH)
    assert mode_texts.title("animate") == "Animate"
    assert mode_texts.label("animate", "image") == MODES["animate"].by_name["image"].label


def test_overrides_of_modes_name_what_exists() -> None:
    use(ENGLISH)
    for key in table():
        if key.startswith("modes."):
            _, mode, *rest = key.split(".")
            assert mode in MODES and (rest == ["title"] or rest[0] in MODES[mode].by_name), key
