"""The large data set of the plan check: a database made once and kept for the next time.

Its name says what it was made from: the migrations, the generator, and how many tasks. One of
other migrations or of another generator is stale, and dropped.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from taskdb import database, migrations
from taskdb.admin import seed
from taskdb.database import databases
from taskdb.database.settings import DEFAULT
from taskdb.migrations.runner import connect
from taskdb.migrations.scratch import scratch_databases
from taskdb.queries.admin import datasets
from taskdb.queries.admin import query as queries

__all__ = ["PREFIX", "prepare"]

PREFIX: Final = "taskdb_plans"

Show = Callable[[str], None]


def prepare(
    conninfo: str,
    *,
    tasks: int,
    folder: Path = migrations.FOLDER,
    prefix: str = PREFIX,
    show: Show = lambda _line: None,
) -> str:
    """Return the conninfo of a database with *tasks* tasks on the server of *conninfo*.

    It is built if it is not there, which takes some minutes a million tasks; *show* gets what
    is going on. Stale ones that nobody is connected to are dropped. Raises `DatabaseError` if the
    role may not create databases.
    """
    current = f"{prefix}_{fingerprint(folder)}"
    name = f"{current}_{tasks}"
    with connect(conninfo, lambda _line: None) as conn:
        kept = datasets.list_datasets(conn, prefix=prefix)
        for each in kept:
            if not each.name.startswith(f"{current}_") and not each.in_use:
                show(f"dropping {each.name}, which is stale")
                databases.drop_database(conn, each.name)
        if name not in [each.name for each in kept]:
            with scratch_databases(conninfo, 1) as (scratch,):
                show(f"making {tasks:,} tasks in {name}, to be kept for the next time")
                _build(scratch, tasks, folder, show)
                _keep(conninfo, scratch, name)
    return make_conninfo(conninfo, dbname=name)


def fingerprint(folder: Path = migrations.FOLDER) -> str:
    """Return what the migrations of *folder* and the generator are, in twelve digits."""
    digest = hashlib.sha256()
    for text in _texts(folder):
        digest.update(len(text).to_bytes(8) + text)
    return digest.hexdigest()[:12]


def _texts(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.glob("*/*.sql")):
        yield path.name.encode()
        yield path.read_bytes()
    yield queries["seed.add_tasks"].statement.source.text.encode()
    yield Path(seed.__file__).read_bytes()


def _build(conninfo: str, tasks: int, folder: Path, show: Show) -> None:
    migrations.up(conninfo, folder=folder)
    with database.connect(conninfo, workspace=DEFAULT) as conn:
        for made in seed.steps(conn, tasks=tasks):
            show(f"  {made.row_count:>9,} by {made.statement}, {made.seconds:.1f} s")
        conn.commit()
    with connect(conninfo, lambda _line: None) as conn:
        datasets.vacuum(conn)


def _keep(conninfo: str, scratch: str, name: str) -> None:
    made = str(conninfo_to_dict(scratch)["dbname"])
    # Another run may have come first, with the same data: then these go with their lender.
    with (
        connect(conninfo, lambda _line: None) as conn,
        contextlib.suppress(errors.DuplicateDatabase),
    ):
        databases.rename_database(conn, made, name)
