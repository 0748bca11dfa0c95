"""What to do about an error, by its code; the hint of its reason, where it has one, replaces it."""

from __future__ import annotations

from collections.abc import Mapping

KEPT = "Your picture, prompt and settings are still here."
"""How hints in job records of earlier versions begin: see errors.in_current_words."""
_AGAIN_LATER = "Try again in a moment."
_TRY_AGAIN = "Try again. If it keeps happening, check the log."
_CHECK_COMFYUI = "Try again. If it keeps failing, check ComfyUI's log."

HINTS: Mapping[str, str] = {
    "internal_error": _TRY_AGAIN,
    "shutting_down": "Try again when Wan Studio is back.",
    "inputs_gone": "Add the files again and generate a new one.",
    "not_allowed": (
        "Open the admin link printed when Wan Studio started, or log in as the first user of WAN_AUTH."
    ),
    "too_many": "Wait a minute and try again.",
    "queue_full": "Wait for one to finish or cancel one.",
    "disk_full": "Delete clips in the Library or give the machine more disk space.",
    "engine_disk_full": "Free space on the machine that runs ComfyUI, in its output, temp and input folders.",
    "over_quota": "Delete some of your videos in the Library, or wait until those in the queue are done.",
    # the job database
    "store": _TRY_AGAIN,
    "store_busy": (
        "Try again. If it keeps happening, close any program that has studio.db open, such as a database"
        " browser."
    ),
    "store_damaged": (
        "Put a backup of studio.db in its place, or move the data folder aside to start with an empty one;"
        " the videos in it stay."
    ),
    "store_disk": "Check the disk or network volume of the data folder (WAN_DATA_DIR), then try again.",
    "store_read_only": (
        "Make the data folder (WAN_DATA_DIR) writable: a failing disk may have become read-only."
    ),
    "store_gone": "Restore the data folder (WAN_DATA_DIR), or restart Wan Studio to use what is there.",
    "store_closed": "Try again after it restarts.",
    # engines
    "engine_failed": _CHECK_COMFYUI,
    "engine_unreachable": "Check that ComfyUI is running at this address.",
    "engine_lost": _AGAIN_LATER,
    "engine_hung": _AGAIN_LATER,
    "prompt_gone": _AGAIN_LATER,
    "lost_too_often": "Try again.",
    "endpoint_refused": "Check RUNPOD_ENDPOINT_ID and RUNPOD_API_KEY, then start Wan Studio again.",
    "runpod_unreachable": "Check the internet connection and status.runpod.io; Wan Studio keeps trying.",
    "too_late": "Use fewer steps, a smaller size or a shorter video, or allow more time.",
    "graph_rejected": "This ComfyUI may be too old or too new for Wan Studio.",
    "missing_node": "Update ComfyUI to 0.3.64 or newer.",
    "missing_model": "System lists the required files and where they go.",
    "out_of_memory": "Try a smaller size or a shorter video.",
    "engine_bad_input": "Save the file again in another program and add it again.",
    "bad_model_file": "Download the file again.",
    "wrong_model": "Use the files that System lists for this mode.",
    "unsupported_hardware": "Use a ComfyUI on a machine with an NVIDIA GPU.",
    "engine_setup": "Check how ComfyUI is installed and started.",
    "output_not_writable": "Make ComfyUI's output folder writable.",
    "no_output": _CHECK_COMFYUI,
    "result_too_large": (
        "Give the endpoint a bucket (BUCKET_ENDPOINT_URL, BUCKET_ACCESS_KEY_ID, BUCKET_SECRET_ACCESS_KEY) or"
        " a network volume, or make a smaller or shorter video."
    ),
    # models
    "no_room": "Free some space, or set WAN_MODELS_DIR to a folder on a larger disk.",
    "model_store": "Check the folder's permissions, or set WAN_MODELS_DIR to another folder.",
    "model_download_cancelled": "What has arrived is kept: the download resumes where it stopped.",
    "model_download_failed": "Run the same command again: it resumes where it stopped.",
}
