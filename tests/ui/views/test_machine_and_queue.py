"""System's left column, the line of waiting jobs, pins: texts and figures, for visitors and for the admin."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from backend.engines.base import EngineInfo
from backend.jobs.views import Place, QueueState
from tests.support.job_views import job, media
from ui.views import library, machine_panel, queue
from ui.views.header import public_line
from workflows.notice import notice

SERVER = EngineInfo(
    kind="comfyui", address="http://127.0.0.1:8188", state="ok", version="0.3.76", gpu="NVIDIA L4",
    vram_total=24 << 30, vram_free=6 << 30, ram_total=64 << 30, ram_free=32 << 30,
)  # fmt: skip


def test_system_says_how_each_server_is() -> None:
    entry = {
        "address": SERVER.address, "running": 1, "pending": 2, "restarts": 3, "ours": True,
        "error": "It ended with status 137.",
    }  # fmt: skip
    shown = machine_panel.machine([SERVER], QueueState(1, 4), {"servers": [entry], "database": "ok"}, {})
    for words in (
        "L4", "ComfyUI is running on this machine.", "18 GB</strong> of 24 GB", "1 running, 2 waiting",
        "3 since the studio started", "It ended with status 137.", "This studio", "1 running, 4 waiting",
        "OK",
    ):  # fmt: skip
        assert words in shown
    assert "<h2>" in shown and 'data-act="pause"' not in shown


def test_system_shows_what_it_knows_of_a_server() -> None:
    shown = machine_panel.machine([SERVER], QueueState(0, 0), {"servers": [{"address": "elsewhere"}]}, {})
    assert "Restarts" not in shown and "Engine queue" not in shown and "Database" not in shown


def test_several_servers_stand_below_one_another() -> None:
    second = replace(
        SERVER,
        address="http://127.0.0.1:8189",
        state="lost",
        error=notice("text", text="Killed: out of memory."),
    )
    shown = machine_panel.machine([SERVER, second], QueueState(0, 0), {}, {"Disk": (1, 2)})
    assert shown.count('class="server small"') == 3 and "Killed: out of memory." in shown
    assert shown.count("Disk") == 1 and shown.index("8189") < shown.index("Disk")


@pytest.mark.parametrize(
    ("paused", "admin", "act", "words"),
    [
        (False, True, "pause", "Pause queue"),
        (True, True, "resume", "2 waiting. Queue paused."),
        (True, False, "", "Queue paused by the admin"),
    ],
)
def test_only_the_admin_may_pause(paused: bool, admin: bool, act: str, words: str) -> None:
    shown = machine_panel.machine([SERVER], QueueState(0, 2), {}, {}, paused, admin)
    assert re.findall('data-act="([^"]+)"', shown) == ([act] if act else [])
    assert words in shown


def test_a_public_page_says_so() -> None:
    assert "Anybody &lt;can&gt;" in public_line("Anybody <can> use it.")


def test_a_pinned_clip_is_marked_and_can_be_unpinned() -> None:
    shown = library.grid([job(status="done", pinned=True)], media, 0.0)
    assert 'data-act="unpin"' in shown and 'aria-pressed="true"' in shown and ">Pinned<" in shown
    shown = library.grid([job(status="done")], media, 0.0)
    assert 'data-act="pin"' in shown and "Pin: don't auto-delete" in shown and ">Pinned<" not in shown


def test_the_queue_names_own_jobs_and_counts_the_others() -> None:
    mine = [job(id=str(n), status="queued", title=f"boat <{n}>") for n in range(12)]
    line = [Place(0, "animate", False, None), Place(1, "animate", False, None)]
    line += [Place(n, "image_to_video", True, job) for n, job in enumerate(mine, 2)]
    shown = queue.line_list(line)
    assert shown.count("<li ") == queue.ROWS and "And 4 more of yours." in shown
    assert "13 waiting, 12 yours" in shown and ">3rd</span>" in shown and "boat &lt;0&gt;" in shown
    assert "Queue paused by the admin" in queue.line_list(line, paused=True)
    assert "boat &lt;0&gt;" not in queue.line_list(line, shown="0"), "the stage has it already"
    assert queue.line_list(line[:2]) == ""
