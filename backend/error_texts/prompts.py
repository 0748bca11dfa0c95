"""Errors of one job at ComfyUI: its files, and the monitoring of its prompt."""

from __future__ import annotations

from collections.abc import Mapping

from backend.error_texts.text import ErrorText

_CONNECTION = "Check the connection to ComfyUI, then try again."

TEXTS: Mapping[str, ErrorText] = {
    "unexpected_response": ErrorText(
        "ComfyUI sent an unexpected response.", "Check that the address is that of a ComfyUI."
    ),
    # sending files
    "job_file_gone": ErrorText("The file of this job is no longer on the disk.", "Upload it again."),
    "bad_file_name": ErrorText("A file name is not valid."),
    "upload_too_large": ErrorText(
        "The file is too large for this ComfyUI ({megabytes:.0f} MB).",
        "Use a smaller one, or start ComfyUI with a larger --max-upload-size (100 MB by default).",
    ),
    "upload_refused": ErrorText(
        "ComfyUI did not accept the uploaded file.",
        "Check the free space on the machine that runs ComfyUI, then try again.",
    ),
    "file_changed": ErrorText("The file changed during the upload.", "Try again."),
    # fetching the result
    "video_incomplete": ErrorText("The video from ComfyUI is incomplete.", _CONNECTION),
    "video_not_sent": ErrorText(
        "ComfyUI reported a finished video, but cannot send it.",
        "Check whether it is in ComfyUI's output folder.",
    ),
    "video_too_slow": ErrorText("ComfyUI sends the video too slowly.", _CONNECTION),
    "video_empty": ErrorText("ComfyUI wrote an empty file.", "Try again."),
    "video_too_large": ErrorText(
        "ComfyUI sends more than this job can make ({megabytes:.0f} MB).",
        "Check that the address is that of a ComfyUI, and that nothing else writes into its output folder.",
    ),
    # monitoring
    "studio_stopped": ErrorText("Wan Studio was stopped while this job was running."),
    "server_stopped_at_work": ErrorText("{server} stopped while it worked on this."),
    "server_lost_at_work": ErrorText("{server} stopped responding while it worked on this."),
    "server_stuck": ErrorText(
        "{server} has not responded for {silence} and appears to be stuck.",
        "Restart ComfyUI, then try again.",
    ),
    "server_restarted": ErrorText("{server} was restarted and no longer knows of this job."),
    "server_forgot": ErrorText("{server} worked on this, and no longer has its result."),
    "removed_from_queue": ErrorText("The job was removed from the server's queue."),
    "stopped_on_server": ErrorText("The job was stopped on the server."),
    "no_video": ErrorText("{server} finished, but wrote no video.", "Try again."),
}
