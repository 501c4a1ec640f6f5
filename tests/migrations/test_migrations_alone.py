"""One runner at a time, killed runs, and files without a transaction."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable

import psycopg
import pytest

from taskdb import migrations
from taskdb.errors import DatabaseError
from taskdb.migrations import backend
from tests.migrations.test_migrations import query, ran, running
from tests.tracks import Tracks
from tests.waiting import PATIENCE, wait_until

# Alone, and killed


RUNNER = """
import sys
from pathlib import Path
from taskdb import migrations
migrations.up(sys.argv[1], folder=Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_a_run_killed_in_the_middle_leaves_no_half_file_and_no_lock(
    empty_database_url: str, tracks: Tracks
) -> None:
    query(empty_database_url, "create table public.slow ()")
    tracks.add(
        "workspace",
        "0002.be-killed",
        "create table half (id int);\n"
        "select pg_sleep(600) from pg_class where oid = to_regclass('public.slow');",
        "drop table half;",
    )
    process = subprocess.Popen(
        [sys.executable, "-c", RUNNER, empty_database_url, str(tracks.folder)]
    )
    wait_until(lambda: query(empty_database_url, running("select pg_sleep(600)")))
    process.send_signal(signal.SIGKILL)
    process.wait()
    # The server ends what it did for the dead client, long before the ten minutes are over.
    wait_until(lambda: not query(empty_database_url, running("select pg_sleep(600)")))
    query(empty_database_url, "drop table public.slow")

    steps = migrations.up(empty_database_url, folder=tracks.folder)

    assert ran(steps) == [("workspace", "up", "0002.be-killed")]
    applied = [row.id for row in migrations.history(empty_database_url) if row.track == "workspace"]
    assert applied == ["0002.be-killed", "0001.create-notes"]


@pytest.mark.slow
def test_of_several_runs_at_once_each_file_is_applied_by_one(
    empty_database_url: str, tracks: Tracks
) -> None:
    for number in range(2, 6):
        tracks.add(
            "workspace", f"000{number}.sleep", f"create table t{number} (); select pg_sleep(0.05);"
        )
    steps: list[migrations.Step] = []
    runners = [
        threading.Thread(
            target=lambda: steps.extend(migrations.up(empty_database_url, folder=tracks.folder))
        )
        for _ in range(5)
    ]

    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join(PATIENCE)

    assert len(steps) == 6
    assert len({(step.track, step.id) for step in steps}) == 6


def test_a_run_waits_for_another_and_then_finds_its_work_done(
    empty_database_url: str, tracks: Tracks
) -> None:
    lines: list[str] = []
    steps: list[migrations.Step] = []

    def second() -> None:
        steps.extend(migrations.up(empty_database_url, folder=tracks.folder, show=lines.append))

    with psycopg.connect(empty_database_url, autocommit=True) as holder:
        holder.execute("select pg_advisory_lock(%s)", (backend.LOCK_KEY,))
        waiting = threading.Thread(target=second)
        waiting.start()
        wait_until(lambda: lines)
        pid = holder.info.backend_pid
    waiting.join(PATIENCE)

    assert lines[0] == f"another migration runs (server process {pid}): waiting, 60 s at most"
    assert len(steps) == 2


@pytest.mark.slow
def test_a_run_that_waits_too_long_says_for_whom(empty_database_url: str, tracks: Tracks) -> None:
    with psycopg.connect(empty_database_url, autocommit=True) as holder:
        holder.execute("select pg_advisory_lock(%s)", (backend.LOCK_KEY,))

        with pytest.raises(DatabaseError, match=f"process {holder.info.backend_pid}"):
            migrations.up(empty_database_url, folder=tracks.folder, wait=0.1)


# Without a transaction


CONCURRENTLY = "create index concurrently notes_mood on notes (mood);"


NO_TRANSACTION = "-- transactional: false"


SESSION_TIMEOUT = "set lock_timeout = '2s';"


def add_concurrent_index(tracks: Tracks) -> None:
    tracks.add(
        "workspace",
        "0002.index-notes",
        CONCURRENTLY,
        "drop index concurrently if exists notes_mood;",
        locks="share update exclusive on notes, for the length of a scan.",
        extra=NO_TRANSACTION,
        timeout=SESSION_TIMEOUT,
    )


@pytest.mark.slow
def test_an_index_is_built_concurrently_while_another_run_waits(
    empty_database_url: str, tracks: Tracks
) -> None:
    migrations.up(empty_database_url, folder=tracks.folder)
    add_concurrent_index(tracks)
    lines: list[str] = []
    errors: list[Exception] = []
    steps: list[migrations.Step] = []

    def run(show: Callable[[str], None]) -> None:
        try:
            steps.extend(migrations.up(empty_database_url, folder=tracks.folder, show=show))
        except Exception as exc:  # noqa: BLE001
            errors.append(exc)

    with psycopg.connect(empty_database_url) as old:
        # The build waits for this writer, and meanwhile the second run comes.
        old.execute("insert into taskdb.notes values (1)")
        first = threading.Thread(target=run, args=(lambda _line: None,))
        first.start()
        building = running("create index concurrently") + " and wait_event_type = 'Lock'"
        wait_until(lambda: query(empty_database_url, building))
        second = threading.Thread(target=run, args=(lines.append,))
        second.start()
        wait_until(lambda: lines)
        old.commit()
    first.join(PATIENCE)
    second.join(PATIENCE)

    assert errors == []
    assert ran(steps) == [("workspace", "up", "0002.index-notes")]
    assert query(
        empty_database_url,
        "select indisvalid from pg_index where indexrelid = 'notes_mood'::regclass",
    ) == [(True,)]


@pytest.mark.slow
def test_what_a_killed_attempt_without_a_transaction_left_is_cleared_away(
    empty_database_url: str, tracks: Tracks
) -> None:
    migrations.up(empty_database_url, folder=tracks.folder)
    add_concurrent_index(tracks)
    # The remains of a kill: the index, invalid, and no mark.
    query(empty_database_url, "create index notes_mood on notes (id)")

    migrations.up(empty_database_url, folder=tracks.folder)

    definition = query(empty_database_url, "select pg_get_indexdef('notes_mood'::regclass)")
    assert definition[0][0].endswith("(mood)")
    assert ran(migrations.down(empty_database_url, folder=tracks.folder)) == [
        ("workspace", "down", "0002.index-notes")
    ]
