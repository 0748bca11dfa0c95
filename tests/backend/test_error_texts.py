"""The texts of errors: every reason has one, and those who raise it give the arguments that it shows."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterator
from functools import cache

import pytest

import backend.studio  # noqa: F401 - brings in the error classes that other packages add
from backend.engines.comfy import reach
from backend.engines.comfy.failure_causes import CAUSES, UNKNOWN
from backend.error_texts import catalog
from backend.error_texts.catalog import ERROR_TEXTS, HINTS
from backend.error_texts.notice_texts import TEMPLATES
from backend.errors import (
    BadMedia,
    EngineLost,
    EngineUnreachable,
    InternalError,
    OverQuota,
    QueueFull,
    StoreGone,
    StudioError,
    by_code,
    in_current_words,
)
from backend.jobs.refusals import Outlook
from backend.models.hub import REASONS as HUB_REASONS
from backend.notices import brief, hint, words
from backend.servers.exit_reasons import _KNOWN as EXIT_REASONS
from backend.worker.results import ResultTooLarge
from tests.support.paths import ROOT
from tests.support.sources import parsed
from workflows.notice import Notice, made, notice

CHECKED = ("backend", "ui", "app.py")
"""Where no error has sentences of its own."""
NOT_ARGUMENTS = frozenset({"field", "detail", "cause", "wait", "kind"})
SPREAD = {"said": {"input", "value"}, "_published": {"file", "size"}}
"""Arguments that several reasons have in common, by the name of what is spread: {**said, ...}."""
OF_THEIR_OWN = frozenset({"BadValue", "NodesNotInstalled"})
"""Errors with texts of the catalogue that are in no tree: each is caught by its own package."""
NAMES = ("params ", "images ", "media_width, ", "--repeat ", "git ", "pip ", "sha256 ", "`")
"""Parameters and programs that a sentence may begin with."""
SUFFIXED = {"field_refused_more": {"reasons", "count"}, "values_refused_more": {"reasons", "count"}}
"""Codes that are put together from another one."""


@cache
def sources(top: str) -> tuple[tuple[str, ast.Module], ...]:
    path = ROOT / top
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return tuple((str(file.relative_to(ROOT)), parsed(file)) for file in files)


def constants(node: ast.expr, tree: ast.AST) -> list[str]:
    """The strings that an expression may be; a name may be any value that the module gives it, a code with a
    part that is put in (f"busy_{kind}") any code of that form."""
    if isinstance(node, ast.Constant):
        return [str(node.value)] if isinstance(node.value, str) else []
    if isinstance(node, ast.JoinedStr):
        form = "".join(
            re.escape(str(part.value)) if isinstance(part, ast.Constant) else "[a-z]+" for part in node.values
        )
        suffixed = isinstance(node.values[0], ast.FormattedValue)  # see SUFFIXED
        found = [code for code in ERROR_TEXTS if re.fullmatch(form, code)]
        return found or ([] if suffixed else [ast.unparse(node)])
    if isinstance(node, ast.IfExp):
        return constants(node.body, tree) + constants(node.orelse, tree)
    if isinstance(node, ast.Name):
        found: list[str] = []
        for each in ast.walk(tree):
            if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Tuple):
                values = each.value.elts if isinstance(each.value, ast.Tuple) else []
                pairs = list(zip(each.targets[0].elts, values, strict=False))
            else:
                pairs = [(each.targets[0], each.value)] if isinstance(each, ast.Assign) else []
            for target, value in pairs:
                if ast.unparse(target) == node.id:
                    found += constants(value, tree)
        return found
    return []


def raised() -> Iterator[tuple[str, set[str], str]]:
    """(code, arguments, where) of each reason that is made in the sources."""
    for name, tree in sources("backend"):
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            function, where = ast.unparse(node.func), f"{name}:{node.lineno}"
            keywords = {str(keyword.arg) for keyword in node.keywords} - NOT_ARGUMENTS
            if function.endswith(".of") and (function[0].isupper() or function == "type(error).of"):
                named = isinstance(node.args[0], ast.Name)  # a name may be given other values elsewhere
                codes = constants(node.args[0], tree)
                yield from ((code, keywords, where) for code in codes if not named or code in ERROR_TEXTS)
            elif function == "from_os_error" and len(node.args) > 1:
                yield from ((code, keywords, where) for code in constants(node.args[1], tree))
            elif function == "made" and len(node.args) > 1 and isinstance(node.args[1], ast.Dict):
                names = {str(ast.literal_eval(key)) for key in node.args[1].keys if key is not None}
                for key, value in zip(node.args[1].keys, node.args[1].values, strict=True):
                    names |= SPREAD[ast.unparse(value).partition("(")[0]] if key is None else set()
                yield from ((code, names, where) for code in constants(node.args[0], tree))
            elif function == "_lost":  # of models/inventory.py
                yield from ((code, {"path", "file", "size"}, where) for code in constants(node.args[0], tree))
            elif function == "made" and len(node.args) > 1 and ast.unparse(node.args[1]) == "said":
                yield from ((code, {"input", "value"}, where) for code in constants(node.args[0], tree))


def placeholders(code: str) -> set[str]:
    return set(ERROR_TEXTS[code].arguments)


def unreachable() -> Iterator[EngineUnreachable]:
    """The errors of all reasons why a server cannot be used; those of TLS also without OpenSSL's words."""
    for reason in reach.REASONS:
        yield reach.unreachable(reason, reach.Place("https://gpu:8188"), "", "said")
    for reason in ("certificate", "tls_failed"):
        yield reach.unreachable(reason, reach.Place("https://gpu:8188"), "")


RAISED = [
    *raised(),
    *((code, set(names), "exit_reasons") for _, code, names in EXIT_REASONS),
    *((code, names, "validation_errors") for code, names in SUFFIXED.items()),
    ("disk_is_full", set(), "errors.py"), ("file_not_written", set(), "errors.py"),
    *((code, {"file", "endpoint"}, "models/hub.py") for _, code in HUB_REASONS),
    ("hub_fewer_bytes", {"file", "endpoint"}, "models/hub.py"),
    ("hub_failed", {"file", "endpoint"}, "models/hub.py"),
    ("store_full", {"path"}, "models/errors.py"), ("download_full", {"path"}, "models/errors.py"),
    ("page_not_started", set(), "ui/gradio_fixes/own_sockets.py"),
    ("runpod_no_answer", set(), "runpod/http.py"), ("runpod_queue_full", set(), "runpod/http.py"),
    *((error.why.code, {name for name, _ in error.why.args}, "comfy/reach.py") for error in unreachable()),
    *((cause.reason, placeholders(cause.reason), "failure_causes.py") for cause in (*CAUSES, UNKNOWN)),
]  # fmt: skip


@pytest.mark.parametrize("code", ERROR_TEXTS)
def test_a_reason_is_raised_with_the_arguments_that_its_text_shows(code: str) -> None:
    found = [(names, where) for raised_code, names, where in RAISED if raised_code == code]
    assert found, f"nothing raises {code}"
    for names, where in found:
        assert names == placeholders(code), where


def test_every_reason_that_is_raised_has_a_text() -> None:
    assert [(code, where) for code, _, where in RAISED if code not in ERROR_TEXTS] == []
    assert not set(ERROR_TEXTS) & set(TEMPLATES), "one code means one thing"


@pytest.mark.parametrize("code", ERROR_TEXTS)
def test_texts_are_sentences(code: str) -> None:
    if code.startswith("fault_"):  # the predicate of a sentence whose subject is a file
        assert ERROR_TEXTS[code].message[0].islower() and ERROR_TEXTS[code].message[-1] != "."
        return
    if code.startswith("note_"):  # one of several in a line
        assert not ERROR_TEXTS[code].hint and ERROR_TEXTS[code].message[-1] != "."
        return
    for text in filter(None, ERROR_TEXTS[code]):
        assert text[0].isupper() or text.startswith(("{", *NAMES))
        assert text.endswith((".", "}", ")", "`")) or text.startswith(("Run: ", "Example: ")), text


def test_every_hint_belongs_to_an_error() -> None:
    assert set(HINTS) <= set(by_code())


def own_sentences(tree: ast.Module) -> list[str]:
    """Errors that are built from a message in place of a reason, and arguments that are sentences."""
    kinds = {kind.__name__ for kind in by_code().values()} | OF_THEIR_OWN
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        function = ast.unparse(node.func)
        built = function.rpartition(".")[2] in kinds
        named = function.rpartition(".")[2] in ("of", "because", "from_os_error", "made")
        given = [keyword.value for keyword in node.keywords if keyword.arg not in NOT_ARGUMENTS]
        if built or (named and any(map(is_sentence, given))):
            found.append(f"{node.lineno}: {ast.unparse(node)}")
    return found


def is_sentence(node: ast.expr) -> bool:
    """Whether an argument is text that is put together where the error is raised, or has several words."""
    if isinstance(node, ast.IfExp):
        return is_sentence(node.body) or is_sentence(node.orelse)
    if isinstance(node, ast.BoolOp):
        return any(map(is_sentence, node.values))
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and len(node.value.split()) > 2
    text = any(isinstance(part, ast.Constant) and isinstance(part.value, str) for part in ast.walk(node))
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.BinOp) and text)


def test_errors_have_no_sentences_where_they_are_raised() -> None:
    found = [
        f"{name}:{line}"
        for top in CHECKED
        for name, tree in sources(top)
        if name != "backend/errors.py"
        for line in own_sentences(tree)
    ]
    assert found == []


@pytest.mark.parametrize("source", [
    "raise BadMedia('It is empty.')", "raise errors.BadMedia(f'{name} is empty.')", "x = BadMedia('a' + b)",
    "BadMedia(words)", "raise BadMedia.of('x', what='It is empty.')", "BadMedia.of('x', what=f'{n} files')",
    "BadMedia.of('x', what=other or 'the file is gone')", "BadMedia.of('x', what='in ' + name)",
])  # fmt: skip
def test_a_sentence_in_the_source_is_found(source: str) -> None:
    assert own_sentences(ast.parse(source))
    assert not own_sentences(ast.parse("BadMedia.of('x', what=name, count=n + 1, detail=f'{n} of 3')"))


def test_message_and_hint() -> None:
    full = QueueFull.of("queue_full", count=3)
    assert full.message == "The queue is full: 3 videos are waiting." and full.hint == HINTS["queue_full"]
    assert words(full.notice) == f"{full.message} {full.hint}" and brief(full.notice) == full.message
    assert full.to_dict() == {
        "code": "queue_full", "message": full.message, "hint": full.hint, "field": "",
        "reason": {"code": "queue_full", "args": {"count": 3}},
    }  # fmt: skip
    quota = OverQuota.of("video_over_quota", need=2.5e9, limit=5e6, field="video")
    assert quota.message == "This video needs 2,500 MB on the disk, and one visitor may use 5.0 MB."
    assert quota.hint == "Use a smaller file or a shorter video." and quota.field == "video"


def test_a_class_of_its_own_package_has_its_hint() -> None:
    large = ResultTooLarge.of("result_over_limit", megabytes=12.3, most=7.5)
    assert large.message == "The result is 12.3 MB, and RunPod's limit is 7.5 MB."
    assert large.hint == HINTS["result_too_large"]


def test_words_of_another_program() -> None:
    foreign = QueueFull("Voll {x}.")
    assert (foreign.message, foreign.hint) == ("Voll {x}.", HINTS["queue_full"])
    assert words(foreign.notice) == f"Voll {{x}}. {HINTS['queue_full']}"
    assert QueueFull("").message == "" and "\ud800" not in QueueFull("a\ud800").message


def test_a_reason_within_a_notice_is_data() -> None:
    gone = StoreGone.because(made("data_folder_gone", {"folder": "/d"}))
    said = notice("disk_failing", reason=gone.notice)
    assert said.arg("reason") == gone.notice
    assert words(said) == f"{gone.message} Retrying for a few minutes before giving up."
    assert Notice.from_json(said.to_json()) == said
    assert Notice.from_json(gone.notice.to_json()) == gone.notice
    assert Outlook(gone.notice).waits == gone.notice


def test_a_reason_without_its_arguments_is_shown_by_its_code() -> None:
    broken = EngineLost.because(made("server_crashed", {}))
    assert broken.message == "server_crashed" and broken.hint == HINTS["engine_lost"]
    assert hint(made("no_such_reason", {}), "engine_lost") == HINTS["engine_lost"]


def test_a_stored_error_keeps_its_reason_and_arguments() -> None:
    error = BadMedia.of("picture_foreign", upload="a.psd", picture_format="Photoshop", field="end_image")
    stored = json.loads(json.dumps(error.to_dict()))
    again = StudioError.from_dict(stored)
    assert (type(again), again.why, again.field) == (BadMedia, error.why, "end_image")
    older = {**stored, "message": "Worded otherwise.", "hint": "Once."}
    assert StudioError.from_dict(older).message == error.message
    assert in_current_words(older) == stored


@pytest.mark.parametrize("reason", [
    None, "text", 7, {}, {"code": "of_tomorrow", "args": {}}, {"code": "queue_full"}, {"code": None},
    {"code": "queue_full", "args": {"count": []}}, {"code": "queue_full", "args": {"count": {"code": 1}}},
    {"code": "too_many_bytes_video", "args": {"upload": "a", "has": "many", "most": "few"}},
    {"code": "upload_too_large", "args": {"megabytes": 10**400}},
    {"code": "too_short_sound", "args": {"upload": "a", "lasts": math.nan, "least_seconds": math.inf}},
])  # fmt: skip
def test_an_error_without_a_readable_reason_keeps_its_words(reason: object) -> None:
    stored = {
        "code": "bad_media",
        "message": "It was empty.",
        "hint": "Again.",
        "field": "",
        "reason": reason,
    }
    error = StudioError.from_dict(stored)
    assert (type(error), error.message, error.hint) == (BadMedia, "It was empty.", "Again.")
    assert in_current_words(stored) == stored


def test_an_error_of_a_later_version_keeps_its_code_when_it_is_shown() -> None:
    stored = QueueFull.of("queue_full", count=3).to_dict() | {"code": "of_tomorrow", "message": "Full."}
    assert in_current_words(stored) == stored and type(StudioError.from_dict(stored)) is InternalError


def test_half_a_surrogate_pair_is_replaced_in_arguments_at_any_depth() -> None:
    inner = made("node_missing_of", {"names": ("a\ud800",), "inner": (made("x", {"y": "\udfff"}),)})
    assert "\\ud" not in json.dumps(EngineLost.because(made("server_crashed", {"server": inner})).to_dict())


def test_every_code_is_in_one_file() -> None:
    files = [getattr(module, "TEXTS", {}) for module in vars(catalog).values()]
    assert sum(map(len, files)) == len(ERROR_TEXTS)
