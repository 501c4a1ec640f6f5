"""External dependencies of tasks and workflows: `sql/queries/externals.sql`.

taskdb does not look at services itself: a checker takes what is due, looks, and says what it saw.
"""

from datetime import datetime, timedelta
from uuid import UUID

from taskdb.models.externals import ExternalDependency
from taskdb.models.types import Health
from taskdb.queries import query
from taskdb.queries.fields import Condition, Count, Delay, Document, Interval, Limit, Name, Text
from taskdb.query import UNSET, Unset


@query
def create(
    *,
    service: Name,
    task_id: UUID | None = None,
    workflow_id: UUID | None = None,
    resource: Text | None = None,
    validation_rule: Condition | None = None,
    is_required: bool = True,
    health: Health = Health.UNKNOWN,
    check_interval: Interval = timedelta(minutes=5),
    timeout: Delay = timedelta(seconds=30),
    max_retries: Count = 3,
    retry_delay: Delay = timedelta(seconds=10),
    metadata: Document | None = None,
) -> ExternalDependency:
    """Add an external dependency of a task, or of a workflow; it is due for a check at once.

    *validation_rule* is a jsonpath predicate over what a check saw: `$.status == "ok"`. While it
    is unhealthy and *is_required*, its task is not ready, or no task of its workflow is.

    Raises `ValidationError` unless exactly one of *task_id* and *workflow_id* is given, or for a
    rule that is no jsonpath; `IntegrityError` if that one does not exist.
    """
    ...


@query
def get(id: UUID) -> ExternalDependency:
    """Return an external dependency by its id, or raise `NotFoundError`."""
    ...


@query
def list_externals(
    *,
    task_id: UUID | None = None,
    workflow_id: UUID | None = None,
    health: Health | None = None,
    limit: Limit = 100,
) -> list[ExternalDependency]:
    """Return external dependencies, the oldest first; a filter that is None is left out."""
    ...


@query
def update(
    id: UUID,
    *,
    service: Name | Unset = UNSET,
    resource: Text | None | Unset = UNSET,
    validation_rule: Condition | None | Unset = UNSET,
    is_required: bool | Unset = UNSET,
    check_interval: Interval | Unset = UNSET,
    timeout: Delay | Unset = UNSET,
    max_retries: Count | Unset = UNSET,
    retry_delay: Delay | Unset = UNSET,
    metadata: Document | None | Unset = UNSET,
    next_check_at: datetime | Unset = UNSET,
) -> ExternalDependency:
    """Change the given columns, and nothing else; None empties a field. Checks set the health.

    Raises `NotFoundError` if there is no such dependency.
    """
    ...


@query
def delete(id: UUID) -> UUID:
    """Delete an external dependency; return its id, or raise `NotFoundError`."""
    ...


@query
def due_checks(*, limit: Limit = 10) -> list[ExternalDependency]:
    """Reserve up to *limit* dependencies due for a check, each for its `timeout`.

    Until then no other checker gets it, and then others do, unless `record_check` was called.
    """
    ...


@query
def record_check(
    id: UUID, *, succeeded: bool, response: Document | None = None, error: Text | None = None
) -> ExternalDependency:
    """Record the result of a check, and the moment of the next; return the health.

    A check has succeeded if *succeeded* says so and *response* satisfies the dependency's
    `validation_rule`, if it has one. A success makes it healthy. A failure is looked at again
    after `retry_delay`, and after twice as long each further time, up to `check_interval`; when
    `max_retries` are used up it is unhealthy. Raises `NotFoundError` if there is none of that id.
    """
    ...
