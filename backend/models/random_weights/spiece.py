"""A SentencePiece vocabulary of single characters and bytes, for a text encoder with random weights.

WAN pads every prompt to 512 tokens, so the vocabulary has no influence on time and memory. Format:
sentencepiece_model.proto, written field by field.
"""

from __future__ import annotations

import string
import struct

NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
"""Types of pieces."""
UNIGRAM = 1
PADDING, END, UNKNOWN_ID, NO_ID = 0, 1, 2, -1
SPACE = "▁"


def vocabulary(most: int) -> bytes:
    """A serialised ModelProto with at most `most` pieces, which covers every text: what has no piece of its
    own is written as bytes. Raises ValueError if `most` is too small for that."""
    pieces = [("<pad>", CONTROL), ("</s>", CONTROL), ("<unk>", UNKNOWN)]
    pieces += [(f"<0x{value:02X}>", BYTE) for value in range(256)]
    pieces += [(letter, NORMAL) for letter in (SPACE, *string.ascii_letters, *string.digits, *".,:;!?'-()")]
    if len(pieces) > most:
        raise ValueError(f"{len(pieces)} pieces are more than {most}")
    model = b"".join(
        _message(1, _message(1, text.encode()) + _float(2, -float(number) / 100) + _number(3, kind))
        for number, (text, kind) in enumerate(pieces)
    )
    trainer = (
        _number(3, UNIGRAM) + _number(4, len(pieces)) + _number(35, 1) + _number(40, UNKNOWN_ID)
        + _number(41, NO_ID) + _number(42, END) + _number(43, PADDING)
    )  # fmt: skip
    normalizer = _message(1, b"identity") + _number(3, 1) + _number(4, 1) + _number(5, 1)
    return model + _message(2, trainer) + _message(3, normalizer)


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*made, value))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _float(field: int, value: float) -> bytes:
    return _varint(field << 3 | 5) + struct.pack("<f", value)


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content
