"""Secrets of projects are never shown."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from taskdb.database import connect, roles
from taskdb.errors import ValidationError
from taskdb.models import Project
from taskdb.queries import projects
from tests.sql.made_projects import CANARY, Connection, make_project


def test_secrets_are_fetched_by_their_own_function_and_never_shown(conn: Connection) -> None:
    project = make_project(conn)
    assert projects.environment(conn, project.id).variables == {}

    projects.set_environment(conn, project.id, variables={"TOKEN": CANARY})
    secret = projects.environment(conn, project.id)

    assert secret.variables == {"TOKEN": CANARY}
    assert CANARY not in f"{secret!r} {secret} {[secret]}"
    assert CANARY not in repr(projects.get(conn, project.id))
    assert "environment" not in " ".join(Project.__slots__)
    assert projects.find_by_variable(conn, "TOKEN") == [project.id]
    projects.set_environment(conn, project.id, variables={})
    assert projects.environment(conn, project.id).variables == {}


@pytest.mark.parametrize(
    "variables",
    [
        {"TOKEN": [CANARY]},
        {"TOKEN": CANARY + "\0"},
        {"TOKEN": CANARY + "\ud800"},
        [CANARY],
        CANARY,
        {1: CANARY},
        {"TOKEN": {CANARY}},
        None,
    ],
)
def test_no_error_tells_a_secret(
    conn: Connection, variables: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    project = make_project(conn)

    with pytest.raises(ValidationError) as refused, conn.transaction():
        projects.set_environment(conn, project.id, variables=variables)

    assert CANARY not in told(refused.value)
    assert CANARY not in caplog.text
    assert str(refused.value.field).startswith("variables")


@pytest.mark.parametrize("variables", [f'["{CANARY}"]', f'{{"TOKEN": "{CANARY}"}}'])
def test_no_detail_of_the_server_tells_a_secret(conn: Connection, variables: str) -> None:
    """Not that of a domain, nor that of the foreign key."""
    insert = "insert into project_environments (project_id, variables) values ($1, $2)"

    with pytest.raises(psycopg.IntegrityError) as refused, conn.transaction():
        conn.execute(insert, (uuid4(), variables))

    assert CANARY not in str(refused.value)
    assert CANARY not in str(refused.value.diag.message_detail)


def told(error: BaseException) -> str:
    """All that an error, and what caused it, would leave in a log."""
    notes = " ".join(getattr(error, "__notes__", []))
    # The frames' own source lines are this test's.
    said = "".join(traceback.format_exception_only(error))
    more = told(error.__cause__) if error.__cause__ else ""
    return f"{error!r} {error.args!r} {notes} {said} {more}"


@pytest.mark.slow
def test_a_reader_reads_projects_and_no_secrets(
    database_url: str, make_role: Callable[[], tuple[str, str]]
) -> None:
    reader, reader_url = make_role()
    writer, writer_url = make_role()
    with connect(database_url, autocommit=True) as owner:
        project = make_project(owner)
        projects.set_environment(owner, project.id, variables={"TOKEN": CANARY})
        roles.grant(owner, "taskdb", reader, "reader")
        roles.grant(owner, "taskdb", writer, "app")

    with connect(reader_url, autocommit=True) as conn:
        assert projects.get(conn, project.id).name == "shop"
        for act in (
            lambda: projects.environment(conn, project.id),
            lambda: projects.find_by_variable(conn, "TOKEN"),
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                act()
    with connect(writer_url, autocommit=True) as conn:
        assert projects.environment(conn, project.id).variables == {"TOKEN": CANARY}
