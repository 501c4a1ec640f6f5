"""Small migrations of a test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trains import Trains


@pytest.fixture
def trains(tmp_path: Path) -> Trains:
    return Trains(tmp_path / "trains")
