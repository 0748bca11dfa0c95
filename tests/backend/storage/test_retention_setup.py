"""Retention of a whole studio with the demo engine, which has a ComfyUI's folders."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backend.engines.base import EngineInfo
from backend.errors import NotFound
from backend.settings.model import Settings
from backend.storage.retention import EngineFolders
from backend.storage.retention_setup import engine_folders
from backend.studio import Studio
from tests.support.scripted import OWNER, ended

VALUES = {"prompt": "A boat", "seconds": 0.5, "width": 64, "height": 64, "speed": "fast", "seed": 1}


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "page"))
    settings = Settings.from_env(
        {"WAN_ENGINE": "demo", "WAN_DEMO_STEP_SECONDS": "0", "WAN_DATA_DIR": str(tmp_path / "data")}, tmp_path
    )
    studio = Studio(settings)
    studio.start()
    yield studio
    studio.close()


@pytest.mark.full
def test_outputs_are_removed_and_delete_removes_every_copy(
    studio: Studio, picture: Path, tmp_path: Path
) -> None:
    jobs = [studio.submit(OWNER, "image_to_video", VALUES, {"image": picture}) for _ in range(2)]
    for job in jobs:
        assert ended(studio, job, 60).status == "done"
    info = studio.engines()[0]
    output, given = Path(info.output_dir, "wan-studio"), Path(info.input_dir, "wan-studio")
    written = sorted(path.name for path in output.iterdir())
    assert len([name for name in written if name.endswith(".mp4")]) == 2
    studio.retention.remove_ended_outputs()
    assert list(output.iterdir()) == [], "the results are in the jobs' folders"
    assert len(list(given.iterdir())) == 1, "the picture is kept for a week: the next job may use it"

    copy = tmp_path / "page" / "abc" / "clip.mp4"
    copy.parent.mkdir(parents=True)
    folder = studio.settings.jobs_dir / jobs[0].id
    os.link(folder / "result.mp4", copy)
    studio.delete(OWNER, jobs[0].id, jobs[0].key)
    assert not folder.exists() and not copy.exists() and list(given.iterdir()) == []
    with pytest.raises(NotFound):
        studio.job(jobs[0].id, jobs[0].key)
    assert studio.result_path(jobs[1].id, jobs[1].key).is_file()
    again = studio.submit(OWNER, "image_to_video", {**VALUES, "seed": 2}, {"image": picture})
    assert ended(studio, again, 60).status == "done", "the picture is uploaded to the server again"


def test_folders_of_local_servers(tmp_path: Path) -> None:
    here = EngineInfo("comfyui", "http://127.0.0.1:8188", input_dir="/c/input", output_dir="/c/output")
    silent = EngineInfo("comfyui", "http://127.0.0.1:8188")
    remote = EngineInfo("comfyui", "https://pod.example", input_dir="/c/input", output_dir="/c/output")
    assert engine_folders([here, here, remote], None) == [EngineFolders(Path("/c/input"), Path("/c/output"))]
    assert engine_folders([silent], tmp_path) == [EngineFolders(tmp_path / "input", tmp_path / "output")]
    assert engine_folders([silent, remote, EngineInfo("demo", "http://127.0.0.1:1")], None) == []
