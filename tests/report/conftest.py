"""A page in Chromium, and the largest plan on it."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from taskdb.database import connect
from taskdb.exchange import import_plan
from taskdb.testing.databases import Databases
from tests.exchange_files import DATA
from tests.report.browser import Page, open_browser
from tests.report.writing import LARGEST, write


@pytest.fixture(scope="session")
def page() -> Generator[Page]:
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="session")
def largest(
    databases: Databases, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Path]:
    """The page of the largest plan beside the repository."""
    url = databases.clone(template)
    with connect(url) as conn:
        import_plan(conn, "beads", DATA / LARGEST)
        yield write(conn, tmp_path_factory.mktemp("page") / "largest.html")
    databases.drop(url)
