"""Roles: who may do what in a workspace.

::

    roles.create(conn, "planner")
    roles.grant(conn, "taskdb", "planner", "app")

A role is granted a workspace as one of four kinds: an *owner* migrates it and hands out rights, an
*app* does all that taskdb's functions do, a *worker* claims tasks and ends its claims, a *reader*
reads. What each may do stands in ``sql/roles/``, plain grants that psql runs as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final, Literal, LiteralString, TypeAlias, cast, get_args

from psycopg import Connection, errors, sql

from taskdb.database.naming import execute
from taskdb.database.settings import SHARED, Workspace, check_name
from taskdb.database.workspaces import names, set_search_path
from taskdb.errors import DatabaseError, ValidationError
from taskdb.models.admin.workspaces import RoleGrant
from taskdb.places import SQL
from taskdb.queries.admin import workspaces as queries
from taskdb.query import Length, Size, checked

__all__ = ["KINDS", "Kind", "create", "drop", "grant", "grant_shared", "refresh", "revoke", "show"]

Kind: TypeAlias = Literal["owner", "app", "worker", "reader"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
# PostgreSQL cuts longer names off.
Role = Annotated[str, Length(1), Size(63)]
Password = Annotated[str, Length(1, 1000)]

_FOLDER: Final = SQL / "roles"
_INCLUDE: Final = re.compile(r"^\\ir (\S+)$", re.MULTILINE)
_VARIABLE: Final = re.compile(r':"(?:workspace|owner|role)"| :option')
_CLAUSE: Final = "with grant option"


@checked
def create(conn: Connection[Any], role: Role, *, password: Password | None = None) -> bool:
    """Create a role that may log in, without any right; return False if it was there.

    The password is made a SCRAM secret here, so that no server log has it. A role that is there
    keeps its own. Raises psycopg's `InsufficientPrivilege` if the caller may not create roles.
    """
    if queries.role_exists(conn, name=role):
        return False
    statement = sql.SQL("create role {} login").format(sql.Identifier(role))
    if password is not None:
        secret = conn.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
        statement = sql.SQL("{} password {}").format(statement, sql.Literal(secret.decode()))
    conn.execute(statement)
    return True


@checked
def drop(conn: Connection[Any], role: Role) -> None:
    """Drop a role that owns nothing and was granted nothing any more, if it is there."""
    execute(conn, "drop role if exists {role}", role=role)


@checked
def grant(conn: Connection[Any], workspace: Workspace, role: Role, kind: Kind) -> None:
    """Let *role* do in a workspace what its *kind* does, and take back what it was granted before.

    All in one transaction. Later migrations extend it: `taskdb.migrations.up` grants again what
    the kinds of all roles are granted by then. An owner gets the schema and all that is in it;
    where there is no workspace of that name yet, an empty one.

    Raises `ValidationError` for an unknown role or kind; `DatabaseError` if the workspace is not
    there or older than this package, or if ``shared`` is not the caller's to grant and the role
    may not use it.
    """
    _refuse_unknown_role(conn, role)
    with conn.transaction():
        if kind == "owner":
            _hand_over(conn, check_name(workspace), role)
        else:
            _refuse_missing(conn, workspace)
            _refuse_owner(conn, workspace, role)
            _take_back(conn, workspace, role)
            _run(conn, workspace, f"{kind}.sql", role=role)
        if queries.may_grant_on(conn, name=SHARED):
            grant_shared(conn, role, grantable=kind == "owner")
        elif not queries.has_usage(conn, role=role, name=SHARED):
            raise DatabaseError(
                f"role {role} may not use schema shared, which is not yours to grant",
                hint=f"Let the owner of schema shared run: taskdb roles grant {role} --shared",
            )


@checked
def grant_shared(conn: Connection[Any], role: Role, *, grantable: bool = False) -> None:
    """Let *role* use the types and functions of ``shared``, which has no rows of anybody.

    With *grantable* it may hand that on: the owner of a workspace needs this for its services.
    """
    _refuse_unknown_role(conn, role)
    if queries.owner_of(conn, name=SHARED) == role:
        return
    with conn.transaction():
        _run(conn, SHARED, "shared.sql", role=role, option=_CLAUSE if grantable else "")


@checked
def revoke(conn: Connection[Any], workspace: Workspace, role: Role) -> None:
    """Take all that *role* was granted in a workspace back, by whatever kind.

    It may go on using ``shared`` while it has another workspace of this database. Raises
    `ValidationError` for an unknown role, `DatabaseError` for an owner or an unknown workspace.
    """
    _refuse_unknown_role(conn, role)
    _refuse_missing(conn, workspace)
    _refuse_owner(conn, workspace, role)
    with conn.transaction():
        _take_back(conn, workspace, role)
        others = (name for name in names(conn) if name != workspace)
        if queries.may_grant_on(conn, name=SHARED) and not _has_any(conn, role, others):
            _run(conn, SHARED, "revoke_shared.sql", role=role)


@checked
def show(conn: Connection[Any], workspace: Workspace) -> list[RoleGrant]:
    """Return the roles that may use a workspace and as what, owners first.

    Raises `DatabaseError` if there is no such workspace.
    """
    _refuse_missing(conn, workspace)
    return queries.list_roles(conn, workspace=workspace)


@checked
def refresh(conn: Connection[Any], workspace: Workspace) -> None:
    """Grant every role of a workspace anew what its kind is granted in this package.

    `taskdb.migrations.up` ends with it, so that roles have what migrations made. Does nothing for
    a caller who does not own the workspace.
    """
    roles = queries.list_roles(conn, workspace=workspace)
    if not roles or not queries.may_grant_on(conn, name=workspace):
        return
    with conn.transaction():
        _run(conn, workspace, "public.sql")
        for granted in roles:
            if granted.kind in KINDS and granted.kind != "owner":
                grant(conn, workspace, granted.role, cast(Kind, granted.kind))


def _hand_over(conn: Connection[Any], workspace: str, role: str) -> None:
    """Make *role* the owner of a workspace, or of an empty schema for one.

    Default privileges are their owner's, and nobody else can revoke them: those of the old owner
    are revoked, and the new one gets the same.
    """
    if workspace not in names(conn):
        execute(conn, "create schema {schema} authorization {role}", schema=workspace, role=role)
        return
    for granted in queries.list_roles(conn, workspace=workspace):
        _run(conn, workspace, "revoke_defaults.sql", role=granted.role)
    execute(conn, "alter schema {schema} owner to {role}", schema=workspace, role=role)
    for item in queries.objects_of(conn, schema=workspace):
        # Kind and name come from the server, which has quoted the name.
        change = sql.SQL("alter {} {} owner to {}").format(
            sql.SQL(cast(LiteralString, item.kind)),
            sql.SQL(cast(LiteralString, item.name)),
            sql.Identifier(role),
        )
        conn.execute(change)
    refresh(conn, workspace)


def _take_back(conn: Connection[Any], workspace: str, role: str) -> None:
    _run(conn, workspace, "revoke.sql", role=role)


def _has_any(conn: Connection[Any], role: str, workspaces: Iterable[str]) -> bool:
    return any(
        granted.role == role
        for workspace in workspaces
        for granted in queries.list_roles(conn, workspace=workspace)
    )


def _refuse_unknown_role(conn: Connection[Any], role: str) -> None:
    if not queries.role_exists(conn, name=role):
        raise ValidationError("role", f"must be a role of this server; {role!r} is none")


def _refuse_missing(conn: Connection[Any], workspace: str) -> None:
    if workspace not in names(conn):
        raise DatabaseError(
            f"there is no workspace {check_name(workspace)}", hint="Make it: taskdb migrate up"
        )


def _refuse_owner(conn: Connection[Any], workspace: str, role: str) -> None:
    if queries.owner_of(conn, name=workspace) == role:
        raise DatabaseError(
            f"role {role} owns workspace {workspace}, and so may do everything there",
            hint="Make another role its owner first: taskdb roles grant OTHER --as owner",
        )


def _run(
    conn: Connection[Any], schema: str, file: str, *, option: str = "", role: str = ""
) -> None:
    """Run a file of ``sql/roles`` with names looked up in *schema*."""
    values = {
        ':"workspace"': sql.Identifier(schema).as_string(conn),
        ':"owner"': sql.Identifier(queries.owner_of(conn, name=schema)).as_string(conn),
        ':"role"': sql.Identifier(role).as_string(conn) if role else "",
        " :option": f" {option}",
    }
    text = _VARIABLE.sub(lambda found: values[found[0]], _text(_FOLDER / file))
    before = queries.search_path(conn)
    set_search_path(conn, schema)
    try:
        conn.execute(text.encode())
    except (errors.UndefinedTable, errors.UndefinedColumn, errors.UndefinedFunction) as exc:
        raise DatabaseError(
            f"schema {schema} is not as this package needs it: {exc.diag.message_primary}",
            hint="Bring it up to date first: taskdb migrate up",
        ) from exc
    queries.restore_path(conn, path=before)


def _text(path: Path) -> str:
    """Return the statements of a file, with those of included files where their line stands."""
    return _INCLUDE.sub(lambda line: _text(path.parent / line[1]), path.read_text("utf-8"))
