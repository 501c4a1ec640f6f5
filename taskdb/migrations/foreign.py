"""Another project's migrations and schema file: tried and compared in scratch databases.

A migration is a file and the one that takes it back: `NAME.sql` and `NAME.rollback.sql`, as yoyo
has them, or `NAME.up.sql` and `NAME.down.sql`. They run in the order of their names, each in a
transaction of its own unless its head says `-- transactional: false`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from psycopg import Connection

from taskdb.errors import MigrationError, ScriptError
from taskdb.migrations import locks, lockwatch, schema
from taskdb.migrations.drift import Mentions, SchemaDifference, Source, differences
from taskdb.migrations.files import Migration, Script
from taskdb.migrations.header import Head, Problems, is_transactional, read_loosely
from taskdb.migrations.rehearsal import RehearsalFailure, differing, expectation_failures
from taskdb.migrations.runner import connect
from taskdb.migrations.scratch import scratch_databases
from taskdb.migrations.scripts import place, run, run_file, shown, statements_of
from taskdb.places import SQL
from taskdb.queries.admin import locks as lock_queries
from taskdb.queries.admin import schema as queries

__all__ = ["check_drift", "check_migrations"]

_PAIRS: Final = ((".up.sql", ".down.sql"), (".sql", ".rollback.sql"))
_UNSAID: Final = Head("", (), "", None, True)

State = Mapping[str, tuple[schema.Objects, schema.Rows]]


@dataclass(frozen=True, slots=True)
class _Step:
    """A migration, whether it runs in a transaction, and whether it says which locks it takes."""

    migration: Migration
    transactional: bool
    declares_locks: bool


def check_drift(conninfo: str, folder: Path, file: Path) -> list[SchemaDifference]:
    """Build a database by the migrations of *folder*, one by *file*, and return where they differ.

    All schemas are compared but the server's own. The role must be allowed to create databases.
    Raises `MigrationError` or `ScriptError`, with file and line, where a side cannot be built.
    """
    steps, problems = _read(folder)
    if problems:
        raise MigrationError(problems[0].message, where=problems[0].where, hint=problems[0].hint)
    with scratch_databases(conninfo, 2) as (first, second):
        with _session(first) as conn:
            for step in steps:
                _run(conn, step, step.migration.up)
            migrated = _state(conn)
        with _session(second) as conn:
            run_file(conn, file)
            built = _state(conn)
    migrated_by = [
        Source(step.migration.up.path, statement)
        for step in steps
        for statement in step.migration.up.statements
    ]
    built_by = [Source(path, statement) for path, statement in statements_of(file)]
    nothing: tuple[schema.Objects, schema.Rows] = ({}, {})
    return [
        Mentions(name, migrated_by, built_by, (f"{shown(folder)}/", shown(file))).finding(found)
        for name in sorted(migrated.keys() | built.keys())
        for found in differences(migrated.get(name, nothing), built.get(name, nothing))
    ]


def check_migrations(conninfo: str, folder: Path) -> list[RehearsalFailure]:
    """Try the migrations of *folder*, each up, down and up again; an empty list is success.

    The role must be allowed to create databases.
    """
    steps, problems = _read(folder)
    if problems:
        return problems
    found: list[RehearsalFailure] = []
    with scratch_databases(conninfo, 1) as (scratch,), _session(scratch) as conn:
        try:
            found.extend(_try(conn, scratch, steps))
        except ScriptError as exc:
            hint = exc.hint or "Correct the statement"
            found.append(RehearsalFailure(exc.where or "", exc.message, hint))
    return found


# Files


def _read(folder: Path) -> tuple[list[_Step], list[RehearsalFailure]]:
    """Read a folder's files, in order; what is wrong with them comes second."""
    steps: list[_Step] = []
    problems: list[RehearsalFailure] = []
    for path in sorted(folder.glob("*.sql")):
        up, down = next(pair for pair in _PAIRS if path.name.endswith(pair))
        if path.name.endswith(down):
            continue
        back = path.with_name(path.name.removesuffix(up) + down)
        if not back.is_file():
            problems.append(
                RehearsalFailure(
                    place(path, 1), f"no rollback: {back.name} is missing", "Write what undoes it"
                )
            )
            continue
        findings = Problems(path)
        text = path.read_text(encoding="utf-8")
        head = read_loosely(text, findings)
        problems += [
            RehearsalFailure(each.where, each.message, each.remedy) for each in findings.found
        ]
        steps.append(
            _Step(
                Migration(
                    path.name.removesuffix(up), "", head or _UNSAID, _script(path), _script(back)
                ),
                is_transactional(text),
                head is not None,
            )
        )
    if not steps and not problems:
        hint = "Name the folder that has NAME.sql and NAME.rollback.sql"
        problems.append(RehearsalFailure(place(folder, 1), "no migrations in this folder", hint))
    return steps, problems


def _script(path: Path) -> Script:
    statements = tuple(statement for _, statement in statements_of(path))
    return Script(path, path.read_text(encoding="utf-8"), statements)


# Running


@contextmanager
def _session(conninfo: str) -> Generator[Connection[Any]]:
    with connect(conninfo, _ignore) as conn:
        yield conn


def _ignore(line: str) -> None:
    """Drop a notice: it says nothing about what is checked."""


def _run(conn: Connection[Any], step: _Step, script: Script) -> None:
    """Run a script as the project's runner does, and leave no setting behind."""
    if step.transactional:
        with conn.transaction():
            _run_all(conn, script)
    else:
        _run_all(conn, script)
    _reset(conn)


def _reset(conn: Connection[Any]) -> None:
    run_file(conn, SQL / "session" / "migration.sql")


def _run_all(conn: Connection[Any], script: Script) -> None:
    for statement in script.statements:
        run(conn, statement, script.path)


def _state(conn: Connection[Any]) -> State:
    """Everything in the database, by schema."""
    _reset(conn)
    found: dict[str, tuple[schema.Objects, schema.Rows]] = {}
    for name in queries.own_schemas(conn):
        objects = schema.read(conn, name)
        found[name] = objects, schema.read_rows(conn, name, objects)
    return {**found, "database": (schema.read_database(conn), {})}


def _try(
    conn: Connection[Any], conninfo: str, steps: Sequence[_Step]
) -> Iterator[RehearsalFailure]:
    empty = last = _state(conn)
    for step in steps:
        before, migration = last, step.migration
        taken = _up(conn, conninfo, step)
        if step.declares_locks:
            for message in (*locks.undeclared(migration, taken), *locks.unknown(migration, taken)):
                hint = "Write the head's Locks: line as taskdb's docs/migrations.md says"
                yield RehearsalFailure(migration.where, message, hint)
        yield from expectation_failures(conn, migration)
        after = _state(conn)
        _run(conn, step, migration.down)
        rollback = place(migration.down.path, 1)
        undo = "The rollback must undo all that its migration does"
        yield from _differing(before, _state(conn), rollback, "after up and down", undo)
        _run(conn, step, migration.up)
        last = _state(conn)
        chance = "It must not depend on chance"
        yield from _differing(after, last, migration.where, "the second time up", chance)
    for step in reversed(steps):
        _run(conn, step, step.migration.down)
    first = steps[0].migration.where
    hint = "The rollbacks must undo all that the migrations do"
    yield from _differing(empty, _state(conn), first, "after all went up and down", hint)


def _up(conn: Connection[Any], conninfo: str, step: _Step) -> locks.Taken:
    taken = locks.Taken(lock_queries.list_relations(conn, schemas=queries.own_schemas(conn)))
    if step.transactional:
        with conn.transaction():
            _run_all(conn, step.migration.up)
            taken.see(lock_queries.list_locks(conn, pid=conn.info.backend_pid))
        _reset(conn)
    else:
        with lockwatch.watch(conninfo, conn.info.backend_pid, taken):
            _run(conn, step, step.migration.up)
    return taken


def _differing(
    before: State, after: State, where: str, when: str, hint: str
) -> Iterator[RehearsalFailure]:
    nothing: tuple[schema.Objects, schema.Rows] = ({}, {})
    for name in sorted(before.keys() | after.keys()):
        pair = before.get(name, nothing), after.get(name, nothing)
        yield from differing(*pair, where, when, hint)
