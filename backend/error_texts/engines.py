"""Errors of ComfyUI and RunPod while they are asked, run a job and deliver its result."""

from __future__ import annotations

from collections.abc import Mapping

from backend.error_texts.text import ErrorText

_CHECK_ADDRESS = "Check that the address is that of a ComfyUI."
_NEWER = "Use ComfyUI 0.3.64 or newer."
_RESTART = "Restart ComfyUI, then try again."
_CHANGE = "Change it and try again."

TEXTS: Mapping[str, ErrorText] = {
    # asking ComfyUI
    "no_answer": ErrorText("The ComfyUI at {address} does not answer."),
    "asks_password": ErrorText(
        "The ComfyUI at {address} asks for a password.",
        "Put it into the address: http://user:password@host:port.",
    ),
    "not_comfyui": ErrorText("Something answers at {address}, but not as ComfyUI does.", _CHECK_ADDRESS),
    "not_comfyui_status": ErrorText("Something answers at the address, but not as ComfyUI does."),
    "unexpected_response": ErrorText("ComfyUI sent an unexpected response.", _CHECK_ADDRESS),
    "unknown_node_format": ErrorText("ComfyUI describes its nodes in an unknown format.", _NEWER),
    "too_old_for_us": ErrorText(
        "This ComfyUI is too old for Wan Studio.", "Update ComfyUI to 0.3.64 or newer."
    ),
    # sending a job to it
    "workflow_not_sendable": ErrorText("The workflow could not be sent."),
    "input_gone": ErrorText("The file of this job is no longer on the disk.", "Upload it again."),
    "bad_input_name": ErrorText("A file name is not valid."),
    "upload_too_large": ErrorText(
        "The file is too large for this ComfyUI ({megabytes:.0f} MB).",
        "Use a smaller one, or start ComfyUI with a larger --max-upload-size (100 MB by default).",
    ),
    "upload_refused": ErrorText(
        "ComfyUI did not accept the uploaded file.",
        "Check the free space on the machine that runs ComfyUI, then try again.",
    ),
    "upload_changed": ErrorText("The file changed during the upload.", "Try again."),
    "request_unreadable": ErrorText("ComfyUI could not read what was sent to it."),
    "models_missing": ErrorText("{count} model files are not on this ComfyUI: {listed}."),
    "model_missing": ErrorText("{file} is not on this ComfyUI."),
    "model_missing_in": ErrorText("{file} is not in {folder} on this ComfyUI."),
    "node_missing": ErrorText("This ComfyUI lacks a node that this video needs."),
    "nothing_to_make": ErrorText("ComfyUI found nothing to make in the workflow."),
    "workflow_not_accepted": ErrorText("ComfyUI did not accept the workflow."),
    "other_settings": ErrorText("ComfyUI did not accept the workflow: it expects other settings."),
    "field_refused": ErrorText("{reasons}", _CHANGE),
    "field_refused_more": ErrorText("{reasons} And {count} more.", _CHANGE),
    "values_refused": ErrorText("{reasons}"),
    "values_refused_more": ErrorText("{reasons} And {count} more."),
    "value_not_offered": ErrorText("This ComfyUI does not offer {value} as {input}."),
    "value_too_small": ErrorText("The {input} is {value}; this ComfyUI takes {least} or more."),
    "value_too_large": ErrorText("The {input} is {value}; this ComfyUI takes {most} or less."),
    "value_unusable": ErrorText("ComfyUI cannot use {value} as {input}."),
    # watching it
    "stopped_before_submit": ErrorText("Wan Studio was stopped before this job was submitted."),
    "stopped_while_running": ErrorText("Wan Studio was stopped while this job was running."),
    "server_ended": ErrorText("{server} stopped while it worked on this."),
    "server_stopped_responding": ErrorText("{server} stopped responding while it worked on this."),
    "server_stuck": ErrorText(
        "{server} has not responded for {seconds:.0f} s and appears to be stuck.", _RESTART
    ),
    "server_stuck_minutes": ErrorText(
        "{server} has not responded for {minutes:.0f} minutes and appears to be stuck.", _RESTART
    ),
    "server_restarted": ErrorText("{server} was restarted and no longer knows of this job."),
    "removed_from_queue": ErrorText("The job was removed from the server's queue."),
    "stopped_on_server": ErrorText("The job was stopped on the server."),
    "unknown_error": ErrorText("{server} stopped with an error and did not say which."),
    # an error in the graph
    "stage_failed": ErrorText("{server} stopped with an error {stage}."),
    "server_disk_full": ErrorText("The disk of the machine that runs ComfyUI is full."),
    "server_out_of_memory": ErrorText("The machine that runs ComfyUI ran out of memory (RAM)."),
    "gpu_out_of_memory": ErrorText("The GPU ran out of memory."),
    "gpu_needs_more": ErrorText("The GPU ran out of memory: {size} more was needed."),
    "gpu_error": ErrorText("The GPU of the ComfyUI machine reported an error.", _RESTART),
    "model_damaged": ErrorText("The model file {file} on this ComfyUI is damaged or incomplete."),
    "some_model_damaged": ErrorText("A model file on this ComfyUI is damaged or incomplete."),
    "no_sound_in_file": ErrorText(
        "The file has no sound in it.", "Drop a file that has sound, or record it again."
    ),
    "sound_too_short": ErrorText("The sound is too short to work with.", "Use a sound of 0.2 s or more."),
    "media_damaged": ErrorText("ComfyUI could not read the {kinds}: it is damaged."),
    "media_not_found": ErrorText("ComfyUI does not find the {kinds} that was sent to it.", "Try again."),
    "media_unreadable": ErrorText("ComfyUI could not read the {kinds}."),
    # its result
    "server_wrote_nothing": ErrorText("{server} finished, but wrote no video.", "Try again."),
    "result_incomplete": ErrorText(
        "The video from ComfyUI is incomplete.", "Check the connection to ComfyUI, then try again."
    ),
    "result_not_sent": ErrorText(
        "ComfyUI reported a finished video, but cannot send it.",
        "Check whether it is in ComfyUI's output folder.",
    ),
    "result_empty": ErrorText("ComfyUI wrote an empty file.", "Try again."),
    # asking RunPod
    "runpod_no_answer": ErrorText("RunPod does not answer."),
    "runpod_queue_full": ErrorText("RunPod's queue for this endpoint is full."),
    "runpod_unexpected": ErrorText("RunPod sent an unexpected response."),
    "runpod_bad_key": ErrorText(
        "RunPod does not accept the API key.",
        "Set RUNPOD_API_KEY to a key of the account that has the endpoint, then start again.",
    ),
    "runpod_no_endpoint": ErrorText(
        "RunPod has no Serverless endpoint {endpoint}.",
        "Set RUNPOD_ENDPOINT_ID to the id that the RunPod console shows, then start again.",
    ),
    "runpod_rejected": ErrorText("RunPod rejected the request.", "The log contains RunPod's message."),
    "runpod_too_large": ErrorText(
        "The files of this video need {megabytes:.1f} MB in a request to RunPod, and the limit is 10 MB.",
        "Use a shorter sound or driving video, or a smaller size.",
    ),
    "runpod_forgot": ErrorText("RunPod no longer has this video."),
    # a job there
    "runpod_graph_alone": ErrorText("RunPod cannot run a graph without its job."),
    "runpod_input_gone": ErrorText("The file of this job is no longer on the disk."),
    "runpod_sending_stopped": ErrorText("Wan Studio was stopped while it sent this to RunPod."),
    "runpod_watching_stopped": ErrorText("Wan Studio was stopped; RunPod goes on with this video."),
    "runpod_fetching_stopped": ErrorText("Wan Studio was stopped while it fetched a result."),
    "runpod_dropped": ErrorText(
        "RunPod no longer has this video: results are kept for 30 minutes, and a video that waits too long is"
        " dropped.",
        "Try again. WAN_RUNPOD_TTL_HOURS sets how long a video may wait.",
    ),
    "runpod_silent_too_long": ErrorText(
        "RunPod did not respond for so long that it no longer has the video.",
        "Try again when the connection is back.",
    ),
    "runpod_lost": ErrorText("The RunPod worker lost this video.", "Try again."),
    "runpod_waited_too_long": ErrorText(
        "No RunPod worker took this video within {hours:g} hours.",
        "Look in the RunPod console whether the endpoint has workers (max workers above 0) and GPUs.",
    ),
    "runpod_ran_too_long": ErrorText(
        "The video was not done within {minutes:g} minutes, and RunPod stopped it.",
        "Raise WAN_RUNPOD_MINUTES, or take fewer steps, a smaller size or a shorter video.",
    ),
    "worker_failed": ErrorText("The worker failed."),
    "worker_raised": ErrorText(
        "The RunPod worker failed while it made the video.",
        "Try again. The endpoint's log in the RunPod console says more.",
    ),
    "worker_stopped": ErrorText(
        "The RunPod worker stopped while it made the video.",
        "Try again. If it stops again, the endpoint's log in the RunPod console says why.",
    ),
    "worker_refused": ErrorText(
        "The RunPod worker refused the video.",
        "Check that the endpoint runs Wan Studio's worker, in the same version as this page.",
    ),
    # a result of RunPod
    "runpod_result_too_large": ErrorText(
        "RunPod says that the video is done, but did not pass it on: it was too large, or got lost.",
        "Give the endpoint a bucket (BUCKET_ENDPOINT_URL and its keys): the README says how.",
    ),
    "runpod_bad_address": ErrorText("The worker gave an address that cannot be opened."),
    "runpod_result_damaged": ErrorText("The result from RunPod is damaged.", "Try again."),
    "runpod_result_gone": ErrorText("The result no longer exists.", "Try again."),
    "runpod_result_not_passed": ErrorText("RunPod did not pass the result on.", "Try again."),
    "volume_unreadable": ErrorText("The result on the endpoint's volume cannot be read."),
    "bucket_refused": ErrorText(
        "The bucket refused access to the video.",
        "Check that the video is in the bucket and that its keys have read permission.",
    ),
    "bucket_too_large": ErrorText("The video in the bucket is too large to fetch."),
    "bucket_incomplete": ErrorText("The video from the bucket is incomplete.", "Try again."),
    "bucket_silent": ErrorText("The bucket that has the video does not answer.", "Try again."),
}
