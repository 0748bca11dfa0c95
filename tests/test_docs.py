"""What the README and docs say of settings, commands and pictures is what is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import av
import pytest
from PIL import Image

from backend.settings.model import VARIABLES
from scripts import doc_pictures, recording, settings_table
from tests.support.paths import ROOT
from tests.support.sources import parsed

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def test_the_table_of_settings_is_that_of_the_model() -> None:
    page = settings_table.PAGE.read_text(encoding="utf-8")
    assert settings_table.updated(page) == page, "run python -m scripts.settings_table"
    assert settings_table.updated_readme(README) == README, "run python -m scripts.settings_table"


def test_every_setting_has_a_meaning_and_says_what_it_takes() -> None:
    for one in VARIABLES.values():
        assert one.meaning and one.takes, one.name


def test_every_setting_that_the_code_reads_is_listed() -> None:
    source = "\n".join(
        path.read_text(encoding="utf-8")
        for top in ("backend", "ui", "workflows")
        for path in (ROOT / top).rglob("*.py")
    ) + (ROOT / "app.py").read_text(encoding="utf-8")
    read = set(re.findall(r"[\"'](WAN_[A-Z_]+|COMFYUI_[A-Z_]+)[\"']", source))
    assert read <= VARIABLES.keys(), read - VARIABLES.keys()


def test_pictures_of_the_pages_are_those_that_the_scripts_make() -> None:
    named = set()
    for page in PAGES:
        for name in re.findall(r"\]\(([^)]+\.(?:jpg|mp4))\)", page.read_text(encoding="utf-8")):
            named.add((page.parent / name).resolve())
    made = {recording.IMAGES / name for name in doc_pictures.PICTURES} | {recording.TARGET}
    assert named == made == set(recording.IMAGES.iterdir())
    for path in made - {recording.TARGET}:
        assert path.stat().st_size <= doc_pictures.BYTES, path.name
        with Image.open(path) as picture:
            assert (picture.format, picture.size) == ("JPEG", (doc_pictures.WIDTH, doc_pictures.HEIGHT))


def test_the_tour_is_as_long_as_the_readme_says() -> None:
    assert recording.TARGET.stat().st_size <= recording.BYTES
    with av.open(str(recording.TARGET)) as tour:
        video = tour.streams.video[0]
        assert (video.codec_context.name, video.width, video.height) == ("h264", 1280, 800)
        assert tour.duration is not None
        seconds = tour.duration / av.time_base
    said = re.search(r"\[A tour in (\d+) seconds\]", README)
    assert said and 38 <= seconds <= 45 and abs(seconds - int(said[1])) <= 0.5
    start = recording.TARGET.read_bytes()
    assert 0 < start.find(b"moov") < start.find(b"mdat"), "it plays while it loads"


def test_files_that_the_readme_names_are_there() -> None:
    for name in re.findall(r"`((?:tests|docs|benchmarks|ui)/[\w./-]+)`", README):
        assert (ROOT / name).exists(), name


def anchors(path: Path) -> set[str]:
    """What a link into the page may name: its headings as GitHub writes them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_a_file_and_to_a_heading_of_it(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?://)([^)]+)\)", page.read_text(encoding="utf-8")):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_of_docs_is_linked_from_the_readme() -> None:
    for path in (
        *(ROOT / "docs").glob("*.md"),
        ROOT / "CHANGELOG.md",
        ROOT / "THIRD_PARTY.md",
        ROOT / "LICENSE",
    ):
        assert f"({path.relative_to(ROOT)}" in README, path.name


def test_third_party_lists_every_pinned_package_with_its_version() -> None:
    text = (ROOT / "THIRD_PARTY.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| ([\w-]+)[^|]* \| ([\d.]+) \| ", text, re.M))
    pins = {}
    for name in ("requirements.txt", "requirements-worker.txt"):
        pins |= dict(
            re.findall(r"^([\w-]+)(?:\[\w+\])?==(\S+)", (ROOT / name).read_text(encoding="utf-8"), re.M)
        )
    assert listed == pins


def test_what_adding_a_mode_names_is_there() -> None:
    page = (ROOT / "docs" / "developing.md").read_text(encoding="utf-8")
    section = page.split("## Adding a mode")[1].split("\n## ")[0]
    named = re.findall(r"`((?:workflows|backend|ui|tests|scripts)/[\w./-]+)`", section)
    assert len(named) > 8
    for name in named:
        assert (ROOT / name).exists(), name


def test_the_functions_that_the_architecture_page_names_exist() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w/]+\.py):(\w+)`", page)
    assert len(named) > 20
    for path, name in named:
        tree = parsed(ROOT / path)
        functions = {
            node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert name in functions, f"{path}:{name}"
