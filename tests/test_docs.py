"""What the README says of settings and commands is what the code knows."""

from __future__ import annotations

import re

from backend.settings import DEFAULTS
from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def rows() -> dict[str, str]:
    """name -> default cell of the settings table."""
    found = re.findall(r"^\| `([A-Z_]+)` \| (.*?) \|", README, re.M)
    return {
        name: default for name, default in found if name in DEFAULTS or name.startswith(("WAN_", "COMFYUI_"))
    }


def test_every_setting_is_in_the_readme_with_its_default() -> None:
    said = rows()
    assert said.keys() == DEFAULTS.keys()
    for name, default in DEFAULTS.items():
        if default:
            assert f"`{default}`" in said[name], name


def test_every_setting_that_the_code_reads_is_listed() -> None:
    source = "\n".join(
        path.read_text(encoding="utf-8")
        for top in ("backend", "ui", "workflows")
        for path in (ROOT / top).rglob("*.py")
    ) + (ROOT / "app.py").read_text(encoding="utf-8")
    read = set(re.findall(r"[\"'](WAN_[A-Z_]+|COMFYUI_[A-Z_]+)[\"']", source))
    constants = {"COMFYUI_DIRS"}
    assert read - constants <= DEFAULTS.keys(), read - DEFAULTS.keys()


def test_pictures_and_files_that_the_readme_names_are_there() -> None:
    for name in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README):
        assert (ROOT / name).is_file(), name
    for name in re.findall(r"`((?:tests|docs|benchmarks|ui)/[\w./-]+)`", README):
        assert (ROOT / name).exists(), name
