"""Every handler, server function and endpoint of the page says who may use it (tests/support/who_may.py);
visitor_cases.py tries them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.fake_studio import FakeStudio
from tests.support.who_may import ENDPOINTS, EVENTS, HANDLERS, SERVER_FUNCTIONS
from ui import page as layout


@pytest.fixture(scope="module")
def page() -> Any:
    studio: Any = FakeStudio()
    return layout.build(studio)


def handlers(page: Any) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """(qualified name, [(component, event)]) of each private event that runs on the server."""
    for fn in page.fns.values():
        if fn.fn is not None and fn.api_visibility == "private":
            ids = [
                (getattr(page.blocks.get(block), "elem_id", None) or "", event) for block, event in fn.targets
            ]
            yield fn.fn.__qualname__, ids


def test_every_handler_is_in_the_table(page: Any) -> None:
    assert {name for name, _ in handlers(page)} == HANDLERS.keys()


def test_every_event_about_a_job_is_in_the_table(page: Any) -> None:
    found = {
        event: name
        for name, events in handlers(page)
        for event in events
        if HANDLERS[name] in ("link", "owner") and event[0]
    }
    assert found == EVENTS


def test_every_server_function_is_in_the_table(page: Any) -> None:
    found = {
        name
        for block in page.blocks.values()
        for name in dir(block)
        if getattr(getattr(block, name, None), "_is_server_fn", False)
    }
    assert found == SERVER_FUNCTIONS.keys()


def test_every_endpoint_is_in_the_table(page: Any) -> None:
    assert {name.lstrip("/") for name in page.get_api_info()["named_endpoints"]} == ENDPOINTS.keys()


def test_no_record_of_files_is_kept(page: Any) -> None:
    page.upload_file_set.update(["/tmp/a.png"])
    assert not any(page.temp_file_sets)
    for block in page.blocks.values():
        block.temp_files.add("/tmp/a.png")
        assert not block.temp_files
