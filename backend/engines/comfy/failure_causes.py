"""Known causes of a failed prompt: a table from what ComfyUI reports to error class and reason.

The messages are those of PyTorch, CUDA, ROCm, DirectML, Metal, Windows, safetensors and ComfyUI, which have
no codes. The number of an operating system's error decides where there is one: its text is in the language
of that system. The first row whose conditions are all met applies. The named groups of its pattern are
arguments of the reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from backend.engines.comfy.validation_errors import MODEL_SUFFIXES
from backend.errors import (
    BadEngineInput,
    BadModelFile,
    EngineDiskFull,
    EngineError,
    EngineSetup,
    MissingModel,
    MissingNode,
    OutOfMemory,
    OutputNotWritable,
    StudioError,
    UnsupportedHardware,
    WrongModel,
)

System = Literal["posix", "windows"]
_SUFFIXES = "|".join(re.escape(suffix) for suffix in MODEL_SUFFIXES)
MODEL_FILE = rf"(?P<model_file>[^\s'\"/\\:<>]+(?:{_SUFFIXES}))(?![\w.])"
"""A model's file name without its path."""
_MODEL_LOADER = r"(?:UNET|Unet|VAE|CLIP|Lora|Checkpoint|AudioEncoder|Vision|Model)\w*Load"
_SAVES = r"Save|VideoCombine|CreateVideo|Preview|WriteVideo|Export"
_MEDIA_LOADER = r"^(?:VHS_)?Load\w*(?:Image|Audio|Video)"
_FINDS_PEOPLE = r"^(?!.*Load).*(?:Pose|Face|BBox|Openpose|DWPre|MediaPipe|Keypoint|Detection)"


@dataclass(frozen=True)
class Cause:
    """One row. A condition that is not given is met by every failure."""

    error: type[StudioError]
    reason: str  # a code of error_texts/failures.py
    pattern: str = ""  # searched for in the message, ignoring case
    types: tuple[str, ...] = ()  # names of exception classes, without their modules
    node: str = ""  # searched for in the node's class
    numbers: frozenset[tuple[System, int]] = frozenset()  # of an operating system's error


def _posix(*numbers: int) -> frozenset[tuple[System, int]]:
    return frozenset(("posix", number) for number in numbers)


def _windows(*numbers: int) -> frozenset[tuple[System, int]]:
    return frozenset(("windows", number) for number in numbers)


_GPU_MEMORY = (
    r"out of (?:device |gpu |video )?memory|(?<![a-z])out_of_(?:device_)?memory|allocation on device|"
    r"0x8007000E|"
    r"would exceed allowed memory|ErrorOutOfMemory|MemoryAllocation\b|OUT_OF_RESOURCES|"
    r"(?:CUBLAS|CUDNN|ROCBLAS|MIOPEN)_?STATUS_?ALLOC_?FAILED|not enough (?:gpu |video |gpu video )memory|"
    r"failed to allocate memory for requested buffer|invalid buffer size"
)
_RAM = (
    r"DefaultCPUAllocator|alloc_cpu|can(?:no|')t allocate memory|cannot allocate memory|unable to allocate|"
    r"std::bad_alloc|out_of_host_memory|not enough memory resources|"
    r"insufficient system resources|paging file is too small"
)
_ATTENTION = r"sage_?attn|sage_?attention|flash_?attn|flash_?attention|xformers|triton"

CAUSES: tuple[Cause, ...] = (
    # numbers of the operating system
    Cause(OutOfMemory, "failure_page_file", numbers=_windows(1455)),
    Cause(OutOfMemory, "failure_ram", numbers=_posix(12) | _windows(8, 14, 1450)),
    Cause(EngineDiskFull, "failure_disk_full", numbers=_posix(28, 69, 122) | _windows(39, 112, 314, 1295)),
    Cause(OutputNotWritable, "failure_folder_read_only", numbers=_posix(30) | _windows(19)),
    Cause(OutputNotWritable, "failure_output_denied", node=_SAVES, numbers=_posix(1, 13) | _windows(5)),
    Cause(EngineSetup, "failure_file_denied", numbers=_posix(1, 13) | _windows(5)),
    Cause(EngineError, "failure_file_in_use", numbers=_posix(16, 26) | _windows(32, 33)),
    Cause(EngineSetup, "failure_path_too_long", numbers=_posix(36) | _windows(111, 206)),
    Cause(EngineSetup, "failure_library_missing", numbers=_windows(126, 127, 182, 193, 1114)),
    Cause(EngineError, "failure_too_many_files", numbers=_posix(23, 24) | _windows(4)),
    Cause(
        EngineError,
        "failure_disk_error",
        numbers=_posix(5, 107, 110, 112, 116, 117, 121)
        | _windows(21, 23, 53, 55, 59, 64, 67, 121, 483, 1006, 1117, 1167, 1231, 1392, 1393),
    ),
    # memory
    Cause(OutOfMemory, "failure_page_file", r"paging file is too small|error code: <1455>"),
    Cause(OutOfMemory, "failure_ram", types=("MemoryError", "_ArrayMemoryError")),
    Cause(OutOfMemory, "failure_ram", pattern=_RAM),
    Cause(
        OutOfMemory, "failure_gpu_memory_amount", pattern=r"tried to allocate (?P<amount>[\d.]+ [KMGT]i?B)\b"
    ),
    Cause(OutOfMemory, "failure_gpu_memory", types=("OutOfMemoryError",)),
    Cause(OutOfMemory, "failure_gpu_memory", pattern=_GPU_MEMORY),
    Cause(
        OutOfMemory,
        "failure_mps_too_large",
        r"total bytes of NDArray|MPS.{0,80}2\*\*32|MPSNDArray.{0,200}buffer is not large enough",
    ),
    Cause(
        OutOfMemory,
        "failure_killed",
        r"SIGKILL|signal 9\b|exit (?:status|code) (?:-9|137)\b|^\s*killed\s*$|oom-kill",
    ),
    # disk, where no number is given
    Cause(
        EngineDiskFull,
        "failure_disk_full",
        r"no space left on device|disk quota exceeded"
        r"|not enough space on the disk|(?:disk|device|volume) is full",
    ),
    Cause(OutputNotWritable, "failure_folder_read_only", r"read-only file ?system"),
    Cause(OutputNotWritable, "failure_output_denied", types=("PermissionError",), node=_SAVES),
    Cause(EngineSetup, "failure_file_denied", types=("PermissionError",)),
    Cause(EngineSetup, "failure_file_denied", r"permission denied|access is denied"),
    Cause(
        EngineError,
        "failure_disk_error",
        r"input/output error|\bi/o (?:device )?error"
        r"|stale file handle"
        r"|unexpected network error|cyclic redundancy check",
    ),
    # models
    Cause(
        MissingModel,
        "failure_model_missing_in",
        pattern=r"Model in folder '(?P<folder>[^']+)' with filename '(?P<model_file>[^']+)' not found",
    ),
    Cause(MissingModel, "failure_model_missing", pattern=MODEL_FILE, types=("FileNotFoundError",)),
    Cause(MissingModel, "failure_model_missing", pattern=rf"no such file or directory\W.*?{MODEL_FILE}"),
    Cause(MissingModel, "failure_model_missing", pattern=rf"NO_?SUCH_?FILE\b.*?{MODEL_FILE}"),
    Cause(MissingModel, "failure_model_missing", types=("FileNotFoundError",), node=_MODEL_LOADER),
    Cause(
        WrongModel,
        "failure_model_part_missing",
        r"\b(?:clip|vae) (?:input )?is invalid: None"
        r"|does not contain (?:a |the )?(?:tensor|clip|vae|text encoder)",
    ),
    Cause(
        WrongModel,
        "failure_model_mismatch",
        r"size mismatch for|(?:missing|unexpected) key\(s\) in state_dict"
        r"|Error\(s\) in loading state_dict",
    ),
    Cause(WrongModel, "failure_model_mismatch", r"\.(?:weight|bias)'?$", types=("KeyError",)),
    Cause(
        BadModelFile,
        "failure_model_format",
        r"weights[_ ]only load failed|WeightsUnpickler|unsupported (?:model|checkpoint) format"
        r"|not a (?:valid )?GGUF|GGUF magic|unexpected architecture type in GGUF"
        r"|unknown (?:model )?architecture"
        r"|GGMLQuantizationType|(?:unknown|unsupported) quant|quanti[sz]ation type .{0,40}not supported"
        r"|file appears to be version \d+ which we cannot|could not detect model type",
    ),
    Cause(
        BadModelFile,
        "failure_model_damaged",
        pattern=(
            r"error while deserializing header|incomplete metadata|MetadataIncompleteBuffer|"
            r"header ?too ?(?:large|small)|InvalidHeader|invalid header|PytorchStreamReader|invalid load key|"
            r"file in archive is not in a subdirectory|ran out of input|"
            r"unexpected EOF|file not fully covered|central directory|unpickling|INVALID_PROTOBUF|"
            r"Protobuf parsing failed|InvalidOffset|TensorInvalidInfo|ValidationOverflow|"
            r"greater than file size"
        ),
    ),
    Cause(BadModelFile, "failure_model_damaged", r"cannot reshape array of size", node="GGUF"),
    # hardware and drivers
    Cause(UnsupportedHardware, "failure_mps_fp8", r"float8_e\w+.{0,60}\bMPS\b|\bMPS\b.{0,60}float8"),
    Cause(
        UnsupportedHardware,
        "failure_mps_operation",
        r"MPS (?:Tensor|framework|device|backend)\b.{0,120}(?:not|does ?n.t) (?:currently )?"
        r"(?:support|implement)"
        r"|not (?:currently )?(?:implemented|supported).{0,40}\bMPS\b|cannot convert a MPS tensor"
        r"|Placeholder storage has not been allocated on MPS|unsupported .{0,60}\bMPS\b",
    ),
    Cause(
        UnsupportedHardware,
        "failure_gpu_fp8",
        r"not implemented for '?Float8|fp8e4\w* not supported"
        r"|_scaled_mm.{0,60}(?:only supported|not supported)"
        r"|Float8_e\w+ is not supported",
    ),
    Cause(
        UnsupportedHardware,
        "failure_driver_old",
        r"driver (?:version is insufficient|on your system is too old)|forward compatibility was attempted"
        r"|PTX was compiled with an unsupported toolchain|unsupported display driver",
    ),
    Cause(
        UnsupportedHardware,
        "failure_gpu_none",
        r"not (?:compiled|built) with (?:CUDA|XPU|HIP|ROCm|MPS)|no NVIDIA driver"
        r"|no (?:CUDA|HIP|ROCm|XPU) (?:GPU|device)s?|no (?:CUDA|ROCm)-capable device|cudaGetDeviceCount"
        r"|torch\.cuda\.is_available\(\) is False"
        r"|hipErrorNoDevice|device \S+ is invalid|Invalid device string|CUDA unknown error"
        r"|invalid device ordinal",
    ),
    Cause(
        UnsupportedHardware,
        "failure_gpu_unsupported",
        r"no kernel image|device kernel image is invalid|invalid device function|NoBinaryForGpu"
        r"|not compatible with the current PyTorch|TensileLibrary|InvalidDeviceFunction"
        r"|unsupported (?:cuda |gpu )?arch|but was built for sm\d",
    ),
    Cause(
        EngineError,
        "failure_gpu_lost",
        r"device (?:instance has been suspended|(?:was |has been |is )?(?:lost|removed|hung))"
        r"|DeviceRemovedReason"
        r"|0x887A00(?:0[567]|20)"
        r"|DXGI_ERROR_DEVICE|GPU will not respond|fallen off the bus|GPU is lost|launch timed out"
        r"|LaunchTimeOut|unspecified launch failure|uncorrectable ECC|ECCUncorrectable|ERROR_DEVICE_LOST"
        r"|\bXid\b|GPU hang|HSA_STATUS_ERROR",
    ),
    # packages and nodes
    Cause(
        EngineSetup,
        "failure_attention_missing",
        rf"(?:no module named|import|find|install|missing|require)\D{{0,60}}?(?P<package>{_ATTENTION})"
        rf"|(?P<package2>{_ATTENTION})\b.{{0,60}}(?:not (?:installed|available|found|supported)"
        r"|missing|required)",
    ),
    Cause(
        EngineSetup,
        "failure_compile_failed",
        r"backend='?inductor|failed to find (?:C compiler|CUDA)\b|working C compiler"
        r"|compiler: \S+ is not found",
    ),
    Cause(
        EngineSetup,
        "failure_attention_missing",
        r"no operator found for .?(?P<package>memory_efficient_attention)",
    ),
    Cause(
        EngineSetup,
        "failure_attention_missing",
        rf"(?P<package>{_ATTENTION})",
        types=(
            "ImportError",
            "ModuleNotFoundError",
            "BackendCompilerFailed",
            "TritonMissing",
            "CompilationError",
            "PTXASError",
            "AssertionError",
        ),
    ),
    Cause(EngineSetup, "failure_compile_failed", types=("InductorError",)),
    Cause(
        EngineSetup,
        "failure_library_missing",
        r"DLL load failed|dynamic link library|error loading .*\.dll",
    ),
    Cause(
        EngineSetup,
        "failure_system_library",
        r"(?P<package>lib[\w.+-]+\.so[.\d]*): (?:cannot open shared object file|version .{1,40} not found)",
    ),
    Cause(
        EngineSetup,
        "failure_package_mismatch",
        r"binary incompatibility|compiled (?:using|against) NumPy|multiarray failed to import"
        r"|Numpy is not available"
        r"|undefined symbol",
    ),
    Cause(EngineSetup, "failure_package_missing", r"no module named '?(?P<package>[\w.]+)"),
    Cause(
        EngineSetup,
        "failure_package_missing",
        r"cannot import name '?\w+'? from '?(?P<package>[\w.]+)",
    ),
    Cause(
        MissingNode,
        "failure_node_missing",
        r"node (?:type |class )?['\"]?(?P<node>[\w ()-]+?)['\"]? (?:does not exist|(?:was |is )?not found"
        r"|is not (?:defined|installed))",
    ),
    # what was sent, where the node says which file it is
    Cause(
        BadEngineInput,
        "failure_no_sound",
        r"no audio stream found|does not contain any stream of type audio",
    ),
    Cause(
        BadEngineInput,
        "failure_sound_too_short",
        r"Kernel size can't be greater than actual input size",
        node=r"^AudioEncoderEncode$",
    ),
    Cause(
        BadEngineInput,
        "failure_no_face",
        r"\bno (?:valid )?(?:face|person|people|human|pose|body|subject)s?\b.{0,30}"
        r"(?:detected|found|visible|seen|present)"
        r"|\b(?:face|person|pose|human)s? (?:was |were |is |are |could )?not (?:be )?"
        r"(?:found|detected|visible)"
        r"|(?:not|n't) (?:find|detect) (?:a |any )?(?:face|person|people|human|pose)",
    ),
    Cause(
        BadEngineInput,
        "failure_no_face",
        r"cannot convert float NaN|ssize\.empty|index \S+ (?:is )?out of (?:range|bounds)"
        r"|(?:list|tuple) index out of range|empty sequence|zero-size array|attempt to get argm|non-empty"
        r"|'NoneType' object|arg(?:ument)? is (?:an )?empty|dimension .{0,30}size 0|stack expects",
        node=_FINDS_PEOPLE,
    ),
    Cause(
        BadEngineInput,
        "failure_media_damaged",
        types=("UnidentifiedImageError", "InvalidDataError", "DecompressionBombError"),
    ),
    Cause(
        BadEngineInput,
        "failure_media_damaged",
        pattern=(
            r"cannot identify image file|image file is truncated|truncated file read|broken data stream|"
            r"unrecognized data stream|invalid data found when processing input|no video stream found|"
            r"moov atom not found"
        ),
    ),
    Cause(BadEngineInput, "failure_media_missing", types=("FileNotFoundError",), node=_MEDIA_LOADER),
    Cause(BadEngineInput, "failure_media_unreadable", node=_MEDIA_LOADER),
    # while the models run
    Cause(
        EngineError,
        "failure_gpu_error",
        r"(?:CUDA|HIP|ROCm|XPU|SYCL)(?: driver| runtime)? error|cuDNN error|CUDNN_STATUS"
        r"|CUBLAS_STATUS|CUSOLVER"
        r"|CUFFT|miopen\w*|rocblas|hipblas|device-side assert|illegal memory access|cudaError|hipError"
        r"|unable to find an engine to execute|NCCL error|CUDA failure \d|Native API failed|DirectML error"
        r"|\bdml_\w+\.cc\b",
    ),
    Cause(
        EngineError,
        "failure_invalid_numbers",
        r"\bNaNs?\b|either `?inf`?|contains? (?:inf|nan)|non-finite|invalid value encountered in cast"
        r"|infinity or nan",
    ),
    Cause(
        WrongModel,
        "failure_model_mismatch",
        r"shapes? cannot be multiplied|weight of size .{0,80}expected input|to have \d+ channels, but got"
        r"|size of tensor a \(\d+\) must match"
        r"|sizes of tensors must match|expected (?:input )?size .{0,40}but got"
        r"|shape '?\[[^\]]*\]'? is invalid for input|given normalized_shape|expanded size of the tensor"
        r"|mat1 and mat2 shapes|shape mismatch|does not match the shape|incompatible shapes"
        r"|cannot be broadcast|could not broadcast",
        node=r"Sampler|VAE|CLIP|Encode|Decode|Lora|ToVideo|Wan|Guider",
    ),
    Cause(
        EngineError,
        "failure_precision_mixed",
        r"expected scalar type|input type \(.{1,60}\) and (?:bias|weight) type|must have the same dtype"
        r"|to have the same dtype|same dtype|promotion for Float8|one of the following scalar types"
        r"|not implemented for '(?:Half|BFloat16)'"
        r"|all tensors to be on the same device",
    ),
    Cause(
        EngineError,
        "failure_node_mismatch",
        r"unexpected keyword argument|missing \d+ required positional argument"
        r"|takes \d+ positional arguments"
        r"|(?<!'NoneType' )object has no attribute"
        r"|module '[\w.]+' has no attribute",
        types=("TypeError", "AttributeError"),
    ),
    Cause(
        EngineError,
        "failure_download_failed",
        r"huggingface\.co|hf_hub|LocalEntryNotFound|Max retries exceeded|name resolution|getaddrinfo failed"
        r"|Name or service not known|outgoing traffic has been disabled|Couldn't connect to",
    ),
    Cause(
        EngineSetup,
        "failure_encoder",
        r"avcodec_open2|encoder .{0,40}not found|unknown encoder|could not open (?:codec|encoder)"
        r"|generic error in an external library|encoder not found",
        node=_SAVES,
    ),
    Cause(BadModelFile, "failure_model_unreadable", types=("SafetensorError",)),
)
"""In the order in which they are tried."""

UNKNOWN = Cause(EngineError, "failure_failed")
