"""The documentation's examples of `run`, parsed as a shell and the command parse them."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from backend.cli import run_options
from backend.cli.run import wanted
from tests.support.paths import ROOT
from workflows.modes.registry import MODES

pytestmark = pytest.mark.full  # a picture is measured in a process of its own

LINE = re.compile(r"(?:^ {4}|`)(?:\S+python|python) app\.py (run [^`\n]+)", re.M)

VARIABLE = re.compile(r"\$[A-Z]+")
"""What a shell fills in: an id or a key."""


def examples() -> Iterator[str]:
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for found in LINE.finditer(path.read_text(encoding="utf-8")):
            yield VARIABLE.sub("0123abcd", found.group(1).split("  #")[0].split(" | ")[0].strip())


def test_there_are_examples_of_each_kind() -> None:
    first = [shlex.split(line)[1] for line in examples()]
    assert {"finish", "extend"} < set(first) and any(name in MODES for name in first)
    assert any("=job:" in line for line in examples())


@pytest.mark.parametrize("line", examples())
def test_an_example_is_accepted(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (640, 360)).save("photo.jpg")
    (tmp_path / "drafts").mkdir()
    parser = argparse.ArgumentParser()
    run_options.add_run(parser.add_subparsers(dest="command"))
    asked = wanted(parser.parse_args(shlex.split(line)))
    assert asked.call.endpoint in (*MODES, *run_options.OF_CLIPS)
    assert set(asked.call.files) <= {"image", "audio", "video", "end_image", "mask"}
    assert "$" not in line and bool(asked.call.values.get("results")) == ("=job:" in line)
