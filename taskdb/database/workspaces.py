"""Workspaces: one PostgreSQL schema a team, made, dropped and granted here.

The only place where Python writes SQL of its own, because the name of a schema, a role or a
database cannot be a parameter. Each name is quoted by psycopg.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, LiteralString, TypeAlias, get_args

from psycopg import Connection, sql

from taskdb.database.settings import DEFAULT, SHARED, check_name
from taskdb.errors import DatabaseError, ValidationError
from taskdb.queries.admin import migrations as log_queries
from taskdb.queries.admin import workspaces as queries

__all__ = [
    "DEFAULT",
    "SHARED",
    "Access",
    "check_name",
    "create",
    "drop",
    "exists",
    "grant",
    "names",
]

MARK: Final = "A taskdb workspace."

Access: TypeAlias = Literal["read", "write"]

# Of both: what a role may do in a schema. Each statement is run for the schema and the role.
_READ: Final[tuple[LiteralString, ...]] = (
    "grant usage on schema {schema} to {role}",
    "grant select on all tables in schema {schema} to {role}",
    "grant select on all sequences in schema {schema} to {role}",
    "grant execute on all routines in schema {schema} to {role}",
    "alter default privileges in schema {schema} grant select on tables to {role}",
    "alter default privileges in schema {schema} grant select on sequences to {role}",
    "alter default privileges in schema {schema} grant execute on routines to {role}",
)
_WRITE: Final[tuple[LiteralString, ...]] = (
    "grant insert, update, delete on all tables in schema {schema} to {role}",
    "grant usage on all sequences in schema {schema} to {role}",
    "alter default privileges in schema {schema} grant insert, update, delete on tables to {role}",
    "alter default privileges in schema {schema} grant usage on sequences to {role}",
)
# A workspace's tables name rows of shared ones, whoever owns it.
_REFER: Final[tuple[LiteralString, ...]] = (
    "grant references on all tables in schema {schema} to {role}",
    "alter default privileges in schema {schema} grant references on tables to {role}",
)
# The migration runner's tables are written by who migrates, and only read by services.
_LOG_TABLES: Final = ("_taskdb_migration", "_yoyo_migration", "_yoyo_log", "_yoyo_version")
# Secrets are for who writes.
_SECRET_TABLES: Final = ("project_environments",)
_HIDE: Final = "revoke all on {schema}.{table} from {role}"
_PROTECT: Final = "revoke insert, update, delete on {schema}.{table} from {role}"


def create(conn: Connection[Any], name: str) -> bool:
    """Create the empty schema of workspace *name*; return False if it was there.

    `taskdb.migrations.up` fills it. Raises `ValidationError` for a name that will not do.
    """
    return create_schema(conn, check_name(name))


def create_schema(conn: Connection[Any], name: str) -> bool:
    """Create a workspace's schema, or ``shared``, unless it is there; say whether it was made."""
    if exists(conn, name):
        return False
    with conn.transaction():
        _execute(conn, "create schema {schema}", schema=name)
        if name != SHARED:
            comment = sql.SQL("comment on schema {} is {}")
            conn.execute(comment.format(sql.Identifier(name), sql.Literal(MARK)))
    return True


def drop(conn: Connection[Any], name: str) -> bool:
    """Drop workspace *name* with everything in it; return False if there is no such schema.

    Raises `DatabaseError` for a schema that is no workspace.
    """
    if not exists(conn, check_name(name)):
        return False
    if name not in names(conn):
        raise DatabaseError(
            f"schema {name} is not a workspace of taskdb",
            hint="If it is really to go: drop schema ... cascade, by hand",
        )
    _execute(conn, "drop schema {schema} cascade", schema=name)
    return True


def exists(conn: Connection[Any], name: str) -> bool:
    """Return whether a schema of that name exists."""
    return queries.schema_exists(conn, name=name)


def names(conn: Connection[Any]) -> list[str]:
    """The database's workspaces: schemas that taskdb made so, or that its migrations filled."""
    return queries.list_workspaces(conn)


def grant(conn: Connection[Any], name: str, role: str, access: Access = "read") -> None:
    """Let *role* read workspace *name*, or do there all that taskdb's functions do.

    Covers ``shared`` too, and what later migrations make, if the same role runs them as runs
    this. The migration log stays readable and no more; environment variables of projects are
    hidden from who only reads. All in one transaction.

    Raises `ValidationError` for an unknown role or access, `DatabaseError` if the workspace is
    not there or ``shared`` is another's and the role may not use it.
    """
    if access not in get_args(Access):
        raise ValidationError("access", f"must be one of {', '.join(get_args(Access))}")
    if name not in names(conn):
        raise DatabaseError(
            f"there is no workspace {check_name(name)}", hint="Make it: taskdb migrate up"
        )
    if not queries.role_exists(conn, name=role):
        raise ValidationError("role", f"must be a role of this server; {role!r} is none")
    with conn.transaction():
        _grant_on(conn, name, role, access)
        if queries.may_grant_on(conn, name=SHARED):
            _grant_on(conn, SHARED, role, access)
            for statement in _REFER:
                _execute(conn, statement, schema=SHARED, role=role)
        elif not queries.has_usage(conn, role=role, name=SHARED):
            raise DatabaseError(
                f"role {role} may not use schema shared, which is not yours to grant",
                hint="Let the owner of schema shared grant a workspace to it as well",
            )


def set_search_path(conn: Connection[Any], name: str) -> str:
    """Set, and return, the search path that workspace *name*, or ``shared``, is worked on with."""
    return log_queries.set_path(conn, schemas=list(dict.fromkeys((name, SHARED, "pg_temp"))))


def table_rows(conn: Connection[Any], name: str, table: str, columns: Sequence[str]) -> list[str]:
    """All rows of a table, these columns of them, as lines of ``copy``."""
    statement = sql.SQL("copy {}.{} ({}) to stdout").format(
        sql.Identifier(name),
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
    )
    with conn.cursor() as cursor, cursor.copy(statement) as copy:
        return b"".join(copy).decode().splitlines()


def hold_table(conn: Connection[Any], name: str, table: str) -> None:
    """Let only readers into a table until the transaction ends, for a check."""
    _execute(
        conn, "lock table {schema}.{table} in share row exclusive mode", schema=name, table=table
    )


def create_database(conn: Connection[Any], name: str) -> None:
    """Create an empty database, for a check; *conn* is in autocommit mode."""
    _execute(conn, "create database {database} template template0", database=name)


def rename_database(conn: Connection[Any], name: str, new_name: str) -> None:
    """Give a check's database a name to stay; *conn* is in autocommit mode.

    Raises psycopg's `DuplicateDatabase` if there is one of that name.
    """
    _execute(conn, "alter database {old} rename to {new}", old=name, new=new_name)


def drop_database(conn: Connection[Any], name: str) -> None:
    """Drop a check's database, with whoever is still connected; *conn* is in autocommit mode."""
    _execute(conn, "drop database if exists {database} with (force)", database=name)


def _grant_on(conn: Connection[Any], schema: str, role: str, access: Access) -> None:
    for statement in _READ + (_WRITE if access == "write" else ()):
        _execute(conn, statement, schema=schema, role=role)
    tables = log_queries.tables_of(conn, schema=schema)
    for table in _LOG_TABLES:
        if table in tables:
            _execute(conn, _PROTECT, schema=schema, table=table, role=role)
    if access == "read":
        for table in _SECRET_TABLES:
            if table in tables:
                _execute(conn, _HIDE, schema=schema, table=table, role=role)


def _execute(conn: Connection[Any], statement: LiteralString, **names: str) -> None:
    quoted = {key: sql.Identifier(name) for key, name in names.items()}
    conn.execute(sql.SQL(statement).format(**quoted))
