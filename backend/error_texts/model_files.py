"""What is wrong with a model file on this machine and what to do: see backend/models/inventory.py."""

from __future__ import annotations

from collections.abc import Mapping

from backend.error_texts.text import ErrorText

_GET = "{size}: `python app.py models download {file}`"
_AGAIN = f"Fetch it again, {_GET}"
_RESTART = "Restart ComfyUI."

TEXTS: Mapping[str, ErrorText] = {
    # missing
    "model_to_get": ErrorText(_GET),
    "model_folder_circular": ErrorText("{path} is a circular symbolic link: remove it.", _GET),
    "model_link_broken": ErrorText("{path} is a broken symbolic link: remove it.", _GET),
    "model_is_folder": ErrorText("{path} is a folder, not a file: move it away.", _GET),
    "model_other_case": ErrorText("{path} differs in upper and lower case only: rename it to {file}."),
    "model_elsewhere": ErrorText(
        "A file of this name lies in {folder}: move it to {target}, where ComfyUI looks for it."
    ),
    # damaged
    "model_faulty": ErrorText("{path} {problem}.", _AGAIN),
    "model_wrong_size": ErrorText("{path} has {has} where the published file has {size}.", _AGAIN),
    "model_wrong_hash": ErrorText(
        "{path} is not the published file: its sha256 differs.", f"Remove it. {_AGAIN}"
    ),
    "model_hash_of_other": ErrorText("{path} is {file} under another name ({title}).", "Rename it."),
    # what {problem} says of a file
    "fault_empty": ErrorText("is empty"),
    "fault_cut_short": ErrorText("is cut short"),
    "fault_bytes_missing": ErrorText("is cut short: {has:,} of {due:,} bytes are there"),
    "fault_bytes_more": ErrorText("has {count:,} bytes too many at its end"),
    "fault_zeros": ErrorText("holds zeros where its header should be, as after an interrupted download"),
    "fault_other_format": ErrorText("is not a safetensors file"),
    "fault_header": ErrorText("is not a safetensors file, or its header is damaged"),
    "fault_web_page": ErrorText("is a web page, not a model: the download answered with an error page"),
    "fault_lfs_pointer": ErrorText("is a Git LFS pointer: the model itself was not fetched"),
    "fault_text": ErrorText("is a text, not a model"),
    "fault_other_size": ErrorText("does not have the size that was announced"),
    "fault_other_hash": ErrorText("is not the published file (its sha256 differs)"),
    # unreadable
    "model_denied": ErrorText(
        "{path} may not be read.",
        "Give the user that runs Wan Studio and ComfyUI the right to read it.",
    ),
    "model_not_read": ErrorText("{path} cannot be read: {reason}.", "Look at the disk that it is on."),
    # not seen by the server
    "model_no_folder": ErrorText("This ComfyUI has no folder for {folder}.", "Update it to 0.3.64 or newer."),
    "model_path_added": ErrorText(
        "In {folder}, which was added to ComfyUI's paths after its start.", _RESTART
    ),
    "model_path_unknown": ErrorText(
        "In {folder}, but ComfyUI does not look there.",
        "`python app.py models paths` writes the file that tells ComfyUI of this folder.",
    ),
    "model_unseen": ErrorText("There, but ComfyUI does not see it.", _RESTART),
    # further information
    "model_not_hashed": ErrorText("No published sha256 to compare with."),
    "model_hash_right": ErrorText("sha256 is right."),
    "model_twins": ErrorText("{names} lies beside it: the names differ in upper and lower case only."),
    "model_good_later": ErrorText(
        "A good one lies in {other}, but ComfyUI looks in {folder} first: remove or rename the one there."
    ),
    "model_of_server": ErrorText("ComfyUI has it in a folder of its own."),
}
