"""Broken promises: statements that bypass the triggers, and what the doctor finds of each."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from tests.plans import Plan

TABLES = (
    *("epics", "features", "tasks", "task_details", "task_history", "task_dependencies"),
    *("workflows", "workflow_steps", "workflow_step_needs", "workflow_executions"),
    *("execution_steps", "external_dependencies", "task_status_transitions"),
    *("technical_specs", "spec_dependencies", "implementation_tasks", "claim_pauses"),
)


@contextmanager
def triggers_off(conn: psycopg.Connection[Any]) -> Generator[None]:
    """Let the owner of the tables write what the triggers would not."""
    for table in TABLES:
        conn.execute(f"alter table {table} disable trigger user".encode())
    yield
    for table in TABLES:
        conn.execute(f"alter table {table} enable trigger user".encode())


def break_it(conn: psycopg.Connection[Any], *statements: str) -> None:
    with triggers_off(conn):
        for statement in statements:
            conn.execute(statement.encode())


@dataclass(frozen=True)
class Breakage:
    """Statements that break one promise, and what is to be said of it."""

    statements: tuple[str, ...]
    invariant: str
    subject: str
    found: str
    expected: str


PLAN = Plan()
