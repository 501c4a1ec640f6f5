"""The cases of a test that run each time; the others run in `make test-slow` alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def first_of(cases: Iterable[Any], count: int = 1) -> list[Any]:
    """Return all *cases*; those behind the first *count* are slow."""
    return [case if number < count else _slow(case) for number, case in enumerate(cases)]


def only(cases: Iterable[Any], *usual: Any) -> list[Any]:
    """Return all *cases*; those that are not among the *usual* ones are slow."""
    return [case if case in usual else _slow(case) for case in cases]


def _slow(case: Any) -> Any:
    return pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.slow)
