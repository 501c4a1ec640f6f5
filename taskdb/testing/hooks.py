"""Hooks of the plugin: options, and one server for the whole run."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final

import pytest

from taskdb.testing import hookspecs

if TYPE_CHECKING:
    from taskdb.testing.databases import Databases

__all__ = [
    "databases_of",
    "pytest_addhooks",
    "pytest_addoption",
    "pytest_configure_node",
    "pytest_terminal_summary",
    "workspaces_of",
]

VARIABLE: Final = "TASKDB_TEST_URL"
_DATABASES = pytest.StashKey["Databases"]()
_DESK = pytest.StashKey[tuple[Any, bytes]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that name the server and the workspaces."""
    parser.getgroup("taskdb").addoption(
        "--taskdb-url",
        metavar="URL",
        help="server to make the tests' databases on; its role must be allowed to create databases"
        f" (default: {VARIABLE}, or an embedded server that is thrown away)",
    )
    parser.addini(
        "taskdb_workspaces",
        "workspaces of each test database; connections use the first",
        type="args",
        default=["taskdb"],
    )


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Let a project bring a server of its own."""
    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist where to ask for the databases."""
    from taskdb.testing.sharing import Desk

    config: pytest.Config = node.config
    if _DESK not in config.stash:
        desk = Desk(lambda: databases_of(config))
        config.add_cleanup(desk.close)
        config.stash[_DESK] = (desk.address, desk.key)
    node.workerinput["taskdb_desk"] = config.stash[_DESK]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Report which server the tests ran on."""
    databases = config.stash.get(_DATABASES, None)
    if databases is not None:
        terminalreporter.write_line(f"taskdb: PostgreSQL {databases.server_version}")


def databases_of(config: pytest.Config) -> Databases:
    """Return the databases of the run; whoever asks first opens the server."""
    if _DATABASES not in config.stash:
        if desk := getattr(config, "workerinput", {}).get("taskdb_desk"):
            from taskdb.testing.sharing import ask

            config.stash[_DATABASES] = ask(*desk)
        else:
            stack = contextlib.ExitStack()
            config.stash[_DATABASES] = stack.enter_context(_open(config))
            config.add_cleanup(stack.close)
    return config.stash[_DATABASES]


def workspaces_of(config: pytest.Config) -> list[str]:
    """Return the workspaces of the tests' databases."""
    return list(config.getini("taskdb_workspaces"))


@contextlib.contextmanager
def _open(config: pytest.Config) -> Generator[Databases]:
    from taskdb.testing.databases import open_databases

    with contextlib.ExitStack() as stack:
        url = config.getoption("taskdb_url") or os.environ.get(VARIABLE)
        if not url and (server := config.hook.pytest_taskdb_server(config=config)):
            url = stack.enter_context(server)
        yield stack.enter_context(open_databases(url or None))
