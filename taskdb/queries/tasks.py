"""Tasks: `sql/queries/tasks.sql`."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import datetime
from operator import attrgetter, itemgetter
from typing import Any, Literal, overload
from uuid import UUID

from psycopg import AsyncConnection, Connection

from taskdb.errors import NotFoundError
from taskdb.models.dependencies import NewDependency
from taskdb.models.tasks import (
    BlockedTask,
    CreatedMany,
    FailedTask,
    NewTask,
    OrderedTask,
    ReadyTask,
    SimilarTask,
    StatusCount,
    Task,
    TaskKey,
    TaskNode,
    TaskSummary,
)
from taskdb.models.types import TaskStatus
from taskdb.queries import query
from taskdb.queries.arrangement import arrange
from taskdb.queries.dependencies import copy_dependencies
from taskdb.queries.fields import (
    AnyText,
    Attempts,
    Complexity,
    ConcurrencyKeyName,
    Delay,
    Document,
    Factor,
    Hours,
    Key,
    Levels,
    Limit,
    Name,
    Order,
    Priority,
    Text,
    Title,
)
from taskdb.queries.identifiers import uuid7s
from taskdb.queries.rows import check_keys
from taskdb.queries.steps import Steps, call, run
from taskdb.query import UNSET, Unset, checked


@query
def create(
    *,
    title: Title,
    key: Key | None = None,
    description: AnyText | None = None,
    status: TaskStatus = TaskStatus.PENDING,
    priority: Priority = 5,
    agent_type: Name | None = None,
    assigned_agent: Name | None = None,
    complexity_score: Complexity | None = None,
    estimated_hours: Hours | None = None,
    execution_order: Order | None = None,
    requirements: Document | None = None,
    context: Document | None = None,
    metadata: Document | None = None,
    labels: list[Name] = [],  # noqa: B006  # nobody changes it
    file_path: Text | None = None,
    blocked_reason: Text | None = None,
    scheduled_at: datetime | None = None,
    max_attempts: Attempts = 10,
    retry_delay: Delay | None = None,
    retry_factor: Factor | None = None,
    max_retry_delay: Delay | None = None,
    concurrency_key: ConcurrencyKeyName | None = None,
    feature_id: UUID | None = None,
    workflow_id: UUID | None = None,
    workflow_execution_id: UUID | None = None,
    parent_id: UUID | None = None,
    created_by: Name | None = None,
    if_exists: Literal["return"] | None = None,
) -> Task:
    """Make a task; without a key the server names it `T-1`, `T-2`, ...

    *priority* is 1 (most urgent) to 10. *retry_delay* is the task's own back-off: it is tried
    again that long after its first failure, *retry_factor* (2) times as long after each further
    one, at most *max_retry_delay* (an hour), with a random part taken off. Tasks of one
    *concurrency_key* are in progress one at a time (`concurrency.set_limit`: so many). With
    `if_exists="return"` a task that has the key already is returned as it is, so that a creation
    can be repeated. Raises `IntegrityError` if the key is taken, or the feature, workflow,
    execution or parent does not exist, or the execution is not of the workflow.
    """
    ...


@query
def copy_tasks(
    *,
    id: UUID,
    key: Key | None,
    title: Title,
    status: TaskStatus,
    priority: Priority,
    agent_type: Name | None,
    assigned_agent: Name | None,
    execution_order: Order | None,
    blocked_reason: Text | None,
    scheduled_at: datetime | None,
    max_attempts: Attempts,
    concurrency_key: ConcurrencyKeyName | None,
    workflow_id: UUID | None,
    workflow_execution_id: UUID | None,
    error_message: AnyText | None,
    started_at: datetime | None,
    blocked_at: datetime | None,
    completed_at: datetime | None,
    created_at: datetime,
    updated_at: datetime,
    claim_agent: Name | None,
    details_follow: bool,
    open_dependencies: int,
    has_dependents: bool,
    effective_priority: Priority,
) -> int:
    """Make the first rows of many tasks by COPY; `create_many` is the friendlier way in."""
    ...


@query
def copy_details(
    *,
    task_id: UUID,
    description: AnyText | None,
    complexity_score: Complexity | None,
    estimated_hours: Hours | None,
    requirements: Document | None,
    context: Document | None,
    metadata: Document | None,
    labels: list[Name],
    file_path: Text | None,
    feature_id: UUID | None,
    parent_id: UUID | None,
    created_by: Name | None,
    actual_hours: Hours | None,
    retry_delay: Delay | None,
    retry_factor: Factor | None,
    max_retry_delay: Delay | None,
    priority: Priority,
    agent_type: Name | None,
    assigned_agent: Name | None,
    created_at: datetime,
    updated_at: datetime,
) -> int:
    """Make the second rows of the same tasks by COPY."""
    ...


@query
def transaction_time() -> datetime:
    """Return the moment at which the transaction began."""
    ...


@query
def ids_by_key(*, keys: list[Key]) -> list[TaskKey]:
    """Return the keys and ids of the tasks with these keys."""
    ...


@overload
def create_many(
    conn: Connection[Any],
    tasks: Iterable[NewTask],
    dependencies: Iterable[NewDependency] = (),
) -> CreatedMany: ...
@overload
def create_many(
    conn: AsyncConnection[Any],
    tasks: Iterable[NewTask],
    dependencies: Iterable[NewDependency] = (),
) -> Awaitable[CreatedMany]: ...
@checked
def create_many(
    conn: Connection[Any] | AsyncConnection[Any],
    tasks: Iterable[NewTask],
    dependencies: Iterable[NewDependency] = (),
) -> CreatedMany | Awaitable[CreatedMany]:
    """Make many tasks and their dependencies by COPY, all or nothing.

    Parents and the ends of dependencies are keys, of tasks in this call or of tasks that
    exist. Raises `NotFoundError` naming the keys that are neither, `IntegrityError` for a
    key that is taken, `CircularDependencyError` with the path of a cycle, and
    `ValidationError` naming the field that breaks a rule. The caller's transaction decides:
    after an error it can only be rolled back.
    """
    new, edges = list(tasks), list(dependencies)
    check_keys("tasks", new, key=Key | None, parent=Key | None)
    check_keys("dependencies", edges, task=Key, depends_on=Key)
    return run(conn, _create_many(new, edges))


def _create_many(tasks: list[NewTask], dependencies: list[NewDependency]) -> Steps[CreatedMany]:
    new_ids = uuid7s(len(tasks))
    ids = {task.key: id for task, id in zip(tasks, new_ids, strict=True) if task.key}
    named = {task.parent for task in tasks if task.parent is not None}
    for edge in dependencies:
        named.update((edge.task, edge.depends_on))
    ids |= yield from known_ids(named - ids.keys())

    now: datetime = yield call(transaction_time)
    arrangement = arrange(tasks, dependencies)

    def rows() -> Iterator[_Row]:
        # Each is put together when it is sent: the server is at work on the one before.
        for place in arrangement.order:
            yield (
                *_row(tasks[place], new_ids[place], ids, now),
                arrangement.open_dependencies[place],
                arrangement.has_dependents[place],
                arrangement.effective_priority[place],
            )

    task_count: int = yield call(copy_tasks.copy, map(_task_values, rows()))
    # Second rows come last, and record the creation: what waits has been made blocked by then.
    dependency_count: int = 0
    if dependencies:
        # In the order of copy_dependencies' columns.
        edges = (
            (ids[edge.task], ids[edge.depends_on], edge.dependency_type, edge.created_by)
            for edge in dependencies
        )
        dependency_count = yield call(copy_dependencies.copy, edges)
    yield call(copy_details.copy, map(_detail_values, rows()))
    return CreatedMany(new_ids, task_count, dependency_count)


_Row = tuple[Any, ...]
_DERIVED = (
    "id",
    "task_id",
    "parent_id",
    "created_at",
    "updated_at",
    "details_follow",
    "open_dependencies",
    "has_dependents",
    "effective_priority",
)
_GIVEN = tuple(name for name in NewTask.__slots__ if name not in ("parent", *_DERIVED))
_given = attrgetter(*_GIVEN)


def _row(task: NewTask, id: UUID, ids: dict[str, UUID], now: datetime) -> _Row:
    """Return the values of both copies: as given, then the derived ones."""
    created_at = task.created_at or now
    parent_id = None if task.parent is None else ids[task.parent]
    return (*_given(task), id, id, parent_id, created_at, task.updated_at or created_at, True)


def _values_of(copy: Callable[..., Any]) -> Callable[[_Row], _Row]:
    """Return the function that takes the values of a copy's columns out of a row."""
    columns = (name for name in inspect.signature(copy).parameters if name != "conn")
    return itemgetter(*map((*_GIVEN, *_DERIVED).index, columns))


_task_values = _values_of(copy_tasks)
_detail_values = _values_of(copy_details)


def known_ids(keys: Iterable[str]) -> Steps[dict[str, UUID]]:
    """Look keys up; a step of functions of several queries.

    Raises `NotFoundError` naming the keys that no task has.
    """
    wanted = sorted(keys)
    if not wanted:
        return {}
    found: list[TaskKey] = yield call(ids_by_key, keys=wanted)
    ids = {row.key: row.id for row in found}
    missing = [key for key in wanted if key not in ids]
    if missing:
        shown = ", ".join(missing[:10]) + (", ..." if len(missing) > 10 else "")
        raise NotFoundError(f"no task has the key {shown} ({len(missing)} of {len(wanted)} keys)")
    return ids


@query
def get(id: UUID) -> Task:
    """Return a task by its id, or raise `NotFoundError`."""
    ...


@query
def get_by_key(key: Key) -> Task:
    """Return a task by its key, or raise `NotFoundError`."""
    ...


@query
def list_tasks(
    *,
    status: TaskStatus | None = None,
    agent_type: Name | None = None,
    assigned_agent: Name | None = None,
    priority: Priority | None = None,
    at_least: Priority | None = None,
    feature_id: UUID | None = None,
    epic_id: UUID | None = None,
    workflow_id: UUID | None = None,
    workflow_execution_id: UUID | None = None,
    parent_id: UUID | None = None,
    due_by: datetime | None = None,
    labels: list[Name] | None = None,
    created_by: Name | None = None,
    after_created_at: datetime | None = None,
    after_id: UUID | None = None,
    limit: Limit = 50,
) -> list[TaskSummary]:
    """Return tasks, newest first; a filter that is None is left out.

    *at_least* is the least urgent priority to list (3 lists 1 to 3); *due_by* lists tasks
    that are scheduled up to that moment, *labels* those that have all of these. The next page
    begins after the last row of this one: give its `created_at` and `id`.
    """
    ...


@query
def list_ready(
    *, agent: Name | None = None, agent_type: Name | None = None, limit: Limit = 50
) -> list[ReadyTask]:
    """Return the tasks that can be claimed now, in the order of the claim.

    With *agent*, without what is reserved for others; with *agent_type*, without what is
    for agents of other types.
    """
    ...


@query
def count_ready() -> int:
    """Return the number of tasks that can be claimed now."""
    ...


@query
def list_blocked(*, limit: Limit = 50) -> list[BlockedTask]:
    """Return the blocked tasks, the most urgent first, each with its open dependencies."""
    ...


@query
def count_by_status() -> list[StatusCount]:
    """Return the number of tasks of each status that occurs."""
    ...


@query
def update(
    key: Key,
    *,
    title: Title | Unset = UNSET,
    description: AnyText | None | Unset = UNSET,
    priority: Priority | Unset = UNSET,
    agent_type: Name | None | Unset = UNSET,
    assigned_agent: Name | None | Unset = UNSET,
    complexity_score: Complexity | None | Unset = UNSET,
    estimated_hours: Hours | None | Unset = UNSET,
    actual_hours: Hours | None | Unset = UNSET,
    execution_order: Order | None | Unset = UNSET,
    requirements: Document | None | Unset = UNSET,
    context: Document | None | Unset = UNSET,
    metadata: Document | None | Unset = UNSET,
    labels: list[Name] | Unset = UNSET,
    file_path: Text | None | Unset = UNSET,
    error_message: AnyText | None | Unset = UNSET,
    scheduled_at: datetime | None | Unset = UNSET,
    max_attempts: Attempts | Unset = UNSET,
    retry_delay: Delay | None | Unset = UNSET,
    retry_factor: Factor | None | Unset = UNSET,
    max_retry_delay: Delay | None | Unset = UNSET,
    concurrency_key: ConcurrencyKeyName | None | Unset = UNSET,
    feature_id: UUID | None | Unset = UNSET,
    workflow_id: UUID | None | Unset = UNSET,
    workflow_execution_id: UUID | None | Unset = UNSET,
    parent_id: UUID | None | Unset = UNSET,
    if_version: int | None = None,
) -> Task:
    """Change what is given, and nothing else; None empties a field.

    The status has `update_status` of its own. With *if_version*, the `version` of the task as
    it was read, raises `VersionConflictError` and changes nothing if somebody has edited it
    since. Raises `NotFoundError` if there is no such task, and `CircularDependencyError` for a
    parent that is a part of the task.
    """
    ...


@query
def update_status(
    key: Key,
    *,
    status: TaskStatus,
    agent: Name | None = None,
    note: AnyText | None = None,
    force: bool = False,
    blocked_reason: Text | None = None,
) -> Task:
    """Change a task's status; the history records *agent* (else the session's user) and *note*.

    A transition to pending of a task with open dependencies lands in blocked; a task blocked by
    neither a dependency nor a *blocked_reason* is pending. A live claim ends as revoked.

    Raises `InvalidTransitionError` for a transition that `task_status_transitions` does not list,
    unless *force*; `NotFoundError` if there is no such task.
    """
    ...


@query
def delete(key: Key) -> UUID:
    """Delete a task with its child tasks, subtasks, files and history, and return its id.

    Its child tasks, subtasks, files, dependencies, claims and history go too; what waited
    for it no longer does. Raises `NotFoundError` if there is no such task.
    """
    ...


@query
def hierarchy(key: Key, *, levels: Levels = 100) -> list[TaskNode]:
    """Return a task and what is up to *levels* levels under it; each comes after its parent.

    `depth` is 0 at the task itself; `path` holds the keys from it down to each. What is deeper
    than 100 levels: ask for the hierarchy of a task there. `selection.under` has no such bound.
    """
    ...


@query
def find_similar(*, title: Title, limit: Limit = 10) -> list[SimilarTask]:
    """Return tasks whose titles look like *title* (trigrams), the most alike first.

    `similarity` is 0 to 1; what is below `pg_trgm.similarity_threshold` (0.3) is left out.
    """
    ...


@query
def execution_order(*, epic: Key, feature: Key | None = None) -> list[OrderedTask]:
    """Return the open tasks of an epic, or of one feature of it, each after its blockers."""
    ...


@query
def list_failed(*, limit: Limit = 50) -> list[FailedTask]:
    """Return failed tasks, the latest first, with the last error."""
    ...


@query
def requeue(
    *, keys: list[Key], agent: Name | None = None, note: AnyText | None = None
) -> list[str]:
    """Make failed tasks pending again, with all of their attempts; return their keys.

    A task with an open dependency is blocked: one of *keys* may be another's blocker. Keys of tasks
    that have not failed are left alone.
    """
    ...
