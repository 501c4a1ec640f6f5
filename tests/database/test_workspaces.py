"""Workspaces: schemas and what roles may do in them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Generator
from pathlib import Path

import psycopg
import pytest

from taskdb import migrations, verify
from taskdb.admin import doctor
from taskdb.database import AsyncDatabase, Database, connect, workspaces
from taskdb.embedded import Server
from taskdb.errors import DatabaseError, ValidationError
from taskdb.queries import claims, tasks
from taskdb.testing.databases import make_url

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


@pytest.mark.slow
def test_a_schema_that_someone_else_made_becomes_a_workspace_by_migration(
    database_url: str, owner: psycopg.Connection
) -> None:
    owner.execute("create schema team_b")

    migrations.up(database_url, workspace="team_b")

    assert workspaces.names(owner) == ["taskdb", "team_b"]


def test_a_role_without_a_grant_sees_nothing(make_role: MakeRole) -> None:
    _, url = make_role()

    with connect(url) as conn, pytest.raises(DatabaseError, match="its role may not use them"):
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
    assert f"taskdb roles grant {role} --as app" in refused.value.hint


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
    # Settings in the dump of an 18 that servers before 17 do not know.
    dump = dump.replace("SET transaction_timeout = 0;\n", "")
    subprocess.run(
        [programs / "psql", "-qXv", "ON_ERROR_STOP=1", other],
        input=dump,
        text=True,
        capture_output=True,
        check=True,
    )


@pytest.mark.slow
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
