"""The figures of document 4, kept by a factor of five: 5 to 50 ms for reading sessions.

At a twentieth in every run; whole, with 100,000 sessions and a million messages, by `-m large`.
The plans are asserted as well: which indexes are read, and that no table is read whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from taskdb.database import connect
from taskdb.models import SessionStatus
from taskdb.queries import conversations, documents, research, sessions
from taskdb.queries.admin import seed
from taskdb.testing.databases import Databases
from tests.clocks import FACTOR, median_ms

Connection = psycopg.Connection[Any]
ROUNDS = 50
TABLES = {
    "design_jobs",
    "tech_spec_sessions",
    "tech_research",
    "tech_conversations",
    "generated_trd_documents",
}
WHOLE = 1_000_000  # tasks: sessions are a tenth of them, messages as many


@dataclass(frozen=True)
class Figure:
    """Document 4 allows *limit_ms* for *what*, which finds its rows by *indexes* (patterns)."""

    what: str
    limit_ms: int
    indexes: set[str]
    ask: Callable[[Connection], object]


def fill(url: str, tasks: int) -> None:
    """Fill the tables of sessions as `taskdb db seed` does beside *tasks* tasks."""
    with connect(url) as conn:
        for add_shared in (
            seed.add_design_jobs,
            seed.add_design_outputs,
            seed.add_design_decisions,
            seed.add_design_progress,
            seed.add_sessions,
        ):
            add_shared(conn, tasks=tasks, seed=1)
        for add in (
            seed.add_research,
            seed.add_conversations,
            seed.add_documents,
            seed.add_agent_errors,
        ):
            add(conn)
    with connect(url, autocommit=True) as conn:
        for table in ("tech_spec_sessions", "tech_research", "tech_conversations"):
            conn.execute(f"vacuum analyze {table}".encode())
        conn.execute("vacuum analyze design_jobs, generated_trd_documents, agent_error_logs")


def one(conn: Connection, statement: str) -> Any:
    row = conn.execute(statement.encode()).fetchone()
    assert row is not None
    return row[0]


def figures(conn: Connection) -> list[Figure]:
    """Return the measurements of the session that talks most; some pages begin in the middle."""
    talker = one(
        conn,
        "select session_id from tech_conversations group by session_id order by count(*) desc, "
        "session_id limit 1",
    )
    author = one(conn, "select session_id from generated_trd_documents where version = 3 limit 1")
    said = conversations.list_messages(conn, talker, limit=15)
    count = one(conn, "select count(*) from tech_spec_sessions")
    middle = conn.execute(
        "select created_at, id from tech_spec_sessions order by created_at offset $1 limit 1",
        (count // 2,),
    ).fetchone()
    assert middle is not None
    (category, *_) = research.list_for_session(conn, talker)
    by_status, job = "tech_spec_sessions_by_status", "design_jobs_pkey"
    later = {"after_created_at": middle[0], "after_id": middle[1]}
    return [
        Figure("session by id", 5, {"tech_spec_sessions_pkey"}, lambda c: sessions.get(c, talker)),
        *(
            Figure(
                f"sessions {status}{' from the middle on' if after else ''}",
                10,
                {by_status},
                lambda c, status=status, after=after: sessions.list_sessions(  # type: ignore[misc]
                    c, status=status, limit=50, **after
                ),
            )
            for status in (SessionStatus.COMPLETED, SessionStatus.PAUSED)
            for after in ({}, later)
        ),
        Figure(
            "research of a session",
            10,
            # Few rows: either index of sessions will do.
            {"tech_research_(in_order|by_session_and_category)"},
            lambda c: research.list_for_session(c, talker),
        ),
        Figure(
            "research of a session in a category",
            10,
            {"tech_research_by_session_and_category"},
            lambda c: research.list_for_session(
                c, talker, technology_category=category.technology_category
            ),
        ),
        Figure(
            "conversation, newest",
            20,
            {"tech_conversations_by_session"},
            lambda c: conversations.list_messages(c, talker),
        ),
        Figure(
            "conversation, next page",
            20,
            {"tech_conversations_by_session"},
            lambda c: conversations.list_messages(
                c, talker, after_created_at=said[-1].created_at, after_id=said[-1].id
            ),
        ),
        *(
            Figure(
                f"sessions {status} with their design jobs",
                50,
                {by_status, job},
                lambda c, status=status: sessions.list_with_jobs(  # type: ignore[misc]
                    c, status=status, limit=50
                ),
            )
            for status in (SessionStatus.COMPLETED, SessionStatus.IN_PROGRESS)
        ),
        Figure(
            "newest document of a session",
            10,
            {"generated_trd_documents_version_once_per_session"},
            lambda c: documents.newest(c, author),
        ),
    ]


def scans(conn: Connection) -> dict[str, int]:
    """Count this transaction's scans of each table, and of each index."""
    rows = conn.execute(
        "select relname, pg_stat_get_xact_numscans(oid) from pg_class where relnamespace in "
        "('taskdb'::regnamespace, 'shared'::regnamespace) and relkind in ('r', 'i')"
    )
    return dict(rows.fetchall())


def read_by(conn: Connection, ask: Callable[[Connection], object], mode: str) -> set[str]:
    """Return the tables that *ask* scans, and the indexes that it, or its planner, looks into."""
    with conn.transaction(force_rollback=True):
        conn.execute(f"set local plan_cache_mode = {mode}".encode())
        before = scans(conn)
        assert ask(conn)
        after = scans(conn)
    return {name for name, count in after.items() if count > before[name]}


def measure(conn: Connection) -> None:
    for figure in figures(conn):
        for mode in ("force_custom_plan", "force_generic_plan"):
            used = read_by(conn, figure.ask, mode)
            assert not [name for name in used if name in TABLES], (figure.what, mode, used)
            for index in figure.indexes:
                assert any(re.fullmatch(index, name) for name in used), (figure.what, mode, used)
        taken = median_ms(lambda figure=figure: figure.ask(conn), ROUNDS)  # type: ignore[misc]
        print(f"\n{figure.what}: {taken:.2f} ms of {figure.limit_ms}")
        assert taken < figure.limit_ms / FACTOR, figure.what


@pytest.mark.timing
def test_figures_of_sessions_hold(databases: Databases, template: str) -> None:
    url = databases.clone(template)
    fill(url, WHOLE // 20)
    with connect(url, autocommit=True) as conn:
        measure(conn)
    databases.drop(url)


@pytest.mark.large
def test_figures_hold_at_a_million_messages_of_a_hundred_thousand_sessions(
    databases: Databases, template: str
) -> None:
    url = databases.clone(template)
    fill(url, WHOLE)
    with connect(url, autocommit=True) as conn:
        assert one(conn, "select count(*) from tech_spec_sessions") >= 100_000
        assert one(conn, "select count(*) from tech_conversations") >= 1_000_000
        measure(conn)
    databases.drop(url)
