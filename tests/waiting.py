"""Waiting for what must come. The patience is no bar: it only ends a test that would hang."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

PATIENCE: Final = 30.0


def wait_until(true: Callable[[], object]) -> None:
    """Return as soon as *true* returns something true; fail if it never does."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)
