"""Prompts are text: read by ComfyUI's own rules they have no weights, and no embedding is loaded."""

from __future__ import annotations

import random
import re
import unicodedata

import pytest

from tests.support.compile_cases import animated, compiled, image, route_server, sound, still
from tests.support.compile_cases import text as text_to_video
from workflows.modes.registry import MODES
from workflows.params.values import check_text
from workflows.spec import ModeParams
from workflows.stages.prompt_text import has_syntax, prompt_text

Parts = list[tuple[str, float]]


def in_parentheses(text: str) -> list[str]:
    """parse_parentheses of comfy/sd1_clip.py."""
    found, current, depth = [], "", 0
    for char in text:
        if char == "(":
            if depth == 0:
                if current:
                    found.append(current)
                current = "("
            else:
                current += char
            depth += 1
        elif char == ")":
            depth -= 1
            if depth == 0:
                found.append(current + ")")
                current = ""
            else:
                current += char
        else:
            current += char
    return [*found, current] if current else found


def token_weights(text: str, weight: float = 1.0) -> Parts:
    """token_weights of comfy/sd1_clip.py."""
    found: Parts = []
    for part in in_parentheses(text):
        if len(part) >= 2 and part[0] == "(" and part[-1] == ")":
            inner, own = part[1:-1], weight * 1.1
            colon = inner.rfind(":")
            if colon > 0:
                try:
                    own = float(inner[colon + 1 :])
                    inner = inner[:colon]
                except ValueError:
                    pass
            found += token_weights(inner, own)
        else:
            found.append((part, weight))
    return found


def read(text: str) -> Parts:
    """What SDTokenizer.tokenize_with_weights reads, as (text, weight)."""
    escaped = text.replace("\\)", "\0\1").replace("\\(", "\0\2")
    return [
        (part.replace("\0\1", ")").replace("\0\2", "("), weight) for part, weight in token_weights(escaped)
    ]


SPLITS = (" embedding:|\nembedding:", r"(?<=\s)embedding:")
"""Where ComfyUI 0.3.64 and 0.33 split a part to look for embeddings."""


def embeddings(text: str) -> int:
    """How many embeddings ComfyUI would try to load."""
    parts = [part for part, _ in read(text)]
    return max(sum(len(re.findall(rf"^embedding:|{split}", part)) for part in parts) for split in SPLITS)


SENTENCES = (
    "A harbour (16:9)", "(", ")", ")(", "((very) bright:2", "a :) smile", "a (b (c:1.4) d:0.2) e",
    r"an escaped \(word\)", r"a backslash \ and \\ and \\(two\\)", "ends in a backslash \\",
    "embedding:bad", "an embedding:bad in it", "one\nembedding:bad", "a tab\tembedding:x",
    "(embedding:x:1.3)",
    "myembedding:stays", "embedding: a word", "embedding:a embedding:b", "Ein Bär (klein) ünd 船（大）", "",
    "（全角：1.5）", "a 3:2 frame, 5 o'clock (am)",
)  # fmt: skip


def as_typed(text: str) -> str:
    """The text as SentencePiece's NFKC makes it."""
    return unicodedata.normalize("NFKC", text)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_comes_out_as_it_was_typed_with_weight_1(sentence: str) -> None:
    sent = prompt_text(sentence, weights=False)
    parts = read(sent)
    assert {weight for _, weight in parts} <= {1.0}
    assert as_typed("".join(part for part, _ in parts)) == as_typed(sentence)
    assert embeddings(sent) == 0
    if "embedding:" not in sentence:
        assert "".join(part for part, _ in parts) == sentence


PIECES = (*"()()\\\\: \n\t1.5ab（）：\u00a0\u2028", "embedding:", " embedding:", ":1.3)", "(a:", "\\(", "\\)")


def any_text(seed: int) -> str:
    """A text of pieces that matter and of any letters; the same for the same seed."""
    draw = random.Random(seed)
    letters = (chr(draw.randrange(0x20, 0x3000)) for _ in range(draw.randrange(4)))
    return "".join(draw.choices([*PIECES, *letters], k=draw.randrange(1, 25)))


def test_any_text_comes_out_as_it_was_typed() -> None:
    for seed in range(5000):
        sentence = check_text("prompt", "The prompt", any_text(seed), 4000)
        sent = prompt_text(sentence, weights=False)
        parts = read(sent)
        assert {weight for _, weight in parts} <= {1.0}, sentence
        came_out = "".join(part for part, _ in parts)
        assert came_out.replace("\uff1a", ":") == sentence.replace("\uff1a", ":"), sentence
        assert embeddings(sent) == 0, sentence


def test_the_rules_here_see_weights_and_embeddings() -> None:
    assert read("A harbour (16:9)") == [("A harbour ", 1.0), ("16", 9.0)]
    assert read("(a) (b:0.5)") == [("a", 1.1), (" ", 1.0), ("b", 0.5)]
    assert [embeddings(text) for text in ("embedding:x", "a embedding:x", "a\nembedding:x")] == [1, 1, 1]


def test_with_weights_the_text_stays_as_it_is() -> None:
    for sentence in SENTENCES:
        assert prompt_text(sentence, weights=True) == sentence


def test_what_counts_as_syntax() -> None:
    assert has_syntax("a (b)") and has_syntax("a )") and has_syntax("x embedding:y")
    assert not has_syntax("a: b, myembedding:y") and not has_syntax("")


def encoded(params: ModeParams) -> list[str]:
    graphs = compiled(params, server=route_server("native")).graphs
    return [
        node["inputs"]["text"]
        for graph in graphs for node in graph.values() if node["class_type"] == "CLIPTextEncode"
    ]  # fmt: skip


ODD = "A harbour (16:9) embedding:x"


def jobs_of(mode: str, **options: object) -> list[ModeParams]:
    if mode == "fast_video":
        base = {"image": image().image, "seed": 1}
        return [MODES[mode].params(**base, **options)]
    if mode == "text_to_image":
        return [still(model=model, **options) for model in ("wan", "flux")]
    maker = {"image_to_video": image, "sound_to_video": sound, "animate": animated}.get(mode, text_to_video)
    return [maker(**options)]


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_escapes_the_prompt(mode: str) -> None:
    for params in jobs_of(mode, prompt=ODD):
        texts = encoded(params)
        assert prompt_text(ODD, weights=False) in texts and ODD not in texts
    for params in jobs_of(mode, prompt=ODD, prompt_weights=True):
        assert ODD in encoded(params)


@pytest.mark.parametrize("mode", [mode for mode, spec in MODES.items() if "negative_prompt" in spec.by_name])
def test_every_mode_escapes_the_negative_prompt(mode: str) -> None:
    (params,) = jobs_of(mode, prompt="A boat", negative_prompt=ODD)
    assert prompt_text(ODD, weights=False) in encoded(params)
    (params,) = jobs_of(mode, prompt="A boat", negative_prompt=ODD, prompt_weights=True)
    assert ODD in encoded(params)


def test_every_mode_with_a_prompt_has_the_switch() -> None:
    for spec in MODES.values():
        field = spec.field("prompt_weights")
        assert field.default is False and field.in_api and field.group == "prompt"
