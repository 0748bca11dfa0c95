"""The texts of errors: every reason has one, and those who raise it give the arguments that it shows."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from functools import cache

import pytest

import backend.studio  # noqa: F401 - brings in the error classes that other packages add
from backend.error_texts.catalog import ERROR_TEXTS, HINTS
from backend.errors import EngineLost, OverQuota, QueueFull, StoreGone, by_code
from backend.jobs.refusals import Outlook
from backend.models.hub import REASONS as HUB_REASONS
from backend.notices import TEMPLATES, brief, hint, words
from backend.servers.exit_reasons import _KNOWN as EXIT_REASONS
from backend.worker.results import ResultTooLarge
from tests.support.paths import ROOT
from workflows.notice import Notice, made, notice

MOVED = (
    "backend/jobs", "backend/engines/base.py", "backend/engines/kinds.py", "backend/engines/demo",
    "backend/engines/runpod", "backend/engines/comfy/engine.py", "backend/engines/comfy/info.py",
    "backend/engines/comfy/protocol.py", "backend/engines/comfy/submit.py",
    "backend/engines/comfy/validation_errors.py", "backend/servers", "backend/storage", "backend/security",
    "backend/models", "backend/system", "backend/studio.py", "backend/services.py", "backend/threads.py",
    "backend/worker/handler.py", "backend/worker/main.py", "backend/worker/results.py",
)  # fmt: skip
"""Packages whose errors have no sentences of their own."""
OTHERS_WORDS = {
    "backend/jobs/params.py": "the compiler's refusal of a value",
    "backend/jobs/preflight.py": "the compiler's refusal of a value",
    "backend/engines/runpod/responses.py": "the error of a worker",
}
"""File -> whose words it passes on."""
NOT_ARGUMENTS = frozenset({"field", "detail", "cause"})
SUFFIXED = {"field_refused_more": {"reasons", "count"}, "values_refused_more": {"reasons", "count"}}
"""Codes that are put together from another one."""


@cache
def sources(top: str) -> tuple[tuple[str, ast.Module], ...]:
    path = ROOT / top
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return tuple((str(file.relative_to(ROOT)), ast.parse(file.read_text("utf-8"))) for file in files)


def constants(node: ast.expr, tree: ast.AST) -> list[str]:
    """The strings that an expression may be; a name may be any value that the module gives it."""
    if isinstance(node, ast.Constant):
        return [str(node.value)] if isinstance(node.value, str) else []
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
                if None in node.args[1].keys:  # {**said, ...}: see `said` in validation_errors.py
                    names |= {"input", "value"}
                yield from ((code, names, where) for code in constants(node.args[0], tree))
            elif function == "made" and len(node.args) > 1 and ast.unparse(node.args[1]) == "said":
                yield from ((code, {"input", "value"}, where) for code in constants(node.args[0], tree))


RAISED = [
    *raised(),
    *((code, set(names), "exit_reasons") for _, code, names in EXIT_REASONS),
    *((code, names, "validation_errors") for code, names in SUFFIXED.items()),
    ("disk_is_full", set(), "errors.py"), ("file_not_written", set(), "errors.py"),
    *((code, {"file", "endpoint"}, "models/hub.py") for _, code in HUB_REASONS),
    ("hub_fewer_bytes", {"file", "endpoint"}, "models/hub.py"),
    ("hub_failed", {"file", "endpoint"}, "models/hub.py"),
    ("store_full", {"path"}, "models/errors.py"), ("download_full", {"path"}, "models/errors.py"),
    ("runpod_no_answer", set(), "runpod/http.py"), ("runpod_queue_full", set(), "runpod/http.py"),
]  # fmt: skip


def placeholders(code: str) -> set[str]:
    text = ERROR_TEXTS[code]
    return {name for _, name, _, _ in string.Formatter().parse(text.message + text.hint) if name}


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
    for text in filter(None, ERROR_TEXTS[code]):
        assert text[0].isupper() or text[0] == "{"
        assert text.endswith((".", "}", ")")) or text.startswith("Run: "), text


def test_every_hint_belongs_to_an_error() -> None:
    assert set(HINTS) <= set(by_code())


def literal(node: ast.expr) -> bool:
    return isinstance(node, (ast.Constant, ast.JoinedStr, ast.BinOp))


def own_sentences(name: str, tree: ast.Module) -> list[str]:
    """Constructor calls of errors with a sentence, as messages."""
    kinds = {kind.__name__ for kind in by_code().values()}
    return [
        f"{name}:{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2] in kinds
        and (name not in OTHERS_WORDS or any(literal(each) for each in node.args))
    ]


@pytest.mark.parametrize("top", MOVED)
def test_errors_have_no_sentences_where_they_are_raised(top: str) -> None:
    assert [found for name, tree in sources(top) for found in own_sentences(name, tree)] == []


@pytest.mark.parametrize("name", OTHERS_WORDS)
def test_who_passes_on_words_of_others_still_does(name: str) -> None:
    tree = ast.parse((ROOT / name).read_text("utf-8"))
    assert own_sentences("", tree)


def test_message_and_hint() -> None:
    full = QueueFull.of("queue_full", count=3)
    assert full.message == "The queue is full: 3 videos are waiting." and full.hint == HINTS["queue_full"]
    assert words(full.notice) == f"{full.message} {full.hint}" and brief(full.notice) == full.message
    assert full.to_dict() == {"code": "queue_full", "message": full.message, "hint": full.hint, "field": ""}
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
