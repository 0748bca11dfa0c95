"""The Python examples of the README and of docs/api.md, run against the endpoints."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest
from gradio_client import Client

from tests.support.api_page import PNG, Page
from tests.support.paths import ROOT

pytestmark = pytest.mark.full

BLOCK = re.compile(r"(?:^ {4}.*\n|^\n)+", re.M)
ADDRESS = "http://127.0.0.1:7860"


def examples(path: Path) -> list[str]:
    """The indented blocks that import gradio_client."""
    found = [textwrap.dedent(block) for block in BLOCK.findall(path.read_text(encoding="utf-8"))]
    return [block.strip() for block in found if "from gradio_client import" in block]


def test_a_chain_is_queued_at_once(page: Page) -> None:
    page.studio.finish_at_once = False
    text = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    (example,) = [block for block in BLOCK.findall(text) if "queued(endpoint" in block]
    names: dict[str, object] = {"Client": Client}
    exec(textwrap.dedent(example).replace(ADDRESS, page.url), names)
    picture, clip, longer = names["picture"], names["clip"], names["longer"]
    assert isinstance(picture, dict) and isinstance(clip, dict) and isinstance(longer, dict)
    assert page.studio.named == ["", {"image": {"id": picture["id"], "key": picture["key"]}}]
    assert longer["source"] == clip["id"] and longer["status"] == "queued"
    assert len({submit[0] for submit in page.studio.submits}) == 1, "one owner"


@pytest.mark.parametrize("name", ["README.md", "docs/api.md"])
def test_an_example_returns_a_video_and_its_record(
    page: Page, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photo.jpg").write_bytes(PNG)
    (example,) = examples(ROOT / name)
    assert ADDRESS in example
    names: dict[str, object] = {}
    exec(example.replace(ADDRESS, page.url), names)
    video, job = names["video"], names["job"]
    assert isinstance(video, str) and Path(video).is_file()
    assert isinstance(job, dict) and job["status"] == "done"
    assert page.studio.submits[0][1] == "image_to_video"
