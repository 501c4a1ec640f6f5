"""Workflows, their steps, and how their executions went: `sql/queries/workflows.sql`."""

from collections.abc import Awaitable, Iterable
from datetime import datetime
from typing import Any, overload
from uuid import UUID

from psycopg import AsyncConnection, Connection

from taskdb.errors import NotFoundError
from taskdb.models.types import ErrorPolicy, TriggerType, WorkflowStatus
from taskdb.models.workflows import (
    NewStep,
    NewWorkflow,
    PerformanceMetrics,
    StepKey,
    Workflow,
    WorkflowStatistics,
    WorkflowStep,
)
from taskdb.queries import query
from taskdb.queries.fields import (
    AnyText,
    Attempts,
    Condition,
    Days,
    Delay,
    Document,
    Key,
    Limit,
    Name,
    Position,
    Text,
    Title,
)
from taskdb.queries.identifiers import uuid7s
from taskdb.queries.rows import check_keys
from taskdb.queries.steps import Steps, call, run
from taskdb.query import UNSET, Unset, checked


@query
def insert_workflow(
    *,
    name: Title,
    description: AnyText | None,
    github_repo_url: Text | None,
    linear_issue_id: Name | None,
    trigger_type: TriggerType,
    configuration: Document | None,
    metadata: Document | None,
    created_by: Name | None,
) -> Workflow:
    """Make a workflow without steps; `create` is the friendlier way in."""
    ...


@query
def copy_steps(
    *,
    id: UUID,
    workflow_id: UUID,
    key: Key,
    position: Position,
    title: Title | None,
    step_type: Name,
    configuration: Document | None,
    condition: Condition | None,
    on_error: ErrorPolicy,
    max_attempts: Attempts,
    retry_delay: Delay,
    timeout: Delay | None,
) -> int:
    """Make steps by COPY; `create` and `add_steps` are the friendlier way in."""
    ...


@query
def copy_needs(*, workflow_id: UUID, step_id: UUID, needs_id: UUID) -> int:
    """Let steps need others by COPY; `create` and `add_steps` are the friendlier way in."""
    ...


@query
def step_ids(workflow_id: UUID) -> list[StepKey]:
    """Return the keys and ids of a workflow's steps."""
    ...


@overload
def create(
    conn: Connection[Any], workflow: NewWorkflow, steps: Iterable[NewStep] = ()
) -> Workflow: ...
@overload
def create(
    conn: AsyncConnection[Any], workflow: NewWorkflow, steps: Iterable[NewStep] = ()
) -> Awaitable[Workflow]: ...
@checked
def create(
    conn: Connection[Any] | AsyncConnection[Any],
    workflow: NewWorkflow,
    steps: Iterable[NewStep] = (),
) -> Workflow | Awaitable[Workflow]:
    """Make a workflow with its steps and what they need, all or nothing; it is a draft.

    Raises `NotFoundError` naming a step that another needs and that is not there,
    `IntegrityError` for two steps of one key, `CircularDependencyError` with the path where
    steps need each other, `ValidationError` for what breaks a rule, a condition that is no
    jsonpath among it. The caller's transaction decides: after an error it can only be rolled back.
    """
    return run(conn, _create(workflow, _with_keys(steps)))


def _create(new: NewWorkflow, steps: list[NewStep]) -> Steps[Workflow]:
    values = {name: getattr(new, name) for name in NewWorkflow.__slots__}
    workflow: Workflow = yield call(insert_workflow, **values)
    if (yield from _add_steps(workflow.id, steps, {})):
        # The needs of steps are also counted in the workflow's row.
        workflow = yield call(get, workflow.id)
    return workflow


@overload
def add_steps(conn: Connection[Any], workflow_id: UUID, steps: Iterable[NewStep]) -> int: ...
@overload
def add_steps(
    conn: AsyncConnection[Any], workflow_id: UUID, steps: Iterable[NewStep]
) -> Awaitable[int]: ...
@checked
def add_steps(
    conn: Connection[Any] | AsyncConnection[Any], workflow_id: UUID, steps: Iterable[NewStep]
) -> int | Awaitable[int]:
    """Add steps to a workflow, all or nothing; return how many. Raises as `create` does.

    Executions that are under way keep the steps they began with.
    """
    return run(conn, _add_to(workflow_id, _with_keys(steps)))


def _with_keys(steps: Iterable[NewStep]) -> list[NewStep]:
    listed = list(steps)
    check_keys("steps", listed, key=Key, needs=list[Key])
    return listed


def _add_to(workflow_id: UUID, steps: list[NewStep]) -> Steps[int]:
    there: list[StepKey] = yield call(step_ids, workflow_id)
    return (yield from _add_steps(workflow_id, steps, {step.key: step.id for step in there}))


def _add_steps(workflow_id: UUID, steps: list[NewStep], ids: dict[str, UUID]) -> Steps[int]:
    if not steps:
        return 0
    new_ids = uuid7s(len(steps))
    ids = ids | {step.key: id for step, id in zip(steps, new_ids, strict=True)}
    if missing := sorted({key for step in steps for key in step.needs} - ids.keys()):
        raise NotFoundError(f"no step of the workflow has the key {', '.join(missing[:10])}")
    rows = [
        {
            "id": id,
            "workflow_id": workflow_id,
            "position": place if step.position is None else step.position,
            **{name: getattr(step, name) for name in _COPIED},
        }
        for place, (step, id) in enumerate(zip(steps, new_ids, strict=True), 1)
    ]
    needs = [
        {"workflow_id": workflow_id, "step_id": id, "needs_id": ids[key]}
        for step, id in zip(steps, new_ids, strict=True)
        for key in dict.fromkeys(step.needs)
    ]
    count: int = yield call(copy_steps.copy, rows)
    if needs:
        yield call(copy_needs.copy, needs)
    return count


_COPIED = [name for name in NewStep.__slots__ if name not in ("needs", "position")]


@query
def clone(id: UUID, *, name: Title, created_by: Name | None = None) -> Workflow:
    """Copy a workflow, with its steps and their needs; the copy is a draft.

    Executions, tasks and external dependencies are not copied. Raises `NotFoundError` if there
    is no such workflow.
    """
    ...


@query
def get(id: UUID) -> Workflow:
    """Return a workflow by its id, or raise `NotFoundError`."""
    ...


@query
def list_workflows(
    *,
    status: WorkflowStatus | None = None,
    trigger_type: TriggerType | None = None,
    github_repo_url: Text | None = None,
    after_created_at: datetime | None = None,
    after_id: UUID | None = None,
    limit: Limit = 50,
) -> list[Workflow]:
    """Return workflows, newest first; a filter that is None is left out.

    The next page begins after the last row of this one: give its `created_at` and `id`.
    """
    ...


@query
def find_by_linear_issue(linear_issue_id: Name) -> list[Workflow]:
    """Return the workflows that were made for a Linear issue (`ENG-123`), the newest first."""
    ...


@query
def update(
    id: UUID,
    *,
    name: Title | Unset = UNSET,
    description: AnyText | None | Unset = UNSET,
    github_repo_url: Text | None | Unset = UNSET,
    linear_issue_id: Name | None | Unset = UNSET,
    trigger_type: TriggerType | Unset = UNSET,
    configuration: Document | None | Unset = UNSET,
    metadata: Document | None | Unset = UNSET,
) -> Workflow:
    """Change what is given, and nothing else; None empties a field.

    Executions that are under way keep the configuration they began with. Raises
    `NotFoundError` if there is no such workflow.
    """
    ...


@query
def update_status(id: UUID, *, status: WorkflowStatus) -> Workflow:
    """Set a workflow to completed, failed or draft; `activate` and `pause` do the rest.

    Raises `InvalidTransitionError` for a transition not listed in `workflow_status_transitions`,
    `NotFoundError` if there is no such workflow.
    """
    ...


@overload
def activate(conn: Connection[Any], id: UUID) -> Workflow: ...
@overload
def activate(conn: AsyncConnection[Any], id: UUID) -> Awaitable[Workflow]: ...
@checked
def activate(
    conn: Connection[Any] | AsyncConnection[Any], id: UUID
) -> Workflow | Awaitable[Workflow]:
    """Let a workflow be started from now on. Raises as `update_status` does."""
    return update_status(conn, id, status=WorkflowStatus.ACTIVE)


@overload
def pause(conn: Connection[Any], id: UUID) -> Workflow: ...
@overload
def pause(conn: AsyncConnection[Any], id: UUID) -> Awaitable[Workflow]: ...
@checked
def pause(conn: Connection[Any] | AsyncConnection[Any], id: UUID) -> Workflow | Awaitable[Workflow]:
    """Let a workflow not be started for a while; what runs goes on. Raises as `update_status`."""
    return update_status(conn, id, status=WorkflowStatus.PAUSED)


@query
def delete(id: UUID) -> UUID:
    """Delete a workflow with its steps, executions and external dependencies; return its id.

    Its tasks stay, as tasks of no workflow. Raises `NotFoundError` if there is no such workflow.
    """
    ...


@query
def list_steps(workflow_id: UUID) -> list[WorkflowStep]:
    """Return the steps of a workflow, in the order of their places."""
    ...


@query
def update_step(
    *,
    workflow_id: UUID,
    key: Key,
    position: Position | Unset = UNSET,
    title: Title | None | Unset = UNSET,
    step_type: Name | Unset = UNSET,
    configuration: Document | None | Unset = UNSET,
    condition: Condition | None | Unset = UNSET,
    on_error: ErrorPolicy | Unset = UNSET,
    max_attempts: Attempts | Unset = UNSET,
    retry_delay: Delay | Unset = UNSET,
    timeout: Delay | None | Unset = UNSET,
) -> UUID:
    """Change what is given of a step, and nothing else; None empties a field. Return its id.

    Raises `NotFoundError` if there is no such step, `ValidationError` for a condition that is no
    jsonpath.
    """
    ...


@query
def delete_step(*, workflow_id: UUID, key: Key) -> UUID:
    """Delete a step; those that need it no longer do. Raise `NotFoundError` if there is none."""
    ...


@query
def add_need(*, workflow_id: UUID, step: Key, needs: Key) -> UUID:
    """Let one step of a workflow need another; return the first one's id.

    Raises `NotFoundError` if one of them is not there, `IntegrityError` if it is needed already,
    `CircularDependencyError` with the path if they would need each other.
    """
    ...


@query
def remove_need(*, workflow_id: UUID, step: Key, needs: Key) -> UUID:
    """Let one step no longer need another; raise `NotFoundError` if it does not."""
    ...


@query
def statistics(id: UUID) -> WorkflowStatistics:
    """Return statistics of all executions of a workflow: exact, and as of now.

    Raises `NotFoundError` if there is no such workflow.
    """
    ...


@query
def list_statistics(*, limit: Limit = 100) -> list[WorkflowStatistics]:
    """Return the same of every workflow, by name."""
    ...


@query
def performance_metrics(workflow: UUID, *, days: Days = 30) -> PerformanceMetrics:
    """Return statistics of the executions that were started in the last *days* days.

    Raises `NotFoundError` if there is no such workflow.
    """
    ...
