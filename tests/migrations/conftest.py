"""Small migrations of a test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tracks import Tracks


@pytest.fixture
def tracks(tmp_path: Path) -> Tracks:
    return Tracks(tmp_path / "tracks")
