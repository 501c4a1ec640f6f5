"""Executions of workflows: `sql/queries/executions.sql`.

A runner starts an execution, and then again and again asks for the next steps, begins each,
does it, and records how it went; when there is nothing more, it completes the execution.
Several runners may share one execution: each step is begun once.
"""

from collections.abc import Awaitable
from datetime import datetime
from typing import Any, overload
from uuid import UUID

from psycopg import AsyncConnection, Connection

from taskdb.errors import ClaimLostError, InvalidTransitionError, ValidationError
from taskdb.models.executions import Execution, ExecutionStep
from taskdb.models.tasks import TaskSummary
from taskdb.models.types import ExecutionStatus, PullRequestState, StepStatus, TriggerType
from taskdb.queries import query
from taskdb.queries.fields import AnyText, Count, Document, Key, Limit, Name, Position, Text
from taskdb.queries.steps import Steps, call, run
from taskdb.query import UNSET, Unset, checked


@query
def start_execution(
    workflow_id: UUID,
    *,
    trigger_type: TriggerType | None = None,
    triggered_by: Name | None = None,
    context: Document | None = None,
    branch: Text | None = None,
    commit_sha: Name | None = None,
    pull_request_number: Position | None = None,
    pull_request_state: PullRequestState | None = None,
) -> Execution:
    """Start a workflow: one execution, with its configuration and steps as they are now.

    *trigger_type* None is the workflow's own. *context* is what the conditions of steps look at.
    Raises `InvalidTransitionError` unless the workflow is active, `NotFoundError` if there is no
    such workflow.
    """
    ...


@query
def get(id: UUID) -> Execution:
    """Return an execution by its id, or raise `NotFoundError`."""
    ...


@query
def list_executions(
    *,
    workflow_id: UUID | None = None,
    status: ExecutionStatus | None = None,
    branch: Text | None = None,
    pull_request_number: Position | None = None,
    after_started_at: datetime | None = None,
    after_id: UUID | None = None,
    limit: Limit = 50,
) -> list[Execution]:
    """Return executions, newest first; a filter that is None is left out.

    The next page begins after the last row of this one: give its `started_at` and `id`.
    """
    ...


@query
def list_tasks(id: UUID, *, limit: Limit = 1000) -> list[TaskSummary]:
    """Return the tasks of an execution, newest first; `tasks.list_tasks` has filters and pages."""
    ...


@query
def list_steps(id: UUID) -> list[ExecutionStep]:
    """Return the steps of an execution, in the order of their places."""
    ...


@query
def update(
    id: UUID,
    *,
    branch: Text | None | Unset = UNSET,
    commit_sha: Name | None | Unset = UNSET,
    pull_request_number: Position | None | Unset = UNSET,
    pull_request_state: PullRequestState | None | Unset = UNSET,
    resource_usage: Document | None | Unset = UNSET,
) -> Execution:
    """Change what is given, and nothing else, also after its end: pull requests live longer.

    Raises `NotFoundError` if there is no such execution.
    """
    ...


@query
def next_steps(id: UUID) -> list[ExecutionStep]:
    """Return the steps that can begin now, in the order of their places.

    These are the steps whose needs are all done and whose condition holds, and those that are
    due to be tried again. A need is done when it is completed, or failed with the policy
    continue. What can't be begun because its condition does not hold is marked as skipped, and
    so is, as in GitHub Actions, all that needs it: so this writes. An execution that has ended,
    or is not there, has none.
    """
    ...


@query(not_found=InvalidTransitionError)
def start_step(*, execution_id: UUID, step: Key) -> ExecutionStep:
    """Begin an attempt at a step; its `attempt` is what the end of it must name.

    Raises `InvalidTransitionError` if the step can't be begun: it is none of `next_steps`, or
    somebody else has begun it.
    """
    ...


@query(not_found=ClaimLostError)
def complete_step(
    *,
    execution_id: UUID,
    step: Key,
    attempt: Count,
    output: Document | None = None,
    context: Document | None = None,
) -> ExecutionStep:
    """End an attempt as a success; *context* is added to the execution's, name by name.

    Raises `ClaimLostError`, and changes nothing, if the attempt is not under way any more.
    """
    ...


@query(not_found=ClaimLostError)
def fail_step(
    *,
    execution_id: UUID,
    step: Key,
    attempt: Count,
    error: Text,
    output: Document | None = None,
) -> ExecutionStep:
    """End an attempt as a failure, and apply the step's policy.

    With retry it can be begun again after its `retry_delay`, until its `max_attempts` are used
    up; with continue the execution goes on; otherwise the execution fails with it, and what it
    has left is cancelled. Raises `ClaimLostError`, and changes nothing, if the attempt is not
    under way any more.
    """
    ...


@overload
def record_step(
    conn: Connection[Any],
    *,
    execution_id: UUID,
    step: Key,
    status: StepStatus,
    attempt: Count | None = None,
    output: Document | None = None,
    context: Document | None = None,
    error: AnyText | None = None,
) -> ExecutionStep: ...
@overload
def record_step(
    conn: AsyncConnection[Any],
    *,
    execution_id: UUID,
    step: Key,
    status: StepStatus,
    attempt: Count | None = None,
    output: Document | None = None,
    context: Document | None = None,
    error: AnyText | None = None,
) -> Awaitable[ExecutionStep]: ...
@checked
def record_step(
    conn: Connection[Any] | AsyncConnection[Any],
    *,
    execution_id: UUID,
    step: Key,
    status: StepStatus,
    attempt: Count | None = None,
    output: Document | None = None,
    context: Document | None = None,
    error: AnyText | None = None,
) -> ExecutionStep | Awaitable[ExecutionStep]:
    """Record that a step is in progress, completed or failed, where the status is data.

    It does what `start_step`, `complete_step` or `fail_step` does, and raises as they do; the
    last two need *attempt*.
    """
    named = {"execution_id": execution_id, "step": step}
    reported = {"attempt": attempt, "output": output}
    return run(conn, _record(status, named, reported, context, error))


def _record(
    status: StepStatus,
    named: dict[str, Any],
    reported: dict[str, Any],
    context: dict[str, Any] | None,
    error: str | None,
) -> Steps[ExecutionStep]:
    if status not in (StepStatus.IN_PROGRESS, StepStatus.COMPLETED, StepStatus.FAILED):
        raise ValidationError("status", "must be in_progress, completed or failed")
    recorded: ExecutionStep
    if status == StepStatus.IN_PROGRESS:
        recorded = yield call(start_step, **named)
        return recorded
    if reported["attempt"] is None:
        raise ValidationError("attempt", "must be given at the end of one")
    if status == StepStatus.COMPLETED:
        recorded = yield call(complete_step, context=context, **named, **reported)
    else:
        recorded = yield call(fail_step, error=error, **named, **reported)
    return recorded


@query
def overdue_steps(*, limit: Limit = 100) -> list[ExecutionStep]:
    """Return attempts that exceed their timeout, the longest overdue first.

    Nothing ends them by itself: whoever watches fails them with `fail_step`, and a runner that
    comes late gets `ClaimLostError`.
    """
    ...


@query
def complete_execution(
    id: UUID,
    *,
    total_tasks: Count | None = None,
    completed_tasks: Count | None = None,
    failed_tasks: Count | None = None,
    resource_usage: Document | None = None,
) -> Execution:
    """End an execution as a success.

    Counts that are None are those of its rows in `tasks`. Steps that have not ended are
    cancelled. Raises `InvalidTransitionError` if it has ended already, `NotFoundError` if there
    is no such execution.
    """
    ...


@query
def fail_execution(
    id: UUID,
    *,
    error: Text,
    total_tasks: Count | None = None,
    completed_tasks: Count | None = None,
    failed_tasks: Count | None = None,
    resource_usage: Document | None = None,
) -> Execution:
    """End an execution as a failure; otherwise as `complete_execution`."""
    ...


@query
def cancel_execution(id: UUID, *, reason: Text | None = None) -> Execution:
    """Cancel an execution. Its tasks are left as they are. Raises as `complete_execution`."""
    ...
