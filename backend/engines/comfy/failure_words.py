"""Sentences and hints for the failures of failure_causes.py, by key.

Places in a sentence: {server} its name, {when} the stage, {model} "The model file x.safetensors" or "A
model file", {media} picture, sound, video or file, and the named groups of the cause's pattern. An empty
hint stands for the default one of the error's class.
"""

from __future__ import annotations

from collections.abc import Mapping

SENTENCES: Mapping[str, str] = {
    "failed": "{server} stopped with an error {when}.",
    # memory
    "ram": "The machine that runs ComfyUI ran out of memory (RAM).",
    "page_file": "The Windows machine that runs ComfyUI ran out of memory: its page file is too small.",
    "killed": "A process of ComfyUI was killed, most likely because the machine's memory (RAM) ran out.",
    "gpu_memory": "The GPU ran out of memory.",
    "gpu_memory_amount": "The GPU ran out of memory: {amount} more was needed.",
    "mps_too_large": "The video is too large for Apple's GPU (MPS).",
    # disk
    "disk_full": "The disk of the machine that runs ComfyUI is full.",
    "output_denied": "ComfyUI may not write into its output folder.",
    "folder_read_only": "A folder that ComfyUI writes to is read-only.",
    "file_denied": "ComfyUI has no permission for a file or folder of its machine.",
    "file_in_use": "A file that ComfyUI needs is in use by another program.",
    "path_too_long": "A path on the machine that runs ComfyUI is too long.",
    "disk_error": "The disk or network volume of the machine that runs ComfyUI reports an error.",
    "too_many_files": "ComfyUI has too many files open.",
    # models
    "model_missing_in": "{file} is not in {folder} on this ComfyUI.",
    "model_missing": "{file} is not on this ComfyUI.",
    "model_damaged": "{model} on this ComfyUI is damaged or incomplete.",
    "model_unreadable": "{model} cannot be loaded by this ComfyUI.",
    "model_format": "{model} is in a format that this ComfyUI does not load.",
    "model_mismatch": "The model files do not fit together: one is of another model family or size.",
    "model_part_missing": "A model file lacks a part that this video needs: it is of another kind.",
    # hardware and software
    "mps_fp8": "Apple's GPU (MPS) cannot use model files in fp8.",
    "mps_operation": "Apple's GPU (MPS) lacks an operation that this video needs.",
    "gpu_fp8": "This GPU cannot calculate in fp8.",
    "gpu_none": "ComfyUI finds no GPU that it can use.",
    "gpu_unsupported": "The PyTorch of this ComfyUI is not built for its GPU.",
    "driver_old": "The graphics driver of the machine that runs ComfyUI is too old for its PyTorch.",
    "gpu_lost": "The GPU of the ComfyUI machine stopped responding.",
    "gpu_error": "The GPU of the ComfyUI machine reported an error.",
    "attention_missing": "This ComfyUI is set to use {package}, which is missing or does not work there.",
    "compile_failed": "ComfyUI could not compile a part of the model: Triton or a compiler is missing there.",
    "package_missing": "ComfyUI's Python lacks a package: {package}.",
    "library_missing": "ComfyUI cannot load a library (DLL) of one of its packages.",
    "node_missing": "This ComfyUI lacks a part that this video needs: {node}.",
    "node_mismatch": "ComfyUI and one of its custom nodes are of versions that do not fit together.",
    "precision_mixed": "ComfyUI mixed up number formats or devices {when}.",
    "invalid_numbers": "The models produced no picture, only invalid numbers (NaN).",
    "download_failed": "ComfyUI could not download a file that one of its nodes needs.",
    "encoder": "ComfyUI could not encode the video.",
    # what was sent
    "no_face": "ComfyUI found no face or person in the driving video.",
    "no_sound": "The file has no sound in it.",
    "sound_too_short": "The sound is too short to work with.",
    "media_damaged": "ComfyUI could not read the {media}: it is damaged.",
    "media_missing": "ComfyUI does not find the {media} that was sent to it.",
    "media_unreadable": "ComfyUI could not read the {media}.",
}

HINTS: Mapping[str, str] = {
    "": "",
    "again": "Try again.",
    "page_file": (
        "Let Windows manage the size of the page file, or set it to 64 GB or more, on a disk with room,"
        " and restart the machine. A smaller size or a shorter video needs less."
    ),
    "killed": (
        "Close what else uses memory, start ComfyUI with --cache-none, or take a machine with more RAM."
    ),
    "smaller": "Use a smaller size or a shorter video.",
    "disk_full": "Free space on the machine that runs ComfyUI, in its output and temporary folders.",
    "output_denied": (
        "Make the output folder writable for the user that ComfyUI runs as, or start ComfyUI with another"
        " --output-directory."
    ),
    "file_denied": "Give the user that ComfyUI runs as access to its models, input, output and temp folders.",
    "file_in_use": "Close the program that uses it (a virus scanner, a sync service), then try again.",
    "path_too_long": "Move ComfyUI to a folder with a short path, such as C:\\ComfyUI, or allow long paths.",
    "disk_error": "Check that disk or volume and its connection; the model files need not be damaged.",
    "too_many_files": "Restart ComfyUI, then try again.",
    "model_unreadable": "Compare its size with the list in System; only if it differs, download it again.",
    "model_format": "Use the file that System lists for this mode.",
    "model_mismatch": (
        "Use the model, text encoder, VAE and LoRAs that System lists for this mode: files of WAN 2.1,"
        " WAN 2.2 5B, Flux and others do not fit."
    ),
    "mps_fp8": (
        "Use a ComfyUI on a machine with an NVIDIA GPU, or put models in fp16 or bf16 in place of the fp8"
        " files."
    ),
    "mps_operation": ("Update macOS, PyTorch and ComfyUI, or use a ComfyUI on a machine with an NVIDIA GPU."),
    "gpu_fp8": "Start ComfyUI without --fast and options with fp8, or use models in fp16 or bf16.",
    "gpu_none": (
        "Install the graphics driver and a PyTorch build for this GPU; a container needs --gpus all."
    ),
    "gpu_unsupported": "Install the PyTorch build for this GPU: one is much newer than the other.",
    "driver_old": "Update the graphics driver and restart the machine.",
    "gpu_lost": (
        "Restart that machine. If it happens again, update the graphics driver, and check the GPU's cooling,"
        " power supply and overclocking."
    ),
    "gpu_error": "Restart ComfyUI, then try again.",
    "attention_missing": (
        "Start ComfyUI without --use-sage-attention, --use-flash-attention and the like, or install the"
        " package into ComfyUI's Python."
    ),
    "package_missing": (
        "Install the requirements.txt of ComfyUI and of its custom nodes into ComfyUI's Python, then restart"
        " ComfyUI."
    ),
    "library_missing": (
        "Install the Microsoft Visual C++ Redistributable and ComfyUI's requirements again, then restart"
        " ComfyUI."
    ),
    "node_missing": "Update ComfyUI, or add the custom nodes that bring it.",
    "node_mismatch": "Update ComfyUI and all custom nodes, then restart ComfyUI.",
    "precision_mixed": (
        "Start ComfyUI without options for precision (--fp16-unet, --bf16-vae, --fast), and update it and its"
        " custom nodes."
    ),
    "invalid_numbers": (
        "Start ComfyUI without --use-sage-attention, --fast and options with fp16, or use other model files."
    ),
    "download_failed": "Connect that machine to the internet, or put the file in place by hand.",
    "encoder": "Install ComfyUI's requirements again: its video library (PyAV) lacks the encoder.",
    "no_face": (
        "Use a driving video in which the face is seen from the front in every frame, or add a pose video"
        " and a face video."
    ),
    "no_sound": "Drop a file that has sound, or record it again.",
    "sound_too_short": "Use a sound of 0.2 s or more.",
}
