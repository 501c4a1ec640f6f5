"""A large made-up plan: `taskdb db seed`, and what the plan check looks at.

::

    for made in seed.steps(conn, tasks=1_000_000):
        print(made.statement, made.row_count)

The statements stand in `sql/queries/admin/seed.sql`; triggers run, so all that must hold holds
afterwards (`taskdb doctor`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Annotated, Any, Final

from psycopg import Connection

from taskdb.errors import DatabaseError
from taskdb.models.admin.seed import Seeded
from taskdb.queries import session
from taskdb.queries.admin import seed as queries
from taskdb.query import Range, checked
from taskdb.query._query import Query

__all__ = ["MOST_TASKS", "steps"]

MOST_TASKS: Final = 9_999_999
"""Largest number of tasks: the made-up keys have seven digits."""

TaskCount = Annotated[int, Range(1, MOST_TASKS)]
Seed = Annotated[int, Range(0, 2**31 - 1)]

# A row a statement, in order: its query, and which of `tasks` and `seed` it takes.
_STATEMENTS: Final[tuple[tuple[Query[..., Any], tuple[str, ...]], ...]] = (
    (queries.add_epics, ("tasks",)),
    (queries.add_features, ()),
    (queries.add_projects, ("tasks", "seed")),
    (queries.add_environments, ()),
    (queries.add_modifications, ()),
    (queries.decide_modifications, ()),
    (queries.end_modifications, ()),
    (queries.add_templates, ("tasks", "seed")),
    (queries.add_design_jobs, ("tasks", "seed")),
    (queries.add_design_outputs, ("tasks", "seed")),
    (queries.add_design_decisions, ("tasks", "seed")),
    (queries.add_design_progress, ("tasks", "seed")),
    (queries.add_sessions, ("tasks", "seed")),
    (queries.add_research, ()),
    (queries.add_conversations, ()),
    (queries.add_documents, ()),
    (queries.add_agent_errors, ()),
    (queries.add_workflows, ("tasks", "seed")),
    (queries.add_steps, ()),
    (queries.analyze, ()),
    (queries.add_needs, ()),
    (queries.add_executions, ("seed",)),
    (queries.add_execution_steps, ()),
    (queries.analyze, ()),
    (queries.add_tasks, ("tasks", "seed")),
    (queries.analyze, ()),
    (queries.end_attempts, ("seed",)),
    (queries.claim_again, ("seed",)),
    (queries.complete_claims, ()),
    (queries.analyze, ()),
    (queries.add_dependencies, ("seed",)),
    (queries.add_history, ("seed",)),
    (queries.add_subtasks, ("seed",)),
    (queries.add_files, ("seed",)),
    (queries.add_imported, ()),
    (queries.add_externals, ()),
    (queries.add_specs, ("tasks",)),
    (queries.add_spec_dependencies, ()),
    (queries.add_implementation_tasks, ()),
    # Queries that read the tables next need their sizes.
    (queries.analyze, ()),
)


@checked
def steps(conn: Connection[Any], *, tasks: TaskCount, seed: Seed = 1) -> Iterator[Seeded]:
    """Fill the connection's workspace with *tasks* tasks and what belongs to them, step by step.

    The same *seed* makes the same plan. The caller commits, after the last step; on a connection
    that commits by itself all is one transaction. Statements may take their time. Raises
    `DatabaseError` if there are tasks already, `ValidationError` for a number out of range.
    """
    with conn.transaction():
        before = session.statement_timeout(conn)
        session.set_statement_timeout(conn, value="0")
        _refuse_filled(conn)
        given = {"tasks": tasks, "seed": seed}
        for statement, names in _STATEMENTS:
            began = time.monotonic()
            count: int | None = statement(conn, **{name: given[name] for name in names})
            if count is not None:
                yield Seeded(statement.statement.name, count, time.monotonic() - began)
        session.set_statement_timeout(conn, value=before)


def _refuse_filled(conn: Connection[Any]) -> None:
    if not queries.is_empty(conn):
        raise DatabaseError(
            "the workspace has tasks already, and generated ones would mix with them",
            hint="Seed one of its own: taskdb migrate up --workspace large; "
            "taskdb db seed --workspace large --tasks N",
        )
