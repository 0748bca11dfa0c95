"""Collects no garbage while tests are imported, and never looks at what the imports made again: hundreds of
modules hold millions of objects that stay.

A plugin of tests/conftest.py.
"""

from __future__ import annotations

import gc

import pytest


def pytest_sessionstart() -> None:
    gc.disable()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()
