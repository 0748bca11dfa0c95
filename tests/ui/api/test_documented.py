"""The pages of docs name every endpoint, every value that those beside the modes take, and every option of
`models`."""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Iterator

from backend.cli.models import add_models
from tests.support.paths import ROOT
from ui.api.endpoints import Endpoints
from ui.api.model_endpoints import ModelEndpoints
from workflows.modes.registry import MODES

API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
MODELS = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")


def endpoints() -> dict[str, list[str]]:
    """Name -> values that it takes, of the endpoints beside the modes."""
    return {
        name: [value for value in inspect.signature(function).parameters if value not in ("self", "request")]
        for owner in (Endpoints, ModelEndpoints)
        for name, function in vars(owner).items()
        if not name.startswith("_") and inspect.iscoroutinefunction(function)
    }


def named(word: str, page: str) -> bool:
    """Whether a page has the word by itself, marked as code."""
    code = "\n".join(_code(page))
    return re.search(rf"(?<![\w/-]){re.escape(word)}(?![\w-])", code) is not None


def _code(page: str) -> Iterator[str]:
    for inline, block in re.findall(r"`([^`\n]+)`|^ {4}(.*)$", page, re.M):
        yield inline or block


def commands() -> Iterator[tuple[str, str]]:
    """(action, option) of `models`; "" for the action itself."""
    parser = argparse.ArgumentParser()
    add_models(parser.add_subparsers())
    models = parser.parse_args(["models", "check"])
    assert models.action == "check"
    top = next(one for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    actions = next(
        one for one in top.choices["models"]._actions if isinstance(one, argparse._SubParsersAction)
    )
    for name, action in actions.choices.items():
        yield name, ""
        for option in action._actions:
            yield from ((name, text) for text in option.option_strings if text not in ("-h", "--help"))


def test_every_endpoint_is_in_the_docs() -> None:
    known = endpoints()
    assert {"job", "result", "cancel", "loras", "presets", "models", "use_model"} <= known.keys()
    assert [name for name in (*MODES, *known) if not named(f"/{name}", API)] == []
    values = {value for taken in known.values() for value in taken}
    assert {value for value in values if not named(value, API)} == set()
    assert not named("/no_such_endpoint", API) and not named("searc", API)


def test_every_action_and_option_of_models_is_in_the_docs() -> None:
    found = list(commands())
    assert {("download", "--gpu"), ("use", "--full"), ("paths", "--out")} <= set(found)
    lacking = [f"{action} {option}" for action, option in found if not named(option or action, MODELS)]
    assert lacking == []
