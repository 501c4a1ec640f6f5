"""Origin of the tests' databases: a server, a template, a clone for each test that commits.

Run as a program it lends a throwaway server to a command::

    python -m tests.servers [--binaries DIR] COMMAND ...      # with TASKDB_TEST_URL set
"""

from __future__ import annotations

import contextlib
import gc
import os
import secrets
import subprocess
import sys
import warnings
from collections.abc import Callable, Generator, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from taskdb.embedded import throwaway

IMAGE = "postgres:18-alpine"
FAST = "postgres -c fsync=off -c full_page_writes=off -c synchronous_commit=off"


def forget_settings(environment: MutableMapping[str, str]) -> None:
    """Take out of *environment* what would name a database, or change how one is reached."""
    for name in list(environment):
        if name.startswith(("PG", "DB_")) or name in {"DATABASE_URL", "TASKDB_WORKSPACE"}:
            del environment[name]


@contextlib.contextmanager
def open_server() -> Generator[str]:
    """Yield the URL of a server: TASKDB_TEST_URL's, else Docker's, else the embedded one."""
    if given := os.environ.get("TASKDB_TEST_URL"):
        yield given
    elif docker_answers():
        with container() as url:
            yield url
    else:
        with throwaway() as server:
            yield server.url


def docker_answers() -> bool:
    """Tell whether a Docker engine answers where testcontainers would look for it."""
    from docker.errors import DockerException
    from testcontainers.core.docker_client import DockerClient

    with warnings.catch_warnings():
        # Refused, Docker's client leaves its socket to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            DockerClient(timeout=2).client.close()  # It asked for the engine's version.
            answered = True
        except DockerException:
            answered = False
        gc.collect()
    return answered


@contextlib.contextmanager
def container() -> Generator[str]:
    from testcontainers.community.postgres import PostgresContainer

    postgres = PostgresContainer(
        IMAGE, username="test", password=secrets.token_hex(8), dbname="test", driver=None
    )
    with postgres.with_command(FAST).with_tmpfs_mount("/var/lib/postgresql"):
        yield postgres.get_connection_url()


@dataclass(frozen=True)
class Databases:
    """The databases of one test run, shared by its workers. All belong to `role`.

    `admin_url` makes and drops them. Where it is a superuser's, tests get a role of their own
    without any special right; else its own role.
    """

    admin_url: str
    run: str
    role: str
    password: str

    def url(self, database: str) -> str:
        return make_url(
            self.admin_url, dbname=database, user=self.role, password=self.password or None
        )

    def admin(self, database: str | None = None) -> psycopg.Connection:
        url = make_url(self.admin_url, dbname=database) if database else self.admin_url
        return psycopg.connect(url, autocommit=True)

    def empty(self) -> str:
        """Make an empty database and return its URL."""
        return self.url(self._create(secrets.token_hex(4), "template0"))

    def clone(self, template: str) -> str:
        """Copy the database *template* and return the copy's URL."""
        return self.url(self._create(secrets.token_hex(4), template))

    def template(self, kind: str, build: Callable[[str], None], base: str = "template0") -> str:
        """Return the name of the run's template *kind*; who comes first lets *build* fill it."""
        name = f"{self.run}_template_{kind}"
        with self.admin() as conn:
            conn.execute("select pg_advisory_lock(hashtext(%s))", (name,))
            made = conn.execute("select from pg_database where datname = %s", (name,)).fetchone()
            if made is None:
                draft = self._create(f"draft_{kind}", base)
                try:
                    build(self.url(draft))
                except BaseException:
                    self.drop(self.url(draft))
                    raise
                rename = sql.SQL("alter database {} rename to {}")
                conn.execute(rename.format(sql.Identifier(draft), sql.Identifier(name)))
                close = sql.SQL("alter database {} allow_connections false")
                conn.execute(close.format(sql.Identifier(name)))
        return name

    @contextlib.contextmanager
    def connection(self, setup: str) -> Generator[psycopg.Connection]:
        """Lend a connection to a database of its own, in which *setup* has run, uncommitted."""
        url = self.empty()
        with psycopg.connect(url) as conn:
            conn.execute(setup.encode())
            yield conn
            conn.rollback()
        self.drop(url)

    def drop(self, url: str) -> None:
        name = str(conninfo_to_dict(url)["dbname"])
        with self.admin() as conn:
            drop = sql.SQL("drop database if exists {} with (force)")
            conn.execute(drop.format(sql.Identifier(name)))

    def drop_all(self) -> None:
        """Drop every database of the run, and its role if the run made it (again: nothing)."""
        with self.admin() as conn:
            names = conn.execute(
                "select datname from pg_database where starts_with(datname, %s)", (f"{self.run}_",)
            ).fetchall()
            for (name,) in names:
                self.drop(self.url(name))
            if self.role == self.run:
                conn.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(self.role)))

    def _create(self, suffix: str, template: str) -> str:
        name = f"{self.run}_{suffix}"
        create = sql.SQL("create database {} owner {} template {} strategy file_copy")
        names = map(sql.Identifier, (name, self.role, template))
        with self.admin() as conn:
            conn.execute(create.format(*names))
        return name


@contextlib.contextmanager
def open_databases() -> Generator[Databases]:
    """Choose a server and prepare it for one test run; leave nothing behind on it."""
    with open_server() as url:
        databases = _prepare(url)
        try:
            yield databases
        finally:
            databases.drop_all()


def _prepare(url: str) -> Databases:
    run = f"taskdb_test_{secrets.token_hex(4)}"
    with psycopg.connect(url, autocommit=True) as conn:
        rights = conn.execute(
            "select rolname, rolsuper, rolcreatedb from pg_roles where rolname = current_user"
        ).fetchone()
        assert rights is not None
        name, superuser, may_create = rights
        if superuser:
            password = secrets.token_hex(8)
            create = sql.SQL("create role {} login password {}")
            conn.execute(create.format(sql.Identifier(run), sql.Literal(password)))
            return Databases(url, run, run, password)
    if not may_create:
        raise RuntimeError(f"TASKDB_TEST_URL's role {name} may not create databases")
    return Databases(url, run, name, str(conninfo_to_dict(url).get("password") or ""))


def make_url(conninfo: str, **changes: str | None) -> str:
    """Return *conninfo*, of either form, as a URL, with *changes*."""
    parts = conninfo_to_dict(conninfo, **changes)
    user, password = parts.pop("user", None), parts.pop("password", None)
    login = quote(str(user), safe="") if user else ""
    if password:
        login += ":" + quote(str(password), safe="")
    database = quote(str(parts.pop("dbname", "")), safe="")
    query = "&".join(f"{key}={quote(str(value), safe='/')}" for key, value in parts.items())
    return (
        f"postgresql://{login}@/{database}?{query}"
        if login
        else f"postgresql:///{database}?{query}"
    )


def main(arguments: list[str]) -> int:
    binaries = None
    if arguments[:1] == ["--binaries"]:
        binaries, arguments = Path(arguments[1]), arguments[2:]
    with throwaway(binaries=binaries) as server:
        environment = {**os.environ, "TASKDB_TEST_URL": server.url}
        return subprocess.run(arguments, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
