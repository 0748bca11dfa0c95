"""A warning, an obstacle or the reason of an error as data: a code with arguments. Its words are in
backend/notices.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

Code = Literal[
    "text",  # a sentence of an earlier version, or of a RunPod worker with codes that this version lacks
    "refused",  # a StudioError: its code, and the notice with its message and hint
    "said",  # a message and a hint of another program or of the compiler
    # compiling
    "longer_than_trained",
    "larger_than_trained",
    "larger_than_trained_experts",
    "high_noise_only",
    "low_noise_only",
    "negative_prompt_unused",
    "negative_prompt_off",
    "negative_prompt_unknown",
    "tiled_decode",
    "no_clip_vision",
    "easy_cache_steps",
    "no_easy_cache",
    "variant_480p",
    "no_pose_detector",
    "pose_detection_unknown",
    "no_face_video",
    "animate_2_used",
    "animate_2_ignores",
    "animate_1_reads",
    "animate_1_replaces",
    "animate_2_needs_node",
    "no_pose_cache",
    "no_face_found",
    "person_in_middle",
    "helper_length",
    "cropped",
    "above_driving_rate",
    "picture_enlarged",
    "picture_strip",
    "strip",
    "distilled_in_quality",
    "distilled_with_cfg",
    "repeats_earlier_run",
    "earlier_run_gone",
    # model files
    "model_damaged",
    "model_unlike_name",
    "model_other_layout",
    "model_not_clear",
    "model_speed_unknown",
    "expert_unlike_name",
    "pair_is_one_file",
    "gguf_without_loader",
    "gguf_animate_2",
    "gguf_type",
    "chosen_model_gone",
    "chosen_model_moved",
    "chosen_model_ambiguous",
    # LoRAs
    "lora_missing",
    "lora_twice",
    "lora_damaged",
    "lora_not_lora",
    "lora_other_model",
    "lora_keys_ignored",
    "lora_other_width",
    "lora_partly",
    "lora_other_parts",
    "lora_in_part",
    "lora_not_judged",
    "lora_moved",
    "lora_ambiguous",
    "lora_not_everywhere",
    "lora_other_task",
    "lora_other_family",
    "lora_weak",
    "lora_experts_differ",
    "lora_is_speed",
    "lora_one_expert",
    "lora_pair_is_one_file",
    "lora_pair_differs",
    "lora_list_unknown",
    # planning
    "servers_differ",
    "server_refuses",
    "server_lacks_files",
    "missing_files",
    "small_gpu",
    "too_large_for_gpu",
    # inputs and runs
    "silent_sound",
    "sound_lost",
    "to_stereo",
    "original_gone",
    "restarted",
    "variations_missing",
    "variations_kept",
    "final_left",
    "drawing_variation",
    "assembling_sheet",
    "joining_parts",
    # engines
    "comfyui_silent",
    "demo_silent",
    "runpod_silent",
    "comfyui_old",
    "comfyui_new",
    "comfyui_vae_colour",
    "runpod_no_workers",
    "runpod_throttled",
    "runpod_unhealthy",
    # waiting
    "disk_full",
    "disk_full_here",
    "engine_disk_full",
    "engine_disk_full_held",
    "engine_disk_full_retried",
    "database_held",
    "records_damaged",
    "one_record_damaged",
    "data_folder_taken",
    "open_to_all",
    "disk_failing",
    "waiting_for_result",
    "waiting_for_untitled",
    "waiting_for_engine",
    "waiting_for_start",
    "waiting_for_restart",
    "waiting_for_answer",
    "waiting_for_prompt",
    "waiting_for_able",
    "waiting_for_absent_start",
    "waiting_for_absent_answer",
    "asking_again",
    "setting_repeated",
    "setting_unknown",
    "setting_unknown_in_file",
]
ROUTE_CODES: tuple[Code, ...] = ("animate_2_used", "animate_1_reads", "animate_1_replaces")
"""Codes that say how a job is made, and point at nothing that is wrong with it."""
CODES: tuple[str, ...] = get_args(Code)


@dataclass(frozen=True)
class Notice:
    """`args`: (name, value), sorted by name; which ones a code has is said by its template."""

    code: str  # one of CODES or of the reasons in backend/error_texts; else a newer version wrote it
    args: tuple[tuple[str, Arg], ...] = ()

    def arg(self, name: str) -> Arg | None:
        """The value of an argument; None for a code that has no such argument."""
        return dict(self.args).get(name)

    def to_json(self) -> dict[str, Any]:
        """What is stored and sent: {"code", "args"}, of JSON's own types."""
        return {"code": self.code, "args": {name: _json(value) for name, value in self.args}}

    @staticmethod
    def from_json(data: object) -> Notice:
        """A stored notice; a plain string, as earlier versions stored, is a notice with that text.

        Raises ValueError for anything else.
        """
        if isinstance(data, str):
            return notice("text", text=data)
        if not isinstance(data, Mapping) or not isinstance(data.get("code"), str):
            raise ValueError(f"not a notice: {data!r:.40}")
        args = data.get("args", {})
        if not isinstance(args, Mapping):
            raise ValueError(f"not the arguments of a notice: {args!r:.40}")
        return made(data["code"], {str(name): _arg(value) for name, value in args.items()})


Arg: TypeAlias = str | int | float | tuple[str, ...] | Notice | tuple[Notice, ...]
"""Notices as an argument are the reasons for the other one."""


def notice(code: Code, **args: Arg) -> Notice:
    """A notice of this version."""
    return made(code, args)


def made(code: str, args: Mapping[str, Arg]) -> Notice:
    """A notice with a code that is not one of CODES, such as the reason of an error."""
    return Notice(code, tuple(sorted(args.items(), key=lambda item: item[0])))


def _json(value: Arg) -> object:
    if isinstance(value, Notice):
        return value.to_json()
    return [_json(item) for item in value] if isinstance(value, tuple) else value


def _arg(value: object) -> Arg:
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return value
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if isinstance(value, (list, tuple)) and all(isinstance(item, Mapping) for item in value):
        return tuple(Notice.from_json(item) for item in value)
    if isinstance(value, Mapping):
        return Notice.from_json(value)
    raise ValueError(f"not an argument of a notice: {value!r:.40}")
