"""Tech-spec sessions and design jobs: the usage of document 4, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from taskdb.database import connect, roles
from taskdb.errors import InvalidTransitionError, NotFoundError, ValidationError
from taskdb.models import DesignJobStatus, DesignOutputType, SessionStatus, TechSpecSession
from taskdb.queries import agent_errors, design, documents, sessions
from tests.sql.made_sessions import (
    Connection,
    counts,
    log,
    make_job,
    make_research,
    make_session,
    say,
)

# Sessions


def test_a_session_starts_goes_on_waits_and_completes(conn: Connection) -> None:
    job = make_job(conn)
    made = sessions.create(
        conn,
        design_job_id=job.id,
        user_id=uuid4(),
        session_data={"gaps": []},
        websocket_url="wss://agent/1",
    )
    started = sessions.start(conn, made.id)
    moved = sessions.update_progress(
        conn, made.id, progress_percentage=Decimal("37.5"), current_stage="research"
    )
    kept = sessions.update_progress(conn, made.id, session_data={"gaps": ["database"]})
    paused = sessions.pause(conn, made.id)
    sessions.start(conn, made.id)
    done = sessions.complete(conn, made.id)

    assert (made.status, made.project_id) == (SessionStatus.PENDING, job.project_id)
    assert (made.progress_percentage, made.completed_at) == (Decimal(0), None)
    assert started.status == SessionStatus.IN_PROGRESS
    assert (moved.progress_percentage, moved.current_stage) == (Decimal("37.50"), "research")
    assert moved.session_data == {"gaps": []}
    assert (kept.session_data, kept.current_stage) == ({"gaps": ["database"]}, "research")
    assert (paused.status, paused.progress_percentage) == (SessionStatus.PAUSED, Decimal("37.50"))
    assert (done.status, done.progress_percentage) == (SessionStatus.COMPLETED, Decimal(100))
    assert done.completed_at is not None
    assert done.updated_at > made.updated_at
    assert sessions.get(conn, made.id) == done


MOVES: dict[str, Callable[[Connection, UUID], TechSpecSession]] = {
    "in_progress": sessions.start,
    "paused": sessions.pause,
    "completed": sessions.complete,
    "failed": lambda conn, id: sessions.fail(conn, id, reason="no model answers"),
}
WAYS: dict[str, list[str]] = {
    "pending": [],
    "in_progress": ["in_progress"],
    "paused": ["in_progress", "paused"],
    "completed": ["in_progress", "completed"],
    "failed": ["failed"],
}


@pytest.mark.parametrize("old", WAYS)
def test_a_session_moves_as_the_table_of_moves_says(conn: Connection, old: str) -> None:
    rows = conn.execute(
        "select new_status::text from session_status_transitions where old_status = $1", (old,)
    )
    allowed = {new for (new,) in rows}
    for new, move in MOVES.items():
        id = make_session(conn, started=False).id
        for step in WAYS[old]:
            MOVES[step](conn, id)

        if new in allowed:
            moved = move(conn, id)
            assert moved.status == new
            assert (moved.failure_reason is not None) == (new == "failed")
        else:
            told = f"from {old} to {new}"
            with pytest.raises(InvalidTransitionError, match=told) as refused, conn.transaction():
                move(conn, id)
            assert all(one in str(refused.value.hint) for one in allowed)
            assert sessions.get(conn, id).status == old


def test_a_session_starts_only_when_its_design_job_is_completed(conn: Connection) -> None:
    job = make_job(conn, completed=False)
    session = make_session(conn, started=False, design_job_id=job.id)

    with pytest.raises(ValidationError) as refused, conn.transaction():
        sessions.start(conn, session.id)
    sessions.fail(conn, session.id, reason="too early")
    with pytest.raises(ValidationError), conn.transaction():
        sessions.start(conn, session.id)
    design.start_job(conn, job.id)
    design.complete_job(conn, job.id)

    assert refused.value.field == "design_job_id"
    assert refused.value.rule == "must name a completed design job; this one is pending"
    assert sessions.start(conn, session.id).status == SessionStatus.IN_PROGRESS


def test_sessions_are_listed_by_each_filter_in_pages(conn: Connection) -> None:
    job, user = make_job(conn), uuid4()
    made = [make_session(conn, design_job_id=job.id, user_id=user) for _ in range(5)]
    done = [sessions.complete(conn, session.id) for session in made[:3]]
    other = make_session(conn, started=False)

    completed = sessions.list_sessions(conn, status=SessionStatus.COMPLETED, limit=10)
    filters: list[dict[str, Any]] = [
        {"design_job_id": job.id},
        {"project_id": job.project_id},
        {"user_id": user},
    ]
    for wanted in filters:
        found = sessions.list_sessions(conn, **wanted)
        assert [one.id for one in found] == [one.id for one in made[::-1]]
    first = sessions.list_sessions(conn, limit=2)
    rest = sessions.list_sessions(
        conn, after_created_at=first[-1].created_at, after_id=first[-1].id
    )

    assert completed == done[::-1]
    assert [one.id for one in (*first, *rest)] == [one.id for one in (other, *made[::-1])]


def test_sessions_are_read_with_their_design_jobs(conn: Connection) -> None:
    job = make_job(conn)
    session = make_session(conn, design_job_id=job.id)
    make_session(conn, started=False)

    (found,) = sessions.list_with_jobs(conn, status=SessionStatus.IN_PROGRESS)
    document_4 = conn.execute(
        """
        select ts.id, ts.status::text, dj.project_id, dj.status::text as design_status
        from tech_spec_sessions ts
        inner join design_jobs dj on ts.design_job_id = dj.id
        where ts.status = 'in_progress'
        """
    ).fetchall()

    assert (found.id, found.design_job_id) == (session.id, job.id)
    assert found.design_status == DesignJobStatus.COMPLETED
    assert found.design_completed_at == job.completed_at
    assert document_4 == [(session.id, "in_progress", job.project_id, "completed")]


@pytest.mark.parametrize("what", ["job", "session"])
def test_all_of_a_session_goes_with_it_and_with_its_design_job(conn: Connection, what: str) -> None:
    job = make_job(conn)
    session, other = make_session(conn, design_job_id=job.id), make_session(conn)
    for one in (session, other):
        found = make_research(conn, one.id)
        say(conn, one.id, research_id=found.id)
        documents.add(conn, session_id=one.id, trd_content="# TRD")
        log(conn, one.id)
    design.put_output(conn, design_job_id=job.id, output_type=DesignOutputType.PRD, content="x")
    design.add_decision(conn, design_job_id=job.id, decision_type="ui", value="MUI")
    assert counts(conn) == [2, 2, 2, 2, 2]

    if what == "job":
        assert design.delete_job(conn, job.id) == job.id
        assert design.load_decisions(conn, job.id) == []
    else:
        assert sessions.delete(conn, session.id) == session.id

    assert counts(conn) == [1, 1, 1, 1, 1]
    with pytest.raises(NotFoundError):
        sessions.get(conn, session.id)


# Statistics


def test_statistics_tell_how_sessions_went(conn: Connection) -> None:
    calm, rough, open_ = make_session(conn), make_session(conn), make_session(conn)
    for _ in range(2):
        agent_errors.count_retry(conn, log(conn, rough.id))
    agent_errors.mark_recovered(conn, log(conn, rough.id))
    for score in (60, 90):
        documents.add(conn, session_id=rough.id, trd_content="# TRD", quality_score=Decimal(score))
    for session, hours in ((calm, 1), (rough, 3)):
        sessions.complete(conn, session.id)
        conn.execute(
            "update tech_spec_sessions set created_at = completed_at - make_interval(hours => $1) "
            "where id = $2",
            (hours, session.id),
        )

    figures = sessions.figures(conn, rough.id)
    statistics = {one.status: one for one in sessions.list_statistics(conn)}
    all_ = sessions.summary(conn)
    late = sessions.summary(conn, since=open_.created_at - timedelta(hours=2))

    assert (figures.duration, figures.newest_version) == (timedelta(hours=3), 2)
    assert (figures.error_count, figures.recovered_count, figures.retry_count) == (3, 1, 2)
    assert figures.quality_score == 90
    assert set(statistics) == {SessionStatus.COMPLETED, SessionStatus.IN_PROGRESS}
    completed = statistics[SessionStatus.COMPLETED]
    assert (completed.session_count, completed.average_duration) == (2, timedelta(hours=2))
    assert (completed.sessions_with_errors_pct, completed.average_quality) == (
        Decimal(50),
        Decimal(90),
    )
    assert (completed.error_count, completed.recovered_count) == (3, 1)
    assert statistics[SessionStatus.IN_PROGRESS].average_duration is None
    assert (all_.session_count, all_.completed_count, all_.failed_count) == (3, 2, 0)
    assert (all_.median_duration, all_.p95_duration) == (
        timedelta(hours=2),
        timedelta(hours=2.9),
    )
    assert (all_.error_count, all_.sessions_with_errors_pct) == (3, Decimal("33.33"))
    assert (late.session_count, late.average_duration) == (2, timedelta(hours=1))
    none = sessions.summary(conn, until=open_.created_at - timedelta(days=1))
    assert (none.session_count, none.average_quality, none.error_count) == (0, None, 0)


# Connections


async def test_an_agent_works_on_an_asynchronous_connection(
    aconn: psycopg.AsyncConnection[Any],
) -> None:
    job = await design.create_job(aconn, project_id=uuid4())
    await design.start_job(aconn, job.id)
    await design.complete_job(aconn, job.id)
    assert (await design.validate_job_completed(aconn, job.id)).id == job.id

    session = await sessions.create(aconn, design_job_id=job.id)
    await sessions.start(aconn, session.id)

    with pytest.raises(ValidationError, match="missing: prd"):
        await design.load_outputs(aconn, job.id)
    assert (await sessions.complete(aconn, session.id)).progress_percentage == 100


def test_a_service_that_may_write_does_all_of_it(
    database_url: str, make_role: Callable[[], tuple[str, str]]
) -> None:
    role, url = make_role()
    with connect(database_url, autocommit=True) as owner:
        roles.grant(owner, "taskdb", role, "app")

    with connect(url, autocommit=True) as conn:
        session = make_session(conn)
        say(conn, session.id)
        documents.add(conn, session_id=session.id, trd_content="x")
        design.delete_job(conn, session.design_job_id)

        assert counts(conn) == [0, 0, 0, 0, 0]
