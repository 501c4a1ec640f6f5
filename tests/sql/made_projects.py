"""Projects and modifications to test on."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg

from taskdb.models import ProjectSummary
from taskdb.queries import modifications, projects

Connection = psycopg.Connection[Any]

CANARY = "hunter2-s3cr3t-canary"


def make_project(conn: Connection, name: str = "shop", **given: Any) -> ProjectSummary:
    given = {"codebase": {}, **given}
    return projects.create(conn, name=name, type="api", owner_id="ann", **given)


def make_approved(conn: Connection, project_id: UUID) -> UUID:
    wish = modifications.request(
        conn, project_id=project_id, request="Add authentication", requested_by="ann"
    )
    return modifications.approve(conn, wish.id).id
