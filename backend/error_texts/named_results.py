"""Errors of results of other jobs that a caller names as the files of a new job."""

from __future__ import annotations

from collections.abc import Mapping

from backend.error_texts.text import ErrorText

_EXAMPLE = 'Example: {{"image": {{"id": "...", "key": "..."}}}}.'

TEXTS: Mapping[str, ErrorText] = {
    "results_not_json": ErrorText("The parameter results must be a JSON object.", _EXAMPLE),
    "results_too_long": ErrorText("The parameter results must be at most {most} characters.", _EXAMPLE),
    "result_parameter": ErrorText("No result can be used for {given}.", "Known: {names}."),
    "results_none": ErrorText("{mode} takes no files, so no results of other jobs."),
    "result_entry": ErrorText(
        "The result for {parameter} needs the id and the key of a job.",
        "Both are in the record of that job.",
    ),
    "result_member": ErrorText("The result for {parameter} has no {given}.", "Known: {names}."),
    "result_frame": ErrorText(
        "The frame of the result for {parameter} must be a whole number, not {given}.",
        "Frames count from 0; -1 is the last.",
    ),
    "result_twice": ErrorText(
        "{parameter} is given twice: as a file and as the result of a job.", "Leave one of them out."
    ),
    "result_refused": ErrorText("The result for {parameter} cannot be used: {reason}"),
    "result_is_set": ErrorText(
        "The job named for {parameter} is a set of variations. Name one of its clips: {names}.",
        "Their keys are in its record, below children.",
    ),
    "result_not_made": ErrorText(
        "The job named for {parameter} failed or was cancelled.", "Make that one again first."
    ),
    "result_frame_unused": ErrorText(
        "{parameter} takes the whole video, so there is no frame to choose.", "Leave out frame."
    ),
    "result_one_frame": ErrorText(
        "The result for {parameter} is a picture, so there is no frame {number}.", "Leave out frame."
    ),
}
