"""Roles of a test's own, which are gone after it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from taskdb.testing.databases import Databases, make_url


@contextmanager
def making_roles(databases: Databases, url: str) -> Generator[Callable[[], tuple[str, str]]]:
    """Lend a function that makes a role and returns its name and its URL of the database."""
    made: list[str] = []

    def make() -> tuple[str, str]:
        name, password = f"{databases.run}_{secrets.token_hex(3)}", secrets.token_hex(8)
        create = sql.SQL("create role {} login password {}")
        with databases.admin() as admin:
            admin.execute(create.format(sql.Identifier(name), sql.Literal(password)))
        made.append(name)
        return name, make_url(url, user=name, password=password)

    yield make
    database = str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])
    with databases.admin(database) as admin:
        for name in made:
            admin.execute(sql.SQL("drop owned by {}").format(sql.Identifier(name)))
            admin.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))
