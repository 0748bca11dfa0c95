"""A demo engine that the tests of a module share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import demo_inputs
from tests.support.demo_server import DemoServer, start_demo


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoServer]:
    folder = tmp_path_factory.mktemp("demo")
    demo_inputs.make(folder / "input")
    with start_demo(folder=folder) as server:
        yield server
