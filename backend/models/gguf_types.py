"""The types that a tensor of a GGUF file can have, by their numbers in ggml (ggml/include/ggml.h)."""

from __future__ import annotations

from collections.abc import Mapping

LOADED: Mapping[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50), 20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136), 24: ("I8", 1, 1),
    25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8), 29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66),
}  # fmt: skip
"""Types that ComfyUI-GGUF loads -> (name, weights of a block, bytes of a block)."""
_OTHERS: Mapping[int, str] = {
    4: "Q4_2", 5: "Q4_3", 9: "Q8_1", 15: "Q8_K", 31: "Q4_0_4_4", 32: "Q4_0_4_8", 33: "Q4_0_8_8",
    36: "IQ4_NL_4_4", 37: "IQ4_NL_4_8", 38: "IQ4_NL_8_8", 39: "MXFP4", 40: "NVFP4", 41: "Q1_0", 42: "Q2_0",
    144: "IQ4_KS", 146: "IQ4_KSS", 156: "IQ3_KS", 157: "IQ2_KL",
}  # fmt: skip
"""Types that it does not load: those that ggml removed or uses while it computes, newer ones, and those of
ik_llama.cpp."""
UNLOADED = frozenset(_OTHERS.values())
"""The names of these types."""
_MOST = 1023
"""The highest number that counts as a type; those of ik_llama.cpp go up to 399."""


def unloaded_name(number: int) -> str:
    """The name of a type that ComfyUI-GGUF does not load; "" for a number that no program writes."""
    if number in _OTHERS:
        return _OTHERS[number]
    return f"type {number}" if number not in LOADED and number <= _MOST else ""
