"""Tasks: transitions and their history, what triggers fill in, keys, parents, deletion."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from taskdb.admin import doctor
from taskdb.errors import CircularDependencyError, InvalidTransitionError, ValidationError
from taskdb.models import DependencyType, NewTask, Task, TaskStatus
from taskdb.queries import dependencies, epics, features, history, tasks
from tests.plans import Plan

Connection = psycopg.Connection[Any]
Status = TaskStatus

ALLOWED = {
    Status.PENDING: {Status.BLOCKED, Status.IN_PROGRESS, Status.CANCELLED},
    Status.BLOCKED: {Status.PENDING, Status.CANCELLED},
    Status.IN_PROGRESS: {
        Status.PENDING,
        Status.BLOCKED,
        Status.IN_REVIEW,
        Status.COMPLETED,
        Status.FAILED,
        Status.CANCELLED,
    },
    Status.IN_REVIEW: {
        Status.IN_PROGRESS,
        Status.PENDING,
        Status.BLOCKED,
        Status.COMPLETED,
        Status.FAILED,
        Status.CANCELLED,
    },
    Status.COMPLETED: {Status.ARCHIVED},
    Status.FAILED: {Status.ARCHIVED, Status.CANCELLED},
    Status.CANCELLED: {Status.ARCHIVED},
    Status.ARCHIVED: set[Status](),
}


def make_task(conn: Connection, status: Status = Status.PENDING, key: str = "A") -> Task:
    reason = "it rains" if status is Status.BLOCKED else None
    return tasks.create(conn, key=key, title="A task", status=status, blocked_reason=reason)


def move(conn: Connection, status: Status, *, force: bool = False, key: str = "A") -> Task:
    reason = "it rains" if status is Status.BLOCKED else None
    return tasks.update_status(
        conn, key=key, status=status, force=force, blocked_reason=reason, agent="ada", note="why"
    )


def run(conn: Connection, text: str) -> list[Any]:
    cursor = conn.execute(text.encode())
    return cursor.fetchall() if cursor.description else []


# Transitions


@pytest.mark.parametrize("old", Status)
def test_a_move_is_made_if_and_only_if_the_table_of_moves_has_it(
    conn: Connection, old: Status
) -> None:
    others = [new for new in Status if new is not old]
    for new in others:
        make_task(conn, old, key=new)

    for new in others:
        if new in ALLOWED[old]:
            assert move(conn, new, key=new).status is new
        else:
            with (
                pytest.raises(InvalidTransitionError, match=f"cannot go from {old} to {new}"),
                conn.transaction(),
            ):
                move(conn, new, key=new)
            assert tasks.get_by_key(conn, key=new).status is old
    assert doctor.run(conn) == []


@pytest.mark.parametrize("old", Status)
def test_a_forced_move_overrides_the_table_and_is_marked(conn: Connection, old: Status) -> None:
    for new in (status for status in Status if status is not old):
        make_task(conn, old, key=new)

        assert move(conn, new, force=True, key=new).status is new
        created, moved = history.list_for_task(conn, key=new)
        assert (created.old_status, created.new_status, created.forced) == (None, old, False)
        assert (moved.old_status, moved.new_status, moved.forced) == (old, new, True)
        assert (moved.seq, moved.agent, moved.note) == (2, "ada", "why")
    assert doctor.run(conn) == []


def test_the_refusal_says_where_a_task_may_go(conn: Connection) -> None:
    make_task(conn)

    with pytest.raises(InvalidTransitionError) as refusal:
        move(conn, Status.COMPLETED)

    assert refusal.value.hint == (
        "From here it can go to blocked, in_progress, cancelled; anything else must be forced."
    )


def test_finished_task_refuses_to_reopen(conn: Connection) -> None:
    make_task(conn, Status.ARCHIVED)

    with pytest.raises(InvalidTransitionError) as refusal:
        move(conn, Status.PENDING)

    assert refusal.value.hint == "From here it moves only by force."


def test_a_team_may_allow_more_moves(conn: Connection) -> None:
    make_task(conn)
    run(
        conn,
        "insert into task_status_transitions (old_status, new_status, meaning)"
        " values ('pending', 'completed', 'it was done already')",
    )

    assert move(conn, Status.COMPLETED).status is Status.COMPLETED
    assert doctor.run(conn) == []


def test_a_move_to_where_a_task_is_changes_and_records_nothing(conn: Connection) -> None:
    make_task(conn, Status.IN_PROGRESS)
    started = tasks.get_by_key(conn, key="A").started_at

    assert move(conn, Status.IN_PROGRESS).started_at == started
    assert len(history.list_for_task(conn, key="A")) == 1


def test_force_overrides_the_table_of_moves_and_nothing_else(conn: Connection, plan: Plan) -> None:
    gated = tasks.update_status(
        conn, key=plan.release, status=Status.PENDING, agent="ada", force=True
    )

    assert gated.status is Status.BLOCKED
    with pytest.raises(ValidationError, match="blocked_reason"), conn.transaction():
        tasks.update_status(
            conn, key=plan.chore, status=Status.FAILED, force=True, blocked_reason="it rains"
        )
    with pytest.raises(CircularDependencyError), conn.transaction():
        dependencies.add_dependency(conn, task=plan.design, depends_on=plan.release)


# Dependencies


def test_a_move_to_pending_of_a_gated_task_lands_in_blocked(conn: Connection, plan: Plan) -> None:
    tasks.update_status(conn, key=plan.release, status=Status.IN_PROGRESS, force=True)

    moved = tasks.update_status(conn, key=plan.release, status=Status.PENDING)

    assert (moved.status, moved.open_dependencies) == (Status.BLOCKED, 2)
    last = history.list_for_task(conn, key=plan.release)[-1]
    assert (last.old_status, last.new_status) == (Status.IN_PROGRESS, Status.BLOCKED)


def test_a_block_for_no_reason_is_none(conn: Connection) -> None:
    make_task(conn, Status.IN_PROGRESS)

    moved = tasks.update_status(conn, key="A", status=Status.BLOCKED)

    assert moved.status is Status.PENDING


def test_a_task_blocked_for_a_reason_stays_so_when_its_gates_open(conn: Connection) -> None:
    make_task(conn, key="gate")
    make_task(conn)
    dependencies.add_dependency(conn, task="A", depends_on="gate")
    run(conn, "update tasks set blocked_reason = 'it rains' where key = 'A'")
    tasks.update_status(conn, key="gate", status=Status.COMPLETED, force=True)

    held = tasks.get_by_key(conn, key="A")
    assert (held.status, held.open_dependencies, held.blocked_reason) == (
        Status.BLOCKED,
        0,
        "it rains",
    )
    freed = move(conn, Status.PENDING)
    assert (freed.status, freed.blocked_reason, freed.blocked_at) == (Status.PENDING, None, None)
    assert doctor.run(conn) == []


def test_taking_the_reason_away_frees_the_task(conn: Connection) -> None:
    make_task(conn, Status.BLOCKED)

    run(conn, "update tasks set blocked_reason = null where key = 'A'")

    assert tasks.get_by_key(conn, key="A").status is Status.PENDING
    assert doctor.run(conn) == []


@pytest.mark.parametrize("status", [Status.PENDING, Status.IN_PROGRESS, Status.COMPLETED])
def test_a_reason_without_a_block_is_refused_and_not_dropped(
    conn: Connection, status: Status
) -> None:
    with pytest.raises(ValidationError, match="blocked_reason"), conn.transaction():
        tasks.create(conn, title="A", status=status, blocked_reason="it rains")
    make_task(conn, status)
    with pytest.raises(psycopg.errors.CheckViolation), conn.transaction():
        run(conn, "update tasks set blocked_reason = 'it rains'")


@pytest.mark.parametrize(
    ("kind", "blocker", "gated"),
    [
        (kind, status, status not in satisfying)
        for kind, satisfying in {
            DependencyType.REQUIRES: {Status.COMPLETED},
            DependencyType.BLOCKS: {Status.COMPLETED, Status.CANCELLED, Status.ARCHIVED},
            DependencyType.SUGGESTS: set(Status),
        }.items()
        for status in Status
    ],
)
def test_an_edge_gates_by_its_type_and_the_status_of_its_blocker(
    conn: Connection, kind: DependencyType, blocker: Status, gated: bool
) -> None:
    make_task(conn, blocker, key="before")
    make_task(conn, key="later")
    make_task(conn)
    for key in ("before", "later"):
        dependencies.add_dependency(conn, task="A", depends_on=key, dependency_type=kind)
    tasks.update_status(
        conn,
        key="later",
        status=blocker,
        force=True,
        blocked_reason="it rains" if blocker is Status.BLOCKED else None,
    )

    task = tasks.get_by_key(conn, key="A")
    assert task.open_dependencies == (2 if gated else 0)
    assert task.status is (Status.BLOCKED if gated else Status.PENDING)
    assert [edge.satisfied for edge in dependencies.dependencies_of(conn, key="A")] == [
        not gated
    ] * 2
    assert doctor.run(conn) == []


def test_what_was_completed_satisfies_when_it_is_archived(conn: Connection) -> None:
    make_task(conn, Status.COMPLETED, key="done")
    make_task(conn, Status.FAILED, key="failed")
    for key in ("after done", "after failed"):
        make_task(conn, key=key)
        dependencies.add_dependency(conn, task=key, depends_on=key.removeprefix("after "))
    for key in ("done", "failed"):
        tasks.update_status(conn, key=key, status=Status.ARCHIVED)

    assert tasks.get_by_key(conn, key="after done").status is Status.PENDING
    assert tasks.get_by_key(conn, key="after failed").status is Status.BLOCKED
    (reason,) = dependencies.why_not_ready(conn, key="after failed")
    assert (reason.blocker_key, reason.dead) == ("failed", True)
    run(conn, "update tasks set completed_at = null where key = 'done'")
    assert tasks.get_by_key(conn, key="after done").status is Status.BLOCKED
    # All that follows is in order, and history knows when it was completed.
    assert [(found.invariant, found.subject) for found in doctor.run(conn)] == [("time", "done")]


@pytest.mark.parametrize(
    "status",
    [Status.IN_PROGRESS, Status.IN_REVIEW, Status.COMPLETED, Status.FAILED, Status.CANCELLED],
)
def test_work_that_has_begun_goes_on_when_a_blocker_reopens_or_an_edge_is_added(
    conn: Connection, status: Status
) -> None:
    make_task(conn, Status.COMPLETED, key="old")
    make_task(conn, key="new")
    make_task(conn, status)
    dependencies.add_dependency(conn, task="A", depends_on="old")

    tasks.update_status(conn, key="old", status=Status.PENDING, force=True)
    dependencies.add_dependency(conn, task="A", depends_on="new")

    assert tasks.get_by_key(conn, key="A").status is status
    assert run(conn, "select key, open_dependencies from ran_early") == [("A", 2)]
    assert doctor.run(conn) == []


def test_the_cascade_signs_its_moves_with_the_key_of_the_blocker(
    conn: Connection, plan: Plan
) -> None:
    tasks.update_status(conn, key=plan.design, status=Status.IN_PROGRESS)
    tasks.update_status(conn, key=plan.design, status=Status.COMPLETED)

    gated, freed = history.list_for_task(conn, key=plan.build)[-2:]
    assert (gated.new_status, gated.agent, gated.note) == (Status.BLOCKED, "taskdb", plan.design)
    assert (freed.new_status, freed.agent, freed.note) == (Status.PENDING, "taskdb", plan.design)


def test_deleting_a_blocker_opens_its_gates_with_a_note(conn: Connection, plan: Plan) -> None:
    tasks.delete(conn, key=plan.design)

    last = history.list_for_task(conn, key=plan.build)[-1]
    assert (last.new_status, last.agent) == (Status.PENDING, "taskdb")
    assert last.note == "a task it waited for was deleted"
    assert doctor.run(conn) == []


def test_removing_an_edge_opens_its_gate_with_a_note(conn: Connection, plan: Plan) -> None:
    dependencies.remove_dependency(conn, task=plan.build, depends_on=plan.design)

    last = history.list_for_task(conn, key=plan.build)[-1]
    assert (last.agent, last.note) == ("taskdb", f"{plan.design}: dependency removed")


# Moments


def test_moments_follow_the_status(conn: Connection) -> None:
    made = make_task(conn)
    assert (made.started_at, made.blocked_at, made.completed_at) == (None, None, None)

    started = move(conn, Status.IN_PROGRESS)
    assert started.started_at
    completed = move(conn, Status.COMPLETED)
    assert completed.completed_at
    assert completed.completed_at >= started.started_at
    archived = move(conn, Status.ARCHIVED)
    assert archived.completed_at == completed.completed_at
    reopened = move(conn, Status.BLOCKED, force=True)
    assert (reopened.completed_at, reopened.started_at) == (None, started.started_at)
    assert reopened.blocked_at
    again = move(conn, Status.IN_PROGRESS, force=True)
    assert again.blocked_at is None
    assert again.started_at
    assert again.started_at > started.started_at


def test_moments_may_be_brought_along_at_creation(conn: Connection) -> None:
    then = datetime(2020, 2, 2, tzinfo=UTC)
    old = NewTask(
        key="A",
        title="A",
        status=Status.COMPLETED,
        created_at=then,
        started_at=then,
        completed_at=then,
        updated_at=then,
    )
    tasks.create_many(conn, [old])

    made = tasks.get_by_key(conn, key="A")
    assert {made.created_at, made.started_at, made.completed_at, made.updated_at} == {then}


def test_a_task_that_is_not_done_has_no_moment_of_completion(conn: Connection) -> None:
    with pytest.raises(ValidationError, match="completed_at"):
        tasks.create_many(conn, [NewTask(title="A", completed_at=datetime.now(UTC))])


def test_updated_at_moves_forward_even_when_the_clock_steps_back(conn: Connection) -> None:
    epic = epics.create(conn, key="E01", title="E")
    features.create(conn, epic_id=epic.id, key="E01-F01", title="F")
    task = make_task(conn)
    future = datetime.now(UTC) + timedelta(days=1)
    for table in ("epics", "features", "tasks"):
        run(conn, f"alter table {table} disable trigger user")
        conn.execute(f"update {table} set updated_at = $1".encode(), (future,))
        run(conn, f"alter table {table} enable trigger user")

    for number in range(3):
        for table in ("epics", "features", "tasks"):
            run(conn, f"update {table} set title = 'Title {number}', updated_at = '2000-01-01'")
            (moment,) = run(conn, f"select updated_at from {table}")[0]
            assert moment == future + timedelta(microseconds=number + 1)
    assert tasks.get(conn, id=task.id).updated_at > future
