"""The hook by which a project brings a server of its own."""

from __future__ import annotations

from contextlib import AbstractContextManager

import pytest

__all__ = ["pytest_taskdb_server"]


@pytest.hookspec(firstresult=True)
def pytest_taskdb_server(config: pytest.Config) -> AbstractContextManager[str] | None:
    """Return a context that yields a server's URL, as of a container, or None for the next choice.

    It is asked if no URL is given, before the embedded server is started, and entered once a run.
    """
