"""`taskdb db seed`: large made-up plans in which all that must hold holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from taskdb.admin import doctor, seed
from taskdb.errors import DatabaseError, ValidationError
from taskdb.queries import tasks
from tests.command_line import run
from tests.plans import make_plan

Connection = psycopg.Connection[Any]

TASKS = 2_000
TABLES = (
    "epics",
    "features",
    "tasks",
    "task_details",
    "task_claims",
    "task_dependencies",
    "task_history",
    "task_search",
    "subtasks",
    "task_files",
    "workflows",
    "workflow_steps",
    "workflow_step_needs",
    "workflow_executions",
    "execution_steps",
    "external_dependencies",
    "technical_specs",
    "spec_dependencies",
    "implementation_tasks",
    "project_contexts",
    "project_environments",
    "modifications",
    "templates",
    "design_jobs",
    "design_outputs",
    "design_decisions",
    "design_progress",
    "tech_spec_sessions",
    "tech_research",
    "tech_conversations",
    "generated_trd_documents",
    "agent_error_logs",
)


def count(conn: Connection, table: str) -> int:
    row = conn.execute(f"select count(*) from {table}".encode()).fetchone()
    assert row is not None
    return int(row[0])


def test_doctor_finds_nothing_in_a_seeded_plan(conn: Connection) -> None:
    made = {step.statement: step.row_count for step in seed.steps(conn, tasks=TASKS)}

    assert doctor.run(conn) == []
    assert made["add_tasks"] == TASKS
    assert all(made.values()), made
    assert all(count(conn, table) for table in TABLES)


@pytest.mark.slow
def test_seeded_plan_is_skewed_as_real_ones_are(conn: Connection) -> None:
    list(seed.steps(conn, tasks=TASKS))

    by_status = {row.status.value: row.task_count for row in tasks.count_by_status(conn)}
    assert by_status["completed"] > TASKS / 2
    assert set(by_status) >= {"pending", "blocked", "in_progress", "archived", "cancelled"}
    assert 1.5 < count(conn, "task_dependencies") / TASKS < 2.5
    per_agent = conn.execute(
        "select count(*) from task_claims group by agent order by 1 desc"
    ).fetchall()
    assert per_agent[0][0] > 10 * per_agent[len(per_agent) // 2][0]


@pytest.mark.slow
def test_nothing_that_databases_share_stays_locked(conn: Connection) -> None:
    """Or else a second data set on the server would wait for the first one's commit."""
    list(seed.steps(conn, tasks=50))

    locked = conn.execute(
        "select relation::regclass from pg_locks "
        "where pid = pg_backend_pid() and locktype = 'relation' and database = 0 "
        "and mode <> 'AccessShareLock'"
    ).fetchall()
    assert locked == []


FACTS = """
select task.key, task.id, task.status, task.priority, task.title, task.claim_token,
    (select details.parent_id from task_details as details where details.task_id = task.id),
    array(
        select edge.depends_on_id from task_dependencies as edge
        where edge.task_id = task.id order by edge.depends_on_id
    )
from tasks as task order by task.key
"""


def facts(conn: Connection, number: int) -> list[tuple[Any, ...]]:
    with conn.transaction(force_rollback=True):
        list(seed.steps(conn, tasks=300, seed=number))
        return conn.execute(FACTS).fetchall()


@pytest.mark.slow
def test_same_seed_makes_the_same_plan_and_another_one_another(conn: Connection) -> None:
    assert facts(conn, 1) == facts(conn, 1)
    assert facts(conn, 1) != facts(conn, 2)


def test_workspace_with_tasks_is_refused(conn: Connection) -> None:
    make_plan(conn)

    with pytest.raises(DatabaseError, match="has tasks already"):
        list(seed.steps(conn, tasks=10))


@pytest.mark.parametrize("number", [0, -1, 10_000_000])
def test_number_out_of_range_is_refused(conn: Connection, number: int) -> None:
    with pytest.raises(ValidationError, match="tasks"):
        list(seed.steps(conn, tasks=number))


@pytest.mark.slow
def test_command_says_what_it_made_and_refuses_the_second_time(
    database_url: str, tmp_path: Path
) -> None:
    call = ("db", "seed", "--url", database_url, "--tasks", "50")
    first, second = run(*call, folder=tmp_path), run(*call, folder=tmp_path)

    assert first.status == 0, first.err
    assert "50  add_tasks" in first.out
    assert second.status == 1
    assert "has tasks already" in second.err
