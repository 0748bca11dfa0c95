"""Values that the studio reports in codes: each has a text in the table."""

from __future__ import annotations

from typing import get_args

import pytest

from backend.events import STAGES
from backend.models import inventory
from ui.i18n.texts import table
from ui.views import model_table
from workflows.modes.animate import routes
from workflows.params.field import MediaKind

FAMILIES = {
    "models.state": (
        inventory.READY, inventory.MISSING, inventory.UNSEEN, inventory.WRONG_SIZE, inventory.DAMAGED,
        inventory.UNREADABLE, inventory.UNSUITABLE, "unknown",
    ),
    "models.column": model_table.COLUMNS,
    "progress.stage": STAGES,
    "media.kind": get_args(MediaKind),
    "media.pose": (routes.NATIVE, routes.PREPROCESS, routes.TEMPLATE, "given"),
    "media.mask": (routes.SAM3, routes.SAM2, "given"),
    "card.workflow_tip": ("video", "picture"),
    "failure.not_made": ("video", "picture"),
    "machine.workers": ("idle", "initializing", "ready", "running", "throttled", "unhealthy"),
    "machine.local": ("ok", "starting", "lost"),
    "machine.remote": ("ok", "starting", "lost"),
    "machine.endpoint": ("ok", "starting", "lost"),
    "format.month": tuple(str(month) for month in range(1, 13)),
}  # fmt: skip
"""Prefix -> the legal values: those of the code that makes them."""


@pytest.mark.parametrize("prefix", FAMILIES)
def test_every_value_has_a_text_and_every_text_a_value(prefix: str) -> None:
    start = f"{prefix}."
    assert {key.removeprefix(start) for key in table() if key.startswith(start)} == set(FAMILIES[prefix])
