"""The pytest plugin: databases for the tests of a service, and plans to fill them with.

::

    from taskdb.queries import claims
    from taskdb.testing import lapse_leases, make_plan

    def test_second_agent_takes_over(taskdb_conn):
        make_plan(taskdb_conn, "design", "build > design")
        claims.claim_next(taskdb_conn, agent="ada")

        lapse_leases(taskdb_conn)

        assert claims.claim_next(taskdb_conn, agent="bob").key == "design"

Installed with taskdb, it is there in every run of pytest (``-p no:taskdb.testing`` leaves it out),
and starts nothing before a test asks for one of its fixtures. docs/testing.md has them all.
"""

from importlib import import_module
from typing import TYPE_CHECKING

try:
    import_module("pytest")
except ModuleNotFoundError:
    from taskdb.errors import needing

    with needing("testing"):
        raise

from taskdb.testing.fixtures import (
    taskdb_aconn,
    taskdb_async_database,
    taskdb_conn,
    taskdb_database,
    taskdb_databases,
    taskdb_empty_url,
    taskdb_kept_connection,
    taskdb_setup,
    taskdb_shared_url,
    taskdb_template,
    taskdb_url,
    taskdb_workspaces,
)
from taskdb.testing.hooks import (
    pytest_addhooks,
    pytest_addoption,
    pytest_configure_node,
    pytest_terminal_summary,
)

if TYPE_CHECKING:
    from taskdb.queries.admin.testing import lapse_leases, pass_time
    from taskdb.testing.databases import Databases
    from taskdb.testing.plans import make_plan

__all__ = [
    "Databases",
    "lapse_leases",
    "make_plan",
    "pass_time",
    "pytest_addhooks",
    "pytest_addoption",
    "pytest_configure_node",
    "pytest_terminal_summary",
    "taskdb_aconn",
    "taskdb_async_database",
    "taskdb_conn",
    "taskdb_database",
    "taskdb_databases",
    "taskdb_empty_url",
    "taskdb_kept_connection",
    "taskdb_setup",
    "taskdb_shared_url",
    "taskdb_template",
    "taskdb_url",
    "taskdb_workspaces",
]

_HOMES = {
    "Databases": "taskdb.testing.databases",
    "lapse_leases": "taskdb.queries.admin.testing",
    "make_plan": "taskdb.testing.plans",
    "pass_time": "taskdb.queries.admin.testing",
}


def __getattr__(name: str) -> object:
    """Import what a test asks for when it does: pytest loads the plugin in every run."""
    if name not in _HOMES:
        raise AttributeError(f"module 'taskdb.testing' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
