"""Design jobs, sessions and their research to test on."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID, uuid4

import psycopg

from taskdb.models import ConversationRole, DesignJob, TechResearch, TechSpecSession
from taskdb.queries import agent_errors, conversations, design, research, sessions

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
