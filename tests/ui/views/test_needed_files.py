"""The panel of files that a tab needs: its command fetches what the tab lacks, for every mode and choice."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from backend.models.inventory import MISSING, READY, FileState
from backend.models.needs import wanted
from backend.models.set_options import Hardware, Wish
from backend.models.sets import choose
from backend.models.state import ModelState
from ui.views.missing_models import download_command, lacking, panel
from workflows.catalog import load_catalog
from workflows.modes.registry import MODES

CATALOG = load_catalog()
CHOICES = ("speed", "model", "variant")
"""The fields on which the files of a mode depend."""


def choices(mode: str) -> Iterator[dict[str, Any]]:
    """Each choice of each of those fields, the others at their defaults."""
    fields = [field for field in MODES[mode].fields if field.name in CHOICES]
    plain = {field.name: field.default for field in fields}
    yield plain
    for field in fields:
        yield from ({**plain, field.name: value} for value in field.values)


def states(*absent: str, state: str = "missing") -> list[ModelState]:
    return [
        ModelState(
            f.title, f.name, f.folder, f.bytes, f.modes, f.optional, state if f.role in absent else "ready",
            role=f.role,
        )
        for f in CATALOG.files
    ]  # fmt: skip


def fetched(command: str, there: list[ModelState]) -> set[str]:
    """The roles that a command of the panel fetches, where these files are there."""
    found = {s.role: FileState(CATALOG.file(s.role), READY if s.state == "ready" else MISSING) for s in there}
    roles: set[str] = set()
    for part in command.split(" && "):
        words = shlex.split(part)
        assert words[:3] == ["python", "app.py", "models"]
        if words[3] == "paths":
            continue
        assert words[3] == "download"
        what, options = words[4], dict(zip(words[5::2], words[6::2], strict=True))
        if what in CATALOG.modes():
            setting = f"model={options['--model']}" if options else ""
            chosen = choose(Wish(what, setting=setting), Hardware(), CATALOG, found)
            roles |= {file.role for file in chosen.to_fetch}
        else:
            roles |= {file.role for file in wanted(what, list(found.values()), CATALOG) or ()}
    return roles


ROLES = [file.role for file in CATALOG.files]


@pytest.mark.parametrize("mode", MODES)
def test_the_command_fetches_what_the_tab_lacks(mode: str) -> None:
    stores = [(), tuple(ROLES), tuple(r for r in ROLES if r != "flux"), *((role,) for role in ROLES)]
    shown = 0
    for values in choices(mode):
        for absent in stores:
            there = states(*absent)
            files = lacking(mode, values, there)
            html = panel(mode, files, there)
            assert bool(html) == bool(files)
            if files:
                shown += 1
                command = download_command(mode, files, there)
                missing = {file.role for file in files} - fetched(command, there)
                assert not missing, (values, absent, command)
    assert shown


def test_flux_is_named_where_flux_is_chosen() -> None:
    there = states("flux")
    assert lacking("text_to_image", {"model": "wan"}, there) == []
    files = lacking("text_to_image", {"model": "flux"}, there)
    html = panel("text_to_image", files, there)
    assert "Text-to-Image needs 1 more file, 17.2 GB" in html
    assert 'data-copy="python app.py models download flux1-dev-fp8.safetensors"' in html
    without = states(*(role for role in ROLES if role != "flux"))
    files = lacking("text_to_image", {"model": "wan"}, without)
    assert download_command("text_to_image", files, without).endswith("text_to_image --model wan")


def test_files_that_comfyui_does_not_see_are_not_fetched() -> None:
    there = states("t2v_high", "t2v_low", state="unseen")
    files = lacking("text_to_video", {"speed": "quality"}, there)
    assert download_command("text_to_video", files, there) == "python app.py models paths"
    mixed = [replace(s, state="missing") if s.role == "t2v_low" else s for s in there]
    files = lacking("text_to_video", {"speed": "quality"}, mixed)
    command = download_command("text_to_video", files, mixed)
    assert command == "python app.py models download text_to_video && python app.py models paths"
