"""External dependencies: what is due, what a check changes, and what it keeps from being claimed.

No test waits for a check to become due: moments are back-dated.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from taskdb.admin import doctor
from taskdb.database import connect
from taskdb.errors import IntegrityError, NotFoundError, ValidationError
from taskdb.models import ExternalDependency, Health, NewTask, NewWorkflow, TaskStatus
from taskdb.queries import claims, dependencies, externals, tasks, workflows

Connection = psycopg.Connection[Any]

MINUTE = timedelta(minutes=1)


def task(conn: Connection, key: str = "A", **fields: Any) -> UUID:
    return tasks.create(conn, key=key, title=key, **fields).id


def workflow(conn: Connection, name: str = "CI") -> UUID:
    return workflows.create(conn, NewWorkflow(name=name)).id


def of_task(conn: Connection, key: str = "A", **fields: Any) -> ExternalDependency:
    id = tasks.get_by_key(conn, key).id
    return externals.create(conn, task_id=id, service="registry", **fields)


def breaks(conn: Connection, dependency: ExternalDependency, error: str = "HTTP 503") -> None:
    """Fail checks until all retries are used up."""
    for _ in range(dependency.max_retries + 1):
        externals.record_check(conn, dependency.id, succeeded=False, error=error)


def recovers(conn: Connection, dependency: ExternalDependency) -> None:
    externals.record_check(conn, dependency.id, succeeded=True)


def ready(conn: Connection) -> list[str]:
    return [row.key for row in tasks.list_ready(conn)]


def reasons(conn: Connection, key: str = "A") -> list[tuple[str, str]]:
    return [(row.reason, row.detail) for row in dependencies.why_not_ready(conn, key)]


# Create, read, change


def test_dependency_is_made_read_changed_and_deleted(conn: Connection) -> None:
    task(conn)
    made = of_task(conn, resource="https://registry.example/health", metadata={"team": "infra"})

    changed = externals.update(conn, made.id, resource=None, timeout=MINUTE)

    assert externals.get(conn, made.id) == changed
    assert (made.health, made.failed_checks, made.checked_at) == (Health.UNKNOWN, 0, None)
    assert (changed.resource, changed.timeout, changed.metadata) == (
        None,
        MINUTE,
        {"team": "infra"},
    )
    assert externals.delete(conn, made.id) == made.id
    for gone in (externals.get, externals.delete, externals.update):
        with pytest.raises(NotFoundError):
            gone(conn, made.id)


def test_dependencies_are_listed_by_owner_and_health(conn: Connection) -> None:
    first, flow = task(conn), workflow(conn)
    ours = externals.create(conn, task_id=first, service="b")
    theirs = externals.create(conn, workflow_id=flow, service="a", health=Health.UNHEALTHY)

    found = {
        "all": externals.list_externals(conn),
        "of the task": externals.list_externals(conn, task_id=first),
        "of the workflow": externals.list_externals(conn, workflow_id=flow),
        "unhealthy": externals.list_externals(conn, health=Health.UNHEALTHY),
    }

    assert {what: [row.id for row in rows] for what, rows in found.items()} == {
        "all": [ours.id, theirs.id],
        "of the task": [ours.id],
        "of the workflow": [theirs.id],
        "unhealthy": [theirs.id],
    }


def test_it_is_of_a_task_or_of_a_workflow(conn: Connection) -> None:
    first, flow = task(conn), workflow(conn)

    both: dict[str, Any] = {"task_id": first, "workflow_id": flow}
    for owners in ({}, both):
        with pytest.raises(ValidationError, match="task_id must be given"), conn.transaction():
            externals.create(conn, service="registry", **owners)
    with pytest.raises(IntegrityError, match="task_id must name a row of tasks"):
        externals.create(conn, service="registry", task_id=uuid4())


def test_a_rule_that_is_no_jsonpath_is_refused_by_name(conn: Connection) -> None:
    task(conn)

    with pytest.raises(ValidationError) as caught:
        of_task(conn, validation_rule="$.status = ok")

    assert (caught.value.field, caught.value.rule) == (
        "validation_rule",
        "must be a valid jsonpath",
    )


# Checks


def test_what_is_due_is_handed_to_one_checker_for_as_long_as_a_check_may_take(
    conn: Connection,
) -> None:
    task(conn)
    made = of_task(conn, timeout=MINUTE)

    (due,) = externals.due_checks(conn)

    assert due.id == made.id
    assert due.next_check_at - now(conn) == MINUTE
    assert externals.due_checks(conn) == []
    conn.execute(b"update external_dependencies set next_check_at = now()")
    assert len(externals.due_checks(conn)) == 1


def now(conn: Connection) -> datetime:
    row = conn.execute(b"select now()").fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment


def test_two_checkers_at_once_get_two_checks(database_url: str) -> None:
    with connect(database_url) as one, connect(database_url) as other:
        task(one)
        made = {of_task(one).id, of_task(one).id}
        one.commit()

        first = externals.due_checks(one, limit=1)
        second = externals.due_checks(other, limit=5)

        assert {row.id for row in first} | {row.id for row in second} == made
        assert (len(first), len(second)) == (1, 1)


def test_the_longest_due_comes_first(conn: Connection) -> None:
    task(conn)
    late, later = of_task(conn), of_task(conn)
    moment = datetime.now(UTC) - timedelta(days=1)
    externals.update(conn, late.id, next_check_at=moment)
    externals.update(conn, later.id, next_check_at=moment - MINUTE)

    assert [row.id for row in externals.due_checks(conn, limit=1)] == [later.id]
    assert [row.id for row in externals.due_checks(conn, limit=1)] == [late.id]


def test_failures_are_looked_at_again_after_twice_as_long_each_time(conn: Connection) -> None:
    task(conn)
    made = of_task(conn, retry_delay=MINUTE, check_interval=5 * MINUTE, max_retries=3)

    checks = [
        externals.record_check(conn, made.id, succeeded=False, error="HTTP 503") for _ in range(5)
    ]
    recovered = externals.record_check(conn, made.id, succeeded=True, response={"status": "ok"})

    assert [(each.next_check_at - now(conn)) / MINUTE for each in checks] == [1, 2, 4, 5, 5]
    assert [each.health for each in checks] == ["unknown"] * 3 + ["unhealthy"] * 2
    assert [each.failed_checks for each in checks] == [1, 2, 3, 4, 5]
    assert checks[0].error_message == "HTTP 503"
    assert (recovered.health, recovered.failed_checks) == (Health.HEALTHY, 0)
    assert (recovered.error_message, recovered.response) == (None, {"status": "ok"})
    assert (recovered.next_check_at - now(conn), recovered.checked_at) == (5 * MINUTE, now(conn))


def test_the_longest_delays_and_many_failures_overflow_nothing(conn: Connection) -> None:
    task(conn)
    longest = timedelta(days=3650)
    made = of_task(conn, retry_delay=longest, check_interval=longest, max_retries=2**31 - 1)
    conn.execute(b"update external_dependencies set failed_checks = 1000000")

    seen = externals.record_check(conn, made.id, succeeded=False)

    assert seen.next_check_at - now(conn) == longest


@pytest.mark.parametrize(
    ("response", "healthy"),
    [({"status": "ok"}, True), ({"status": "down"}, False), ({}, False), (None, False)],
)
def test_a_response_must_satisfy_the_rule(
    conn: Connection, response: dict[str, Any] | None, healthy: bool
) -> None:
    task(conn)
    made = of_task(conn, validation_rule='$.status == "ok"', max_retries=0)

    seen = externals.record_check(conn, made.id, succeeded=True, response=response)

    assert seen.health == (Health.HEALTHY if healthy else Health.UNHEALTHY)
    assert seen.error_message == (None if healthy else "the response breaks the validation rule")


def test_a_check_of_nothing_is_not_found(conn: Connection) -> None:
    with pytest.raises(NotFoundError):
        externals.record_check(conn, uuid4(), succeeded=True)


# Dependents


def test_a_task_waits_for_the_recovery_of_what_it_requires(conn: Connection) -> None:
    task(conn)
    made = of_task(conn, resource="https://registry.example")

    before = ready(conn)
    breaks(conn, made)
    during = ready(conn)
    told = reasons(conn)
    claimed = claims.claim_next(conn, agent="ada"), claims.claim(conn, key="A", agent="ada")
    recovers(conn, made)

    assert (before, during, ready(conn)) == (["A"], [], ["A"])
    assert told == [("external", "registry at https://registry.example is unhealthy: HTTP 503")]
    assert claimed == (None, None)
    assert tasks.get_by_key(conn, "A").status == TaskStatus.PENDING
    assert reasons(conn) == []
    assert claims.claim_next(conn, agent="ada")
    assert doctor.run(conn) == []


def test_what_is_not_required_or_not_known_hinders_nothing(conn: Connection) -> None:
    task(conn)
    optional, unknown = of_task(conn, is_required=False), of_task(conn)

    breaks(conn, optional)

    assert externals.get(conn, unknown.id).health == Health.UNKNOWN
    assert ready(conn) == ["A"]
    assert reasons(conn) == []
    recovers(conn, optional)
    assert ready(conn) == ["A"]
    assert doctor.run(conn) == []


def test_a_task_waits_for_all_that_it_requires(conn: Connection) -> None:
    task(conn)
    first, second = of_task(conn), of_task(conn)
    breaks(conn, first)
    breaks(conn, second)

    recovers(conn, first)
    one_left = ready(conn)
    recovers(conn, second)

    assert (one_left, ready(conn)) == ([], ["A"])


CHANGES: dict[str, tuple[Callable[[Connection, ExternalDependency], Any], bool]] = {
    "deleted": (lambda conn, made: externals.delete(conn, made.id), True),
    "no longer required": (
        lambda conn, made: externals.update(conn, made.id, is_required=False),
        True,
    ),
    "given to another task": (
        lambda conn, made: conn.execute(
            b"update external_dependencies set task_id = $1 where id = $2",
            [task(conn, "B"), made.id],
        ),
        True,
    ),
    "given to a workflow": (
        lambda conn, made: conn.execute(
            b"update external_dependencies set task_id = null, workflow_id = $1 where id = $2",
            [workflow(conn), made.id],
        ),
        True,
    ),
    "renamed": (lambda conn, made: externals.update(conn, made.id, service="mirror"), False),
    "checked again, in vain": (
        lambda conn, made: externals.record_check(conn, made.id, succeeded=False),
        False,
    ),
}


@pytest.mark.parametrize(("change", "frees"), CHANGES.values(), ids=CHANGES.keys())
def test_the_count_follows_every_change(
    conn: Connection, change: Callable[[Connection, ExternalDependency], Any], frees: bool
) -> None:
    task(conn)
    made = of_task(conn)
    breaks(conn, made)

    change(conn, made)

    assert ("A" in ready(conn)) == frees
    assert doctor.run(conn) == []


def test_one_that_is_made_unhealthy_counts_at_once_and_goes_with_its_task(conn: Connection) -> None:
    task(conn)
    of_task(conn, health=Health.UNHEALTHY)
    waiting = ready(conn)

    tasks.delete(conn, key="A")

    assert waiting == []
    assert externals.list_externals(conn) == []
    assert doctor.run(conn) == []


def test_no_task_of_a_workflow_is_ready_while_what_it_requires_is_unhealthy(
    conn: Connection,
) -> None:
    flow, other = workflow(conn), workflow(conn, "other")
    task(conn, "before", workflow_id=flow)
    task(conn, "elsewhere", workflow_id=other)
    task(conn, "free")
    made = externals.create(conn, workflow_id=flow, service="registry")
    breaks(conn, made)

    task(conn, "after", workflow_id=flow)
    tasks.create_many(conn, [NewTask(key="loaded", title="T", workflow_id=flow)])
    tasks.update(conn, "free", workflow_id=flow)
    during = ready(conn)
    told = reasons(conn, "after")
    tasks.update(conn, "after", workflow_id=None)
    left = ready(conn)
    assert doctor.run(conn) == []
    recovers(conn, made)

    assert during == ["elsewhere"]
    assert told == [
        ("external", "registry, which its workflow needs, is unhealthy: HTTP 503"),
    ]
    assert left == ["elsewhere", "after"]
    assert set(ready(conn)) == {"before", "elsewhere", "free", "after", "loaded"}
    assert doctor.run(conn) == []


def test_tasks_of_an_unhealthy_workflow_are_free_when_it_is_deleted(conn: Connection) -> None:
    flow = workflow(conn)
    task(conn, workflow_id=flow)
    breaks(conn, externals.create(conn, workflow_id=flow, service="registry"))
    waiting = ready(conn)

    workflows.delete(conn, flow)

    assert (waiting, ready(conn)) == ([], ["A"])
    assert doctor.run(conn) == []


def test_a_due_task_waits_as_well(conn: Connection) -> None:
    task(conn, scheduled_at=datetime.now(UTC) - MINUTE)
    breaks(conn, of_task(conn))

    assert ready(conn) == []
    assert claims.claim_next(conn, agent="ada") is None
    assert doctor.run(conn) == []


def test_work_under_way_goes_on_and_is_claimed_again_once_all_is_healthy(
    conn: Connection,
) -> None:
    """As with a dependency that opens: what has begun keeps its status and its claim. When the
    claim lapses its task is handed out like any other."""
    task(conn)
    claim = claims.claim_next(conn, agent="ada")
    assert claim
    needed = of_task(conn)
    breaks(conn, needed)

    under_way = reasons(conn)
    conn.execute(b"update tasks set lease_expires_at = now() - interval '1 second'")
    while_unhealthy = claims.claim_next(conn, agent="ben")
    recovers(conn, needed)
    taken_over = claims.claim_next(conn, agent="ben")

    assert [reason for reason, _ in under_way] == ["claimed"]
    assert while_unhealthy is None
    assert taken_over
    assert (taken_over.key, taken_over.token) == ("A", claim.token + 1)
    assert doctor.run(conn) == []


def test_a_blocked_task_names_its_gates_and_what_is_unhealthy(conn: Connection) -> None:
    task(conn)
    task(conn, "B")
    dependencies.add_dependency(conn, task="A", depends_on="B")
    breaks(conn, of_task(conn))

    assert [reason for reason, _ in reasons(conn)] == ["dependency", "external"]
    assert doctor.run(conn) == []


def test_unhealthy_tasks_at_the_head_hide_no_others(conn: Connection) -> None:
    """There are more of them than a claim looks at."""
    flow = workflow(conn)
    breaks(conn, externals.create(conn, workflow_id=flow, service="registry"))
    tasks.create_many(
        conn,
        [NewTask(key=f"t{n}", title="T", priority=1, workflow_id=flow) for n in range(150)],
    )
    task(conn, "last", priority=10)

    assert [claim.key for claim in claims.claim_batch(conn, agent="ada", limit=5)] == ["last"]


def test_external_dependencies_are_not_truncated_while_they_are_counted(conn: Connection) -> None:
    task(conn)
    made = of_task(conn)
    breaks(conn, made)

    with pytest.raises(psycopg.DatabaseError, match="cannot be truncated"), conn.transaction():
        conn.execute(b"truncate external_dependencies")
    recovers(conn, made)
    conn.execute(b"truncate external_dependencies")

    assert doctor.run(conn) == []
