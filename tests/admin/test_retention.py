"""Retention deletes old rows, and nothing else: `taskdb prune`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from taskdb.admin import retention
from taskdb.database import connect
from taskdb.errors import ValidationError
from taskdb.models import ConversationRole
from taskdb.models.admin.retention import Pruned
from taskdb.queries import agent_errors, conversations, design, documents, research, sessions
from tests.command_line import Caller

Connection = psycopg.Connection[Any]
CONVERSATIONS, ERRORS = retention.TABLES


@pytest.fixture
def filled(database_url: str) -> str:
    """A database with a session whose seven messages, and errors, are 0, 20, .. 120 days old.

    All that belongs to the session besides is 120 days old.
    """
    with connect(database_url) as conn:
        job = design.create_job(conn, project_id=uuid4())
        session = sessions.create(conn, design_job_id=job.id)
        research.add(conn, session_id=session.id, technology_category="database")
        documents.add(conn, session_id=session.id, trd_content="# TRD")
        for table in ("tech_spec_sessions", "tech_research", "generated_trd_documents"):
            age(conn, table, 120)
        for days in range(120, -1, -20):
            conversations.append(
                conn, session_id=session.id, role=ConversationRole.USER, message=f"{days}"
            )
            agent_errors.log(
                conn, session_id=session.id, node="x", error_type="x", message=f"{days}"
            )
        conn.execute("alter table tech_conversations disable trigger user")
        for table in retention.TABLES:
            conn.execute(
                (
                    f"update {table} set created_at = now() - make_interval(days => message::int)"
                ).encode()
            )
        conn.execute("alter table tech_conversations enable trigger user")
    return database_url


def age(conn: Connection, table: str, days: int) -> None:
    conn.execute(
        f"update {table} set created_at = now() - make_interval(days => $1)".encode(), (days,)
    )


def left(url: str, table: str) -> list[str]:
    with connect(url) as conn:
        rows = conn.execute(f"select message from {table} order by created_at desc".encode())
        return [message for (message,) in rows]


@pytest.fixture
def taskdb(capsys: pytest.CaptureFixture[str], filled: str) -> Caller:
    return Caller(capsys, filled)


@pytest.mark.slow
def test_messages_and_errors_go_when_they_are_old_and_all_else_stays(taskdb: Caller) -> None:
    counted = taskdb("prune", "--older-than", "70d", "--dry-run", "--json").data
    assert left(taskdb.url, CONVERSATIONS) == ["0", "20", "40", "60", "80", "100", "120"]

    pruned = taskdb("prune", "--older-than", "10w", "--batch-size", "2")
    again = taskdb("prune", "--older-than", "1680h", "--json").data

    assert (counted["dry_run"], again["dry_run"]) == (True, False)
    assert counted["rows"] == {CONVERSATIONS: 3, ERRORS: 3}
    assert pruned.out.splitlines()[1:] == [f"{CONVERSATIONS}  3", f"{ERRORS}    3"]
    assert pruned.err.startswith("Older than 20")
    assert again["rows"] == {CONVERSATIONS: 0, ERRORS: 0}
    for table in retention.TABLES:
        assert left(taskdb.url, table) == ["0", "20", "40", "60"]
    with connect(taskdb.url) as conn:
        (session,) = sessions.list_sessions(conn)
        assert len(research.list_for_session(conn, session.id)) == 1
        assert documents.newest(conn, session.id) is not None


def test_each_batch_is_of_the_oldest_and_committed_by_itself(filled: str) -> None:
    with connect(filled) as conn:
        before = retention.cutoff(conn, timedelta(days=50))
        batches = retention.prune(conn, before=before, batch_size=2)

        first = next(batches)
        seen = left(filled, CONVERSATIONS)
        batches.close()  # interrupted
        rest = list(retention.prune(conn, before=before, batch_size=2))

    assert first == Pruned(CONVERSATIONS, 2)
    assert seen == ["0", "20", "40", "60", "80"]
    assert rest == [Pruned(CONVERSATIONS, 2), Pruned(ERRORS, 2), Pruned(ERRORS, 2)]
    assert left(filled, CONVERSATIONS) == left(filled, ERRORS) == ["0", "20", "40"]


def test_what_another_session_has_locked_is_left_and_not_waited_for(filled: str) -> None:
    with connect(filled) as holder, connect(filled) as conn:
        holder.execute("select from agent_error_logs where message = '120' for update")
        conn.execute("set lock_timeout = '5s'")
        conn.commit()
        before = retention.cutoff(conn, timedelta(days=50))

        pruned = list(retention.prune(conn, before=before))

    assert pruned == [Pruned(CONVERSATIONS, 4), Pruned(ERRORS, 3)]
    assert left(filled, ERRORS) == ["0", "20", "40", "120"]


def test_an_age_out_of_range_deletes_nothing(conn: Connection) -> None:
    for older_than in (timedelta(0), timedelta(minutes=59), timedelta(days=-90)):
        with pytest.raises(ValidationError) as refused:
            retention.cutoff(conn, older_than)
        assert refused.value.field == "older_than"
    before = retention.cutoff(conn, timedelta(days=1))
    with pytest.raises(ValidationError, match="batch_size"):
        list(retention.prune(conn, before=before, batch_size=0))


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ((), 2, "Missing option '--older-than'"),
        (("--older-than", "90"), 2, "'90' is no age; write it as 36h, 90d or 12w"),
        (("--older-than", "-90d"), 2, "is no age"),
        (("--older-than", "0d"), 1, "older_than must be between"),
        (("--older-than", "9999999w"), 2, "is no age"),
        (("--older-than", "90d", "--batch-size", "0"), 2, "0 is not in the range"),
    ],
)
def test_a_wrong_call_says_how_and_deletes_nothing(
    taskdb: Caller, arguments: tuple[str, ...], status: int, told: str
) -> None:
    outcome = taskdb("prune", *arguments)

    assert (outcome.status, outcome.out) == (status, "")
    assert told in outcome.err
    assert len(left(taskdb.url, CONVERSATIONS)) == 7
