"""`taskdb doctor` on any connection: its cost, its settings, its rights."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import psycopg
import pytest

from taskdb.admin import doctor
from taskdb.database import connect, connect_async
from taskdb.errors import ValidationError
from taskdb.models import NewDependency, NewTask, TaskStatus
from taskdb.queries import claims, dependencies, tasks
from tests.admin.breaking import break_it
from tests.plans import LARGE, LargePlan, Plan
from tests.rows_read import rows_read


@pytest.mark.slow
async def test_doctor_runs_on_an_asynchronous_connection(
    aconn: psycopg.AsyncConnection[Any],
) -> None:
    await tasks.create(aconn, key="A", title="A")
    await aconn.execute(b"delete from task_search")

    assert [found.invariant for found in await doctor.run(aconn)] == ["search_text"]
    assert [repair.invariant for repair in await doctor.repair(aconn)] == ["search_text"]
    assert await doctor.run(aconn) == []


@pytest.mark.slow
def test_ten_thousand_tasks_are_each_examined_a_few_times(large_plan: LargePlan) -> None:
    with connect(large_plan.url) as conn:
        for held in claims.claim_batch(conn, agent="ada", limit=500):
            claims.complete(conn, task_id=held.task_id, token=held.token)
        before = rows_read(conn)

        assert doctor.run(conn) == []
        assert rows_read(conn) - before < 150 * LARGE


def test_doctor_takes_its_time_and_leaves_the_settings_of_its_caller(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    settings = (
        b"select current_setting('statement_timeout'), current_setting('enable_nestloop'),"
        b" current_setting('jit')"
    )
    conn.execute(b"set local jit = on")
    conn.execute(b"set local statement_timeout = '7s'")

    doctor.run(conn)
    doctor.repair(conn)

    assert conn.execute(settings).fetchone() == ("7s", "on", "on")


@pytest.mark.slow
def test_on_a_connection_that_commits_by_itself_a_repair_is_one_transaction(
    database_url: str,
) -> None:
    with connect(database_url, autocommit=True) as conn:
        tasks.create(conn, key="A", title="A")
        tasks.update_status(conn, key="A", status=TaskStatus.BLOCKED, blocked_reason="it rains")
        break_it(
            conn,
            "update tasks set open_dependencies = 3",
            "update task_details set description = 'zebras'",
        )
        conn.execute(b"alter table task_search add constraint no check (false) not valid")
        with pytest.raises(ValidationError):
            doctor.repair(conn)

        found = [finding.invariant for finding in doctor.run(conn)]

        assert found == ["open_dependencies", "search_text"]
        conn.execute(b"alter table task_search drop constraint no")
        doctor.repair(conn)
        assert doctor.run(conn) == []
        assert conn.execute(b"show enable_nestloop").fetchone() == ("on",)


@pytest.mark.slow
async def test_the_same_on_an_asynchronous_connection(database_url: str) -> None:
    async with await connect_async(database_url, autocommit=True) as conn:
        await tasks.create(conn, key="A", title="A")
        await conn.execute(b"delete from task_search")

        assert [repair.subject for repair in await doctor.repair(conn)] == ["A"]
        assert await doctor.run(conn) == []


@pytest.mark.slow
def test_a_load_that_nobody_has_analyzed_is_examined_as_cheaply(
    conn: psycopg.Connection[Any],
) -> None:
    keys = [f"k{number}" for number in range(5000)]
    edges = [NewDependency(later, earlier) for earlier, later in pairwise(keys)]
    tasks.create_many(conn, [NewTask(key=key, title=key) for key in keys], edges)
    before = rows_read(conn)

    assert doctor.run(conn) == []
    assert rows_read(conn) - before < 150 * len(keys)


@pytest.mark.slow
def test_doctor_needs_no_right_but_to_read(make_role: Any, database_url: str) -> None:
    from taskdb.database import roles

    role, url = make_role()
    with connect(database_url) as conn:
        roles.grant(conn, "taskdb", role, "reader")
        tasks.create_many(
            conn,
            [NewTask(key="A", title="A"), NewTask(key="B", title="B")],
            [NewDependency("B", "A")],
        )
        conn.commit()
        break_it(conn, "update tasks set graph_rank = 99 where key in ('A', 'B')")
        conn.commit()

    with connect(url) as conn:
        assert [found.invariant for found in doctor.run(conn)] == ["rank"]
        assert dependencies.why_not_ready(conn, key="A") == []
