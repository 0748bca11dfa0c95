"""Errors of submitting, running, opening and changing a job, and of the job database."""

from __future__ import annotations

from collections.abc import Mapping

from backend.error_texts.text import ErrorText

TEXTS: Mapping[str, ErrorText] = {
    # who may do it
    "admin_only": ErrorText("Only the admin can do this."),
    "requests_pending": ErrorText("Too many requests of yours are under way.", "Try again in a few seconds."),
    "new_visitors": ErrorText("Too many new visitors are making videos right now."),
    "bad_owner_token": ErrorText("The owner token is not one.", "Use 16 to 200 letters, digits, - or _."),
    "owner_only": ErrorText(
        "Only the owner of this video can do this.", "A private link is for watching and downloading."
    ),
    "owner_moves": ErrorText("Only its owner can move a video in the queue."),
    # a job that is looked for
    "wrong_link": ErrorText("There is no such video, or the link is incomplete."),
    "video_gone": ErrorText("This video no longer exists."),
    "not_finished": ErrorText("This video is not finished, or its file is gone."),
    "deleted_for_good": ErrorText("This video is deleted.", "It can be brought back only for a few seconds."),
    "inputs_dropped": ErrorText("The files this was made from are no longer stored."),
    "inputs_missing": ErrorText("The files for this video no longer exist."),
    "delete_running": ErrorText(
        "This video is still being made; it is cancelled now.", "Delete it when it has stopped."
    ),
    "keep_running": ErrorText("This video is still being made.", "Keep it when it is done."),
    # inputs that are results of other jobs
    "source_unknown": ErrorText("There is no video of yours with this id to start from."),
    "source_not_taken": ErrorText("{parameter} takes no result of another video."),
    "source_not_made": ErrorText(
        "The video that this is to start from failed or was cancelled.", "Make that one again first."
    ),
    "source_failed": ErrorText(
        "The video that this starts from failed: {reason}", "Make that one again, then this one."
    ),
    "source_cancelled": ErrorText(
        "The video that this starts from was cancelled.", "Make that one again, then this one."
    ),
    "source_gone": ErrorText("The video that this starts from no longer exists.", "Choose another one."),
    "source_unreadable": ErrorText(
        "The video that this starts from can no longer be read: {reason}",
        "Make that one again, then this one.",
    ),
    "source_circular": ErrorText("This video and the one that it starts from wait for each other."),
    "source_is_picture": ErrorText("A picture cannot be used as the {input}.", "Choose a video."),
    "source_is_silent": ErrorText(
        "The video chosen as the {input} has no sound.", "Choose one with sound, or upload a sound."
    ),
    "source_frame": ErrorText(
        "The video chosen as the {input} has {count} frames, so there is no frame {number}.",
        "Frames count from 0; -1 is the last.",
    ),
    # values of a form or of a call
    "choose_picture": ErrorText("Choose a picture first."),
    "choose_sound": ErrorText("Choose a sound first."),
    "choose_video": ErrorText("Choose a video first."),
    "param_refused": ErrorText("{said}", "{advice}"),
    "seed_refused": ErrorText("{said}", "{advice} -1 picks one at random."),
    # the queue
    "queue_full": ErrorText("The queue is full: {count} videos are waiting."),
    "own_one_waiting": ErrorText("You already have a video waiting, which is the limit."),
    "own_many_waiting": ErrorText("You already have {count} videos waiting, which is the limit."),
    "queue_full_for": ErrorText("The queue holds {count} videos and has no room for {more} more now."),
    "own_too_many": ErrorText(
        "You can have {count} videos waiting, and these are {more} more.",
        "Ask for fewer, or wait for some to finish.",
    ),
    # jobs made of jobs
    "children_gone": ErrorText("None of the variations is there any more."),
    "children_unreadable": ErrorText("None of the variations can be read any more."),
    "family_size": ErrorText("One job can be made of 1 to {most} videos; these are {count}."),
    "family_part": ErrorText("Part {number} can start only from an earlier part."),
    "closing": ErrorText("The studio is closing."),
    "set_not_ended": ErrorText(
        "The others of this set are still made.",
        "Try again once they are done: that makes what is missing and keeps the rest.",
    ),
    "variations_count": ErrorText("The number of variations must be a whole number from 1 to {most}."),
    "vary_not_json": ErrorText(
        "What to vary could not be read.",
        'Write it as JSON, for example {{"motion": ["subtle", "dynamic"]}}.',
    ),
    "vary_too_long": ErrorText("What to vary must be at most {most} characters."),
    "vary_unknown": ErrorText("Variations can differ in one of {names}."),
    "vary_values": ErrorText("Give 2 to {most} values of {name} to vary."),
    "vary_count": ErrorText("There are {values} values of {name}, but {count} variations."),
    "vary_twice": ErrorText("Two of the values of {name} are the same."),
    "too_long": ErrorText(
        "This video would last {length}; the longest possible here is {longest}.", "Choose a shorter length."
    ),
    "part_too_long": ErrorText(
        "This video would last {length}; the longest possible here is {longest}.", "Choose a shorter part."
    ),
    "service_silent": ErrorText("{why}", "Generate works as soon as {engine} answers."),
    "server_silent": ErrorText("{engine} does not answer at {address}."),
    "request_too_large": ErrorText(
        "The {input} does not fit into what RunPod takes for one video, 10 MB.",
        "Choose a shorter part or a smaller size, or make long videos on a pod.",
    ),
    "data_folder_taken_over": ErrorText(
        "Another machine has taken over the data folder.",
        "Use the page of that one, or set WAN_DATA_DIR to a folder of this one's own and start again.",
    ),
    # compiling
    "workflow_failed": ErrorText("The workflow could not be built."),
    "workflow_refused": ErrorText("This ComfyUI would not take the workflow."),
    "server_lacks_models": ErrorText(
        "{mode} needs {files}. The ComfyUI at {address} does not have it.",
        "Run `python app.py models download {command}`; System lists what is seen.",
    ),
    "comfyui_too_old": ErrorText(
        "{mode} needs ComfyUI {oldest} or newer; this one is {version}.", "Update ComfyUI at {address}."
    ),
    "server_lacks_nodes": ErrorText(
        "{mode} needs nodes that the ComfyUI at {address} does not have: {names}.",
        "Update ComfyUI, or add the custom nodes that bring them.",
    ),
    "nodes_unreadable": ErrorText(
        "{mode} needs {names}. The ComfyUI at {address} describes it in a way that Wan Studio cannot read.",
        "Update ComfyUI and its custom nodes; one of them may replace this node by a faulty one.",
    ),
    # running
    "cancelled": ErrorText("Cancelled."),
    "not_cancelled": ErrorText("This is not cancelled. {reason}"),
    "unexpected": ErrorText("Something went wrong in Wan Studio itself."),
    "started_too_often": ErrorText("This video was started {count} times and was interrupted each time."),
    "no_video_written": ErrorText("ComfyUI finished, but wrote no video.", "Try again."),
    "no_picture_written": ErrorText("ComfyUI finished, but wrote no picture.", "Try again."),
    "video_unreadable": ErrorText(
        "ComfyUI finished, but its video is damaged and cannot be read.", "Try again."
    ),
    "picture_unreadable": ErrorText(
        "ComfyUI finished, but its picture is damaged and cannot be read.", "Try again."
    ),
    "metadata_kept": ErrorText(
        "What {file} says of its making cannot be removed from it, so it is not handed out.",
        "Try again, or have the graph write PNG or MP4 files.",
    ),
    # the job database
    "database_full": ErrorText("The disk is full: the job could not be saved."),
    "database_disk": ErrorText("Disk error: the job database cannot be read or written."),
    "database_busy": ErrorText("The job database is in use by another program."),
    "database_moved": ErrorText("The job database was moved or deleted while Wan Studio was running."),
    "database_read_only": ErrorText("The job database cannot be written: it is read-only."),
    "database_damaged": ErrorText("The job database is damaged: {reason}."),
    "database_closed": ErrorText("Wan Studio is shutting down."),
    "job_not_storable": ErrorText("The job could not be saved as it is."),
    "database_unusable": ErrorText("The job database cannot be used: {reason}."),
    "database_newer": ErrorText(
        "The job database was written by a newer Wan Studio (version {version} of its tables).",
        "Update Wan Studio, or set WAN_DATA_DIR to another folder.",
    ),
    "database_replaced": ErrorText(
        "The job database in {folder} was replaced by another file while Wan Studio was running."
    ),
    "data_folder_gone": ErrorText(
        "The data folder {folder} is gone: it was deleted or moved, or its disk was unmounted."
    ),
    "data_folder_unreachable": ErrorText("The data folder {folder} cannot be reached: {reason}."),
    "record_damaged": ErrorText(
        "The record of this video in the job database is damaged.",
        "Its files are still there. Delete the video, or put a backup of studio.db in its place.",
    ),
}
