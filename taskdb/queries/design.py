"""Output of the Design Agent: `sql/queries/design.sql`.

A tech-spec session begins with it: `validate_job_completed`, `load_outputs`, `load_decisions`.
"""

from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import Any, Final, overload
from uuid import UUID

from psycopg import AsyncConnection, Connection

from taskdb.errors import InvalidTransitionError, ValidationError
from taskdb.models.design import (
    DesignDecision,
    DesignJob,
    DesignOutput,
    DesignOutputs,
    DesignProgress,
    FoundOutputs,
)
from taskdb.models.types import DesignJobStatus, DesignOutputType
from taskdb.queries import query
from taskdb.queries.fields import AnyText, Limit, Name, Percentage, Text
from taskdb.queries.steps import Steps, call, run
from taskdb.query import checked


@query
def create_job(*, project_id: UUID) -> DesignJob:
    """Make a design job for a project, pending."""
    ...


@query
def get_job(id: UUID) -> DesignJob:
    """Return a design job, or raise `NotFoundError`."""
    ...


@query
def list_jobs(
    *,
    project_id: UUID | None = None,
    status: DesignJobStatus | None = None,
    after_created_at: datetime | None = None,
    after_id: UUID | None = None,
    limit: Limit = 50,
) -> list[DesignJob]:
    """Return design jobs, newest first; a filter that is None is left out.

    The next page begins after the last row of this one: give its `created_at` and `id`.
    """
    ...


@query
def change_job_status(
    *,
    id: UUID,
    status: DesignJobStatus,
    error_message: Text | None,
    old_statuses: list[DesignJobStatus],
) -> DesignJob | None:
    """Change the status of a job that has one of *old_statuses*; `start_job` etc. report errors."""
    ...


@overload
def start_job(conn: Connection[Any], id: UUID) -> DesignJob: ...
@overload
def start_job(conn: AsyncConnection[Any], id: UUID) -> Awaitable[DesignJob]: ...
@checked
def start_job(
    conn: Connection[Any] | AsyncConnection[Any], id: UUID
) -> DesignJob | Awaitable[DesignJob]:
    """Begin a design job that is pending, or try a failed one again.

    Raises `InvalidTransitionError` if it is neither, `NotFoundError` if there is no such job.
    """
    return run(conn, _change_status(id, DesignJobStatus.IN_PROGRESS))


@overload
def complete_job(conn: Connection[Any], id: UUID) -> DesignJob: ...
@overload
def complete_job(conn: AsyncConnection[Any], id: UUID) -> Awaitable[DesignJob]: ...
@checked
def complete_job(
    conn: Connection[Any] | AsyncConnection[Any], id: UUID
) -> DesignJob | Awaitable[DesignJob]:
    """Complete a design job that is in progress; it stays so. Raises as `start_job` does."""
    return run(conn, _change_status(id, DesignJobStatus.COMPLETED))


@overload
def fail_job(conn: Connection[Any], id: UUID, *, error_message: AnyText) -> DesignJob: ...
@overload
def fail_job(
    conn: AsyncConnection[Any], id: UUID, *, error_message: AnyText
) -> Awaitable[DesignJob]: ...
@checked
def fail_job(
    conn: Connection[Any] | AsyncConnection[Any], id: UUID, *, error_message: AnyText
) -> DesignJob | Awaitable[DesignJob]:
    """Let a design job that has not ended fail. Raises as `start_job` does."""
    return run(conn, _change_status(id, DesignJobStatus.FAILED, error_message))


# The allowed transitions: the statuses from which each status is reached.
_FROM: Final = {
    DesignJobStatus.IN_PROGRESS: [DesignJobStatus.PENDING, DesignJobStatus.FAILED],
    DesignJobStatus.COMPLETED: [DesignJobStatus.IN_PROGRESS],
    DesignJobStatus.FAILED: [DesignJobStatus.PENDING, DesignJobStatus.IN_PROGRESS],
}


def _change_status(
    id: UUID, status: DesignJobStatus, error_message: str | None = None
) -> Steps[DesignJob]:
    changed: DesignJob | None = yield call(
        change_job_status,
        id=id,
        status=status,
        error_message=error_message,
        old_statuses=_FROM[status],
    )
    if changed is None:
        job: DesignJob = yield call(get_job, id)
        raise InvalidTransitionError(
            f"the design job cannot go from {job.status} to {status}",
            hint=f"It can be {status} after it was {' or '.join(_FROM[status])}",
        )
    return changed


@query
def delete_job(id: UUID) -> UUID:
    """Delete a design job with its documents, and with its sessions in every workspace.

    Returns its id, or raises `NotFoundError`.
    """
    ...


@overload
def validate_job_completed(conn: Connection[Any], design_job_id: UUID) -> DesignJob: ...
@overload
def validate_job_completed(
    conn: AsyncConnection[Any], design_job_id: UUID
) -> Awaitable[DesignJob]: ...
@checked
def validate_job_completed(
    conn: Connection[Any] | AsyncConnection[Any], design_job_id: UUID
) -> DesignJob | Awaitable[DesignJob]:
    """Return a design job that is completed.

    Raises `NotFoundError` if there is no such job, `ValidationError` (a `ValueError`) with the
    status that it has instead.
    """
    return run(conn, _job_completed(design_job_id))


def _job_completed(design_job_id: UUID) -> Steps[DesignJob]:
    job: DesignJob = yield call(get_job, design_job_id)
    if job.status is not DesignJobStatus.COMPLETED:
        reason = f": {job.error_message}" if job.error_message else ""
        raise ValidationError(
            "design_job_id", f"must name a completed design job; this one is {job.status}{reason}"
        )
    return job


@query
def put_output(
    *, design_job_id: UUID, output_type: DesignOutputType, content: Text
) -> DesignOutput:
    """Keep a document of a design job; it replaces one of its type.

    Raises `IntegrityError` if there is no such job.
    """
    ...


@query
def get_output(*, design_job_id: UUID, output_type: DesignOutputType) -> DesignOutput:
    """Return one document of a design job, or raise `NotFoundError`."""
    ...


@query
def find_outputs(design_job_id: UUID) -> FoundOutputs:
    """Return the documents of a job; raise `NotFoundError` if there is no job."""
    ...


@overload
def load_outputs(conn: Connection[Any], design_job_id: UUID) -> DesignOutputs: ...
@overload
def load_outputs(conn: AsyncConnection[Any], design_job_id: UUID) -> Awaitable[DesignOutputs]: ...
@checked
def load_outputs(
    conn: Connection[Any] | AsyncConnection[Any], design_job_id: UUID
) -> DesignOutputs | Awaitable[DesignOutputs]:
    """Return all documents of a design job that a tech-spec session needs.

    Raises `ValidationError` (a `ValueError`) naming the required documents that are missing,
    `NotFoundError` if there is no such job.
    """
    return run(conn, _load_outputs(design_job_id))


def _load_outputs(design_job_id: UUID) -> Steps[DesignOutputs]:
    found: FoundOutputs = yield call(find_outputs, design_job_id)
    prd, design_system = found.prd, found.design_system
    ux_flow, screen_specs = found.ux_flow, found.screen_specs
    if prd is None or design_system is None or ux_flow is None or screen_specs is None:
        missing = [kind for kind in _REQUIRED if getattr(found, kind) is None]
        raise ValidationError(
            "design_job_id",
            f"must name a design job with all documents; missing: {', '.join(missing)}",
        )
    return DesignOutputs(
        design_job_id, prd, design_system, ux_flow, screen_specs, found.ai_studio_code_path
    )


_REQUIRED: Final[Sequence[DesignOutputType]] = [
    kind for kind in DesignOutputType if kind is not DesignOutputType.AI_STUDIO_CODE_PATH
]


@query
def add_decision(
    *, design_job_id: UUID, decision_type: Name, value: Text, reasoning: Text | None = None
) -> DesignDecision:
    """Record a decision of a design job, with its reason.

    Raises `IntegrityError` if there is no such job.
    """
    ...


@query
def load_decisions(design_job_id: UUID) -> list[DesignDecision]:
    """Return the decisions of a design job, in the order in which they were made."""
    ...


@query
def add_progress(
    *,
    design_job_id: UUID,
    stage: Name,
    progress_percentage: Percentage,
    message: Text | None = None,
) -> DesignProgress:
    """Report progress of a design job, 0 to 100. Raises `IntegrityError` without such a job."""
    ...


@query
def list_progress(
    design_job_id: UUID,
    *,
    after_created_at: datetime | None = None,
    after_id: UUID | None = None,
    limit: Limit = 50,
) -> list[DesignProgress]:
    """Return the progress reports of a design job, newest first; pages as `list_jobs`."""
    ...
