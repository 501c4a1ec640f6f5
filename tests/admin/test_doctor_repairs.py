"""`taskdb doctor --repair`: derived data is computed again, and nothing else is touched."""

from __future__ import annotations

from typing import Any

import psycopg

from taskdb.admin import doctor
from taskdb.database import connect
from taskdb.models import TaskStatus
from taskdb.queries import history, tasks
from tests.admin.breakages.workflows import A_WORKFLOW
from tests.admin.breaking import break_it
from tests.plans import Plan


def test_repair_of_a_sound_plan_changes_nothing(conn: psycopg.Connection[Any], used: Plan) -> None:
    before = conn.execute(b"select xmin, ctid, id from tasks order by id").fetchall()

    assert doctor.repair(conn) == []
    assert conn.execute(b"select xmin, ctid, id from tasks order by id").fetchall() == before


def test_repair_counts_again_and_gives_the_status_that_follows(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    break_it(
        conn,
        "update tasks set open_dependencies = 0, status = 'pending', blocked_at = null,"
        " is_ready = true, status_seq = 3 where key = 'T-E01-F02-002'",
        "insert into task_history (task_id, seq, old_status, new_status, agent)"
        " select id, 3, 'blocked', 'pending', 'a bug' from tasks where key = 'T-E01-F02-002'",
        "update tasks set open_dependencies = 7 where key = 'T-E01-F01-003'",
    )

    repairs = doctor.repair(conn)

    assert {(repair.subject, repair.message) for repair in repairs} == {
        (
            used.release,
            "pending with 0 open dependencies became blocked with 2 open dependencies",
        ),
        (used.test, "blocked with 7 open dependencies became blocked with 1 open dependencies"),
    }
    assert doctor.run(conn) == []
    last = history.list_for_task(conn, key=used.release)[-1]
    assert (last.new_status, last.agent) == (TaskStatus.BLOCKED, "taskdb")
    assert last.note == "taskdb doctor counted its dependencies again"


def test_repair_keeps_the_reason_of_a_pending_task_by_blocking_it(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    break_it(conn, "update tasks set blocked_reason = 'tired' where key = 'chore'")

    (repair,) = doctor.repair(conn)

    assert repair.message == (
        'pending with 0 open dependencies and the reason "tired" became '
        'blocked with 0 open dependencies and the reason "tired"'
    )
    assert doctor.run(conn) == []


def test_repair_lowers_ranks_and_says_which(conn: psycopg.Connection[Any], used: Plan) -> None:
    break_it(conn, "update tasks set graph_rank = -5 where key = 'T-E01-F01-003'")

    repairs = doctor.repair(conn)

    assert {repair.invariant for repair in repairs} == {"rank"}
    assert {repair.subject for repair in repairs} == {used.build, used.design}
    assert doctor.run(conn) == []


def test_repair_refreshes_caches(conn: psycopg.Connection[Any], used: Plan) -> None:
    break_it(
        conn,
        "update features set progress_pct = 50",
        "update tasks set title = 'Zebras' where key = 'chore'",
        "delete from task_search where title = 'Task T-E01-F02-001'",
    )

    repairs = doctor.repair(conn)

    assert {(repair.subject, repair.new_value) for repair in repairs} == {
        ("E01-F01", "progress_pct 33.33"),
        ("E01-F02", "progress_pct 0.00"),
        ("chore", "the words of its title and description"),
        (used.docs, "the words of its title and description"),
    }
    assert doctor.run(conn) == []


def test_repair_counts_what_is_unhealthy_again(conn: psycopg.Connection[Any], used: Plan) -> None:
    break_it(
        conn,
        A_WORKFLOW,
        "update tasks set workflow_id = (select id from workflows) where key = 'T-E01-F02-002'",
        "insert into external_dependencies (workflow_id, service, health)"
        " select id, 'registry', 'unhealthy' from workflows",
        "update tasks set unhealthy_dependencies = 2, workflow_is_healthy = false"
        " where key = 'chore'",
    )

    repairs = doctor.repair(conn)

    assert {(repair.subject, repair.message) for repair in repairs} == {
        ("CI", "unhealthy_dependencies 0 became unhealthy_dependencies 1"),
        (
            "chore",
            "unhealthy_dependencies 2 and a workflow that is unhealthy became"
            " unhealthy_dependencies 0 and a workflow that is healthy",
        ),
    }
    assert doctor.run(conn) == []


def test_repair_marks_dependencies_as_their_blockers_are(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    break_it(conn, "update task_dependencies set is_satisfied = not is_satisfied")

    repairs = doctor.repair(conn)

    assert {repair.invariant for repair in repairs} == {"is_satisfied"}
    assert repairs[0].message == (
        "an unsatisfied dependency on T-E01-F01-001, which is completed became"
        " a satisfied one, as its type is requires"
    )
    assert doctor.run(conn) == []


def test_repair_derives_and_copies_again(conn: psycopg.Connection[Any], used: Plan) -> None:
    break_it(
        conn,
        "update tasks set reserved_for = 'eve', for_type = 'x', place = 0, is_due = false,"
        " is_ready = not is_ready, is_paused = not is_paused, has_files = false,"
        " has_dependents = false",
        "update task_details set priority = 1, agent_type = 'x', assigned_agent = 'eve',"
        " created_at = '2020-01-01'",
    )

    repairs = doctor.repair(conn)

    assert {repair.invariant for repair in repairs} == {"derived", "copy"}
    assert {repair.message for repair in repairs if repair.subject == used.build} >= {
        "reserved_for 'eve' became reserved_for ''",
        "is_ready true became is_ready false",
        "has_files false became has_files true",
        "priority 1 in task_details became priority 5, as in tasks",
    }
    assert doctor.run(conn) == []


def test_repair_makes_a_lost_row_of_details_and_no_second_history(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    before = history.list_for_task(conn, key=used.chore)
    break_it(
        conn, "delete from task_details where task_id = (select id from tasks where key = 'chore')"
    )

    (repair,) = doctor.repair(conn)

    assert (repair.subject, repair.message) == (
        used.chore,
        "no row in task_details became one row",
    )
    assert tasks.get_by_key(conn, key=used.chore).description is None
    assert history.list_for_task(conn, key=used.chore) == before
    assert doctor.run(conn) == []


def test_repair_leaves_alone_what_needs_a_decision(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    break_it(
        conn,
        "update tasks set claim_agent = 'ada', lease_expires_at = now() + interval '1 hour'"
        " where key = 'T-E01-F01-001'",
        "update task_details set parent_id = task_id"
        " where task_id = (select id from tasks where key = 'chore')",
    )
    found = doctor.run(conn)

    assert doctor.repair(conn) == []
    assert {row.invariant for row in found} == {"claim", "parent_cycle"}
    assert doctor.run(conn) == found


def test_repair_is_undone_with_the_transaction_of_its_caller(database_url: str) -> None:
    with connect(database_url) as conn:
        tasks.create(conn, key="A", title="A")
        conn.execute(b"delete from task_search")
        conn.commit()

        assert len(doctor.repair(conn)) == 1
        conn.rollback()

        assert [found.invariant for found in doctor.run(conn)] == ["search_text"]
