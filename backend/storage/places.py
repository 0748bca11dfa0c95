"""The keeper of a studio: where its servers and its page keep copies of what a job has."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from backend.engines.base import EngineInfo
from backend.engines.kinds import kind_of
from backend.errors import BadSettings
from backend.jobs.store import Store
from backend.settings.model import Settings
from backend.storage import upload_folder
from backend.storage.cleaner import Keeper, Limits, Place
from backend.system.health import on_this_machine


def keeper(
    settings: Settings,
    store: Store,
    engines: Callable[[], Sequence[EngineInfo]],
    forget: Callable[[str], None],
    whose: str,
) -> Keeper:
    """Housekeeping by the settings. `forget`: drops what the queue remembers of a job. `whose`: marks the
    page's upload folder as this studio's; one that is not there yet is made."""
    given = _given()
    if given is not None and not os.path.lexists(given):
        with contextlib.suppress(BadSettings):  # the app says it, before it serves the page
            upload_folder.claim(given, whose)
    return Keeper(
        store,
        settings.data_dir,
        Limits(settings.keep_days, settings.keep_disk_percent, settings.owner_disk_mb * 1_000_000),
        places=lambda: places(engines(), settings.comfyui_dir),
        cache=lambda: _page_cache(whose),
        forget=forget,
    )


def places(engines: Sequence[EngineInfo], comfyui_dir: Path | None) -> list[Place]:
    """The folders of the servers on this machine, each once; none for one that runs elsewhere.

    A ComfyUI that was started as `python main.py` does not say where it is: then it is taken for the one in
    `comfyui_dir`. If it is not, nothing happens: only files with a job's id in their name are removed there.
    """
    found: dict[Place, None] = {}
    for info in engines:
        if not on_this_machine(info.address):
            continue
        given = (
            Path(info.input_dir) if info.input_dir else None,
            Path(info.output_dir) if info.output_dir else None,
        )
        if given == (None, None) and kind_of(info).runs_from_folder and comfyui_dir is not None:
            given = (comfyui_dir / "input", comfyui_dir / "output")
        if given != (None, None):
            found[Place(*given)] = None
    return list(found)


def _page_cache(whose: str) -> Path | None:
    """Where the page keeps uploads, and copies of results for clients, if this studio made the folder."""
    folder = _given()
    return folder if folder is not None and upload_folder.is_ours(folder, whose) else None


def _given() -> Path | None:
    given = os.environ.get("GRADIO_TEMP_DIR", "")
    return Path(given).expanduser().absolute() if given else None
