"""A restored dump works as the migrated database does.

`pg_dump` writes foreign keys in the order of their names, and their triggers fire in that order.
So nothing may depend on which of two foreign keys acts first: what is deleted here was made in
the same transaction, where the server checks even keys that did not change.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, TypeAlias

import psycopg
import pytest

from taskdb.admin import doctor
from taskdb.database import connect
from taskdb.embedded import Server
from taskdb.models import NewWorkflow, WorkflowStatus
from taskdb.queries import dependencies, epics, executions, externals, features, tasks, workflows
from taskdb.testing.databases import Databases

pytestmark = pytest.mark.slow

Connection: TypeAlias = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def restored_url(databases: Databases, template: str) -> Generator[str]:
    """A database into which a dump of the migrated one was loaded."""
    source, target = databases.clone(template), databases.empty()
    programs = Server(Path("unused")).binaries
    dump = subprocess.check_output([programs / "pg_dump", "--no-owner", source])
    # A setting of pg_dump's own version, which an older server does not know.
    dump = dump.replace(b"SET transaction_timeout = 0;\n", b"")
    load = [str(programs / "psql"), "--quiet", "--set=ON_ERROR_STOP=1", target]
    subprocess.run(load, input=dump, check=True, capture_output=True)
    yield target
    databases.drop(source)
    databases.drop(target)


def workflow_with_all(conn: Connection) -> Callable[[], object]:
    """Make a workflow with tasks of it, of its execution, and with dependencies of both kinds."""
    workflow = workflows.create(conn, NewWorkflow(name="release"))
    workflows.update_status(conn, id=workflow.id, status=WorkflowStatus.ACTIVE)
    execution = executions.start_execution(conn, workflow_id=workflow.id)
    for key in ("a", "b"):
        tasks.create(
            conn, key=key, title=key, workflow_id=workflow.id, workflow_execution_id=execution.id
        )
    tasks.create(conn, key="c", title="c", workflow_id=workflow.id)
    dependencies.add_dependency(conn, task="b", depends_on="a")
    externals.create(conn, service="ci", workflow_id=workflow.id)
    return lambda: workflows.delete(conn, id=workflow.id)


def workflow_with_external(conn: Connection) -> Callable[[], object]:
    workflow = workflows.create(conn, NewWorkflow(name="release"))
    tasks.create(conn, key="a", title="a", workflow_id=workflow.id)
    externals.create(conn, service="ci", workflow_id=workflow.id)
    return lambda: workflows.delete(conn, id=workflow.id)


def tree_with_edges(conn: Connection) -> Callable[[], object]:
    parent = tasks.create(conn, key="a", title="a")
    child = tasks.create(conn, key="b", title="b", parent_id=parent.id)
    tasks.create(conn, key="c", title="c", parent_id=child.id)
    tasks.create(conn, key="d", title="d")
    dependencies.add_dependency(conn, task="c", depends_on="b")
    dependencies.add_dependency(conn, task="d", depends_on="c")
    return lambda: tasks.delete(conn, key="a")


def epic_with_all(conn: Connection) -> Callable[[], object]:
    epic = epics.create(conn, key="E01", title="epic")
    one = features.create(conn, epic_id=epic.id, key="E01-F01", title="one")
    two = features.create(conn, epic_id=epic.id, key="E01-F02", title="two")
    tasks.create(conn, key="a", title="a", feature_id=one.id)
    tasks.create(conn, key="b", title="b", feature_id=two.id)
    dependencies.add_dependency(conn, task="b", depends_on="a")
    return lambda: epics.delete(conn, key="E01")


MADE = [workflow_with_all, workflow_with_external, tree_with_edges, epic_with_all]


@pytest.mark.parametrize("make", MADE, ids=lambda make: make.__name__)
def test_what_was_made_in_the_same_transaction_can_be_deleted(
    restored_url: str, make: Callable[[Connection], Callable[[], object]]
) -> None:
    with connect(restored_url) as conn, conn.transaction(force_rollback=True):
        delete = make(conn)

        delete()

        assert doctor.run(conn) == []


def test_dump_of_a_plan_is_whole_after_a_restore(restored_url: str) -> None:
    with connect(restored_url) as conn:
        assert doctor.run(conn) == []
