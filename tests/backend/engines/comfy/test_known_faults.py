"""ComfyUI versions that spoil WAN's videos are pointed out."""

from __future__ import annotations

import pytest

from backend.engines.comfy.info import OLDEST, version_note
from backend.engines.comfy.known_faults import KNOWN_FAULTS
from backend.notices import words


@pytest.mark.parametrize(("version", "faulty"), [
    ("0.16.4", False), ("0.17.0", True), ("0.17.2", True), ("0.18.0", True), ("v0.18.0", True),
    ("0.18.0-dev", True), ("0.18.1", False), ("0.19.3", False), ("0.33.0", False), ("0.3.64", False),
    ("", False), ("unknown", False), ("0.18", True),
])  # fmt: skip
def test_versions_with_the_colour_fault(version: str, faulty: bool) -> None:
    note = version_note(version)
    assert (note is not None and note.code == "comfyui_vae_colour") == faulty
    if note is not None:
        assert version in words(note) and "0.18.1" in words(note)


def test_each_fault_has_words_and_a_source() -> None:
    for fault in KNOWN_FAULTS:
        assert OLDEST < fault.first < fault.fixed and "#" in fault.source
        note = version_note(".".join(map(str, fault.first)))
        assert note is not None and words(note)
