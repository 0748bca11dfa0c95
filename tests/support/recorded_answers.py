"""Recorded responses of ComfyUI to graphs that it rejects."""

from __future__ import annotations

import json

from tests.support.paths import DATA

BODIES = json.loads((DATA / "http" / "validation.json").read_text())
