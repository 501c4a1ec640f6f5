"""Modifications: asked for, approved, applied to the files, or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from taskdb.database import connect
from taskdb.errors import InvalidTransitionError, VersionConflictError
from taskdb.models import ModificationStatus
from taskdb.queries import modifications, projects
from tests.interleave import Session, wait_blocked
from tests.sql.made_projects import Connection, make_approved, make_project


def test_a_modification_is_asked_for_approved_and_applied_to_the_files(conn: Connection) -> None:
    project = make_project(conn, codebase={"main.py": "old", "gone.py": "x", "kept.py": "y"})

    asked = modifications.request(
        conn,
        project_id=project.id,
        request="Add authentication",
        requested_by="ann",
        affected_files=["main.py", "auth.py"],
        impact_analysis={"risk": "low"},
    )
    approved = modifications.approve(conn, asked.id)
    applied = modifications.apply(
        conn,
        asked.id,
        modified_files={"main.py": "new", "auth.py": "z", "gone.py": None},
        test_results={"passed": 12},
    )

    assert (asked.status, asked.base_version) == (ModificationStatus.PENDING, 1)
    assert (approved.approved_at is None, approved.ended_at) == (False, None)
    assert applied.status == ModificationStatus.APPLIED
    assert applied.applied_at == applied.ended_at is not None
    found = projects.get(conn, project.id)
    assert found.codebase == {"main.py": "new", "auth.py": "z", "kept.py": "y"}
    assert found.version == 2
    assert modifications.find_by_test_results(conn, {"passed": 12}) == [applied]
    assert modifications.find_by_impact(conn, {"risk": "low"}) == [applied]
    assert modifications.list_modifications(conn, project_id=project.id) == [applied]


def test_a_file_put_while_a_modification_is_applied_loses_neither(database_url: str) -> None:
    with connect(database_url, autocommit=True) as conn:
        project = make_project(conn, codebase={"a": "0"})
        id = make_approved(conn, project.id)

    with Session(database_url, name="first") as a, Session(database_url, name="second") as b:
        a.run("applies", lambda conn: modifications.apply(conn, id, modified_files={"a": "1"}))
        b.start("puts", lambda conn: projects.put_file(conn, project.id, path="b", content="2"))
        wait_blocked(b, by=a)
        a.commit()
        b.commit()

    with connect(database_url) as conn:
        assert projects.get(conn, project.id).codebase == {"a": "1", "b": "2"}


MOVES: dict[str, Callable[[Connection, UUID], Any]] = {
    "approved": modifications.approve,
    "applied": lambda conn, id: modifications.apply(conn, id, modified_files={}),
    "failed": lambda conn, id: modifications.fail(conn, id, test_results={"failed": 1}),
    "rejected": modifications.reject,
}
WAYS: dict[str, list[str]] = {
    "pending": [],
    "approved": ["approved"],
    "applied": ["approved", "applied"],
    "failed": ["approved", "failed"],
    "rejected": ["rejected"],
}


@pytest.mark.parametrize("new", MOVES)
@pytest.mark.parametrize("old", WAYS)
def test_a_modification_moves_as_the_table_of_moves_says(
    conn: Connection, old: str, new: str
) -> None:
    allowed = conn.execute(
        "select from modification_status_transitions where old_status = $1 and new_status = $2",
        (old, new),
    ).fetchone()
    id = modifications.request(
        conn, project_id=make_project(conn).id, request="x", requested_by="ann"
    ).id
    for step in WAYS[old]:
        MOVES[step](conn, id)

    if allowed is not None:
        assert MOVES[new](conn, id).status == new
    else:
        with pytest.raises(InvalidTransitionError), conn.transaction():
            MOVES[new](conn, id)
        assert modifications.get(conn, id).status == old


def test_a_modification_is_refused_if_the_project_changed_since_the_approval(
    conn: Connection,
) -> None:
    project = make_project(conn, codebase={"a": "1"})
    id = make_approved(conn, project.id)
    projects.put_file(conn, project.id, path="a", content="2")

    with pytest.raises(VersionConflictError, match="changed since") as refused, conn.transaction():
        modifications.apply(conn, id, modified_files={"a": "3"})

    assert refused.value.sqlstate == "TD006"
    assert projects.get(conn, project.id).codebase == {"a": "2"}
    assert modifications.get(conn, id).status == ModificationStatus.APPROVED
    modifications.fail(conn, id)
    modifications.approve(conn, id)
    modifications.apply(conn, id, modified_files={"a": "3"})
    assert projects.get(conn, project.id).codebase == {"a": "3"}
