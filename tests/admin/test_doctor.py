"""`taskdb doctor`: each broken promise is found, by the query that guards it and by no other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from taskdb.admin import doctor
from taskdb.models import TaskStatus
from taskdb.models.admin.doctor import Finding
from taskdb.queries import claims, features, tasks
from taskdb.queries.admin import query
from tests.admin.breakages import BREAKAGES
from tests.admin.breaking import Breakage, break_it
from tests.plans import Plan


def test_doctor_finds_nothing_in_a_plan_that_is_worked_off(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    assert doctor.run(conn) == []


@pytest.mark.parametrize("breakage", BREAKAGES.values(), ids=BREAKAGES.keys())
def test_doctor_finds_what_is_broken_and_nothing_else(
    conn: psycopg.Connection[Any], used: Plan, breakage: Breakage
) -> None:
    break_it(conn, *breakage.statements)

    (finding,) = doctor.run(conn)

    assert (finding.invariant, finding.subject) == (breakage.invariant, breakage.subject)
    assert (finding.found, finding.expected) == (breakage.found, breakage.expected)
    assert finding.message == f"{breakage.found}; expected: {breakage.expected}"


def test_doctor_finds_a_transition_that_was_taken_out_while_its_trigger_was_off(
    conn: psycopg.Connection[Any],
) -> None:
    # A test before may have counted one: no rollback takes that back.
    conn.execute("select setval('task_status_transition_removals', 1, false)")
    pair = "old_status = 'in_progress' and new_status = 'completed'"
    break_it(conn, f"delete from task_status_transitions where {pair}")

    (finding,) = doctor.run(conn)

    assert (finding.invariant, finding.subject, finding.message) == (
        "transition",
        "task_status_transitions",
        "no in_progress to completed, and claims are not looked up;"
        " expected: a removal counted by task_status_transition_removals",
    )
    conn.execute("select nextval('task_status_transition_removals')")
    assert doctor.run(conn) == []


def test_every_query_of_the_doctor_has_something_that_only_it_finds() -> None:
    seen = {breakage.invariant for breakage in BREAKAGES.values()}

    stated = {
        line.split("'")[1]
        for check in query
        if check.name.startswith("doctor.") and not check.name.startswith("doctor.repair")
        for variant in check.variants()
        for line in variant.text.splitlines()
        if "as invariant" in line
    }
    assert stated | {"parent_cycle", "spec_cycle"} == seen


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (
            "update tasks set blocked_reason = 'tired' where key = 'chore'",
            {("blocked", "chore"), ("readiness", "chore")},
        ),
        (
            "update tasks set status = 'blocked', blocked_at = now(), is_ready = false"
            " where key = 'chore'",
            {("blocked", "chore"), ("last_transition", "chore"), ("readiness", "chore")},
        ),
        (
            "update tasks set status = 'pending', blocked_at = null, is_ready = true"
            " where key = 'T-E01-F01-003'",
            {
                ("blocked", "T-E01-F01-003"),
                ("last_transition", "T-E01-F01-003"),
                ("readiness", "T-E01-F01-003"),
            },
        ),
        (
            "update tasks set is_ready = false where key = 'chore'",
            {("derived", "chore"), ("readiness", "chore")},
        ),
        (
            "update tasks set lease_expires_at = null where key = 'T-E01-F01-002'",
            {("claim", "T-E01-F01-002"), ("readiness", "T-E01-F01-002")},
        ),
    ],
    ids=[
        *("pending for a reason", "blocked by nothing", "pending behind a gate", "hidden"),
        "a claim without a lease",
    ],
)
def test_what_breaks_several_promises_is_found_with_all_that_follows(
    conn: psycopg.Connection[Any], used: Plan, statement: str, found: set[tuple[str, str]]
) -> None:
    break_it(conn, statement)

    assert {(row.invariant, row.subject) for row in doctor.run(conn)} == found


def test_forced_and_imported_moves_are_no_finding(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    tasks.update_status(conn, key=used.design, status=TaskStatus.PENDING, force=True)
    conn.execute(
        b"insert into task_history (task_id, old_status, new_status, agent, source, created_at)"
        b" select id, 'completed', 'blocked', 'importer', 'elsewhere', '2020-01-01'"
        b" from tasks where key = 'chore'"
    )

    assert doctor.run(conn) == []


def test_a_task_completed_again_after_it_was_reopened_is_no_finding(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    tasks.update_status(conn, key=used.design, status=TaskStatus.PENDING, force=True)
    again = claims.claim(conn, key=used.design, agent="eve")
    assert again
    claims.complete(conn, task_id=again.task_id, token=again.token)

    assert doctor.run(conn) == []


def test_progress_that_is_merely_old_is_no_finding(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    tasks.update_status(conn, key=used.build, status=TaskStatus.COMPLETED)
    tasks.delete(conn, key=used.test)

    assert features.get_by_key(conn, key="E01-F01").progress_pct == Decimal("33.33")
    assert doctor.run(conn) == []


def test_a_finding_is_ready_for_json(conn: psycopg.Connection[Any], used: Plan) -> None:
    break_it(conn, "update tasks set open_dependencies = 5 where key = 'T-E01-F02-002'")

    (finding,) = doctor.run(conn)

    assert isinstance(finding, Finding)
    assert finding.to_dict() == {
        "invariant": "open_dependencies",
        "subject": used.release,
        "id": str(tasks.get_by_key(conn, key=used.release).id),
        "found": "open_dependencies is 5",
        "expected": "2, as its edges say",
    }


def test_what_nobody_claims_is_overdue_and_no_finding(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    tasks.update(conn, key=used.chore, scheduled_at=soon)
    tasks.create(conn, key="later", title="Later", scheduled_at=soon)
    conn.execute(
        b"update tasks set lease_expires_at = now() - interval '2 hours'"
        b" where key = 'T-E01-F01-002'"
    )
    break_it(
        conn,
        "update tasks set scheduled_at = now() - interval '3 hours' where key = 'chore'",
        "update tasks set scheduled_at = now() - interval '1 minute' where key = 'later'",
    )

    overdue = doctor.overdue(conn)

    assert [(task.key, task.reason) for task in overdue] == [
        (used.chore, "its schedule has passed"),
        (used.build, "the lease of ben lapsed"),
    ]
    assert "later" in {task.key for task in doctor.overdue(conn, patience=timedelta(seconds=5))}
    assert doctor.run(conn) == []


def test_a_claim_makes_time_pass_for_what_is_overdue(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    conn.execute(
        b"update tasks set lease_expires_at = now() - interval '2 hours'"
        b" where key = 'T-E01-F01-002'"
    )
    assert claims.claim_next(conn, agent="eve")

    assert doctor.overdue(conn) == []
    assert doctor.run(conn) == []


def test_work_that_fails_as_its_attempts_are_cut_down_is_no_finding(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    held = claims.claim(conn, key=used.chore, agent="eve")
    assert held
    claims.fail(
        conn, task_id=held.task_id, token=held.token, error="no", retry_in=timedelta(hours=1)
    )
    tasks.update(conn, key=used.chore, max_attempts=1)

    assert tasks.get_by_key(conn, key=used.chore).status is TaskStatus.FAILED
    assert doctor.run(conn) == []
