"""The migration check: every way a migration can break its promises is found."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

import pytest

from taskdb.errors import DatabaseError
from taskdb.migrations import locks, lockwatch, runner
from taskdb.migrations import rehearsal as migration_check
from taskdb.testing.databases import Databases
from tests.tiers import first_of
from tests.tracks import Tracks

NO_TRANSACTION = "-- transactional: false"
SESSION_TIMEOUT = "set lock_timeout = '2s';"
Check = Callable[[], list[migration_check.RehearsalFailure]]


@pytest.fixture
def check(databases: Databases, tracks: Tracks) -> Check:
    """Run the check on the test's own tracks."""
    return lambda: migration_check.check(databases.admin_url, folder=tracks.folder)


def told(findings: list[migration_check.RehearsalFailure]) -> list[tuple[str, str]]:
    return [(finding.where.rpartition("/")[2], finding.message) for finding in findings]


def test_the_shipped_migrations_keep_their_promises(databases: Databases) -> None:
    assert [str(finding) for finding in migration_check.check(databases.admin_url)] == []


@pytest.mark.slow
def test_tracks_that_keep_their_promises_have_no_findings(tracks: Tracks, check: Check) -> None:
    tracks.add(
        "workspace",
        "0002.widen-notes",
        "alter table notes add column text text;\n"
        "create table lines (id int primary key, note int references notes);\n"
        "create type shared.sort as enum ('a');",
        "drop type shared.sort;\ndrop table lines;\nalter table notes drop column text;",
        locks="access exclusive on notes, for milliseconds.",
        check="select count(*) from pg_attribute where attrelid = 'notes'::regclass\n"
        "--     and attname = 'text';  -- expect 1",
    )

    assert check() == []


def test_a_faulty_file_is_a_finding_before_anything_runs(tracks: Tracks, check: Check) -> None:
    tracks.rollback("workspace", "0001.create-notes").unlink()

    (finding,) = check()

    assert finding.where.endswith("0001.create-notes.sql:1")
    assert "is missing" in finding.message
    assert finding.hint


@pytest.mark.slow
def test_a_statement_that_fails_is_a_finding(tracks: Tracks, check: Check) -> None:
    tracks.add("workspace", "0002.fail", "select 1;\nselect 1 / 0;")

    assert told(check()) == [("0002.fail.sql:6", "division by zero")]


@pytest.mark.slow
def test_a_rollback_that_fails_is_a_finding(tracks: Tracks, check: Check) -> None:
    tracks.add("workspace", "0002.fail", "create table a (id int);", "drop table b;")

    assert told(check()) == [("0002.fail.rollback.sql:3", 'table "b" does not exist')]


@pytest.mark.parametrize(
    ("up", "down", "message"),
    first_of(
        [
            ("create table a (id int);", "", "table a is there, and was not before"),
            ("create table shared.a (id int);", "", "table a is there, and was not before"),
            ("create sequence a;", "", "sequence a is there, and was not before"),
            (
                "comment on table notes is 'x';",
                "",
                "the comment of table notes is 'x', and was None",
            ),
            ("select 1;", "drop table notes;", "table notes is gone"),
            (
                "alter table notes add column a int;",
                "alter table notes drop column a, alter column mood set default 'ok';",
                "the default of column notes.mood is \"'ok'::shared.mood\", and was None",
            ),
            (
                "insert into notes values (1, 'ok');",
                "",
                "row notes (id=1, mood=ok) is there, and was not before",
            ),
        ],
        3,
    ),
)
def test_a_rollback_that_does_not_undo_everything_is_a_finding(
    tracks: Tracks, check: Check, up: str, down: str, message: str
) -> None:
    tracks.add(
        "workspace", "0002.leave", up, down, locks="access exclusive on notes, for milliseconds."
    )

    findings = told(check())

    assert findings[0] == ("0002.leave.rollback.sql:1", f"after up and down, {message}")


@pytest.mark.slow
def test_a_second_time_that_is_not_like_the_first_is_a_finding(
    tracks: Tracks, check: Check
) -> None:
    tracks.add(
        "workspace",
        "0002.depend-on-chance",
        "do $$ begin execute format('create table notes_%s ()', txid_current()); end $$;",
        "do $$ begin execute 'drop table '"
        " || (select tablename from pg_tables where tablename like 'notes\\_%'); end $$;",
    )

    messages = [message for _, message in told(check())]

    assert any("the second time up, table notes_" in message for message in messages)


@pytest.mark.parametrize(
    ("up", "locks", "message"),
    first_of(
        [
            (
                "alter table notes add column a int;",
                "none beyond new objects.",
                "takes access exclusive on taskdb.notes; its head does not say so",
            ),
            (
                "alter table notes add column a int;",
                "share row exclusive on notes, for milliseconds.",
                "takes access exclusive on taskdb.notes; its head says share row exclusive",
            ),
            (
                "create table lines (note int references notes);",
                "share on notes, for milliseconds.",
                "takes share row exclusive on taskdb.notes; its head says share",
            ),
            (
                "create index on notes (mood);",
                "row exclusive on notes, for milliseconds.",
                "takes share on taskdb.notes; its head says row exclusive",
            ),
            (
                "alter table notes add column a int; insert into notes values (1);",
                "row exclusive on notes, for milliseconds.",
                "takes access exclusive on taskdb.notes; its head says row exclusive",
            ),
            (
                "insert into notes values (1);",
                "none beyond new objects.",
                "takes row exclusive on taskdb.notes; its head does not say so",
            ),
            (
                "select from notes for update;",
                "none beyond new objects.",
                "takes row share on taskdb.notes; its head does not say so",
            ),
            (
                "drop table notes cascade;",
                "exclusive on notes, for milliseconds.",
                "takes access exclusive on taskdb.notes; its head says exclusive",
            ),
            (
                "create or replace view seen as select 2 as one;",
                "none beyond new objects.",
                "takes access exclusive on taskdb.seen; its head does not say so",
            ),
            (
                "alter table shared.jobs add column a int;",
                "access exclusive on jobs_of_others, for milliseconds.",
                "takes access exclusive on shared.jobs; its head does not say so",
            ),
            (
                "alter sequence numbers increment 2;",
                "none beyond new objects.",
                "takes share row exclusive on taskdb.numbers; its head does not say so",
            ),
        ],
        4,
    ),
)
def test_a_lock_that_the_head_does_not_declare_is_a_finding(
    tracks: Tracks, check: Check, up: str, locks: str, message: str
) -> None:
    tracks.add("shared", "0002.add-jobs", "create table jobs ();", "drop table jobs;")
    tracks.add(
        "workspace",
        "0002.add-more",
        "create view seen as select 1 as one; create sequence numbers;",
        "drop sequence numbers; drop view seen;",
    )
    tracks.add("workspace", "0003.lock", up, locks=locks)

    assert ("0003.lock.sql:1", message) in told(check())


@pytest.mark.slow
@pytest.mark.parametrize(
    "up",
    ["select * from notes;", "select nextval('numbers');", "create table a (mood mood);"],
)
def test_reading_and_drawing_numbers_needs_no_declaration(
    tracks: Tracks, check: Check, up: str
) -> None:
    tracks.add("workspace", "0002.add", "create sequence numbers;", "drop sequence numbers;")
    tracks.add("workspace", "0003.read", up, "drop table if exists a;")

    assert check() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("locks", "messages"),
    [
        ("share update exclusive on notes, for the length of a scan.", []),
        (
            "none beyond new objects.",
            ["takes share update exclusive on taskdb.notes; its head does not say so"],
        ),
        (
            "row exclusive on notes, for the length of a scan.",
            ["takes share update exclusive on taskdb.notes; its head says row exclusive"],
        ),
    ],
)
def test_locks_taken_without_a_transaction_are_seen_too(
    tracks: Tracks, check: Check, locks: str, messages: list[str]
) -> None:
    tracks.add(
        "workspace",
        "0002.index-notes",
        "create index concurrently notes_mood on notes (mood);",
        "drop index concurrently if exists notes_mood;",
        locks=locks,
        extra=NO_TRANSACTION,
        timeout=SESSION_TIMEOUT,
    )

    assert told(check()) == [("0002.index-notes.sql:1", message) for message in messages]


@pytest.mark.slow
def test_each_table_locked_without_a_transaction_is_seen(tracks: Tracks, check: Check) -> None:
    tracks.add("workspace", "0002.add", "create table lines ();", "drop table lines;")
    tracks.add(
        "workspace",
        "0003.add-twice",
        "update notes set mood = 'ok';\nalter table lines add column if not exists a int;",
        "alter table lines drop column if exists a;",
        extra=NO_TRANSACTION,
        timeout=SESSION_TIMEOUT,
    )

    assert told(check()) == [
        (
            "0003.add-twice.sql:1",
            "takes row exclusive on taskdb.notes; its head does not say so",
        ),
        (
            "0003.add-twice.sql:1",
            "takes access exclusive on taskdb.lines; its head does not say so",
        ),
    ]


def test_a_failure_of_the_watcher_is_not_kept_quiet(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = threading.Event()

    def fail(*_args: object, **_parameters: object) -> None:
        looked.set()
        raise RuntimeError("no view of the locks")

    monkeypatch.setattr("taskdb.queries.admin.locks.list_locks", fail)

    with (
        pytest.raises(RuntimeError, match="no view of the locks"),
        lockwatch.watch(databases.admin_url, 0, locks.Taken([])),
    ):
        assert looked.wait(30)


@pytest.mark.slow
def test_a_declared_table_that_is_not_there_is_a_finding(tracks: Tracks, check: Check) -> None:
    tracks.add("workspace", "0002.add", "select 1;", locks="share on nodes, for milliseconds.")

    assert told(check()) == [
        ("0002.add.sql:1", "declares a lock on nodes, which is not there before it")
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("expectation", "message"),
    [
        ("select count(*) from notes;  -- expect 1", "its Check: line expects 1 and gets 0"),
        ("select id from notes;  -- expect 1", "its Check: line expects 1 and gets no row"),
        ("select null;  -- expect t", "its Check: line expects t and gets null"),
        ("select true;  -- expect f", "its Check: line expects f and gets t"),
    ],
)
def test_an_expectation_that_is_not_met_is_a_finding(
    tracks: Tracks, check: Check, expectation: str, message: str
) -> None:
    tracks.add("workspace", "0002.add", "select 1;", check=expectation)

    assert told(check()) == [("0002.add.sql:1", message)]


@pytest.mark.slow
def test_runners_that_get_in_each_others_way_are_a_finding(
    databases: Databases, tracks: Tracks, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracks.add("workspace", "0002.sleep", "select pg_sleep(0.2);")
    monkeypatch.setattr(runner, "runner_lock", lambda *_args: contextlib.nullcontext())

    findings = migration_check.check(databases.admin_url, folder=tracks.folder)

    assert findings
    assert all(finding.message.startswith("4 runners at once") for finding in findings)


def test_a_role_that_may_not_create_databases_is_told_so(database_url: str) -> None:
    with pytest.raises(DatabaseError, match="may not create the scratch databases"):
        migration_check.check(database_url)
