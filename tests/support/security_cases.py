"""Attacks and their expected outcomes, one function per attack, by subject.

Each function takes a Site and returns the outcome as a short text, which has to be the expected one. The same
cases are the tests in test_security.py and the table of `python -m benchmarks.security`.
"""

from __future__ import annotations

from tests.support import (
    attacks_by_files,
    attacks_on_jobs,
    attacks_on_limits,
    attacks_on_pages,
    visitor_cases,
)
from tests.support.attack import Case

CASES: list[Case] = [
    *visitor_cases.CASES,
    *attacks_on_jobs.CASES,
    *attacks_by_files.CASES,
    *attacks_on_pages.CASES,
    *attacks_on_limits.CASES,
]
"""Floods and failed logins come last: they use up limits."""
