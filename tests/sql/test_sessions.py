"""Tech-spec sessions and design jobs: the usage of document 4, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import IsolationLevel, sql
from psycopg.errors import SerializationFailure

from taskdb.database import connect, roles
from taskdb.errors import (
    IntegrityError,
    InvalidTransitionError,
    NotFoundError,
    ValidationError,
    translate,
)
from taskdb.models import (
    ConversationRole,
    DesignJob,
    DesignJobStatus,
    DesignOutputType,
    SessionStatus,
    TechResearch,
    TechSpecSession,
)
from taskdb.queries import agent_errors, conversations, design, documents, research, sessions
from tests.interleave import LEVELS, READ_COMMITTED, Session, wait_blocked

Connection = psycopg.Connection[Any]

OPTIONS: list[dict[str, Any]] = [
    {"name": "PostgreSQL", "score": 9, "pros": ["SQL"]},
    {"name": "MongoDB", "score": 6},
]
TABLES = [
    "tech_spec_sessions",
    "tech_research",
    "tech_conversations",
    "generated_trd_documents",
    "agent_error_logs",
]


def make_job(conn: Connection, *, completed: bool = True) -> DesignJob:
    job = design.create_job(conn, project_id=uuid4())
    if not completed:
        return job
    design.start_job(conn, job.id)
    return design.complete_job(conn, job.id)


def make_session(conn: Connection, *, started: bool = True, **given: Any) -> TechSpecSession:
    given = {"design_job_id": make_job(conn).id} | given
    session = sessions.create(conn, **given)
    return sessions.start(conn, session.id) if started else session


def make_research(conn: Connection, session_id: UUID, category: str = "database") -> TechResearch:
    return research.add(
        conn, session_id=session_id, technology_category=category, researched_options=OPTIONS
    )


def say(conn: Connection, session_id: UUID, message: str = "Which database?", **given: Any) -> UUID:
    given = {"role": ConversationRole.AGENT} | given
    return conversations.append(conn, session_id=session_id, message=message, **given).id


def log(conn: Connection, session_id: UUID, node: str = "research") -> UUID:
    return agent_errors.log(
        conn, session_id=session_id, node=node, error_type="timeout", message="No answer"
    ).id


def counts(conn: Connection) -> list[int]:
    """Count the rows of each table of sessions."""
    return [
        cast("tuple[int]", conn.execute(f"select count(*) from {table}".encode()).fetchone())[0]
        for table in TABLES
    ]


# The Design Agent's part


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


# Research


def test_research_has_options_and_one_of_them_is_chosen(conn: Connection) -> None:
    session = make_session(conn)
    begun = research.add(
        conn,
        session_id=session.id,
        technology_category="database",
        gap_description="The design names no database",
    )
    cache = make_research(conn, session.id, "cache")

    with pytest.raises(ValidationError, match="one of the researched_options"), conn.transaction():
        research.choose(conn, begun.id, technology="PostgreSQL")
    research.set_options(conn, begun.id, researched_options=OPTIONS)
    chosen = research.choose(conn, begun.id, technology="PostgreSQL", reasoning="SQL")
    with pytest.raises(ValidationError) as refused, conn.transaction():
        research.set_options(conn, begun.id, researched_options=OPTIONS[1:])
    again = research.choose(conn, begun.id, technology="MongoDB")

    assert (begun.researched_options, begun.decided_at) == (None, None)
    assert (chosen.selected_technology, chosen.selection_reasoning) == ("PostgreSQL", "SQL")
    assert chosen.researched_options == OPTIONS
    assert chosen.decided_at is not None
    assert refused.value.field == "selected_technology"
    assert (again.selected_technology, again.selection_reasoning) == ("MongoDB", None)
    assert research.get(conn, begun.id) == again
    assert research.list_for_session(conn, session.id) == [again, cache]
    assert research.list_for_session(conn, session.id, technology_category="cache") == [cache]
    assert research.list_by_category(conn, "database") == [again]


# Conversations


def test_a_conversation_is_read_newest_first_page_by_page(conn: Connection) -> None:
    session = make_session(conn)
    said = [say(conn, session.id, f"{number}") for number in range(7)]
    say(conn, make_session(conn).id, "elsewhere")

    pages: list[list[UUID]] = []
    after: dict[str, Any] = {}
    for _ in range(3):
        page = conversations.list_messages(conn, session.id, limit=3, **after)
        pages.append([one.id for one in page])
        after = {"after_created_at": page[-1].created_at, "after_id": page[-1].id}
        # A message added meanwhile shifts no page.
        say(conn, session.id, "meanwhile")

    assert pages == [said[6:3:-1], said[3:0:-1], said[:1]]
    assert conversations.list_messages(conn, session.id, **after) == []


def test_a_message_is_of_its_session_and_about_its_research(conn: Connection) -> None:
    session, other = make_session(conn), make_session(conn)
    found = make_research(conn, session.id)

    about = conversations.append(
        conn,
        session_id=session.id,
        role=ConversationRole.USER,
        message="PostgreSQL, please",
        message_type="decision",
        research_id=found.id,
        metadata={"tokens": 3},
    )
    say(conn, session.id)
    with pytest.raises(IntegrityError) as refused, conn.transaction():
        say(conn, other.id, research_id=found.id)

    listed = conversations.list_about_research(conn, session_id=session.id, research_id=found.id)
    assert listed == [about]
    assert (about.message_type, about.metadata) == ("decision", {"tokens": 3})
    assert refused.value.field == "research_id"
    assert refused.value.rule == "must name research of the same session"
    assert conversations.list_messages(conn, other.id) == []


def test_what_was_said_is_not_changed(conn: Connection) -> None:
    say(conn, make_session(conn).id)

    with pytest.raises(psycopg.Error) as refused, conn.transaction():
        conn.execute("update tech_conversations set message = 'other'")

    assert isinstance(translate(refused.value), IntegrityError)


# Documents


def test_documents_have_versions_and_what_their_validation_found(conn: Connection) -> None:
    session = make_session(conn)
    first = documents.add(
        conn,
        session_id=session.id,
        trd_content="# TRD",
        api_specification="openapi: 3.1.0",
        database_schema="create table t ()",
        architecture_diagram="graph TD",
        tech_stack_document="PostgreSQL",
    )
    assert documents.newest(conn, make_session(conn).id) is None
    second = documents.add(
        conn, session_id=session.id, trd_content="# Better", quality_score=Decimal("80")
    )
    validated = documents.set_validation(
        conn, first.id, quality_score=Decimal("92.5"), validation_report={"missing": ["SLA"]}
    )

    found = documents.get_version(conn, session_id=session.id, version=1)
    assert (first.version, second.version, first.quality_score) == (1, 2, None)
    assert documents.get(conn, first.id) == found
    assert (found.quality_score, found.validation_report) == (Decimal("92.5"), {"missing": ["SLA"]})
    assert (found.api_specification, found.tech_stack_document) == ("openapi: 3.1.0", "PostgreSQL")
    newest = documents.newest(conn, session.id)
    assert newest is not None
    assert (newest.version, newest.trd_content) == (2, "# Better")
    assert documents.list_versions(conn, session.id) == [second, validated]
    best = documents.list_by_quality(conn, limit=1)
    assert best == [validated]
    assert documents.list_by_quality(conn, at_least=Decimal(90)) == [validated]
    rest = documents.list_by_quality(conn, after_quality=best[0].quality_score, after_id=best[0].id)
    assert rest == [second]
    assert sessions.get(conn, session.id).newest_version == 2


def test_a_document_keeps_its_version(conn: Connection) -> None:
    documents.add(conn, session_id=make_session(conn).id, trd_content="# TRD")

    with pytest.raises(psycopg.Error) as refused, conn.transaction():
        conn.execute("update generated_trd_documents set version = 7")

    assert isinstance(translate(refused.value), IntegrityError)


@pytest.mark.parametrize("level", LEVELS)
def test_two_writers_of_a_session_never_get_one_version(
    database_url: str, level: IsolationLevel
) -> None:
    with connect(database_url, autocommit=True) as conn:
        session = make_session(conn)

    def add(conn: Connection) -> int:
        return documents.add(conn, session_id=session.id, trd_content="# TRD").version

    with (
        Session(database_url, isolation=level, name="first") as a,
        Session(database_url, isolation=level, name="second") as b,
    ):
        assert a.run("adds", add) == 1
        step = b.start("adds too", add)
        wait_blocked(b, by=a)
        a.commit()
        if level == READ_COMMITTED:
            assert step.result() == 2
        else:
            assert isinstance(step.error(), SerializationFailure)
            b.rollback()
            assert b.run("adds again", add) == 2
        b.commit()


# Errors of agents


def test_errors_are_logged_tried_again_and_got_over(conn: Connection) -> None:
    session = make_session(conn)
    since = session.created_at
    lost = agent_errors.log(
        conn,
        session_id=session.id,
        node="research",
        error_type="timeout",
        message="No answer",
        stack_trace="Traceback ...",
    )
    other, third = log(conn, session.id, "generate"), log(conn, make_session(conn).id)

    agent_errors.count_retry(conn, lost.id)
    agent_errors.count_retry(conn, lost.id)
    healed = agent_errors.mark_recovered(conn, lost.id, recovery_strategy="smaller prompt")

    assert (lost.retry_count, lost.recovered, lost.stack_trace) == (0, False, "Traceback ...")
    assert (healed.retry_count, healed.recovered) == (2, True)
    assert healed.recovery_strategy == "smaller prompt"
    assert agent_errors.get(conn, lost.id) == healed
    listed = agent_errors.list_for_session(conn, session.id)
    assert [one.id for one in listed] == [other, lost.id]
    by_node = agent_errors.list_errors(conn, node="research")
    assert [one.id for one in by_node] == [third, lost.id]
    assert agent_errors.list_errors(conn, node="research", recovered=True) == [healed]
    assert [one.id for one in agent_errors.list_errors(conn, recovered=False)] == [third, other]
    rates = [
        (one.node, one.error_count, one.recovered_count, one.recovery_pct, one.average_retries)
        for one in agent_errors.list_recovery(conn)
    ]
    assert rates == [
        ("generate", 1, 0, Decimal(0), Decimal(0)),
        ("research", 2, 1, Decimal(50), Decimal(1)),
    ]
    rate = agent_errors.recovery_since(conn, since)
    assert (rate.error_count, rate.recovery_pct) == (3, Decimal("33.33"))
    assert agent_errors.recovery_since(conn, since, node="research").recovery_pct == 50
    later = agent_errors.recovery_since(conn, since + timedelta(days=1))
    assert (later.error_count, later.recovery_pct) == (0, None)


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


# Refusals


@pytest.mark.parametrize(
    ("act", "field", "rule"),
    [
        (
            lambda conn, id: sessions.list_sessions(conn, status=cast("Any", "done")),
            "status",
            "must be one of pending, in_progress, paused, completed, failed",
        ),
        (
            lambda conn, id: sessions.update_progress(conn, id, progress_percentage=Decimal(101)),
            "progress_percentage",
            "must be between 0 and 100",
        ),
        (
            lambda conn, id: sessions.update_progress(conn, id, session_data=cast("Any", ["a"])),
            "session_data",
            "must be a dict",
        ),
        (lambda conn, id: sessions.fail(conn, id, reason=""), "reason", "must not be empty"),
        (
            lambda conn, id: conversations.append(
                conn, session_id=id, role=cast("Any", "robot"), message="x"
            ),
            "role",
            "must be one of user, agent, system",
        ),
        (
            lambda conn, id: say(conn, id, metadata=["a"]),
            "metadata",
            "must be a dict",
        ),
        (
            lambda conn, id: research.add(
                conn,
                session_id=id,
                technology_category="database",
                researched_options=[*OPTIONS, {"score": 1}],
            ),
            "researched_options",
            "must be a JSON array of objects, each with a name",
        ),
        (
            lambda conn, id: documents.add(
                conn, session_id=id, trd_content="x", quality_score=Decimal(101)
            ),
            "quality_score",
            "must be between 0 and 100",
        ),
        (
            lambda conn, id: documents.add(
                conn, session_id=id, trd_content="x", validation_report=cast("Any", "fine")
            ),
            "validation_report",
            "must be a dict",
        ),
        (
            lambda conn, id: design.put_output(
                conn, design_job_id=id, output_type=cast("Any", "logo"), content="x"
            ),
            "output_type",
            "must be one of prd, design_system",
        ),
    ],
)
def test_what_breaks_a_rule_is_refused_by_name_and_leaves_nothing(
    conn: Connection, act: Callable[[Connection, UUID], object], field: str, rule: str
) -> None:
    session = make_session(conn)

    with pytest.raises(ValidationError, match=rule) as refused, conn.transaction():
        act(conn, session.id)

    assert str(refused.value.field).startswith(field)
    assert sessions.get(conn, session.id) == session
    assert counts(conn) == [1, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("table", "column", "value", "rule"),
    [
        ("tech_spec_sessions", "progress_percentage", "101", "must be 0 to 100 inclusive"),
        ("tech_spec_sessions", "session_data", "[]", "must be a JSON object"),
        ("tech_spec_sessions", "failure_reason", "x", "must be null unless status is failed"),
        ("tech_research", "researched_options", '{"name": "x"}', "must be a JSON array of objects"),
        ("tech_research", "researched_options", '[{"name": ""}]', "each with a name"),
        ("tech_research", "researched_options", '[["x"]]', "must be a JSON array of objects"),
        ("tech_research", "selected_technology", "MongoDB", "must be set exactly when"),
        ("generated_trd_documents", "quality_score", "-1", "must be 0 to 100 inclusive"),
        ("generated_trd_documents", "validation_report", '"x"', "must be a JSON object"),
        ("agent_error_logs", "retry_count", "-1", "must not be negative"),
        ("agent_error_logs", "node", "", "must not be empty"),
    ],
)
def test_the_server_has_the_same_rules(
    conn: Connection, table: str, column: str, value: str, rule: str
) -> None:
    session = make_session(conn)
    make_research(conn, session.id)
    documents.add(conn, session_id=session.id, trd_content="x")
    log(conn, session.id)
    change = sql.SQL("update {} set {} = {}").format(
        sql.Identifier(table), sql.Identifier(column), sql.Literal(value)
    )

    with pytest.raises(psycopg.errors.CheckViolation) as refused, conn.transaction():
        conn.execute(change)

    error = translate(refused.value)
    assert isinstance(error, ValidationError)
    assert rule in str(error)


def test_a_completed_session_stays_all_done(conn: Connection) -> None:
    session = sessions.complete(conn, make_session(conn).id)

    with pytest.raises(ValidationError) as refused, conn.transaction():
        sessions.update_progress(conn, session.id, progress_percentage=Decimal(50))

    assert refused.value.field == "progress_percentage"
    assert refused.value.rule == "must be 100 once status is completed"


def test_what_names_nothing_that_is_there_is_refused(conn: Connection) -> None:
    gone = uuid4()
    for add in (
        lambda: make_research(conn, gone),
        lambda: say(conn, gone),
        lambda: documents.add(conn, session_id=gone, trd_content="x"),
        lambda: log(conn, gone),
    ):
        with pytest.raises(IntegrityError) as refused, conn.transaction():
            add()
        assert refused.value.field == "session_id"
    for add_to_job in (
        lambda: design.add_decision(conn, design_job_id=gone, decision_type="x", value="x"),
        lambda: design.put_output(
            conn, design_job_id=gone, output_type=DesignOutputType.PRD, content="x"
        ),
        lambda: design.add_progress(
            conn, design_job_id=gone, stage="x", progress_percentage=Decimal(1)
        ),
    ):
        with pytest.raises(IntegrityError) as refused, conn.transaction():
            add_to_job()
        assert refused.value.field == "design_job_id"
    for act in (
        lambda: sessions.create(conn, design_job_id=gone),
        lambda: sessions.start(conn, gone),
        lambda: sessions.update_progress(conn, gone, current_stage="x"),
        lambda: sessions.figures(conn, gone),
        lambda: research.choose(conn, gone, technology="x"),
        lambda: documents.set_validation(conn, gone, quality_score=None),
        lambda: agent_errors.count_retry(conn, gone),
        lambda: agent_errors.mark_recovered(conn, gone),
        lambda: design.start_job(conn, gone),
    ):
        with pytest.raises(NotFoundError):
            act()
    assert counts(conn) == [0, 0, 0, 0, 0]


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
