"""Executions: what is kept at the start, which steps come next, how they and it end, and figures.

No test waits for a delay or a deadline: moments are back-dated.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from taskdb.admin import doctor
from taskdb.errors import ClaimLostError, InvalidTransitionError, NotFoundError, ValidationError
from taskdb.models import (
    ErrorPolicy,
    Execution,
    ExecutionStatus,
    ExecutionStep,
    NewStep,
    NewWorkflow,
    PullRequestState,
    StepStatus,
    TriggerType,
    WorkflowStatus,
)
from taskdb.queries import executions, workflows

Connection = psycopg.Connection[Any]
Ended = ExecutionStatus


def step(key: str, *needs: str, **fields: Any) -> NewStep:
    return NewStep(key=key, step_type="job", needs=list(needs), **fields)


def start(conn: Connection, *steps: NewStep, **given: Any) -> Execution:
    """An execution of a workflow with these steps."""
    made = workflows.create(conn, NewWorkflow(name="CI"), steps)
    workflows.activate(conn, made.id)
    return executions.start_execution(conn, made.id, **given)


def ready(conn: Connection, run: Execution) -> list[str]:
    return [each.key for each in executions.next_steps(conn, run.id)]


def begin(conn: Connection, run: Execution, key: str) -> ExecutionStep:
    return executions.start_step(conn, execution_id=run.id, step=key)


def succeed(conn: Connection, run: Execution, key: str, **told: Any) -> ExecutionStep:
    begun = begin(conn, run, key)
    return executions.complete_step(
        conn, execution_id=run.id, step=key, attempt=begun.attempt, **told
    )


def fail(conn: Connection, run: Execution, key: str, error: str = "it broke") -> ExecutionStep:
    begun = begin(conn, run, key)
    return executions.fail_step(
        conn, execution_id=run.id, step=key, attempt=begun.attempt, error=error
    )


def statuses(conn: Connection, run: Execution) -> dict[str, str]:
    return {each.key: each.status.value for each in executions.list_steps(conn, run.id)}


def status(conn: Connection, run: Execution) -> ExecutionStatus:
    return executions.get(conn, run.id).status


# The start


def test_an_execution_keeps_who_started_it_and_what_for(conn: Connection) -> None:
    run = start(
        conn,
        triggered_by="user@example.com",
        trigger_type=TriggerType.WEBHOOK,
        context={"branch": "main"},
        branch="main",
        commit_sha="a1b2c3",
        pull_request_number=7,
        pull_request_state=PullRequestState.OPEN,
    )

    merged = executions.update(conn, run.id, pull_request_state=PullRequestState.MERGED)

    assert (run.status, run.trigger_type, run.ended_at) == (Ended.RUNNING, "webhook", None)
    assert (run.triggered_by, run.branch, run.commit_sha) == ("user@example.com", "main", "a1b2c3")
    assert run.context == {"branch": "main"}
    assert (merged.pull_request_number, merged.pull_request_state) == (7, "merged")
    with pytest.raises(ValidationError, match="pull_request_state"):
        executions.update(conn, run.id, pull_request_number=None)


def test_an_execution_keeps_configuration_and_steps_as_they_were(conn: Connection) -> None:
    made = workflows.create(
        conn, NewWorkflow(name="CI", configuration={"timeout": 1}), [step("a"), step("b", "a")]
    )
    workflows.activate(conn, made.id)
    run = executions.start_execution(conn, made.id)

    workflows.update(conn, made.id, configuration={"timeout": 2})
    workflows.update_step(conn, workflow_id=made.id, key="a", step_type="other")
    workflows.delete_step(conn, workflow_id=made.id, key="b")
    workflows.add_steps(conn, made.id, [step("c")])

    kept = executions.list_steps(conn, run.id)
    assert executions.get(conn, run.id).configuration == {"timeout": 1}
    assert [(each.key, each.step_type, each.needs) for each in kept] == [
        ("a", "job", []),
        ("b", "job", ["a"]),
    ]


@pytest.mark.parametrize("moves", [[], ["active", "paused"], ["active", "completed"]])
def test_only_an_active_workflow_is_started(conn: Connection, moves: list[str]) -> None:
    made = workflows.create(conn, NewWorkflow(name="CI"))
    for move in moves:
        workflows.update_status(conn, made.id, status=WorkflowStatus(move))

    with pytest.raises(InvalidTransitionError, match="cannot be started"):
        executions.start_execution(conn, made.id)


def test_a_workflow_that_is_not_there_is_not_found(conn: Connection) -> None:
    with pytest.raises(NotFoundError):
        executions.start_execution(conn, uuid4())


def test_executions_are_listed_newest_first_by_each_filter_and_in_pages(conn: Connection) -> None:
    made = workflows.create(conn, NewWorkflow(name="CI"))
    workflows.activate(conn, made.id)
    runs = [
        executions.start_execution(
            conn, made.id, branch=f"b{n % 2}", pull_request_number=n + 1, triggered_by=f"u{n}"
        )
        for n in range(5)
    ]
    start(conn)
    executions.cancel_execution(conn, runs[3].id)

    first = executions.list_executions(conn, workflow_id=made.id, limit=2)
    rest = executions.list_executions(
        conn, workflow_id=made.id, after_started_at=first[-1].started_at, after_id=first[-1].id
    )

    assert [run.triggered_by for run in first + rest] == ["u4", "u3", "u2", "u1", "u0"]
    assert [run.id for run in executions.list_executions(conn, branch="b1")] == [
        runs[3].id,
        runs[1].id,
    ]
    assert [run.id for run in executions.list_executions(conn, pull_request_number=3)] == [
        runs[2].id
    ]
    assert [run.id for run in executions.list_executions(conn, status=Ended.CANCELLED)] == [
        runs[3].id
    ]


# The next steps


def test_a_step_comes_when_all_that_it_needs_is_done(conn: Connection) -> None:
    run = start(conn, step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c"))

    waves = []
    while keys := ready(conn, run):
        waves.append(keys)
        for key in keys:
            succeed(conn, run, key)

    assert waves == [["a"], ["b", "c"], ["d"]]


def test_steps_that_can_run_at_once_come_in_the_order_of_their_places(conn: Connection) -> None:
    run = start(conn, step("z", position=1), step("a", position=2), step("b", position=2))

    assert ready(conn, run) == ["z", "a", "b"]


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (None, True),
        ('$.branch == "main"', True),
        ('$.branch == "dev"', False),
        ("$.files[*].size > 100", True),
        ('$.branch starts with "ma" && !($.draft == true)', True),
        ("exists($.missing)", False),
        ("$.missing.deep == 1", False),
        ("strict $.missing == 1", False),
        # No predicate at all.
        ("$.branch", False),
    ],
)
def test_a_condition_is_looked_up_in_the_context(
    conn: Connection, condition: str | None, holds: bool
) -> None:
    context = {"branch": "main", "files": [{"size": 10}, {"size": 1000}]}
    run = start(conn, step("a", condition=condition), context=context)

    assert ready(conn, run) == (["a"] if holds else [])
    assert statuses(conn, run) == {"a": "pending" if holds else "skipped"}


def test_a_step_whose_condition_fails_is_skipped_with_all_that_needs_it(conn: Connection) -> None:
    run = start(
        conn,
        step("build"),
        step("deploy", "build", condition='$.branch == "main"'),
        step("announce", "deploy"),
        step("tweet", "announce", "build"),
        step("clean", "build"),
        context={"branch": "dev"},
    )
    succeed(conn, run, "build")

    assert ready(conn, run) == ["clean"]
    assert statuses(conn, run) == {
        "build": "completed",
        "deploy": "skipped",
        "announce": "skipped",
        "tweet": "skipped",
        "clean": "pending",
    }
    with pytest.raises(InvalidTransitionError):
        begin(conn, run, "deploy")


def test_a_condition_is_not_looked_at_before_the_needs_are_done(conn: Connection) -> None:
    run = start(conn, step("look"), step("act", "look", condition='$.found == "yes"'))

    assert ready(conn, run) == ["look"]
    succeed(conn, run, "look", context={"found": "yes"})

    assert ready(conn, run) == ["act"]
    assert executions.get(conn, run.id).context == {"found": "yes"}


def test_what_steps_add_to_the_context_is_added_name_by_name(conn: Connection) -> None:
    run = start(conn, step("a"), step("b"), step("c"), context={"x": 1, "y": 1})

    succeed(conn, run, "a", context={"y": {"z": 2}})
    succeed(conn, run, "b", context={"w": 3}, output={"lines": 10})
    succeed(conn, run, "c")

    assert executions.get(conn, run.id).context == {"x": 1, "y": {"z": 2}, "w": 3}
    assert [each.output for each in executions.list_steps(conn, run.id)] == [
        None,
        {"lines": 10},
        None,
    ]


@pytest.mark.parametrize("end", ["complete", "fail", "cancel"])
def test_an_execution_that_has_ended_has_no_next_steps(conn: Connection, end: str) -> None:
    run = start(conn, step("a"))
    finish(conn, run.id, end)

    assert ready(conn, run) == []
    with pytest.raises(InvalidTransitionError):
        begin(conn, run, "a")


def finish(conn: Connection, id: UUID, end: str) -> Execution:
    match end:
        case "complete":
            return executions.complete_execution(conn, id)
        case "fail":
            return executions.fail_execution(conn, id, error="broken")
        case _:
            return executions.cancel_execution(conn, id, reason="not needed")


# Recording


def test_a_step_is_begun_by_one_and_ended_by_the_same(conn: Connection) -> None:
    run = start(conn, step("a", timeout=timedelta(hours=1)))

    begun = begin(conn, run, "a")
    with pytest.raises(InvalidTransitionError):
        begin(conn, run, "a")
    with pytest.raises(ClaimLostError):
        executions.complete_step(conn, execution_id=run.id, step="a", attempt=2)
    done = executions.complete_step(conn, execution_id=run.id, step="a", attempt=begun.attempt)

    assert (begun.status, begun.attempt) == (StepStatus.IN_PROGRESS, 1)
    assert begun.started_at
    assert begun.deadline_at
    assert begun.deadline_at - begun.started_at == timedelta(hours=1)
    assert (done.status, done.deadline_at) == (StepStatus.COMPLETED, None)
    with pytest.raises(ClaimLostError):
        executions.fail_step(conn, execution_id=run.id, step="a", attempt=1, error="too late")


def test_a_step_is_not_begun_before_what_it_needs(conn: Connection) -> None:
    run = start(conn, step("a"), step("b", "a"))

    with pytest.raises(InvalidTransitionError):
        begin(conn, run, "b")


def test_a_failure_stops_the_execution_and_cancels_what_is_left(conn: Connection) -> None:
    run = start(conn, step("a"), step("b"), step("c", "a"), step("d"))
    succeed(conn, run, "d")
    other = begin(conn, run, "b")

    fail(conn, run, "a", "no space left")

    ended = executions.get(conn, run.id)
    assert (ended.status, ended.error_message) == (Ended.FAILED, "step a: no space left")
    assert ended.ended_at is not None
    assert statuses(conn, run) == {
        "a": "failed",
        "b": "cancelled",
        "c": "cancelled",
        "d": "completed",
    }
    with pytest.raises(ClaimLostError):
        executions.complete_step(conn, execution_id=run.id, step="b", attempt=other.attempt)
    assert doctor.run(conn) == []


def test_a_failure_with_continue_counts_as_done(conn: Connection) -> None:
    run = start(conn, step("lint", on_error=ErrorPolicy.CONTINUE), step("test", "lint"))

    failed = fail(conn, run, "lint")

    assert (failed.status, failed.error_message) == (StepStatus.FAILED, "it broke")
    assert ready(conn, run) == ["test"]
    assert status(conn, run) == Ended.RUNNING


def test_a_failure_with_retry_is_tried_again_after_its_delay_and_not_for_ever(
    conn: Connection,
) -> None:
    delay = timedelta(minutes=5)
    run = start(
        conn,
        step("a", on_error=ErrorPolicy.RETRY, max_attempts=3, retry_delay=delay),
        step("b", "a"),
    )

    first = fail(conn, run, "a")
    waiting = ready(conn, run)
    make_due(conn)
    second = fail(conn, run, "a")
    make_due(conn)
    third = fail(conn, run, "a", "for good")

    assert waiting == []
    assert first.retry_at
    assert first.ended_at is None
    assert first.retry_at - executions.get(conn, run.id).started_at == delay
    assert [each.status for each in (first, second, third)] == ["retrying", "retrying", "failed"]
    assert [each.attempt for each in (first, second, third)] == [1, 2, 3]
    assert executions.get(conn, run.id).error_message == "step a: for good"
    assert doctor.run(conn) == []


def make_due(conn: Connection) -> None:
    conn.execute(
        b"update execution_steps set retry_at = now() - interval '1 second'"
        b" where status = 'retrying'"
    )


def test_a_retry_that_succeeds_opens_what_needs_it(conn: Connection) -> None:
    run = start(conn, step("a", on_error=ErrorPolicy.RETRY, max_attempts=2), step("b", "a"))
    fail(conn, run, "a")

    assert ready(conn, run) == ["a"]
    succeed(conn, run, "a")

    assert ready(conn, run) == ["b"]


def test_an_attempt_that_takes_too_long_is_overdue_and_its_runner_comes_too_late(
    conn: Connection,
) -> None:
    retry = ErrorPolicy.RETRY
    run = start(conn, step("a", timeout=timedelta(hours=1), on_error=retry, max_attempts=2))
    slow = begin(conn, run, "a")
    early = executions.overdue_steps(conn)
    conn.execute(b"update execution_steps set deadline_at = now() - interval '1 second'")

    (overdue,) = executions.overdue_steps(conn)
    executions.fail_step(
        conn, execution_id=run.id, step="a", attempt=overdue.attempt, error="timed out"
    )
    again = begin(conn, run, "a")

    assert early == []
    assert (overdue.key, again.attempt) == ("a", 2)
    with pytest.raises(ClaimLostError):
        executions.complete_step(conn, execution_id=run.id, step="a", attempt=slow.attempt)
    executions.complete_step(conn, execution_id=run.id, step="a", attempt=again.attempt)


def test_record_step_does_what_its_status_says(conn: Connection) -> None:
    run = start(conn, step("a"), step("b", on_error=ErrorPolicy.CONTINUE))
    record = executions.record_step

    begun = record(conn, execution_id=run.id, step="a", status=StepStatus.IN_PROGRESS)
    done = record(
        conn,
        execution_id=run.id,
        step="a",
        status=StepStatus.COMPLETED,
        attempt=begun.attempt,
        context={"a": 1},
    )
    other = record(conn, execution_id=run.id, step="b", status=StepStatus.IN_PROGRESS)
    failed = record(
        conn,
        execution_id=run.id,
        step="b",
        status=StepStatus.FAILED,
        attempt=other.attempt,
        error="it broke",
    )

    assert (done.status, failed.status) == (StepStatus.COMPLETED, StepStatus.FAILED)
    assert executions.get(conn, run.id).context == {"a": 1}


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({"status": StepStatus.SKIPPED}, "status"),
        ({"status": StepStatus.COMPLETED}, "attempt"),
        ({"status": StepStatus.FAILED, "attempt": 1}, "error"),
    ],
)
def test_record_step_refuses_what_it_cannot_record(
    conn: Connection, told: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        executions.record_step(conn, execution_id=uuid4(), step="a", **told)

    assert caught.value.field == field


async def test_the_same_on_an_asynchronous_connection(aconn: psycopg.AsyncConnection[Any]) -> None:
    made = await workflows.create(aconn, NewWorkflow(name="CI"), [step("a")])
    await workflows.activate(aconn, made.id)
    run = await executions.start_execution(aconn, made.id)

    begun = await executions.record_step(
        aconn, execution_id=run.id, step="a", status=StepStatus.IN_PROGRESS
    )

    assert begun.attempt == 1
    assert await executions.next_steps(aconn, run.id) == []
