"""Databases of a test run: a server, a template with the migrations, a clone for a test."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from taskdb.database import roles
from taskdb.database.databases import close_database, copy_database, drop_database, rename_database
from taskdb.database.settings import parse
from taskdb.errors import DatabaseError, ValidationError
from taskdb.queries.admin import scratch
from taskdb.queries.admin import testing as queries

__all__ = ["Databases", "make_url", "migrate", "open_databases"]

PREFIX: Final = "taskdb_test"


@dataclass(frozen=True)
class Databases:
    """The databases of one test run, shared by its workers. All belong to `role`.

    `admin_url` makes and drops them. Where it is a superuser's, tests get a role of their own
    without any special right; else its own role.
    """

    admin_url: str = field(repr=False)
    run: str
    role: str
    password: str = field(repr=False)
    server_version: str

    def url(self, database: str) -> str:
        """Return the URL of one of the databases, for tests."""
        return make_url(
            self.admin_url, dbname=database, user=self.role, password=self.password or None
        )

    def admin(self, database: str | None = None) -> psycopg.Connection:
        """Open a connection of the role that made the databases, in autocommit mode."""
        url = make_url(self.admin_url, dbname=database) if database else self.admin_url
        return psycopg.connect(url, autocommit=True)

    def empty(self) -> str:
        """Make an empty database and return its URL."""
        return self.clone("template0")

    def clone(self, template: str) -> str:
        """Copy the database *template* and return the copy's URL."""
        return self.url(self._copy(secrets.token_hex(4), template))

    def template(self, kind: str, build: Callable[[str], None], base: str = "template0") -> str:
        """Return the name of the run's template *kind*; who comes first lets *build* fill it."""
        name = f"{self.run}_template_{kind}"
        with self.admin() as conn:
            queries.wait_for_lock(conn, name=name)
            if name not in queries.list_databases(conn, prefix=name):
                draft = self._copy(f"draft_{kind}", base)
                try:
                    build(self.url(draft))
                except BaseException:
                    drop_database(conn, draft)
                    raise
                rename_database(conn, draft, name)
                close_database(conn, name)
        return name

    @contextlib.contextmanager
    def connection(self, setup: str) -> Generator[psycopg.Connection]:
        """Open a connection to a database of its own, in which *setup* has run, uncommitted."""
        url = self.empty()
        with psycopg.connect(url) as conn:
            conn.execute(setup.encode())
            yield conn
            conn.rollback()
        self.drop(url)

    def drop(self, url: str) -> None:
        """Drop one of the databases, with whoever is connected."""
        with self.admin() as conn:
            drop_database(conn, str(conninfo_to_dict(url)["dbname"]))

    def drop_all(self) -> None:
        """Drop every database of the run, and its role if the run made it (again: nothing)."""
        with self.admin() as conn:
            for name in queries.list_databases(conn, prefix=f"{self.run}_"):
                drop_database(conn, name)
            if self.role == self.run:
                roles.drop(conn, self.role)

    def _copy(self, suffix: str, template: str) -> str:
        name = f"{self.run}_{suffix}"
        with self.admin() as conn:
            copy_database(conn, name, template, owner=self.role)
        return name


@contextlib.contextmanager
def open_databases(url: str | None = None) -> Generator[Databases]:
    """Prepare a server for one test run; leave nothing behind on it.

    Without *url* it is a throwaway one. Raises `DatabaseNotFoundError` where neither is there, and
    `DatabaseError` where the role of *url* may not create databases.
    """
    # pytest shows arguments beside a traceback, and these have a password.
    __tracebackhide__ = True
    with contextlib.ExitStack() as stack:
        if url is None:
            from taskdb.embedded import throwaway

            url = stack.enter_context(throwaway()).url
        else:
            url = _checked(url)
        # Open until the end: a run whose session is gone was killed, and the next one clears up.
        conn = stack.enter_context(_connect(url))
        _drop_leftovers(conn)
        databases = _prepare(conn, url)
        stack.callback(databases.drop_all)
        yield databases


def _checked(url: str) -> str:
    __tracebackhide__ = True
    try:
        return make_conninfo(**parse(url, "TASKDB_TEST_URL or --taskdb-url"))
    except ValidationError as error:
        raise error.with_traceback(None) from None


def _connect(url: str) -> psycopg.Connection:
    __tracebackhide__ = True
    try:
        return psycopg.connect(url, autocommit=True)
    except psycopg.Error as error:
        raise error.with_traceback(None) from None


def migrate(url: str, names: Sequence[str]) -> None:
    """Apply all migrations to these workspaces of a database."""
    from taskdb import migrations

    for name in names:
        migrations.up(url, workspace=name)


def _prepare(conn: psycopg.Connection, url: str) -> Databases:
    run = f"{PREFIX}_{conn.info.backend_pid}_{secrets.token_hex(4)}"
    version = conn.info.parameter_status("server_version") or "?"
    own = queries.own_rights(conn)
    if own.is_superuser:
        password = secrets.token_hex(8)
        roles.create(conn, run, password=password)
        return Databases(url, run, run, password, version)
    if not own.may_create_databases:
        raise DatabaseError(
            f"role {own.name} may not create databases, and each test run needs some",
            hint=f"Grant it: alter role {own.name} createdb; without a URL a server is made"
            " for the run",
        )
    password = str(conninfo_to_dict(url).get("password") or "")
    return Databases(url, run, own.name, password, version)


def _drop_leftovers(conn: psycopg.Connection) -> None:
    for name in scratch.leftovers(conn, prefix=PREFIX):
        drop_database(conn, name)
    for role in scratch.leftover_roles(conn, prefix=PREFIX):
        roles.drop(conn, role)


def make_url(conninfo: str, **changes: Any) -> str:
    """Return *conninfo*, of either form, as a URL, with *changes*."""
    parts = conninfo_to_dict(conninfo, **changes)
    user, password = parts.pop("user", None), parts.pop("password", None)
    login = quote(str(user), safe="") if user else ""
    if password:
        login += ":" + quote(str(password), safe="")
    database = quote(str(parts.pop("dbname", "")), safe="")
    query = "&".join(f"{key}={quote(str(value), safe='/')}" for key, value in parts.items())
    return f"postgresql://{login}{'@' if login else ''}/{database}?{query}"
