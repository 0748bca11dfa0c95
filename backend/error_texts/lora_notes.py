"""Notes on LoRAs: code -> (the short form, what the long form adds). The codes are those of
workflows/notice.py."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, ...]] = {
    "lora_missing": (
        "The LoRA {lora} is not on this engine.",
        " Copy it into a loras folder of ComfyUI, or take it out of the list.",
    ),
    "lora_twice": ("{lora} and {other} are one LoRA.", " Remove one of the two."),
    "lora_damaged": ("The LoRA {lora} {fault}.", " Remove it and download it again."),
    "lora_not_lora": ("{lora} is not a LoRA.", " Take it out of the list."),
    "lora_other_model": (
        "The LoRA {lora} is made for {base} and has no effect on {for_model}.",
        " Take it out of the list, or choose one that is made for this model.",
    ),
    "lora_keys_ignored": (
        "ComfyUI does not apply the LoRA {lora}: {layout}.",
        " Convert it, or get it in ComfyUI's layout.",
    ),
    "lora_other_width": (
        "The LoRA {lora} is made for layers of width {has} and has no effect on this model (width {needs}).",
        " Choose one that is made for this model.",
    ),
    "lora_partly": (
        "The LoRA {lora} is made for WAN 2.1 Image-to-Video",
        "; its part for the image encoder is left out.",
    ),
    "lora_other_parts": (
        "The LoRA {lora} has parts for {base}",
        "; this model lacks those layers, so they are left out.",
    ),
    "lora_in_part": (
        "ComfyUI applies {share:.0%} of the LoRA {lora}",
        "; it does not know the names of the other parts.",
    ),
    "lora_not_judged": (
        "What the LoRA {lora} is made for could not be checked",
        ": its format does not say so.",
    ),
    "lora_moved": ("The LoRA {lora} was not found there", ": {file} is used, which has its name."),
    "lora_ambiguous": (
        "The LoRA {lora} was not found there, and several files have its name: {names}.",
        " Choose one of them.",
    ),
    "lora_not_everywhere": ("Not on {addresses}.",),
    "lora_other_task": (
        "The LoRA {lora} is made for {base}",
        "; with {for_model} it may have less effect, or another one.",
    ),
    "lora_other_family": (
        "By its name the LoRA {lora} is made for {base}",
        "; with {for_model} it would have no effect.",
    ),
    "lora_weak": (
        "The LoRA {lora} is scaled to {share:.0%} by its alpha",
        ". Raise its strength if it has little effect.",
    ),
    "lora_experts_differ": (
        "The LoRA {lora} is for the {expert}-noise expert by its metadata and for the other one by its name",
        ": check that the two files are not swapped.",
    ),
    "lora_is_speed": (
        "The LoRA {lora} makes models fast",
        ". Fast has one already; in Quality it needs few steps and cfg 1.",
    ),
    "lora_one_expert": (
        "The LoRA {lora} is for the {expert}-noise expert, and none for the other one was found.",
    ),
    "lora_pair_is_one_file": (
        "The LoRAs {lora} and {other} have the same content",
        ": one of them is for the other expert.",
    ),
    "lora_pair_differs": ("The LoRAs {lora} and {other} are used as a pair, and their versions differ.",),
    "lora_list_unknown": (
        "This engine does not list its LoRAs",
        ": the names are used as they are, and a job whose LoRA is missing fails there.",
    ),
}
