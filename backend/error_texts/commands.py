"""Errors of the commands: arguments that they cannot use."""

from __future__ import annotations

from collections.abc import Mapping

from backend.error_texts.text import ErrorText

TEXTS: Mapping[str, ErrorText] = {
    "mode_or_recipe": ErrorText("Give a mode, or --recipe with a file.", "See --help."),
    "not_key_value": ErrorText("{pair!r} is not key=value.", "Example: seconds=5"),
    "media_not_numbers": ErrorText("media_width, media_height and media_seconds take numbers."),
    "no_such_row": ErrorText("There is no row {given}.", "The rows are {names}; 1 means 1a and 1b."),
    "no_such_random_row": ErrorText(
        "There is no row {given}.",
        "The rows are {names}; --row takes MODE,WxH,FRAMES[,STEPS[,SPEED]] with {modes}, multiples of 16, and"
        " 2 to 100 steps.",
    ),
    "repeat_unusable": ErrorText("--repeat takes a number from 0 to 100."),
    "no_such_mode": ErrorText("There is no mode {given!r}.", "It is one of {names}."),
    "no_such_mode_or_file": ErrorText(
        "There is no mode and no model file {given!r}.",
        "Modes: {names}. `python app.py models check` lists the files.",
    ),
    "out_without_folder": ErrorText(
        "There is no folder to save {path} in.", "Make the folder, or name another."
    ),
    "file_not_found": ErrorText("There is no file {name}."),
    "run_has_no_variations": ErrorText("{what} makes one video; --variations and --vary are for the modes."),
    "run_needs": ErrorText(
        "{what} needs {name}=...", "`run MODE --json` prints the id and the key of a clip."
    ),
    "run_login_unusable": ErrorText(
        "The login is not user:password.", "Give --login or WAN_LOGIN as in ann:a-long-password."
    ),
    "no_studio_here": ErrorText(
        "No studio runs on this machine, so nothing would make it once this command has ended.",
        "Start one with ./start.sh, name one with --url, or leave out --no-wait.",
    ),
    "studio_not_started": ErrorText("The studio did not start. {said}"),
    "no_studio_at": ErrorText(
        "There is no Wan Studio at {url}.", "Open the address in a browser: the page must come up there."
    ),
    "studio_silent": ErrorText(
        "The studio at {url} does not answer.", "Check the address, and whether the studio is running."
    ),
    "studio_lost": ErrorText(
        "The studio at {url} no longer answers. The job goes on there: id={id} key={key}",
        "Its endpoint /result returns the file once it is done.",
    ),
    "studio_wants_login": ErrorText(
        "The studio at {url} requires a login, or refuses this one.",
        "Give it with --login user:password.",
    ),
    "said_by_studio": ErrorText("{said}"),
    "endpoint_absent": ErrorText("The studio at {url} cannot do {what}.", "It may be an older version."),
    "result_not_saved": ErrorText("{path} cannot be written. {reason}"),
    "url_not_http": ErrorText("{url} is not an address.", "It begins with http:// or https://."),
    "run_unknown_value": ErrorText("There is no setting {name}.", "Known: {names}."),
    "run_job_unreadable": ErrorText(
        "{name}={given} names no job.",
        "Write {name}=job:ID, job:ID:KEY or job:ID:KEY@FRAME; a file of that name is ./{given}.",
    ),
    "run_job_without_key": ErrorText(
        "A studio elsewhere needs the key of the job too: {name}=job:{id}:KEY.",
        "`run MODE --json` prints the id and the key.",
    ),
    "run_wrong_type": ErrorText("{name}={given} is not of type {wanted}."),
}
