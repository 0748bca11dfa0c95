"""Notices: every code has words, every template gets the arguments that its producers give."""

from __future__ import annotations

import ast
import json
import random
import string
from collections.abc import Iterator

import pytest

from backend.error_texts.notice_texts import TEMPLATES
from backend.errors import BadInput
from backend.notices import brief, files_text, readable, words
from tests.support.paths import ROOT
from tests.support.sources import parsed
from workflows.notice import CODES, Notice, notice

REFUSAL = frozenset({"error", "reason"})
INDIRECT = {
    "comfyui_silent": {"address"},
    "demo_silent": {"address"},
    "runpod_silent": set(),
    "comfyui_vae_colour": {"version", "fixed"},
}
"""Codes that a row of a table names (engines/kinds.py, known_faults.py); the call gives its arguments."""


def calls() -> Iterator[tuple[ast.Call, ast.Module, str]]:
    """Each call of `notice` in the sources, with its module and where it is."""
    for top in ("workflows", "backend", "ui"):
        for path in sorted((ROOT / top).rglob("*.py")):
            tree = parsed(path)
            for node in ast.walk(tree):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Name)
                    and node.func.id == "notice"
                    and node.args
                ):
                    yield node, tree, f"{path.relative_to(ROOT)}:{node.lineno}"


def codes_of(node: ast.expr, tree: ast.AST) -> list[str]:
    """The codes that an expression may be: a literal, a choice of two, or a name with such a value."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.IfExp):
        return codes_of(node.body, tree) + codes_of(node.orelse, tree)
    if isinstance(node, ast.Name):
        return [
            code
            for each in ast.walk(tree)
            if isinstance(each, ast.AnnAssign) and ast.unparse(each.target) == node.id and each.value
            for code in codes_of(each.value, tree)
        ]
    return []


def placeholders(code: str) -> set[str]:
    head, rest = TEMPLATES[code]
    return {name for _, name, _, _ in string.Formatter().parse(head + rest) if name}


PRODUCED = [
    (code, frozenset(str(keyword.arg) for keyword in call.keywords), where)
    for call, tree, where in calls()
    for code in codes_of(call.args[0], tree)
]
UNRESOLVED = [ast.unparse(call.args[0]) for call, tree, _ in calls() if not codes_of(call.args[0], tree)]


def test_every_code_has_a_template_and_nothing_else_has_one() -> None:
    assert set(TEMPLATES) == set(CODES) and len(CODES) == len(set(CODES))


@pytest.mark.parametrize("code", CODES)
def test_producers_give_what_the_template_shows(code: str) -> None:
    places = [(names, where) for found, names, where in PRODUCED if found == code]
    if code in INDIRECT:
        assert placeholders(code) == INDIRECT[code] and not places
        return
    assert places, f"nothing produces {code}"
    if code == "refused":  # the hint is found from both
        assert placeholders(code) == {"reason", "hint"} and {names for names, _ in places} == {
            REFUSAL,
            REFUSAL | {"field"},
        }
        return
    for names, where in places:
        assert names == placeholders(code), where


def test_every_call_says_its_code() -> None:
    """A call whose code `codes_of` does not find would be checked by nothing."""
    assert UNRESOLVED == ["fault.code", "row.silent", "row.silent"]


SAMPLES: dict[str, object] = {
    "width": 1920, "height": 1088, "steps": 10, "gigabytes": 16, "seconds": 60.0, "driving": 15.0,
    "share": 0.26, "field": "pose_video", "edges": "sides", "mode": "animate",
    "files": ("wan_2.1_vae.safetensors", "unknown.safetensors"), "addresses": ("http://a", "http://b"),
    "address": "http://a:8188", "fps": 30.0, "times": 2.6, "cfg": 3.5, "kind": "flux",
    "fault": "cut_short", "names": ("a", "b"), "helpers": ("pose_video", "mask"),
}  # fmt: skip


@pytest.mark.parametrize("code", CODES)
def test_every_template_can_be_filled_in_and_ends_as_a_sentence(code: str) -> None:
    made = Notice(
        code, tuple(sorted((name, SAMPLES.get(name, "Wörter {x} %s")) for name in placeholders(code)))
    )  # type: ignore[arg-type]
    said = words(made)
    assert readable(made) and said != code and said.startswith(brief(made))
    for name in placeholders(code) - SAMPLES.keys():
        assert "Wörter {x} %s" in said, name


@pytest.mark.parametrize(("made", "said"), [
    (notice("longer_than_trained", seconds=5.0),
     "The model was trained on clips of 5 s; in longer ones the motion may repeat or reverse."),
    (notice("cropped", field="image", share=0.257, edges="ends"),
     "26% of the picture is cropped (top and bottom): its aspect ratio differs from the video's. For best"
     " results, frame the person the same way in both."),
    (notice("helper_length", field="face_video", seconds=60.0, driving=15.0),
     "The face video lasts 60 s, the driving video 15 s: check that they match, since they are used frame by"
     " frame."),
    (notice("missing_files", mode="animate", files=("wan_2.1_vae.safetensors", "clip_vision_h.safetensors")),
     "Animate needs wan_2.1_vae.safetensors in vae (254 MB) and clip_vision_h.safetensors in clip_vision"
     " (1.3 GB)."),
    (notice("waiting_for_absent_start", addresses=("http://a", "http://b"), reason="No model."),
     "Waiting for the server at http://a or http://b to start. No model."),
    (BadInput("The prompt is empty.").notice, "The prompt is empty."),
])  # fmt: skip
def test_words(made: Notice, said: str) -> None:
    assert words(made) == said


def test_no_notice_has_no_words() -> None:
    assert words(None) == "" and files_text(["a"]) == "a"


@pytest.mark.parametrize(
    "made",
    [Notice("of_a_newer_version", (("text", "x"),)), Notice("{text.__class__}", (("text", "x"),)),
     Notice("easy_cache_steps"), Notice("cropped", (("share", "wide"),)),
     Notice("missing_files", (("files", 3), ("mode", "animate")))],
    ids=lambda made: made.code,
)  # fmt: skip
def test_what_cannot_be_read_is_shown_by_its_code(made: Notice) -> None:
    assert words(made) == brief(made) == made.code and not readable(made)


def random_notice(chance: random.Random) -> Notice:
    def letters() -> str:
        return "".join(chance.choice('aZ äß"\\{}\n\x00😀\ud800') for _ in range(chance.randrange(8)))

    def value() -> object:
        return chance.choice([
            letters, lambda: chance.randrange(-(2**60), 2**60), lambda: chance.uniform(-1e9, 1e9),
            lambda: tuple(letters() for _ in range(chance.randrange(4))),
        ])()  # fmt: skip

    args = {letters() or "a": value() for _ in range(chance.randrange(5))}
    return Notice(letters() or "text", tuple(sorted(args.items())))  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(200))
def test_json_round_trip(seed: int) -> None:
    made = random_notice(random.Random(seed))
    again = Notice.from_json(json.loads(json.dumps(made.to_json())))
    assert again == made and hash(again) == hash(made)
    assert words(made)


def test_a_plain_string_is_its_text() -> None:
    old = Notice.from_json("The model was trained on clips of 5 s.")
    assert old == notice("text", text="The model was trained on clips of 5 s.")
    assert words(old) == brief(old) == "The model was trained on clips of 5 s."


@pytest.mark.parametrize("data", [
    None, 7, [], {}, {"code": 3}, {"code": "text", "args": []}, {"code": "text", "args": {"text": None}},
    {"code": "text", "args": {"text": True}}, {"code": "text", "args": {"text": [1]}},
    {"code": "text", "args": {"text": {}}},
])  # fmt: skip
def test_what_is_no_notice(data: object) -> None:
    with pytest.raises(ValueError, match=r"^not "):
        Notice.from_json(data)
