"""Answers of a real ComfyUI to graphs that it refuses."""

from __future__ import annotations

import json

from tests.support.paths import DATA

BODIES = json.loads((DATA / "http" / "validation.json").read_text())
