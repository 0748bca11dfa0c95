"""Prompts as plain text: what ComfyUI's text encoder would read as syntax is escaped.

ComfyUI's tokenizer (comfy/sd1_clip.py) reads "(word:1.2)" as a weight and "embedding:name" as a file to load.
"""

from __future__ import annotations

import re

FULL_WIDTH_COLON = "\uff1a"
"""ComfyUI looks for "embedding:" at the start of a text and after white space, and has no escape for it. The
tokenizers of WAN and Flux (SentencePiece, NFKC) read this one as the colon that was typed."""
_PARENTHESIS = re.compile(r"[()]")
_EMBEDDING = re.compile(r"(?<!\S)(embedding):")


def prompt_text(text: str, weights: bool) -> str:
    """The text for CLIPTextEncode. `weights`: the creator writes ComfyUI's syntax, so it stays as it is.

    A backslash needs no escape: ComfyUI takes out the one before a parenthesis and no other, so that a typed
    `\\(`, which becomes `\\\\(` here, comes out as it was typed.
    """
    if weights:
        return text
    return _EMBEDDING.sub(rf"\1{FULL_WIDTH_COLON}", _PARENTHESIS.sub(r"\\\g<0>", text))


def has_syntax(text: str) -> bool:
    """Whether ComfyUI would read any of the text as syntax."""
    return _PARENTHESIS.search(text) is not None or _EMBEDDING.search(text) is not None
