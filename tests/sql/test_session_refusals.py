"""Refusals of sessions and of their records, by name, and without a trace."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, cast
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from taskdb.errors import IntegrityError, NotFoundError, ValidationError, translate
from taskdb.models import DesignOutputType
from taskdb.queries import agent_errors, conversations, design, documents, research, sessions
from tests.sql.made_sessions import (
    OPTIONS,
    Connection,
    counts,
    log,
    make_research,
    make_session,
    say,
)


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
