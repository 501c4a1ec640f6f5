"""The migration check: each file goes up, down and up again, and does what its head says.

In scratch databases, for every migration of both tracks: its rollback leaves the schema as it
was, to the last comment and the rows of filled tables; running it again gives the same as the
first time; its locks are no stronger than declared; what its ``Check:`` line expects is so.
Then the whole track goes back to nothing, and several runners at once build it from nothing.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection

from taskdb import migrations
from taskdb.database import workspaces
from taskdb.database.versions import TRACKS, Track, ids
from taskdb.errors import MigrationError, TaskdbError
from taskdb.migrations import locks, lockwatch, schema
from taskdb.migrations.files import Migration, lint
from taskdb.migrations.header import Problem
from taskdb.migrations.runner import Run, open_run
from taskdb.migrations.scratch import scratch_databases
from taskdb.migrations.scripts import place
from taskdb.queries.admin import locks as lock_queries

__all__ = ["RehearsalFailure", "check", "differing", "expectation_failures"]

WAIT_SECONDS = 60.0

_EXPECTATION = re.compile(r"(select\b.*);\s*--\s*expect\s+(.*\S)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class RehearsalFailure:
    """One thing wrong: where (``file:line``), what, and what to do about it."""

    where: str
    message: str
    hint: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}. {self.hint}"


def check(
    conninfo: str, *, folder: Path = migrations.FOLDER, runners: int = 4
) -> list[RehearsalFailure]:
    """Try all migrations of *folder* on the server of *conninfo*; an empty list is success.

    The role must be allowed to create databases; raises `DatabaseError` where it may not.
    """
    problems = [problem for track in TRACKS for problem in lint(folder / track)]
    if problems:
        return [_of_problem(problem) for problem in problems]
    with scratch_databases(conninfo, 1) as (scratch,):
        findings = list(_try_steps(scratch, folder))
    if findings:
        return findings
    with scratch_databases(conninfo, 1) as (scratch,):
        return list(_try_crowd(scratch, folder, runners))


def _of_problem(problem: Problem) -> RehearsalFailure:
    return RehearsalFailure(problem.where, problem.message, problem.remedy)


def _of_error(error: MigrationError) -> RehearsalFailure:
    return RehearsalFailure(error.where or "", error.message, error.hint or "Mend the statement")


def _try_steps(conninfo: str, folder: Path) -> Iterator[RehearsalFailure]:
    with open_run(
        conninfo,
        workspace=workspaces.DEFAULT,
        folder=folder,
        package=migrations.PACKAGE,
        show=_ignore,
        wait=WAIT_SECONDS,
    ) as run:
        run.prepare()
        trial = _Trial(run, conninfo)
        try:
            empty = trial.last
            for track in TRACKS:
                for migration in run.files[track]:
                    yield from trial.up_down_up(track, migration)
            for track in reversed(TRACKS):
                for migration in reversed(run.files[track]):
                    run.down(track, migration)
            yield from _differences(
                empty, trial.state(), str(folder), "after all went up and down", _LEFT_BEHIND
            )
        except MigrationError as exc:
            yield _of_error(exc)


_LEFT_BEHIND = "The rollback must undo all that its migration does"
_Snapshot = list[tuple[schema.Objects, schema.Rows]]


class _Trial:
    """Migrations tried one by one on one database."""

    def __init__(self, run: Run, conninfo: str) -> None:
        self.run = run
        self.conninfo = conninfo
        self.schemas = list(run.schemas.values())
        # As the last migration left it, which is what the next one finds.
        self.last = self.state()

    def state(self) -> _Snapshot:
        """Both schemas, whole."""
        snapshot: _Snapshot = []
        for name in self.schemas:
            objects = schema.read(self.run.conn, name)
            snapshot.append((objects, schema.read_rows(self.run.conn, name, objects)))
        return snapshot

    def up_down_up(self, track: Track, migration: Migration) -> Iterator[RehearsalFailure]:
        before = self.last
        taken = self._up(track, migration)
        for message in (*locks.undeclared(migration, taken), *locks.unknown(migration, taken)):
            hint = "Write the head's Locks: line as docs/migrations.md says"
            yield RehearsalFailure(migration.where, message, hint)
        workspaces.set_search_path(self.run.conn, self.run.schemas[track])
        yield from expectation_failures(self.run.conn, migration)
        after = self.state()
        self.run.down(track, migration)
        rollback = place(migration.down.path, 1)
        yield from _differences(before, self.state(), rollback, "after up and down", _LEFT_BEHIND)
        self._up(track, migration)
        self.last = self.state()
        yield from _differences(
            after,
            self.last,
            migration.where,
            "the second time up",
            "It must not depend on chance",
        )

    def _up(self, track: Track, migration: Migration) -> locks.Taken:
        conn = self.run.conn
        taken = locks.Taken(lock_queries.list_relations(conn, schemas=self.schemas))
        if migration.head.transactional:
            self.run.backends[track].before_commit = lambda: taken.see(
                lock_queries.list_locks(conn, pid=conn.info.backend_pid)
            )
            self.run.up(track, migration)
        else:
            with lockwatch.watch(self.conninfo, conn.info.backend_pid, taken):
                self.run.up(track, migration)
        self.run.backends[track].before_commit = None
        return taken


def expectation_failures(conn: Connection[Any], migration: Migration) -> Iterator[RehearsalFailure]:
    """Yield a failure if what the head's `Check:` line expects is not so."""
    match = _EXPECTATION.fullmatch(migration.head.check)
    if match is None:
        return
    got = _first_value(conn, match[1])
    if got != match[2]:
        message = f"its Check: line expects {match[2]} and gets {got}"
        yield RehearsalFailure(migration.where, message, "Mend the migration, or the expectation")


def _first_value(conn: Connection[Any], query: str) -> str:
    """Return the query's first column of its first row, as psql would print it."""
    result = conn.execute(query.encode()).pgresult
    assert result is not None
    value = result.get_value(0, 0) if result.ntuples else b"no row"
    return "null" if value is None else value.decode()


def _differences(
    before: _Snapshot, after: _Snapshot, where: str, when: str, hint: str
) -> Iterator[RehearsalFailure]:
    for one, other in zip(before, after, strict=True):
        yield from differing(one, other, where, when, hint)


def differing(
    before: tuple[schema.Objects, schema.Rows],
    after: tuple[schema.Objects, schema.Rows],
    where: str,
    when: str,
    hint: str,
) -> Iterator[RehearsalFailure]:
    """Yield a failure for each difference between one schema's states."""
    found = (*schema.compare(before[0], after[0]), *schema.compare_rows(before[1], after[1]))
    yield from (RehearsalFailure(where, f"{when}, {_text(each)}", hint) for each in found)


def _text(found: schema.Difference) -> str:
    what = f"{found.kind} {found.name}"
    if found.aspect is None:
        return f"{what} is " + ("gone" if found.right is None else "there, and was not before")
    return f"the {found.aspect} of {what} is {found.right!r}, and was {found.left!r}"


def _try_crowd(conninfo: str, folder: Path, runners: int) -> Iterator[RehearsalFailure]:
    steps: list[migrations.Step] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            steps.extend(migrations.up(conninfo, folder=folder, show=_ignore))
        except (TaskdbError, psycopg.Error) as exc:
            errors.append(exc)

    threads = [threading.Thread(target=run) for _ in range(runners)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    hint = "One runner must do the work while the others wait"
    for error in errors:
        yield RehearsalFailure(str(folder), f"{runners} runners at once: {error}", hint)
    ran = Counter((step.track, step.id) for step in steps)
    for track in TRACKS:
        for migration_id in ids(folder / track):
            times = ran[track, migration_id]
            if times != 1 and not errors:
                message = f"{runners} runners at once ran {migration_id} {times} times"
                yield RehearsalFailure(str(folder / track), message, hint)


def _ignore(line: str) -> None:
    """Drop a line: a rehearsal is judged, not shown."""
