"""Errors of ComfyUI and RunPod while they are asked, run a job and deliver its result."""

from __future__ import annotations

from collections.abc import Mapping

from backend.error_texts.text import ErrorText

_NEWER = "Use ComfyUI 0.3.64 or newer."
_CHANGE = "Change it and try again."

TEXTS: Mapping[str, ErrorText] = {
    # asking ComfyUI
    "not_comfyui_status": ErrorText("Something answers at the address, but not as ComfyUI does."),
    "unknown_node_format": ErrorText("ComfyUI describes its nodes in an unknown format.", _NEWER),
    "too_old_for_us": ErrorText(
        "This ComfyUI is too old for Wan Studio.", "Update ComfyUI to 0.3.64 or newer."
    ),
    # sending a job to it
    "workflow_not_sendable": ErrorText("The workflow could not be sent."),
    "engine_input_of": ErrorText("{said}", "{advice} This video was made from {names}."),
    "engine_input_is": ErrorText("{said} The file is {name}.", "{advice}"),
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
    # a full disk
    "engine_disk_full_here": ErrorText(
        "The disk of this machine is full: {server} cannot write into {where}.",
        "Free space in ComfyUI's output, temp and input folders, or start it with --output-directory and"
        " --temp-directory on a larger disk.",
    ),
    "engine_disk_full_at": ErrorText(
        "The disk of the machine at {address} is full: {server} cannot write into {where}.",
        "Free space there in ComfyUI's output, temp and input folders, or start it with --output-directory"
        " and --temp-directory on a larger disk.",
    ),
    "runpod_disk_full": ErrorText(
        "The disk of the RunPod worker is full: it cannot write into {where}.",
        "Give the endpoint's template a larger container disk, or free space on its network volume.",
    ),
    # watching it
    "stopped_before_submit": ErrorText("Wan Studio was stopped before this job was submitted."),
    "unknown_error": ErrorText("{server} stopped with an error and did not say which."),
    "media_not_found": ErrorText("ComfyUI does not find the {kinds} that was sent to it.", "Try again."),
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
