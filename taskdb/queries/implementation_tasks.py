"""Implementation tasks: `sql/queries/implementation_tasks.sql`.

They are claimed by `taskdb.queries.claims`, as all tasks are; while one is in progress no
other that shares a file with it is handed out.
"""

from collections.abc import Awaitable
from datetime import datetime
from typing import Annotated, Any, overload
from uuid import UUID

from psycopg import AsyncConnection, Connection

from taskdb.errors import ClaimLostError, ValidationError
from taskdb.models.claims import ClaimEnd
from taskdb.models.implementation_tasks import CreatedTask, ImplementationTask
from taskdb.models.specs import SpecSummary
from taskdb.models.types import SpecType, TaskStatus
from taskdb.queries import query
from taskdb.queries.fields import AnyText, Hours, Key, Name, Order, Priority, Text, Title, Token
from taskdb.queries.specs import get_summary
from taskdb.queries.steps import Steps, call, run
from taskdb.query import UNSET, Length, Matches, Unset, checked

Branch = Annotated[str, Length(1, 250)]
CommitSha = Annotated[str, Matches("[0-9a-f]{4,64}")]


@query
def create(
    *,
    spec: Key,
    scope: Name,
    key: Key | None = None,
    title: Title | None = None,
    scope_description: AnyText | None = None,
    assigned_files: list[AnyText] = [],  # noqa: B006  # nobody changes it
    branch_name: Branch | None = None,
    worktree_path: Text | None = None,
    priority: Priority = 5,
    agent_type: Name | None = None,
    estimated_hours: Hours | None = None,
    execution_order: Order | None = None,
    feature_id: UUID | None = None,
    created_by: Name = "architect",
) -> CreatedTask:
    """Make a task that implements a part of a specification.

    Of a hierarchical one *scope* names a phase. *assigned_files* are paths from the root of
    the repository, without `.` and `..`. The branch is `roadmap-implementation_task-` and
    the key, unless named.

    Raises `NotFoundError` if there is no such specification, `IntegrityError` if key or branch
    are taken or the scope is none of its phases.
    """
    ...


@query
def adopt(
    *,
    key: Key,
    spec: Key,
    scope: Name,
    scope_description: AnyText | None = None,
    assigned_files: list[AnyText] = [],  # noqa: B006  # nobody changes it
    branch_name: Branch | None = None,
    worktree_path: Text | None = None,
    created_by: Name = "architect",
) -> CreatedTask:
    """Make an existing task a part of a specification; see `create`.

    Raises `NotFoundError` if one of the two does not exist.
    """
    ...


@query
def split_phases(
    *,
    spec: Key,
    chained: bool,
    priority: Priority,
    agent_type: Name | None,
    feature_id: UUID | None,
    created_by: Name,
) -> list[CreatedTask]:
    """Make one task a phase; `split_into_tasks` is the friendlier way in."""
    ...


@overload
def split_into_tasks(
    conn: Connection[Any],
    *,
    spec: Key,
    chained: bool = False,
    priority: Priority = 5,
    agent_type: Name | None = None,
    feature_id: UUID | None = None,
    created_by: Name = "architect",
) -> list[CreatedTask]: ...
@overload
def split_into_tasks(
    conn: AsyncConnection[Any],
    *,
    spec: Key,
    chained: bool = False,
    priority: Priority = 5,
    agent_type: Name | None = None,
    feature_id: UUID | None = None,
    created_by: Name = "architect",
) -> Awaitable[list[CreatedTask]]: ...
@checked
def split_into_tasks(
    conn: Connection[Any] | AsyncConnection[Any],
    *,
    spec: Key,
    chained: bool = False,
    priority: Priority = 5,
    agent_type: Name | None = None,
    feature_id: UUID | None = None,
    created_by: Name = "architect",
) -> list[CreatedTask] | Awaitable[list[CreatedTask]]:
    """Make a task for each phase that has none yet: `TASK-116-2` for phase 2 of `SPEC-116`.

    *chained* has each of them wait for the one before. A phase's hours are its task's
    estimate, its `files` the files that the task may change.

    Raises `NotFoundError` if there is no such specification, `ValidationError` if it has no
    phases.
    """
    arguments = {
        "chained": chained,
        "priority": priority,
        "agent_type": agent_type,
        "feature_id": feature_id,
        "created_by": created_by,
    }
    return run(conn, _split(spec, arguments))


def _split(spec: str, arguments: dict[str, Any]) -> Steps[list[CreatedTask]]:
    found: SpecSummary = yield call(get_summary, spec)
    if found.spec_type is not SpecType.HIERARCHICAL:
        raise ValidationError("spec", "must be hierarchical: a monolithic one has no phases")
    made: list[CreatedTask] = yield call(split_phases, spec=spec, **arguments)
    return made


@query
def get(key: Key) -> ImplementationTask:
    """Return an implementation task by its key, or raise `NotFoundError`."""
    ...


@query
def list_tasks(*, spec: Key, status: TaskStatus | None = None) -> list[ImplementationTask]:
    """Return the tasks of a specification, in the order of their work."""
    ...


@query
def list_ready(*, spec: Key) -> list[ImplementationTask]:
    """Return the tasks of a specification that can be claimed now, in the order of the claim.

    What shares a file with a task in progress is not among them.
    """
    ...


@query
def update(
    key: Key,
    *,
    scope: Name | Unset = UNSET,
    scope_description: AnyText | None | Unset = UNSET,
    assigned_files: list[AnyText] | Unset = UNSET,
    branch_name: Branch | Unset = UNSET,
    worktree_path: Text | None | Unset = UNSET,
) -> CreatedTask:
    """Change what is given, and nothing else; None empties a field.

    A task in progress takes the files it is newly assigned, and gives the others back. Raises
    `IntegrityError` if another task in progress holds one of them, `NotFoundError` if there
    is no such implementation task.
    """
    ...


@query(not_found=ClaimLostError)
def complete(
    *,
    task_id: UUID,
    token: Token,
    commit_sha: CommitSha,
    note: AnyText | None = None,
    actual_hours: Hours | None = None,
) -> ClaimEnd:
    """Complete an implementation task as the holder of its live claim, with its commit.

    Raises `ClaimLostError`, and changes nothing, if the claim is no longer live.
    """
    ...


@query
def record_merge(
    key: Key, *, merged_at: datetime | None = None, merge_commit_sha: CommitSha | None = None
) -> datetime:
    """Record that the branch of a task is merged, now or then; return when.

    Raises `NotFoundError` if there is no such implementation task.
    """
    ...
