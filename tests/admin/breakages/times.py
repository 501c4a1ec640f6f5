"""Breakages of times: moments that history contradicts, and history out of order."""

from __future__ import annotations

from tests.admin.breaking import PLAN, Breakage


def dated(key: str, moments: str) -> tuple[str, ...]:
    """Return statements that move all times of a task to the first hours of 2020: row n to n.

    Only the owner of the tables can do so, and nothing contradicts it.
    """
    first = "'2020-01-01 00:00+00'::timestamptz"
    task = f"(select id from tasks where key = '{key}')"
    return (
        f"update task_history set created_at = {first} + seq * interval '1 hour'"
        f" where task_id = {task}",
        f"update tasks set created_at = {first}, {moments} where key = '{key}'",
        f"update task_details set created_at = {first} where task_id = {task}",
        "set local timezone to 'UTC'",
    )


DESIGN = dated(
    PLAN.design, "started_at = '2020-01-01 02:00+00', completed_at = '2020-01-01 03:00+00'"
)
CHORE = dated(PLAN.chore, "started_at = '2020-01-01 02:00+00'")

TIMES = {
    "a completion that was backdated": Breakage(
        (
            *DESIGN,
            "update tasks set completed_at = '2020-01-01 02:59+00' where key = 'T-E01-F01-001'",
        ),
        "time",
        PLAN.design,
        "completed_at is 2020-01-01 02:59:00+00",
        "2020-01-01 03:00:00+00, as its history says",
    ),
    "a completion of what was cancelled and archived": Breakage(
        (
            *DESIGN,
            "insert into task_history (task_id, seq, old_status, new_status, agent)"
            " select id, seq, old_status, new_status, 'eve' from tasks, (values"
            " (4, 'completed'::task_status, 'cancelled'::task_status),"
            " (5, 'cancelled', 'archived')) as entry (seq, old_status, new_status)"
            " where key = 'T-E01-F01-001'",
            "update task_history set forced = true where seq = 4",
            "update tasks set status = 'archived', status_seq = 5 where key = 'T-E01-F01-001'",
        ),
        "time",
        PLAN.design,
        "completed_at is 2020-01-01 03:00:00+00",
        "null, as its history says",
    ),
    "a start that was backdated": Breakage(
        (
            *DESIGN,
            "update tasks set started_at = '2020-01-01 00:30+00' where key = 'T-E01-F01-001'",
        ),
        "time",
        PLAN.design,
        "started_at is 2020-01-01 00:30:00+00",
        "2020-01-01 02:00:00+00, as its history says",
    ),
    "a start that was forgotten": Breakage(
        (*CHORE, "update tasks set started_at = null where key = 'chore'"),
        "time",
        PLAN.chore,
        "started_at is null",
        "2020-01-01 02:00:00+00, as its history says",
    ),
    "blocked since another moment": Breakage(
        dated(PLAN.test, "blocked_at = '2020-01-01 01:00+00'"),
        "time",
        PLAN.test,
        "blocked_at is 2020-01-01 01:00:00+00",
        "2020-01-01 02:00:00+00, as its history says",
    ),
    "a creation after the first row of history": Breakage(
        (
            *CHORE,
            "update tasks set created_at = '2020-01-01 01:01+00' where key = 'chore'",
            "update task_details set created_at = '2020-01-01 01:01+00'"
            " where task_id = (select id from tasks where key = 'chore')",
        ),
        "time",
        PLAN.chore,
        "created_at is 2020-01-01 01:01:00+00",
        "not after 2020-01-01 01:00:00+00, when it was created",
    ),
    "history that goes back in time": Breakage(
        (
            *DESIGN,
            "update task_history set created_at = '2020-01-01 00:59+00' where seq = 2"
            " and task_id = (select id from tasks where key = 'T-E01-F01-001')",
            "update tasks set started_at = '2020-01-01 00:59+00' where key = 'T-E01-F01-001'",
        ),
        "time",
        PLAN.design,
        "row 2 of its history is of 2020-01-01 00:59:00+00",
        "not before 2020-01-01 01:00:00+00, the time of row 1",
    ),
    "history of the future": Breakage(
        (
            "update task_history set created_at = '9999-12-31 00:00+00' where seq = 3"
            " and task_id = (select id from tasks where key = 'chore')",
            "set local timezone to 'UTC'",
        ),
        "time",
        PLAN.chore,
        "row 3 of its history is of 9999-12-31 00:00:00+00",
        "a time of the past",
    ),
}
