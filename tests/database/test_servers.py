"""Origin of the tests' databases, tried without the engines that this machine lacks."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from testcontainers.core.config import ConnectionMode, testcontainers_config

from taskdb.errors import DatabaseError
from taskdb.testing.databases import Databases, make_url, open_databases
from tests import servers
from tests.docker_engine import Engine, docker_engine
from tests.servers import forget_settings


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Generator[Engine]:
    """A Docker engine that answers, and nothing else to choose."""
    monkeypatch.delenv("TASKDB_TEST_URL", raising=False)
    monkeypatch.setattr(testcontainers_config, "_ryuk_disabled", True)
    mode = ConnectionMode.docker_host  # Also if these tests run in a container.
    monkeypatch.setattr(testcontainers_config, "connection_mode_override", mode)
    with docker_engine() as engine:
        monkeypatch.setenv("DOCKER_HOST", engine.url)
        yield engine


@pytest.fixture
def run(databases: Databases) -> Generator[Databases]:
    """A run of its own on the server of this one."""
    with open_databases(databases.admin_url) as run:
        yield run


def names(databases: Databases, prefix: str) -> list[str]:
    with databases.admin() as conn:
        query = "select datname from pg_database where starts_with(datname, %s) order by 1"
        return [name for (name,) in conn.execute(query, (prefix,))]


@pytest.mark.slow
def test_a_docker_engine_that_answers_gives_the_server(engine: Engine) -> None:
    assert servers.docker_answers()
    with servers.container() as url, open_databases(url) as databases:
        with psycopg.connect(databases.empty()) as conn:
            assert conn.execute("show fsync").fetchone() == ("off",)
            assert conn.info.host == "127.0.0.1"
        assert len(engine.servers) == 1

    assert engine.servers == {}
    (created,) = engine.created
    assert created["Image"] == servers.IMAGE
    assert created["Cmd"] == servers.FAST.split()
    assert created["HostConfig"]["Tmpfs"] == {"/var/lib/postgresql": ""}


@pytest.mark.slow
def test_an_engine_that_does_not_answer_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")

    assert not servers.docker_answers()


def test_without_a_url_a_throwaway_server_is_taken() -> None:
    with open_databases() as databases:
        assert "taskdb-throwaway" in databases.admin_url


def test_tests_work_as_an_owner_without_special_rights(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url) as conn:
        rights = conn.execute(
            "select rolsuper or rolcreaterole or rolreplication or rolbypassrls, owner = oid"
            " from pg_roles, (select datdba from pg_database where datname = current_database())"
            " as this (owner) where rolname = session_user"
        ).fetchone()

    assert rights == (False, True)


@pytest.mark.slow
def test_the_first_to_come_builds_a_template_and_the_others_wait(run: Databases) -> None:
    built: list[str] = []

    def build(url: str) -> None:
        built.append(url)
        with psycopg.connect(url) as conn:
            conn.execute("create table seen (n integer)")

    with ThreadPoolExecutor(4) as threads:
        templates = list(threads.map(lambda _: run.template("kind", build), range(4)))

    assert len(built) == 1
    assert set(templates) == {f"{run.run}_template_kind"}
    with psycopg.connect(run.clone(templates[0])) as conn:
        assert conn.execute("select count(*) from seen").fetchone() == (0,)


def test_a_template_that_could_not_be_built_is_tried_again(run: Databases) -> None:
    def fail(url: str) -> None:
        raise ValueError(url)

    with pytest.raises(ValueError, match="draft_kind"):
        run.template("kind", fail)
    assert names(run, run.run) == []

    assert names(run, run.template("kind", lambda _: None)) == [f"{run.run}_template_kind"]


@pytest.mark.slow
def test_a_run_leaves_nothing_on_the_server(databases: Databases, run: Databases) -> None:
    run.empty()
    run.template("kind", lambda _: None)

    with psycopg.connect(run.empty()):  # A session that is still open is no reason.
        run.drop_all()

    assert names(databases, run.run) == []
    with databases.admin() as conn:
        role = conn.execute("select from pg_roles where rolname = %s", (run.role,)).fetchone()
        assert role is None
        conn.execute(sql.SQL("create role {}").format(sql.Identifier(run.role)))


@pytest.mark.parametrize("right", ["createdb", "nocreatedb"])
def test_a_given_role_without_superuser_rights_needs_only_to_create_databases(
    databases: Databases, right: str
) -> None:
    name = f"{databases.run}_{right}"
    role = sql.Identifier(name)
    with databases.admin() as conn:
        conn.execute(sql.SQL("create role {} login password 'p@:/'").format(role))
        conn.execute(sql.SQL("alter role {} " + right).format(role))
    url = make_url(databases.admin_url, user=name, password="p@:/")
    try:
        if right == "createdb":
            with open_databases(url) as run, psycopg.connect(run.empty()) as conn:
                assert conn.info.user == name
        else:
            with pytest.raises(DatabaseError, match=f"{name} may not create databases"):
                open_databases(url).__enter__()
    finally:
        with databases.admin() as conn:
            conn.execute(sql.SQL("drop role {}").format(role))


def test_a_url_keeps_what_it_is_not_told_to_change() -> None:
    url = make_url("host=/run/a user='a b' password=p@ss dbname=x port=5", dbname="y z")

    assert url == "postgresql://a%20b:p%40ss@/y%20z?host=/run/a&port=5"
    assert conninfo_to_dict(make_url(url)) == conninfo_to_dict(url)
    assert make_url("dbname=x") == "postgresql:///x?"


def test_nothing_of_the_environment_names_a_database_to_tests() -> None:
    environment = dict.fromkeys(
        ("PGHOST", "DB_NAME", "DATABASE_URL", "TASKDB_WORKSPACE", "TASKDB_TEST_URL", "HOME"), "x"
    )

    forget_settings(environment)

    assert set(environment) == {"TASKDB_TEST_URL", "HOME"}


@pytest.mark.slow
def test_a_command_is_lent_a_server() -> None:
    look = (
        "import os, psycopg\n"
        "with psycopg.connect(os.environ['TASKDB_TEST_URL']) as conn: raise SystemExit(7)"
    )
    before = os.environ.copy()

    assert servers.main([sys.executable, "-c", look]) == 7
    assert os.environ == before
