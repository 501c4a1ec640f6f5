"""Workspaces: schemas and what roles may do in them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Generator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from taskdb import migrations, verify
from taskdb.admin import doctor
from taskdb.database import AsyncDatabase, Database, connect, workspaces
from taskdb.embedded import Server
from taskdb.errors import DatabaseError, ValidationError
from taskdb.models import NewTask, TaskStatus
from taskdb.queries import claims, dependencies, epics, features, files, history, subtasks, tasks
from tests.servers import Databases, make_url

RESERVED = {"shared", "public", "information_schema"}
MakeRole = Callable[[], tuple[str, str]]


@pytest.fixture
def owner(database_url: str) -> Generator[psycopg.Connection]:
    with connect(database_url, autocommit=True) as conn:
        yield conn


@pytest.mark.parametrize("name", ["taskdb", "team_a", "_x", "a" * 63, "t2"])
def test_a_fitting_name_is_taken(name: str) -> None:
    assert workspaces.check_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "A", "2t", "a-b", "a b", "a" * 64, "é", "a\n", 'a"', "pg_x", *sorted(RESERVED)],
)
def test_a_name_that_does_not_fit_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValidationError, match="workspace") as caught:
        workspaces.check_name(name)

    assert caught.value.field == "workspace"


def test_a_workspace_is_made_once_listed_and_dropped(owner: psycopg.Connection) -> None:
    assert workspaces.create(owner, "team_a") is True
    assert workspaces.create(owner, "team_a") is False
    assert workspaces.exists(owner, "team_a")
    assert workspaces.names(owner) == ["taskdb", "team_a"]

    assert workspaces.drop(owner, "team_a") is True

    assert workspaces.drop(owner, "team_a") is False
    assert workspaces.names(owner) == ["taskdb"]


def test_dropping_a_workspace_takes_all_its_tables(owner: psycopg.Connection) -> None:
    tasks.create(owner, title="One")

    workspaces.drop(owner, "taskdb")

    assert not workspaces.exists(owner, "taskdb")
    assert workspaces.exists(owner, "shared")


def test_a_schema_that_is_no_workspace_is_not_dropped(owner: psycopg.Connection) -> None:
    owner.execute("create schema accounting")

    with pytest.raises(DatabaseError, match="accounting is not a workspace"):
        workspaces.drop(owner, "accounting")

    assert workspaces.exists(owner, "accounting")


def test_a_schema_that_someone_else_made_becomes_a_workspace_by_migration(
    database_url: str, owner: psycopg.Connection
) -> None:
    owner.execute("create schema team_b")

    migrations.up(database_url, workspace="team_b")

    assert workspaces.names(owner) == ["taskdb", "team_b"]


def test_a_role_without_a_grant_sees_nothing(make_role: MakeRole) -> None:
    _, url = make_role()

    with connect(url) as conn, pytest.raises(psycopg.errors.UndefinedTable):
        tasks.list_tasks(conn)


async def test_a_role_without_a_grant_is_told_so_and_not_to_migrate(make_role: MakeRole) -> None:
    role, url = make_role()

    with pytest.raises(DatabaseError, match=f"role {role} may not use schema taskdb") as refused:
        Database(url).open()
    with pytest.raises(DatabaseError, match=f"role {role} may not use schema taskdb"):
        await AsyncDatabase(url).open()
    for work in (migrations.up, migrations.check):
        with pytest.raises(DatabaseError, match=f"role {role} may not use schema"):
            work(url)

    assert refused.value.hint is not None
    assert f"grant(conn, WORKSPACE, {role!r})" in refused.value.hint


def test_a_reader_reads_and_writes_nothing(owner: psycopg.Connection, make_role: MakeRole) -> None:
    role, url = make_role()
    tasks.create(owner, key="T-1", title="One")

    workspaces.grant(owner, "taskdb", role)

    with connect(url, autocommit=True) as conn:
        assert tasks.get_by_key(conn, key="T-1").title == "One"
        assert len(history.list_for_task(conn, key="T-1")) == 1
        assert dependencies.why_not_ready(conn, key="T-1") == []
        migrations.require(conn)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            tasks.create(conn, title="Two")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            claims.claim_next(conn, agent="ann")


def test_a_writer_does_all_that_the_typed_functions_do(
    owner: psycopg.Connection, make_role: MakeRole
) -> None:
    role, url = make_role()

    workspaces.grant(owner, "taskdb", role, "write")

    with connect(url, autocommit=True) as conn:
        epic = epics.create(conn, key="E04", title="Epic")
        feature = features.create(conn, epic_id=epic.id, key="E04-F01", title="Feature")
        tasks.create(conn, key="T-1", title="One", feature_id=feature.id)
        tasks.create(conn, key="T-2", title="Two", feature_id=feature.id)
        numbered = tasks.create(conn, title="The server makes the key")
        dependencies.add_dependency(conn, task="T-2", depends_on="T-1")
        tasks.create_many(conn, [NewTask(key="T-8", title="Eight")], [])
        subtasks.append(conn, task=numbered.key, title="A line")
        files.put(conn, task="T-1", path="a.py", content="1")
        claim = claims.claim_next(conn, agent="ann")
        assert claim is not None
        claims.complete(conn, task_id=claim.task_id, token=claim.token)
        tasks.update_status(conn, key="T-1", status=TaskStatus.CANCELLED, force=True)
        dependencies.remove_dependency(conn, task="T-2", depends_on="T-1")
        tasks.delete(conn, key="T-2")
        epics.delete(conn, key="E04")


@pytest.mark.parametrize("access", ["read", "write"])
def test_the_migration_log_is_not_a_services_to_write(
    owner: psycopg.Connection, make_role: MakeRole, access: workspaces.Access
) -> None:
    role, url = make_role()

    workspaces.grant(owner, "taskdb", role, access)

    with connect(url, autocommit=True) as conn:
        for schema in ("taskdb", "shared"):
            for table in ("_taskdb_migration", "_yoyo_migration", "_yoyo_log"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    conn.execute(f"delete from {schema}.{table}".encode())


@pytest.mark.parametrize(("access", "writes"), [("read", False), ("write", True)])
def test_a_grant_covers_what_later_migrations_make(
    owner: psycopg.Connection,
    make_role: MakeRole,
    access: workspaces.Access,
    writes: bool,
) -> None:
    role, url = make_role()
    workspaces.grant(owner, "taskdb", role, access)

    for schema in ("taskdb", "shared"):
        owner.execute(f"create table {schema}.later (id bigserial primary key)".encode())

    with connect(url, autocommit=True) as conn:
        for schema in ("taskdb", "shared"):
            assert conn.execute(f"select * from {schema}.later".encode()).fetchall() == []
            insert = f"insert into {schema}.later default values".encode()
            if writes:
                conn.execute(insert)
            else:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    conn.execute(insert)


def test_a_writer_may_not_change_the_schema(owner: psycopg.Connection, make_role: MakeRole) -> None:
    role, url = make_role()

    workspaces.grant(owner, "taskdb", role, "write")

    with connect(url, autocommit=True) as conn:
        for statement in ("create table mine ()", "drop table tasks", "truncate tasks"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(statement.encode())


def test_grants_are_refused_by_name(owner: psycopg.Connection, make_role: MakeRole) -> None:
    role, _ = make_role()

    with pytest.raises(DatabaseError, match="no workspace team_z"):
        workspaces.grant(owner, "team_z", role)
    with pytest.raises(ValidationError, match="role must be a role of this server"):
        workspaces.grant(owner, "taskdb", f"{role}_x")
    with pytest.raises(ValidationError, match="access must be one of read, write"):
        workspaces.grant(owner, "taskdb", role, "admin")  # type: ignore[arg-type]


def test_a_roles_name_is_quoted(databases: Databases, owner: psycopg.Connection) -> None:
    role = f'{databases.run} "x"; drop schema taskdb cascade; --'
    with databases.admin() as admin:
        admin.execute(sql.SQL("create role {}").format(sql.Identifier(role)))
    try:
        workspaces.grant(owner, "taskdb", role, "write")

        assert workspaces.exists(owner, "taskdb")
        allowed = "select has_table_privilege(%s, 'tasks', 'insert')"
        with psycopg.connect(owner.info.dsn, password=owner.info.password) as plain:
            plain.execute("set search_path = taskdb")
            assert plain.execute(allowed, (role,)).fetchone() == (True,)
    finally:
        with databases.admin(str(owner.info.dbname)) as admin:
            admin.execute(sql.SQL("drop owned by {}").format(sql.Identifier(role)))
            admin.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))


def test_a_team_with_a_schema_of_its_own_needs_shared_from_its_owner(
    databases: Databases, database_url: str, owner: psycopg.Connection, make_role: MakeRole
) -> None:
    team, team_url = make_role()
    service, service_url = make_role()
    database = str(conninfo_to_dict(database_url)["dbname"])
    with databases.admin(database) as admin:
        admin.execute(sql.SQL("create schema team_a authorization {}").format(sql.Identifier(team)))
    workspaces.grant(owner, "taskdb", team)
    migrations.up(team_url, workspace="team_a")

    with connect(team_url, workspace="team_a", autocommit=True) as conn:
        with pytest.raises(DatabaseError, match="may not use schema shared"):
            workspaces.grant(conn, "team_a", service, "write")
        workspaces.grant(owner, "taskdb", service)
        workspaces.grant(conn, "team_a", service, "write")

    with connect(service_url, workspace="team_a", autocommit=True) as conn:
        assert tasks.create(conn, title="One").key


def test_the_role_in_the_url_is_the_owner_and_no_superuser(database_url: str) -> None:
    with psycopg.connect(make_url(database_url)) as conn:
        row = conn.execute("select usesuper from pg_user where usename = current_user").fetchone()

    assert row == (False,)


def copy_by_dump(url: str, other: str, *options: str) -> None:
    """Dump *url* as docs/migrations.md does and restore it into *other*, up to the first error."""
    programs = Server(Path("unused")).binaries
    dump = subprocess.run(
        [programs / "pg_dump", *options, url], text=True, capture_output=True, check=True
    ).stdout
    # What the dump of an 18 sets for itself, and servers before 17 do not know.
    dump = dump.replace("SET transaction_timeout = 0;\n", "")
    subprocess.run(
        [programs / "psql", "-qXv", "ON_ERROR_STOP=1", other],
        input=dump,
        text=True,
        capture_output=True,
        check=True,
    )


def test_a_dump_of_shared_and_a_workspace_fills_an_empty_database(
    owner: psycopg.Connection, database_url: str, empty_database_url: str
) -> None:
    tasks.create(owner, key="T-1", title="One")

    copy_by_dump(database_url, empty_database_url, "-n", "shared", "-n", "taskdb", "-e", "pg_trgm")

    assert migrations.check(empty_database_url).exit_status == 0
    with connect(empty_database_url, autocommit=True) as conn:
        verify(conn)
        assert doctor.run(conn) == []
        assert claims.claim_next(conn, agent="ann") is not None


def test_a_dump_of_a_workspace_alone_goes_beside_another(
    owner: psycopg.Connection, database_url: str, empty_database_url: str
) -> None:
    tasks.create(owner, key="T-1", title="One")
    migrations.up(empty_database_url, workspace="team_a")

    copy_by_dump(database_url, empty_database_url, "-n", "taskdb")

    assert migrations.check(empty_database_url).exit_status == 0
    with connect(empty_database_url, autocommit=True) as conn:
        assert doctor.run(conn) == []
        assert workspaces.names(conn) == ["taskdb", "team_a"]
