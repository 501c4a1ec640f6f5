"""Dependencies: `sql/queries/dependencies.sql`."""

from collections.abc import Awaitable, Iterable
from typing import Any, overload
from uuid import UUID

from psycopg import AsyncConnection, Connection

from taskdb.models.dependencies import (
    BlockingReason,
    Dependency,
    LinkedTask,
    NewDependency,
    RelatedTask,
    StuckTask,
)
from taskdb.models.types import DependencyType
from taskdb.queries import query
from taskdb.queries.fields import Key, Limit, Name
from taskdb.queries.rows import check_keys
from taskdb.queries.steps import Steps, call, run
from taskdb.query import checked


@query
def add_dependency(
    *,
    task: Key,
    depends_on: Key,
    dependency_type: DependencyType = DependencyType.REQUIRES,
    created_by: Name | None = None,
) -> Dependency:
    """Let *task* wait for *depends_on*; both are keys.

    Raises `CircularDependencyError` with the path if that closes a cycle, `NotFoundError`
    if one of the two does not exist, `IntegrityError` if there is such an edge already.
    """
    ...


@query
def copy_dependencies(
    *,
    task_id: UUID,
    depends_on_id: UUID,
    dependency_type: DependencyType,
    created_by: Name | None,
) -> int:
    """Make many edges by COPY; `add_dependencies` is the friendlier way in."""
    ...


@overload
def add_dependencies(conn: Connection[Any], dependencies: Iterable[NewDependency]) -> int: ...
@overload
def add_dependencies(
    conn: AsyncConnection[Any], dependencies: Iterable[NewDependency]
) -> Awaitable[int]: ...
@checked
def add_dependencies(
    conn: Connection[Any] | AsyncConnection[Any], dependencies: Iterable[NewDependency]
) -> int | Awaitable[int]:
    """Make many edges at once, checked together, all or nothing; return how many.

    Raises as `add_dependency` does.
    """
    edges = list(dependencies)
    check_keys("dependencies", edges, task=Key, depends_on=Key)
    return run(conn, _add_dependencies(edges))


def _add_dependencies(dependencies: list[NewDependency]) -> Steps[int]:
    from taskdb.queries.tasks import known_ids

    ids = yield from known_ids(
        {key for edge in dependencies for key in (edge.task, edge.depends_on)}
    )
    rows = [
        {
            "task_id": ids[edge.task],
            "depends_on_id": ids[edge.depends_on],
            "dependency_type": edge.dependency_type,
            "created_by": edge.created_by,
        }
        for edge in dependencies
    ]
    count: int = yield call(copy_dependencies.copy, rows)
    return count


@query
def remove_dependency(*, task: Key, depends_on: Key) -> Dependency:
    """Let *task* no longer wait for *depends_on*; return the removed edge.

    Raises `NotFoundError` if there is no such edge.
    """
    ...


@query
def dependencies_of(key: Key) -> list[RelatedTask]:
    """Return the direct blockers of a task, in the order of keys."""
    ...


@query
def dependents_of(key: Key) -> list[RelatedTask]:
    """Return the direct dependents of a task, in the order of keys."""
    ...


@query
def blocking_reasons(
    key: Key, *, agent: Name | None = None, agent_type: Name | None = None
) -> list[BlockingReason]:
    """Return the reasons why a task can't be claimed; none for an unknown key too.

    `why_not_ready` is the friendlier way in.
    """
    ...


@overload
def why_not_ready(
    conn: Connection[Any], key: Key, *, agent: Name | None = None, agent_type: Name | None = None
) -> list[BlockingReason]: ...
@overload
def why_not_ready(
    conn: AsyncConnection[Any],
    key: Key,
    *,
    agent: Name | None = None,
    agent_type: Name | None = None,
) -> Awaitable[list[BlockingReason]]: ...
@checked
def why_not_ready(
    conn: Connection[Any] | AsyncConnection[Any],
    key: Key,
    *,
    agent: Name | None = None,
    agent_type: Name | None = None,
) -> list[BlockingReason] | Awaitable[list[BlockingReason]]:
    """Return all that keeps a task from being claimed now; an empty list: it can be.

    With *agent* or *agent_type*, by that agent; without, by an agent it may be reserved for.
    Raises `NotFoundError` if there is no such task.
    """
    return run(conn, _why_not_ready(key, agent, agent_type))


def _why_not_ready(
    key: str, agent: str | None, agent_type: str | None
) -> Steps[list[BlockingReason]]:
    from taskdb.queries.tasks import known_ids

    found: list[BlockingReason] = yield call(
        blocking_reasons, key=key, agent=agent, agent_type=agent_type
    )
    if not found:
        yield from known_ids([key])
    return found


@query
def list_stuck(*, limit: Limit = 50) -> list[StuckTask]:
    """Return the tasks that can never start unless somebody acts, the most urgent first.

    Each waits for a task that has failed or was given up, or for one that is stuck itself.
    `tasks.requeue` or `update_status` of that one, or `remove_dependency`, helps.
    """
    ...


@query
def all_dependencies_of(key: Key) -> list[LinkedTask]:
    """Return all blockers of a task, direct or indirect, each after its own blockers."""
    ...


@query
def all_dependents_of(key: Key) -> list[LinkedTask]:
    """Return all dependents of a task, direct or indirect, each after its own dependents."""
    ...
