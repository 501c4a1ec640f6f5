"""Outcome of a fleet's work, by the database's records: nothing lost, nothing done twice."""

from __future__ import annotations

from collections import Counter

from taskdb.admin import doctor
from taskdb.database import connect
from taskdb.models import ClaimOutcome, TaskStatus
from taskdb.queries import claims, tasks


def settled(url: str, *, lapses: int | None = None) -> Counter[ClaimOutcome | None]:
    """Assert that each task was completed once, by its newest claim; return how claims ended.

    *lapses* is how many claims may have lapsed; None: any number.
    """
    with connect(url) as conn:
        assert doctor.run(conn) == []
        listed = tasks.list_tasks(conn, limit=10_000)
        assert {task.status for task in listed} == {TaskStatus.COMPLETED}
        ended: Counter[ClaimOutcome | None] = Counter()
        for task in listed:
            outcomes = [attempt.outcome for attempt in claims.list_for_task(conn, task.key)]
            assert outcomes[-1] == ClaimOutcome.COMPLETED, task.key
            ended.update(outcomes)
        completed = conn.execute(
            "select count(*), count(distinct task_id) from task_history"
            " where new_status = 'completed' and old_status <> 'completed'"
        ).fetchone()
    assert ended[ClaimOutcome.COMPLETED] == len(listed)
    assert completed == (len(listed), len(listed))
    assert lapses is None or ended[ClaimOutcome.LAPSED] <= lapses
    return ended
