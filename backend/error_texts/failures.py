"""Failures that ComfyUI reports while it runs a job: see backend/engines/comfy/failure_causes.py."""

from __future__ import annotations

from collections.abc import Mapping

from backend.error_texts.text import ErrorText

_OUTPUT_DENIED = (
    "Make the output folder writable for the user that ComfyUI runs as, or start ComfyUI with another"
    " --output-directory."
)
_RESTART = "Restart ComfyUI, then try again."
_MODEL_MISMATCH = (
    "Use the model, text encoder, VAE and LoRAs that System lists for this mode: files of WAN 2.1, WAN"
    " 2.2 5B, Flux and others do not fit."
)
_ATTENTION_MISSING = (
    "Start ComfyUI without --use-sage-attention, --use-flash-attention and the like, or install the"
    " package into ComfyUI's Python."
)

TEXTS: Mapping[str, ErrorText] = {
    "failure_failed": ErrorText("{server} stopped with an error {when}."),
    # memory
    "failure_ram": ErrorText("The machine that runs ComfyUI ran out of memory (RAM)."),
    "failure_page_file": ErrorText(
        "The Windows machine that runs ComfyUI ran out of memory: its page file is too small.",
        "Let Windows manage the size of the page file, or set it to 64 GB or more, on a disk with room, and"
        " restart the machine. A smaller size or a shorter video needs less.",
    ),
    "failure_killed": ErrorText(
        "A process of ComfyUI was killed, most likely because the machine's memory (RAM) ran out.",
        "Close what else uses memory, start ComfyUI with --cache-none, or take a machine with more RAM.",
    ),
    "failure_gpu_memory": ErrorText("The GPU ran out of memory."),
    "failure_gpu_memory_amount": ErrorText("The GPU ran out of memory: {amount} more was needed."),
    "failure_mps_too_large": ErrorText(
        "The video is too large for Apple's GPU (MPS).", "Use a smaller size or a shorter video."
    ),
    # disk
    "failure_disk_full": ErrorText(
        "The disk of the machine that runs ComfyUI is full.",
        "Free space on the machine that runs ComfyUI, in its output and temporary folders.",
    ),
    "failure_output_denied": ErrorText("ComfyUI may not write into its output folder.", _OUTPUT_DENIED),
    "failure_folder_read_only": ErrorText("A folder that ComfyUI writes to is read-only.", _OUTPUT_DENIED),
    "failure_file_denied": ErrorText(
        "ComfyUI has no permission for a file or folder of its machine.",
        "Give the user that ComfyUI runs as access to its models, input, output and temp folders.",
    ),
    "failure_file_in_use": ErrorText(
        "A file that ComfyUI needs is in use by another program.",
        "Close the program that uses it (a virus scanner, a sync service), then try again.",
    ),
    "failure_path_too_long": ErrorText(
        "A path on the machine that runs ComfyUI is too long.",
        "Move ComfyUI to a folder with a short path, such as C:\\ComfyUI, or allow long paths.",
    ),
    "failure_disk_error": ErrorText(
        "The disk or network volume of the machine that runs ComfyUI reports an error.",
        "Check that disk or volume and its connection; the model files need not be damaged.",
    ),
    "failure_too_many_files": ErrorText("ComfyUI has too many files open.", _RESTART),
    # models
    "failure_model_missing_in": ErrorText("{model_file} is not in {folder} on this ComfyUI."),
    "failure_model_missing": ErrorText("{model_file} is not on this ComfyUI."),
    "failure_model_damaged": ErrorText("{model} on this ComfyUI is damaged or incomplete."),
    "failure_model_unreadable": ErrorText(
        "{model} cannot be loaded by this ComfyUI.",
        "Compare its size with the list in System; only if it differs, download it again.",
    ),
    "failure_model_format": ErrorText(
        "{model} is in a format that this ComfyUI does not load.",
        "Use the file that System lists for this mode.",
    ),
    "failure_model_mismatch": ErrorText(
        "The model files do not fit together: one is of another model family or size.", _MODEL_MISMATCH
    ),
    "failure_model_part_missing": ErrorText(
        "A model file lacks a part that this video needs: it is of another kind.", _MODEL_MISMATCH
    ),
    # hardware and software
    "failure_mps_fp8": ErrorText(
        "Apple's GPU (MPS) cannot use model files in fp8.",
        "Use a ComfyUI on a machine with an NVIDIA GPU, or put models in fp16 or bf16 in place of the fp8"
        " files.",
    ),
    "failure_mps_operation": ErrorText(
        "Apple's GPU (MPS) lacks an operation that this video needs.",
        "Update macOS, PyTorch and ComfyUI, or use a ComfyUI on a machine with an NVIDIA GPU.",
    ),
    "failure_gpu_fp8": ErrorText(
        "This GPU cannot calculate in fp8.",
        "Start ComfyUI without --fast and options with fp8, or use models in fp16 or bf16.",
    ),
    "failure_gpu_none": ErrorText(
        "ComfyUI finds no GPU that it can use.",
        "Install the graphics driver and a PyTorch build for this GPU; a container needs --gpus all.",
    ),
    "failure_gpu_unsupported": ErrorText(
        "The PyTorch of this ComfyUI is not built for its GPU.",
        "Install the PyTorch build for this GPU: one is much newer than the other.",
    ),
    "failure_driver_old": ErrorText(
        "The graphics driver of the machine that runs ComfyUI is too old for its PyTorch.",
        "Update the graphics driver and restart the machine.",
    ),
    "failure_gpu_lost": ErrorText(
        "The GPU of the ComfyUI machine stopped responding.",
        "Restart that machine. If it happens again, update the graphics driver, and check the GPU's"
        " cooling, power supply and overclocking.",
    ),
    "failure_gpu_error": ErrorText("The GPU of the ComfyUI machine reported an error.", _RESTART),
    "failure_attention_missing": ErrorText(
        "This ComfyUI is set to use {package}, which is missing or does not work there.", _ATTENTION_MISSING
    ),
    "failure_compile_failed": ErrorText(
        "ComfyUI could not compile a part of the model: Triton or a compiler is missing there.",
        _ATTENTION_MISSING,
    ),
    "failure_package_missing": ErrorText(
        "ComfyUI's Python lacks a package: {package}.",
        "Install the requirements.txt of ComfyUI and of its custom nodes into ComfyUI's Python, then"
        " restart ComfyUI.",
    ),
    "failure_library_missing": ErrorText(
        "ComfyUI cannot load a library (DLL) of one of its packages.",
        "Install the Microsoft Visual C++ Redistributable and ComfyUI's requirements again, then restart"
        " ComfyUI.",
    ),
    "failure_node_missing": ErrorText(
        "This ComfyUI lacks a part that this video needs: {node}.",
        "Update ComfyUI, or add the custom nodes that bring it.",
    ),
    "failure_system_library": ErrorText(
        "ComfyUI needs a library of the operating system that is missing or too old there: {package}.",
        "Install it on that machine (libGL.so.1 is in the package libgl1), or use a newer system or container"
        " image, then restart ComfyUI.",
    ),
    "failure_package_mismatch": ErrorText(
        "Packages in ComfyUI's Python are of versions that do not fit together.",
        "Install the requirements.txt of ComfyUI into its Python again, then restart ComfyUI.",
    ),
    "failure_node_mismatch": ErrorText(
        "ComfyUI and one of its custom nodes are of versions that do not fit together.",
        "Update ComfyUI and all custom nodes, then restart ComfyUI.",
    ),
    "failure_precision_mixed": ErrorText(
        "ComfyUI mixed up number formats or devices {when}.",
        "Start ComfyUI without options for precision (--fp16-unet, --bf16-vae, --fast), and update it and"
        " its custom nodes.",
    ),
    "failure_invalid_numbers": ErrorText(
        "The models produced no picture, only invalid numbers (NaN).",
        "Start ComfyUI without --use-sage-attention, --fast and options with fp16, or use other model files.",
    ),
    "failure_download_failed": ErrorText(
        "ComfyUI could not download a file that one of its nodes needs.",
        "Connect that machine to the internet, or put the file in place by hand.",
    ),
    "failure_encoder": ErrorText(
        "ComfyUI could not encode the video.",
        "Install ComfyUI's requirements again: its video library (PyAV) lacks the encoder.",
    ),
    # what was sent
    "failure_no_face": ErrorText(
        "ComfyUI found no face or person in the driving video.",
        "Use a driving video in which the face is seen from the front in every frame, or add a pose video"
        " and a face video.",
    ),
    "failure_no_sound": ErrorText(
        "The file has no sound in it.", "Drop a file that has sound, or record it again."
    ),
    "failure_sound_too_short": ErrorText(
        "The sound is too short to work with.", "Use a sound of 0.2 s or more."
    ),
    "failure_media_damaged": ErrorText("ComfyUI could not read the {media}: it is damaged."),
    "failure_media_missing": ErrorText(
        "ComfyUI does not find the {media} that was sent to it.", "Try again."
    ),
    "failure_media_unreadable": ErrorText("ComfyUI could not read the {media}."),
}
