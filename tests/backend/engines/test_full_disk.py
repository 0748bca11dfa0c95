"""A full disk of ComfyUI or of a RunPod worker is no full data folder; its machine is named."""

from __future__ import annotations

import json

import pytest

from backend.engines import full_disk
from backend.engines.comfy.execution_errors import execution_error
from backend.engines.runpod.responses import failed_job_error
from backend.errors import DiskFull, EngineDiskFull
from backend.worker.handler import _failure


@pytest.mark.parametrize(
    ("message", "node", "folder"),
    [
        ("[Errno 28] No space left on device: '/comfy/output/wan/clip.mp4'", "SaveVideo", "output"),
        ("[Errno 28] No space left on device: '/data/output/ComfyUI/temp/a.png'", "SaveImage", "temp"),
        ("[WinError 112] Es steht nicht genug Speicher zur Verfügung: 'D:\\C\\input\\a'", "LoadX", "input"),
        ("[Errno 122] Disk quota exceeded", "VHS_VideoCombine", "output"),
        ("[Errno 28] No space left on device", "PreviewImage", "temp"),
        ("[Errno 28] No space left on device", "DownloadAndLoadWan", "models"),
        ("[Errno 28] No space left on device", "KSampler", ""),
        ("No space left on device (os error 28): my output", "UNETLoader", ""),
    ],
)
def test_the_folder_is_that_of_the_message_or_of_the_node(message: str, node: str, folder: str) -> None:
    error = execution_error({"exception_type": "OSError", "exception_message": message, "node_type": node})
    assert isinstance(error, EngineDiskFull) and error.folder == folder


def test_the_machine_is_named() -> None:
    error = full_disk.at_upload("upload of a.png: HTTP 507")
    remote = full_disk.of_server(error, "ComfyUI", "http://gpu-box:8188")
    here = full_disk.of_server(error, "ComfyUI", "")
    assert remote.message == (
        "The disk of the machine at http://gpu-box:8188 is full: ComfyUI cannot write into its input folder."
    )
    assert here.message == "The disk of this machine is full: ComfyUI cannot write into its input folder."
    assert "Library" not in remote.hint + here.hint and remote.detail == error.detail


@pytest.mark.parametrize(
    ("status", "answer", "full"),
    [
        (507, "", True), (507, None, True), (500, "OSError: [Errno 28] No space left on device", True),
        (502, {"error": "Disk quota exceeded"}, True), (500, "500 Internal Server Error", False),
        (400, "No space left on device", False), (200, {"name": "no space left on device.png"}, False),
    ],
)  # fmt: skip
def test_the_answer_to_an_upload(status: int, answer: object, full: bool) -> None:
    assert full_disk.refused_for_room(status, answer) == full


@pytest.mark.parametrize(
    ("error", "where"),
    [
        (full_disk.at_upload(""), "its input folder"),
        (DiskFull.of("disk_is_full"), "one of its folders"),
    ],
)
def test_a_worker_reports_its_full_disk(error: DiskFull, where: str) -> None:
    got = failed_job_error(_failure(error)["error"])
    assert isinstance(got, EngineDiskFull)
    assert got.message == f"The disk of the RunPod worker is full: it cannot write into {where}."
    assert "container disk" in got.hint


@pytest.mark.parametrize("folder", [None, 5, "/etc", "x" * 9000, ["output"]])
def test_a_worker_cannot_put_words_into_the_sentence(folder: object) -> None:
    data = {"code": "engine_disk_full", "message": "<b>", "folder": folder}
    got = failed_job_error(json.dumps(data))
    assert got.message == "The disk of the RunPod worker is full: it cannot write into one of its folders."
