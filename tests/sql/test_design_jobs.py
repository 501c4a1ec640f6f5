"""Design jobs: their outputs, decisions and progress."""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

import pytest

from taskdb.errors import InvalidTransitionError, NotFoundError, ValidationError
from taskdb.models import DesignOutputType
from taskdb.queries import design
from tests.sql.made_sessions import Connection, make_job


def test_the_outputs_of_a_design_job_are_loaded_or_those_that_miss_are_named(
    conn: Connection,
) -> None:
    job = make_job(conn)
    for kind in (DesignOutputType.PRD, DesignOutputType.UX_FLOW):
        design.put_output(conn, design_job_id=job.id, output_type=kind, content=f"old {kind}")

    with pytest.raises(ValueError, match=r"missing: design_system, screen_specs$") as refused:
        design.load_outputs(conn, job.id)
    for kind in DesignOutputType:
        design.put_output(conn, design_job_id=job.id, output_type=kind, content=f"the {kind}")
    found = design.load_outputs(conn, job.id)

    assert isinstance(refused.value, ValidationError)
    assert refused.value.field == "design_job_id"
    assert {kind: getattr(found, kind) for kind in DesignOutputType} == {
        kind: f"the {kind}" for kind in DesignOutputType
    }
    prd = design.get_output(conn, design_job_id=job.id, output_type=DesignOutputType.PRD)
    assert prd.content == "the prd"
    with pytest.raises(NotFoundError):
        design.load_outputs(conn, uuid4())


def test_the_path_of_the_code_may_be_missing(conn: Connection) -> None:
    job = make_job(conn)
    for kind in set(DesignOutputType) - {DesignOutputType.AI_STUDIO_CODE_PATH}:
        design.put_output(conn, design_job_id=job.id, output_type=kind, content="x")

    assert design.load_outputs(conn, job.id).ai_studio_code_path is None


def test_a_design_job_that_is_not_completed_is_refused_with_its_status(conn: Connection) -> None:
    job = make_job(conn, completed=False)

    with pytest.raises(ValueError, match="must name a completed design job; this one is pending"):
        design.validate_job_completed(conn, job.id)
    design.fail_job(conn, job.id, error_message="no model answers")
    with pytest.raises(ValidationError, match="is failed: no model answers"):
        design.validate_job_completed(conn, job.id)
    with pytest.raises(NotFoundError):
        design.validate_job_completed(conn, uuid4())
    assert design.start_job(conn, job.id).error_message is None
    completed = design.complete_job(conn, job.id)

    assert design.validate_job_completed(conn, job.id) == completed
    assert completed.completed_at is not None
    assert design.list_jobs(conn, project_id=job.project_id, status=completed.status) == [completed]
    for act in (design.start_job, design.complete_job):
        with pytest.raises(InvalidTransitionError, match="cannot go from completed"):
            act(conn, job.id)


def test_decisions_and_progress_of_a_design_job_come_in_their_order(conn: Connection) -> None:
    job = make_job(conn)
    made = [
        design.add_decision(
            conn,
            design_job_id=job.id,
            decision_type="design_decision",
            value=value,
            reasoning="Matches team expertise",
        )
        for value in ("Material UI", "Dark mode")
    ]
    told = [
        design.add_progress(conn, design_job_id=job.id, stage="prd", progress_percentage=Decimal(n))
        for n in (10, 20, 30)
    ]

    assert design.load_decisions(conn, job.id) == made
    assert design.load_decisions(conn, uuid4()) == []
    first = design.list_progress(conn, job.id, limit=2)
    last = first[-1]
    rest = design.list_progress(conn, job.id, after_created_at=last.created_at, after_id=last.id)
    assert [*first, *rest] == told[::-1]
