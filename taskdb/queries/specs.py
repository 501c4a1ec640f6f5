"""Technical specifications: `sql/queries/specs.sql`."""

from collections.abc import Awaitable, Iterable
from decimal import Decimal
from typing import Annotated, Any, overload
from uuid import UUID

from psycopg import AsyncConnection, Connection

from taskdb.models.implementation_tasks import NewImplementationTask
from taskdb.models.specs import (
    CreatedSpec,
    Phase,
    PhaseName,
    Spec,
    SpecMatch,
    SpecProgress,
    SpecSummary,
)
from taskdb.models.types import PhaseStatus, SpecStatus, SpecType
from taskdb.queries import query
from taskdb.queries.fields import (
    MOST_BYTES,
    AnyText,
    Document,
    Hours,
    Key,
    Limit,
    Name,
    Text,
    Title,
)
from taskdb.queries.search import Words
from taskdb.queries.steps import Steps, call, run
from taskdb.query import UNSET, Range, Size, Unset, checked

SpecNumber = Annotated[int, Range(1, 999_999_999)]
PhaseNumber = Annotated[int, Range(0, 9_999)]


@query
def create(
    *,
    title: Title,
    spec_number: SpecNumber | None = None,
    spec_type: SpecType = SpecType.MONOLITHIC,
    content: AnyText | None = None,
    structure: Document | None = None,
    roadmap_item_id: Name | None = None,
    status: SpecStatus = SpecStatus.DRAFT,
    phase: PhaseNumber | None = None,
    current_phase_status: PhaseStatus | None = None,
    estimated_hours: Hours | None = None,
    actual_hours: Hours | None = None,
    created_by: Name = "architect",
    file_path: Text | None = None,
) -> SpecSummary:
    """Make a specification; without a number it gets the next. Its key is `SPEC-` and the number.

    A monolithic one has a *content* (markdown); a hierarchical one a *structure*: `overview`,
    `architecture`, `technology_stack` and `phases`, each phase with `name`, and as far as
    known `number` (else its place in the list, from 1), `description`, `hours`, `content` and
    `files`. *file_path* is for importers: nothing reads the file.

    Raises `IntegrityError` if the number is taken, `ValidationError` for a structure that is
    not as it should be (``structure.phases[1].name must be text of 1 to 200 characters``).
    """
    ...


@query
def create_with_task_list(
    *,
    title: Title,
    spec_number: SpecNumber | None,
    spec_type: SpecType,
    content: AnyText | None,
    structure: Document | None,
    roadmap_item_id: Name | None,
    status: SpecStatus,
    estimated_hours: Hours | None,
    created_by: Name,
    tasks: Annotated[list[Any], Size(MOST_BYTES)],
    chained: bool,
) -> CreatedSpec:
    """Make a specification with its tasks; `create_with_tasks` is the friendlier way in."""
    ...


@overload
def create_with_tasks(
    conn: Connection[Any],
    *,
    title: Title,
    tasks: Iterable[NewImplementationTask],
    chained: bool = False,
    spec_number: SpecNumber | None = None,
    spec_type: SpecType = SpecType.MONOLITHIC,
    content: AnyText | None = None,
    structure: Document | None = None,
    roadmap_item_id: Name | None = None,
    status: SpecStatus = SpecStatus.DRAFT,
    estimated_hours: Hours | None = None,
    created_by: Name = "architect",
) -> CreatedSpec: ...
@overload
def create_with_tasks(
    conn: AsyncConnection[Any],
    *,
    title: Title,
    tasks: Iterable[NewImplementationTask],
    chained: bool = False,
    spec_number: SpecNumber | None = None,
    spec_type: SpecType = SpecType.MONOLITHIC,
    content: AnyText | None = None,
    structure: Document | None = None,
    roadmap_item_id: Name | None = None,
    status: SpecStatus = SpecStatus.DRAFT,
    estimated_hours: Hours | None = None,
    created_by: Name = "architect",
) -> Awaitable[CreatedSpec]: ...
@checked
def create_with_tasks(
    conn: Connection[Any] | AsyncConnection[Any],
    *,
    title: Title,
    tasks: Iterable[NewImplementationTask],
    chained: bool = False,
    spec_number: SpecNumber | None = None,
    spec_type: SpecType = SpecType.MONOLITHIC,
    content: AnyText | None = None,
    structure: Document | None = None,
    roadmap_item_id: Name | None = None,
    status: SpecStatus = SpecStatus.DRAFT,
    estimated_hours: Hours | None = None,
    created_by: Name = "architect",
) -> CreatedSpec | Awaitable[CreatedSpec]:
    """Make a specification and its tasks in one statement: any failure leaves nothing.

    *chained* has each task wait for the one before. Raises what `create` raises, and
    `IntegrityError` for a key or branch that is taken or a scope that is no phase.
    """
    arguments = {
        "title": title,
        "spec_number": spec_number,
        "spec_type": spec_type,
        "content": content,
        "structure": structure,
        "roadmap_item_id": roadmap_item_id,
        "status": status,
        "estimated_hours": estimated_hours,
        "created_by": created_by,
        "chained": chained,
    }
    return run(conn, _create_with_tasks(arguments, [_as_json(task) for task in tasks]))


def _create_with_tasks(arguments: dict[str, Any], tasks: list[Any]) -> Steps[CreatedSpec]:
    created: CreatedSpec = yield call(create_with_task_list, tasks=tasks, **arguments)
    return created


def _as_json(task: NewImplementationTask) -> dict[str, Any]:
    return {
        name: str(value) if isinstance(value := getattr(task, name), Decimal) else value
        for name in NewImplementationTask.__slots__
    }


@query
def get(id: UUID) -> Spec:
    """Return a specification, whole, or raise `NotFoundError`."""
    ...


@query
def get_by_key(key: Key) -> Spec:
    """Return the specification with this key (`SPEC-116`), or raise `NotFoundError`."""
    ...


@query
def get_by_number(spec_number: SpecNumber) -> Spec:
    """Return the specification with this number, or raise `NotFoundError`."""
    ...


@query
def get_by_roadmap_item(roadmap_item_id: Name) -> Spec:
    """Return the newest specification of a roadmap item, or raise `NotFoundError`."""
    ...


@query
def get_summary(key: Key) -> SpecSummary:
    """Return a specification without its content, or raise `NotFoundError`."""
    ...


@query
def list_specs(
    *,
    status: SpecStatus | None = None,
    spec_type: SpecType | None = None,
    roadmap_item_id: Name | None = None,
    before_number: SpecNumber | None = None,
    limit: Limit = 100,
) -> list[SpecSummary]:
    """Return specifications without their contents, the highest number first.

    The next page: give the last number of this one as *before_number*.
    """
    ...


@query
def update(
    key: Key,
    *,
    title: Title | Unset = UNSET,
    roadmap_item_id: Name | None | Unset = UNSET,
    spec_type: SpecType | Unset = UNSET,
    content: AnyText | None | Unset = UNSET,
    structure: Document | None | Unset = UNSET,
    phase: PhaseNumber | None | Unset = UNSET,
    current_phase_status: PhaseStatus | None | Unset = UNSET,
    estimated_hours: Hours | None | Unset = UNSET,
    actual_hours: Hours | None | Unset = UNSET,
    updated_by: Name | Unset = UNSET,
) -> SpecSummary:
    """Change what is given, and nothing else; None empties a field.

    A phase with tasks must stay, under its name: else `IntegrityError`. Raises
    `NotFoundError` if there is no such specification.
    """
    ...


@query
def update_status(key: Key, *, status: SpecStatus, updated_by: Name | None = None) -> SpecSummary:
    """Change the status of a specification.

    Raises `InvalidTransitionError` for a transition that `spec_status_transitions` does not list,
    `NotFoundError` if there is no such specification.
    """
    ...


@query
def delete(key: Key) -> UUID:
    """Delete a specification with its implementation tasks and their tasks; return its id.

    Raises `NotFoundError` if there is no such specification.
    """
    ...


@query
def get_phase(key: Key, *, name: Name | None = None, number: PhaseNumber | None = None) -> Phase:
    """Return one phase, by name or number, else the first; nothing more leaves the server.

    Raises `NotFoundError` if there is no such specification or phase.
    """
    ...


@query
def get_phase_for_task(key: Key) -> Phase:
    """Return the phase that a task implements; nothing more leaves the server.

    Raises `NotFoundError` if there is no such task, or its specification has no phases.
    """
    ...


@query
def list_phases(key: Key) -> list[PhaseName]:
    """Return the phases of a specification without their contents, in the order of numbers."""
    ...


@query
def add_dependency(*, spec: Key, depends_on: Key, created_by: Name | None = None) -> UUID:
    """Have a specification build on another; return its id. A second call changes nothing.

    Raises `CircularDependencyError` with the path of the cycle it would close,
    `NotFoundError` if one of the two does not exist.
    """
    ...


@query
def remove_dependency(*, spec: Key, depends_on: Key) -> UUID:
    """Undo `add_dependency`; return the specification's id, or raise `NotFoundError`."""
    ...


@query
def list_dependencies(key: Key) -> list[SpecSummary]:
    """Return the specifications that this one builds on, without contents."""
    ...


@query
def list_dependents(key: Key) -> list[SpecSummary]:
    """Return the specifications that build on this one, without contents."""
    ...


@query
def find_specs(*, words: Words, limit: Limit = 50) -> list[SpecMatch]:
    """Return the specifications whose title or content has *words*, the best match first.

    Words follow web search: ``"a phrase"``, ``-without``, ``this or that``, ``beginning*``. Of a
    content the first 200,000 characters are looked at.
    """
    ...


@query
def progress(key: Key) -> SpecProgress:
    """Return the progress of a specification, computed now, and its hours.

    Raises `NotFoundError` if there is no such specification.
    """
    ...


@query
def list_progress() -> list[SpecProgress]:
    """Return the progress of every specification."""
    ...
