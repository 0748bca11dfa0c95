"""Creates a studio's Retention: its limits, the folders of local ComfyUI servers, the page's cache."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from backend.engines.base import EngineInfo
from backend.engines.kinds import kind_of
from backend.errors import BadSettings
from backend.jobs.job import Job
from backend.jobs.store import Store
from backend.settings.model import Settings
from backend.storage import upload_folder
from backend.storage.retention import EngineFolders, Limits, Retention
from backend.system.health import on_this_machine


def create(
    settings: Settings,
    store: Store,
    engines: Callable[[], Sequence[EngineInfo]],
    forget: Callable[[str], None],
    whose: str,
    before_removal: Callable[[Job], None] = lambda _: None,
    in_work: Callable[[str], bool] = lambda _: False,
) -> Retention:
    """The Retention for these settings. Creates the page's upload folder if it does not exist.

    `forget`: drops a job from the queue. `whose`: the text that marks the upload folder as this studio's.
    `before_removal`, `in_work`: as in Retention.
    """
    given = _gradio_temp_dir()
    if given is not None and not os.path.lexists(given):
        with contextlib.suppress(BadSettings):  # the app reports it before it serves the page
            upload_folder.claim(given, whose)
    return Retention(
        store,
        settings.data_dir,
        Limits(settings.keep_days, settings.keep_disk_percent, settings.owner_disk_mb * 1_000_000),
        engine_folders=lambda: engine_folders(engines(), settings.comfyui_dir),
        cache=lambda: _page_cache(whose),
        sweep_uploads=lambda before: _sweep_uploads(whose, before),
        forget=forget,
        before_removal=before_removal,
        in_work=in_work,
    )


def engine_folders(engines: Sequence[EngineInfo], comfyui_dir: Path | None) -> list[EngineFolders]:
    """The folders of the servers on this machine, each once; none for remote servers.

    A ComfyUI that does not report its folders (started as `python main.py`) is assumed to be the one in
    `comfyui_dir`. If it is another, no harm is done: only files named after a job or a content hash are
    removed.
    """
    found: dict[EngineFolders, None] = {}
    for info in engines:
        if not on_this_machine(info.address):
            continue
        reported = (
            Path(info.input_dir) if info.input_dir else None,
            Path(info.output_dir) if info.output_dir else None,
        )
        if reported == (None, None) and kind_of(info).runs_from_folder and comfyui_dir is not None:
            reported = (comfyui_dir / "input", comfyui_dir / "output")
        if reported != (None, None):
            found[EngineFolders(*reported)] = None
    return list(found)


def _page_cache(whose: str) -> Path | None:
    """The folder of uploads and of copies of results for clients, if this studio made it."""
    folder = _gradio_temp_dir()
    return folder if folder is not None and upload_folder.is_ours(folder, whose) else None


def _sweep_uploads(whose: str, before: float) -> None:
    folder = _gradio_temp_dir()
    if folder is not None:
        upload_folder.sweep(folder, whose, before)


def _gradio_temp_dir() -> Path | None:
    given = os.environ.get("GRADIO_TEMP_DIR", "")
    return Path(given).expanduser().absolute() if given else None
