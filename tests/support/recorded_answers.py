"""Answers of a real ComfyUI to graphs that it refuses."""

from __future__ import annotations

import json
from pathlib import Path

BODIES = json.loads((Path(__file__).parent.parent / "data" / "http" / "validation.json").read_text())
