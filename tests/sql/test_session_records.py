"""Research, conversations, documents and errors of a session."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import IsolationLevel
from psycopg.errors import SerializationFailure

from taskdb.database import connect
from taskdb.errors import IntegrityError, ValidationError, translate
from taskdb.models import ConversationRole
from taskdb.queries import agent_errors, conversations, documents, research, sessions
from tests.interleave import LEVELS, READ_COMMITTED, Session, wait_blocked
from tests.sql.made_sessions import OPTIONS, Connection, log, make_research, make_session, say

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
