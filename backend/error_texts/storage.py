"""Errors of the data folder, the disk and the quotas."""

from __future__ import annotations

from collections.abc import Mapping

from backend.error_texts.text import ErrorText

_STOP_OTHER = "Stop the other one, or set WAN_DATA_DIR to a folder of this one's own."
_FILE = ", and this file needs {need}."
_VIDEO = ", and this one needs {need}."
_VIDEOS_TAKE = "Your videos take {used} of the {limit} that you may use"
_BOTH_TAKE = "Your videos take {used} and files in unsent forms take {drafts} of the {limit} that you may use"
_DRAFTS_TAKE = "Files in unsent forms take {drafts} of the {limit} that you may use"
_CLEAR_FORMS = "Clear forms that you do not need."
_DELETE_OWN = "Delete videos of yours in the Library, or give the machine more disk space."

TEXTS: Mapping[str, ErrorText] = {
    "disk_is_full": ErrorText("The disk is full."),
    "file_not_written": ErrorText("A file could not be written."),
    "path_not_written": ErrorText("{path} cannot be written: {reason}."),
    "picture_not_stored": ErrorText("The picture could not be stored."),
    "video_not_saved": ErrorText("The video could not be saved."),
    "result_not_stored": ErrorText("The result could not be stored on the volume."),
    # the folders
    "data_folder_unwritable": ErrorText("The data folder {folder} cannot be written."),
    "data_folder_read_only": ErrorText(
        "The data folder {folder} cannot be written: {reason}.", "Set WAN_DATA_DIR to a folder that can be."
    ),
    "database_folder_read_only": ErrorText(
        "The data folder {folder} cannot be written: {reason}.",
        "Check that the folder exists and is writable, or set WAN_DATA_DIR to another.",
    ),
    "data_folder_used_by": ErrorText("The machine {machine} uses the data folder {folder}.", _STOP_OTHER),
    "data_folder_used": ErrorText(
        "Another Wan Studio ({machine}, process {process}) uses the data folder {folder}.", _STOP_OTHER
    ),
    "upload_folder_unusable": ErrorText(
        "The upload folder {folder} cannot be used: {reason}.",
        "Set GRADIO_TEMP_DIR to a folder that can be written to.",
    ),
    "upload_folder_foreign": ErrorText(
        "The upload folder {folder} was not made by this studio.",
        "Move it away, or set GRADIO_TEMP_DIR to another folder.",
    ),
    "input_folder_lacks": ErrorText("This file is no longer in the input folder.", "Choose another one."),
    # drafts
    "draft_file_gone": ErrorText("This file is no longer kept.", "Add it again."),
    "draft_folder_unusable": ErrorText("The folder of this draft cannot be used."),
    "bad_draft_token": ErrorText("The owner token is not one."),
    "bad_draft_id": ErrorText("The draft's id is not one."),
    "drafts_full": ErrorText(
        "Unsent forms may hold {megabytes:,.0f} MB in {count} files.",
        "Make the video, clear a form that you do not need, or use a smaller file.",
    ),
    # quotas; sizes in bytes
    "video_over_quota": ErrorText(
        "This video needs {need} on the disk, and one visitor may use {limit}.",
        "Use a smaller file or a shorter video.",
    ),
    "file_over_quota": ErrorText(
        "This file needs {need} on the disk, and one visitor may use {limit}.", "Use a smaller file."
    ),
    "own_quota_used": ErrorText(_VIDEOS_TAKE + _VIDEO),
    "shared_quota_used": ErrorText(
        _BOTH_TAKE + _VIDEO,
        "Delete some of your videos in the Library, clear forms that you do not need, or wait until those in"
        " the queue are done.",
    ),
    "drafts_quota_used": ErrorText(_DRAFTS_TAKE + _VIDEO, _CLEAR_FORMS),
    "own_quota_used_file": ErrorText(
        _VIDEOS_TAKE + _FILE, "Delete some of your videos in the Library, or use a smaller file."
    ),
    "shared_quota_used_file": ErrorText(
        _BOTH_TAKE + _FILE, "Delete some of your videos in the Library, or clear forms that you do not need."
    ),
    "drafts_quota_used_file": ErrorText(_DRAFTS_TAKE + _FILE, _CLEAR_FORMS),
    "new_visitors_quota_used": ErrorText(
        "The disk space for new visitors is taken.", "Try again in a few minutes, or use a smaller file."
    ),
    "no_room_for_file": ErrorText("The disk is full: there is no space to keep this file.", _DELETE_OWN),
    "no_room_for_video": ErrorText("The disk is full: there is no space for this video.", _DELETE_OWN),
    # the machine
    "data_folder_mounted_read_only": ErrorText(
        "The data folder {folder} cannot be written: {reason}.",
        "Mount its disk for writing (a volume without :ro), or set WAN_DATA_DIR to another folder.",
    ),
    "data_folder_of_other_user": ErrorText(
        "The data folder {folder} cannot be written: {reason}.",
        "{place} belongs to user {owner}, and Wan Studio runs as user {user}. Give the folder to this user,"
        " start Wan Studio as its owner, or set WAN_DATA_DIR to another folder.",
    ),
    "upload_folder_without_home": ErrorText(
        "GRADIO_TEMP_DIR is {given}, and there is no such home folder.", "Write the whole path."
    ),
    "no_temporary_folder": ErrorText(
        "No folder for temporary files can be written to.",
        "Start a read-only container with --tmpfs /tmp, or set TMPDIR to a folder that is writable.",
    ),
}
