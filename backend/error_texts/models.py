"""Errors of fetching, moving and listing model files."""

from __future__ import annotations

from collections.abc import Mapping

from backend.error_texts.hints import HINTS
from backend.error_texts.text import ErrorText

_NOT_FETCHED = "{file} cannot be fetched from {endpoint}"
_PROXY = "Check HF_ENDPOINT and the proxy settings."
_LOOK = "Look at {page}."

TEXTS: Mapping[str, ErrorText] = {
    # choosing
    "model_role_unknown": ErrorText("There is no role {role}.", "See `python app.py models use --help`."),
    "model_choice_incomplete": ErrorText(
        "{role} needs either a file or --auto.", "See `python app.py models check` for the files."
    ),
    "model_not_listed": ErrorText(
        "{file} is not there, or cannot be used for this role.", "Files for it: {names}."
    ),
    # room
    "download_no_room": ErrorText("The download needs {size}, and the disk of {store} has {free} free."),
    "move_no_room": ErrorText(
        "The move needs {size}, and the disk of {store} has {free} free. Nothing was moved."
    ),
    "store_full": ErrorText("The disk became full while {path} was written."),
    "download_full": ErrorText(
        "The disk became full while {path} was written.",
        f"What has arrived is kept; run the same command again when there is room. {HINTS['no_room']}",
    ),
    "move_full": ErrorText(
        "The disk of the store became full at {file}: it and the rest stayed where they were.",
        "Nothing is lost. Free some space and run the same command again.",
    ),
    # the store
    "store_path_unusable": ErrorText("{path} cannot be used: {reason}."),
    "not_to_be_fetched": ErrorText("{why}", "Then it need not be fetched."),
    "fix_first": ErrorText("{why}", "Then run the same command again."),
    "other_copy_first": ErrorText(
        "{path} is in the way: ComfyUI takes it before the one in the store.",
        "Remove or rename it, then run the same command again.",
    ),
    "store_not_listable": ErrorText(
        "The folder {path} cannot be listed for ComfyUI, which would change its name.",
        "Choose a folder without $ signs and without spaces at its ends, and set WAN_MODELS_DIR to it.",
    ),
    "paths_file_foreign": ErrorText(
        "{path} has something else in it, and was left as it is.",
        "Add what `python app.py models paths` writes for {store} to it by hand.",
    ),
    # moving an old folder
    "move_no_folder": ErrorText("{path} is not a folder.", "Name the old models folder with --from."),
    "move_store_itself": ErrorText("{path} is the model store itself: there is nothing to move."),
    "move_nested": ErrorText(
        "{path} and the store {store} lie in one another.",
        "Set WAN_MODELS_DIR to a folder outside, or name a folder further in with --from.",
    ),
    # fetching
    "other_file_offered": ErrorText(
        "The server now has another {file} than the one that Wan Studio knows ({size} instead of"
        " {expected}).",
        "Update Wan Studio. Nothing was fetched.",
    ),
    "download_damaged": ErrorText(
        "The download of {file} {problem}. It was removed.",
        "Run the same command again. If it happens again, a proxy may be changing the content.",
    ),
    "hub_names_no_size": ErrorText(
        "{endpoint} does not answer as Hugging Face does: it names no size for {file}.", _PROXY
    ),
    "hub_offline": ErrorText(f"{_NOT_FETCHED}: HF_HUB_OFFLINE is set.", "Unset it."),
    "hub_proxy": ErrorText(f"{_NOT_FETCHED}: the proxy does not let it through."),
    "hub_timeout": ErrorText(f"{_NOT_FETCHED}: the server does not answer in time."),
    "hub_no_connection": ErrorText(
        f"{_NOT_FETCHED}: no connection.", f"Check the network. {HINTS['model_download_failed']}"
    ),
    "hub_connection_broke": ErrorText(f"{_NOT_FETCHED}: the connection broke."),
    "hub_not_hugging_face": ErrorText(f"{_NOT_FETCHED}: the answer is not Hugging Face's.", _PROXY),
    "hub_fewer_bytes": ErrorText(f"{_NOT_FETCHED}: fewer bytes came than were announced."),
    "hub_failed": ErrorText(f"{_NOT_FETCHED}."),
    "hub_no_repository": ErrorText(f"{_NOT_FETCHED}: there is no such repository (404).", _LOOK),
    "hub_no_file": ErrorText(f"{_NOT_FETCHED}: it is not there (404).", _LOOK),
    "hub_login": ErrorText(
        f"{_NOT_FETCHED}: the server requires authentication ({{status}}).",
        "Open {page}, accept its terms if there are any, and set HF_TOKEN to your token.",
    ),
    "hub_too_many": ErrorText(
        f"{_NOT_FETCHED}: too many requests (429).",
        "Wait some minutes and run the same command again, or set HF_TOKEN to your token.",
    ),
    "hub_unavailable": ErrorText(f"{_NOT_FETCHED}: the server is temporarily unavailable ({{status}})."),
    "hub_refuses": ErrorText(f"{_NOT_FETCHED}: the server refuses ({{status}}).", _LOOK),
    # random weights
    "weights_no_room": ErrorText(
        "The files need {size}, and the disk of {path} has {free} free. Nothing was written.",
        "Name a folder on another disk with --folder, or fewer rows with --rows.",
    ),
    "weights_in_models": ErrorText(
        "{path} is a folder of models: random weights are never written there.",
        "Name another folder with --folder.",
    ),
    "weights_no_comfyui": ErrorText(
        "Random weights need a ComfyUI folder, and there is none.", "Set COMFYUI_DIR to it."
    ),
    "weights_old_comfyui": ErrorText(
        "The ComfyUI in {path} cannot be started with a folder of its own (--base-directory).",
        "Check COMFYUI_DIR and COMFYUI_PYTHON, or update ComfyUI.",
    ),
}
