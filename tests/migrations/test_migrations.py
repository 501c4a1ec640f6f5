"""The migration runner: what it does, and what it refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from taskdb import migrations
from taskdb.database import connect, connect_async, versions, workspaces
from taskdb.errors import (
    DatabaseError,
    DatabaseNotFoundError,
    MigrationError,
    SchemaVersionMismatchError,
    ValidationError,
)
from taskdb.migrations import backend, files
from tests.servers import Databases, make_url
from tests.trains import Trains
from tests.waiting import PATIENCE, wait_until


def query(url: str, text: str) -> list[Any]:
    with psycopg.connect(url, autocommit=True, options="-c search_path=taskdb,shared") as conn:
        cursor = conn.execute(text.encode())
        return cursor.fetchall() if cursor.description else []


def tables(url: str, schema: str = "taskdb") -> set[str]:
    names = query(
        url,
        f"select tablename from pg_tables where schemaname = '{schema}'",
    )
    return {name for (name,) in names if not name.startswith("_")}


def running(statement: str) -> str:
    return (
        "select pid from pg_stat_activity where datname = current_database()"
        f" and query like '{statement}%' and state = 'active'"
    )


def ran(steps: list[migrations.Step]) -> list[tuple[str, str, str]]:
    return [(step.train, step.direction, step.id) for step in steps]


# Up


def test_up_runs_shared_first_and_then_the_workspace_and_the_second_time_nothing(
    empty_database_url: str, trains: Trains
) -> None:
    lines: list[str] = []

    first = migrations.up(empty_database_url, folder=trains.folder, show=lines.append)
    second = migrations.up(empty_database_url, folder=trains.folder)

    assert ran(first) == [
        ("shared", "up", "0001.create-mood"),
        ("workspace", "up", "0001.create-notes"),
    ]
    assert second == []
    assert tables(empty_database_url) == {"notes"}
    assert lines == [
        "schema shared created",
        "schema taskdb created",
        "shared: up 0001.create-mood",
        "taskdb: up 0001.create-notes",
    ]


def test_the_shipped_migrations_go_up_down_to_nothing_and_up(empty_database_url: str) -> None:
    first = migrations.up(empty_database_url)
    back = migrations.down(empty_database_url, "0")
    back += migrations.down(empty_database_url, "0", shared=True)
    again = migrations.up(empty_database_url)

    assert ran(first) == ran(again)
    assert [step.id for step in back] == [step.id for step in reversed(first)]


def test_two_workspaces_live_side_by_side(empty_database_url: str, trains: Trains) -> None:
    migrations.up(empty_database_url, folder=trains.folder)
    steps = migrations.up(empty_database_url, workspace="team_b", folder=trains.folder)

    assert ran(steps) == [("workspace", "up", "0001.create-notes")]
    assert tables(empty_database_url, "team_b") == {"notes"}


def test_a_workspace_needs_a_name_that_fits(empty_database_url: str, trains: Trains) -> None:
    with pytest.raises(ValidationError, match="workspace"):
        migrations.up(empty_database_url, workspace="Team B", folder=trains.folder)


def test_a_role_that_owns_nothing_but_may_create_schemas_can_migrate(
    databases: Databases, empty_database_url: str, trains: Trains
) -> None:
    trains.add(
        "shared",
        "0002.add-trigrams",
        "create extension pg_trgm schema shared;",
        "drop extension pg_trgm;",
    )
    role = f"{databases.run}_plain"
    database = str(conninfo_to_dict(empty_database_url)["dbname"])
    with databases.admin(database) as admin:
        admin.execute(sql.SQL("create role {} login").format(sql.Identifier(role)))
        admin.execute(
            sql.SQL("grant create on database {} to {}").format(
                sql.Identifier(database), sql.Identifier(role)
            )
        )
    try:
        url = make_url(empty_database_url, user=role, password=None)
        migrations.up(url, folder=trains.folder)
        migrations.down(url, folder=trains.folder)
        migrations.down(url, "0", shared=True, folder=trains.folder)
        migrations.up(url, folder=trains.folder)

        assert tables(url) == {"notes"}
        assert query(url, "select usesuper from pg_user where usename = current_user") == [(False,)]
    finally:
        with databases.admin(database) as admin:
            admin.execute(sql.SQL("drop owned by {}").format(sql.Identifier(role)))
            admin.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))


def test_every_form_of_conninfo_is_taken(empty_database_url: str, trains: Trains) -> None:
    parts = conninfo_to_dict(empty_database_url)
    odd = "p@:/%25 'x"
    forms = [
        make_url(empty_database_url, password=odd),
        make_url(empty_database_url, password=odd).replace("postgresql://", "postgres://"),
        make_conninfo("", **{**parts, "password": odd}),
        make_conninfo("", **{**parts, "options": "-c search_path=public"}),
    ]
    for form in forms:
        migrations.up(form, folder=trains.folder)
        assert migrations.check(form, folder=trains.folder).exit_status == 0


def test_a_conninfo_that_cannot_be_read_is_refused_without_being_shown(trains: Trains) -> None:
    with pytest.raises(ValidationError) as caught:
        migrations.up("host=db password=s3cret s3cret", folder=trains.folder)

    assert "s3cret" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_where_nothing_answers_the_error_says_so_and_tells_no_password(trains: Trains) -> None:
    with pytest.raises(DatabaseNotFoundError) as caught:
        migrations.up("postgresql://u:s3cret@/d?host=/nowhere/at/all", folder=trains.folder)

    assert "/nowhere/at/all" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("error", [KeyError("uid 123"), OSError("No username set")])
def test_a_user_without_a_name_is_logged_by_number(
    empty_database_url: str, trains: Trains, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def nameless() -> str:
        raise error

    monkeypatch.setattr("getpass.getuser", nameless)

    migrations.up(empty_database_url, folder=trains.folder)

    assert migrations.history(empty_database_url)[0].username == f"uid {os.getuid()}"


def test_notices_of_the_server_are_shown(empty_database_url: str, trains: Trains) -> None:
    trains.add("workspace", "0002.say-hello", "do $$ begin raise notice 'hello %', 1; end $$;")
    lines: list[str] = []

    migrations.up(empty_database_url, folder=trains.folder, show=lines.append)

    assert "NOTICE: hello 1" in lines


def test_target_names_server_database_workspace_and_user_but_no_password() -> None:
    text = str(
        migrations.target("postgresql://ann:s3cret@db.example:6543/plans", workspace="team_a")
    )

    assert text == "server db.example:6543, database plans, workspace team_a, as ann"


def test_target_knows_what_libpq_takes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGHOST", "db.example")
    monkeypatch.setenv("PGUSER", "ann")

    assert str(migrations.target("")) == (
        "server db.example:5432, database ann, workspace taskdb, as ann"
    )
    assert migrations.target("host=/run/pg dbname=x").server == "/run/pg:5432"


# A file that fails


@pytest.mark.parametrize(
    ("up", "line", "says"),
    [
        ("create table a (id int);\ncreate tabel b (id int);", 6, "syntax error"),
        ("create table a (id int);\n\n-- why\nselect\n    1,\n    nothing\nfrom a;", 10, "nothing"),
        (
            "create table a (id int);\ndo $$ begin\nraise exception 'no; not this'; end $$;",
            6,
            "no; not",
        ),
        ("create table a (id int);\n/* one\ntwo */ insert into a values (1/0);", 7, "division"),
    ],
)
def test_a_failing_statement_is_named_by_file_and_line_and_nothing_of_its_file_stays(
    empty_database_url: str, trains: Trains, up: str, line: int, says: str
) -> None:
    path = trains.add("workspace", "0002.fail", up)

    with pytest.raises(MigrationError, match=says) as caught:
        migrations.up(empty_database_url, folder=trains.folder)

    assert caught.value.where == f"{path.resolve()}:{line}"
    assert isinstance(caught.value.__cause__, psycopg.Error)
    assert tables(empty_database_url) == {"notes"}
    assert migrations.check(empty_database_url, folder=trains.folder).findings == (
        "workspace: 0002.fail: pending",
    )


def test_a_failing_rollback_keeps_everything(empty_database_url: str, trains: Trains) -> None:
    trains.add("workspace", "0002.add", "create table a (id int);", "drop table a;\ndrop table b;")
    migrations.up(empty_database_url, folder=trains.folder)

    with pytest.raises(MigrationError, match='table "b" does not exist') as caught:
        migrations.down(empty_database_url, folder=trains.folder)

    assert caught.value.where is not None
    assert caught.value.where.endswith("0002.add.rollback.sql:4")
    assert tables(empty_database_url) == {"notes", "a"}
    assert migrations.check(empty_database_url, folder=trains.folder).exit_status == 0


def test_a_lock_that_is_not_had_in_time_says_that_nothing_was_kept(
    empty_database_url: str, trains: Trains
) -> None:
    migrations.up(empty_database_url, folder=trains.folder)
    trains.add(
        "workspace",
        "0002.widen-notes",
        "create table a (id int);\nalter table notes add column text text;",
        locks="access exclusive on notes, for milliseconds.",
        timeout="set local lock_timeout = '50ms';",
    )
    with psycopg.connect(empty_database_url) as holder:
        holder.execute("lock table taskdb.notes in access share mode")

        with pytest.raises(MigrationError, match="lock timeout") as caught:
            migrations.up(empty_database_url, folder=trains.folder)

    assert caught.value.hint is not None
    assert "nothing of this file was kept" in caught.value.hint
    assert tables(empty_database_url) == {"notes"}
    assert len(migrations.up(empty_database_url, folder=trains.folder)) == 1


def test_a_server_that_ends_the_session_is_reported_by_file_and_line(
    empty_database_url: str, trains: Trains
) -> None:
    path = trains.add("workspace", "0002.die", "select pg_terminate_backend(pg_backend_pid());")

    with pytest.raises(MigrationError, match="terminating connection") as caught:
        migrations.up(empty_database_url, folder=trains.folder)

    assert caught.value.where == f"{path.resolve()}:5"


# Alone, and killed

RUNNER = """
import sys
from pathlib import Path
from taskdb import migrations
migrations.up(sys.argv[1], folder=Path(sys.argv[2]))
"""


def test_a_run_killed_in_the_middle_leaves_no_half_file_and_no_lock(
    empty_database_url: str, trains: Trains
) -> None:
    query(empty_database_url, "create table public.slow ()")
    trains.add(
        "workspace",
        "0002.be-killed",
        "create table half (id int);\n"
        "select pg_sleep(600) from pg_class where oid = to_regclass('public.slow');",
        "drop table half;",
    )
    process = subprocess.Popen(
        [sys.executable, "-c", RUNNER, empty_database_url, str(trains.folder)]
    )
    wait_until(lambda: query(empty_database_url, running("select pg_sleep(600)")))
    process.send_signal(signal.SIGKILL)
    process.wait()
    # The server ends what it did for the dead client, long before the ten minutes are over.
    wait_until(lambda: not query(empty_database_url, running("select pg_sleep(600)")))
    query(empty_database_url, "drop table public.slow")

    steps = migrations.up(empty_database_url, folder=trains.folder)

    assert ran(steps) == [("workspace", "up", "0002.be-killed")]
    applied = [row.id for row in migrations.history(empty_database_url) if row.train == "workspace"]
    assert applied == ["0002.be-killed", "0001.create-notes"]


def test_of_several_runs_at_once_each_file_is_applied_by_one(
    empty_database_url: str, trains: Trains
) -> None:
    for number in range(2, 6):
        trains.add(
            "workspace", f"000{number}.sleep", f"create table t{number} (); select pg_sleep(0.05);"
        )
    steps: list[migrations.Step] = []
    runners = [
        threading.Thread(
            target=lambda: steps.extend(migrations.up(empty_database_url, folder=trains.folder))
        )
        for _ in range(5)
    ]

    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join(PATIENCE)

    assert len(steps) == 6
    assert len({(step.train, step.id) for step in steps}) == 6


def test_a_run_waits_for_another_and_then_finds_its_work_done(
    empty_database_url: str, trains: Trains
) -> None:
    lines: list[str] = []
    steps: list[migrations.Step] = []

    def second() -> None:
        steps.extend(migrations.up(empty_database_url, folder=trains.folder, show=lines.append))

    with psycopg.connect(empty_database_url, autocommit=True) as holder:
        holder.execute("select pg_advisory_lock(%s)", (backend.LOCK_KEY,))
        waiting = threading.Thread(target=second)
        waiting.start()
        wait_until(lambda: lines)
        pid = holder.info.backend_pid
    waiting.join(PATIENCE)

    assert lines[0] == f"another migration runs (server process {pid}): waiting, 60 s at most"
    assert len(steps) == 2


def test_a_run_that_waits_too_long_says_for_whom(empty_database_url: str, trains: Trains) -> None:
    with psycopg.connect(empty_database_url, autocommit=True) as holder:
        holder.execute("select pg_advisory_lock(%s)", (backend.LOCK_KEY,))

        with pytest.raises(DatabaseError, match=f"process {holder.info.backend_pid}"):
            migrations.up(empty_database_url, folder=trains.folder, wait=0.1)


# Without a transaction

CONCURRENTLY = "create index concurrently notes_mood on notes (mood);"
NO_TRANSACTION = "-- transactional: false"
SESSION_TIMEOUT = "set lock_timeout = '2s';"


def add_concurrent_index(trains: Trains) -> None:
    trains.add(
        "workspace",
        "0002.index-notes",
        CONCURRENTLY,
        "drop index concurrently if exists notes_mood;",
        locks="share update exclusive on notes, for the length of a scan.",
        extra=NO_TRANSACTION,
        timeout=SESSION_TIMEOUT,
    )


def test_an_index_is_built_concurrently_while_another_run_waits(
    empty_database_url: str, trains: Trains
) -> None:
    migrations.up(empty_database_url, folder=trains.folder)
    add_concurrent_index(trains)
    lines: list[str] = []
    errors: list[Exception] = []
    steps: list[migrations.Step] = []

    def run(show: Callable[[str], None]) -> None:
        try:
            steps.extend(migrations.up(empty_database_url, folder=trains.folder, show=show))
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


def test_what_a_killed_attempt_without_a_transaction_left_is_cleared_away(
    empty_database_url: str, trains: Trains
) -> None:
    migrations.up(empty_database_url, folder=trains.folder)
    add_concurrent_index(trains)
    # What a kill leaves: the index, invalid, and no mark.
    query(empty_database_url, "create index notes_mood on notes (id)")

    migrations.up(empty_database_url, folder=trains.folder)

    definition = query(empty_database_url, "select pg_get_indexdef('notes_mood'::regclass)")
    assert definition[0][0].endswith("(mood)")
    assert ran(migrations.down(empty_database_url, folder=trains.folder)) == [
        ("workspace", "down", "0002.index-notes")
    ]


# What a file does to its session stays with it


def test_each_file_finds_the_same_session_and_the_log_stays_ours(
    databases: Databases, empty_database_url: str, trains: Trains
) -> None:
    trains.add(
        "workspace",
        "0002.make-a-mess",
        "create table first (id int);\nset search_path = public;\nset timezone = 'Asia/Tokyo';\n"
        "create temp table second (id int);\nset role pg_read_all_data;",
    )
    trains.add(
        "workspace",
        "0003.find-none-of-it",
        "create table second as select current_setting('search_path') as path,"
        " current_setting('timezone') as zone, current_user = session_user as ours;",
    )
    user = conninfo_to_dict(empty_database_url)["user"]
    with databases.admin() as admin:
        admin.execute(sql.SQL("grant pg_read_all_data to {}").format(sql.Identifier(str(user))))

    migrations.up(empty_database_url, folder=trains.folder)

    assert tables(empty_database_url) == {"notes", "first", "second"}
    assert query(empty_database_url, "select * from taskdb.second") == [
        ("taskdb, shared, pg_temp", "UTC", True)
    ]
    assert query(empty_database_url, "select count(*) from taskdb._taskdb_migration") == [(3,)]


def test_yoyos_own_command_line_can_read_the_log(empty_database_url: str, trains: Trains) -> None:
    migrations.up(empty_database_url, folder=trains.folder)
    trains.add("workspace", "0002.wait", "select 1;")
    url = empty_database_url.replace("postgresql://", "postgresql+psycopg://")
    options = "options=-c%20search_path%3Dtaskdb,shared"
    command = [str(Path(sys.executable).parent / "yoyo"), "list", "--batch", "--no-config-file"]

    listed = subprocess.run(
        [*command, "--database", f"{url}&{options}", str(trains.folder / "workspace")],
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    states = [line.split()[:2] for line in listed.splitlines()[2:]]
    assert states == [["A", "0001.create-notes"], ["U", "0002.wait"]]


# Files and log that disagree


def test_an_applied_file_that_was_edited_is_refused(
    empty_database_url: str, trains: Trains
) -> None:
    migrations.up(empty_database_url, folder=trains.folder)
    trains.add("workspace", "0002.come-later", "create table a (id int);")
    path = trains.path("workspace", "0001.create-notes")
    path.write_text(path.read_text().replace("mood mood", "temper mood"))

    for act in (migrations.up, migrations.down):
        with pytest.raises(MigrationError, match="edited after it was applied") as caught:
            act(empty_database_url, folder=trains.folder)
        assert caught.value.where == f"{path.resolve()}:1"

    assert tables(empty_database_url) == {"notes"}
    assert migrations.check(empty_database_url, folder=trains.folder) == migrations.Check(
        1, ("workspace: 0001.create-notes: edited", "workspace: 0002.come-later: pending")
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("create table notes (", "create table notes ( -- what people write\n"),
        ("create table notes (id", "create  table /* of notes */ notes\n(id"),
        ("-- Check: select 1;  -- expect 1", "-- Check: select 1;  -- expect 1, no more"),
    ],
)
def test_a_corrected_comment_or_space_is_no_edit(
    empty_database_url: str, trains: Trains, old: str, new: str
) -> None:
    migrations.up(empty_database_url, folder=trains.folder)
    path = trains.path("workspace", "0001.create-notes")
    text = path.read_text()
    path.write_text(text.replace(old, new))

    assert path.read_text() != text
    assert migrations.up(empty_database_url, folder=trains.folder) == []
    assert migrations.check(empty_database_url, folder=trains.folder).exit_status == 0


def test_a_directive_and_a_word_in_a_body_are_edits(trains: Trains) -> None:
    path = trains.add("workspace", "0002.say", "do $$ begin /* one */ end $$;")
    text = path.read_text()
    sums = set()
    for edited in (
        text,
        text.replace("/* one", "/* two"),
        text.replace("-- Check", "-- breaking: 0.2.0\n-- Check"),
    ):
        path.write_text(edited)
        sums.add(files.read_train(path.parent)[-1].checksum)

    assert len(sums) == 3


def test_an_edit_in_the_workspace_keeps_shared_from_being_migrated_too(
    empty_database_url: str, trains: Trains
) -> None:
    migrations.up(empty_database_url, folder=trains.folder)
    trains.add("shared", "0002.add-table", "create table a (id int);")
    path = trains.path("workspace", "0001.create-notes")
    path.write_text(path.read_text() + "create view one as select 1;\n")

    with pytest.raises(MigrationError, match="edited"):
        migrations.up(empty_database_url, folder=trains.folder)

    assert tables(empty_database_url, "shared") == set()


def test_other_line_endings_are_no_edit(empty_database_url: str, trains: Trains) -> None:
    migrations.up(empty_database_url, folder=trains.folder)
    path = trains.path("workspace", "0001.create-notes")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    assert migrations.up(empty_database_url, folder=trains.folder) == []


def test_a_database_with_a_migration_of_which_there_is_no_file_is_refused(
    empty_database_url: str, trains: Trains
) -> None:
    trains.add("workspace", "0002.come-from-the-future", "create table a (id int);")
    migrations.up(empty_database_url, folder=trains.folder)
    trains.remove("workspace", "0002.come-from-the-future")

    for act in (migrations.up, migrations.down):
        with pytest.raises(SchemaVersionMismatchError, match=r"0002\.come-from-the-future"):
            act(empty_database_url, folder=trains.folder)

    assert [row.state for row in migrations.status(empty_database_url, folder=trains.folder)] == [
        "applied",
        "applied",
        "no file",
    ]
    assert migrations.check(empty_database_url, folder=trains.folder).exit_status == 1


def test_a_file_numbered_before_an_applied_one_is_refused(
    empty_database_url: str, trains: Trains
) -> None:
    trains.add("workspace", "0003.be-early", "create table a (id int);")
    migrations.up(empty_database_url, folder=trains.folder)
    path = trains.add("workspace", "0002.be-late", "create table b (id int);")

    with pytest.raises(MigrationError, match=r"before 0003\.be-early") as caught:
        migrations.up(empty_database_url, folder=trains.folder)

    assert caught.value.where == f"{path.resolve()}:1"


def test_what_another_tool_did_to_yoyos_log_is_noticed_and_stamp_mends_it(
    empty_database_url: str, trains: Trains
) -> None:
    migrations.up(empty_database_url, folder=trains.folder)
    query(empty_database_url, "delete from _yoyo_migration")

    with pytest.raises(MigrationError, match=r"disagree about 0001\.create-notes"):
        migrations.up(empty_database_url, folder=trains.folder)
    assert migrations.check(empty_database_url, folder=trains.folder).findings == (
        "workspace: 0001.create-notes: disputed",
    )

    migrations.stamp(empty_database_url, "1", folder=trains.folder)

    assert migrations.check(empty_database_url, folder=trains.folder).exit_status == 0


# Down


@pytest.fixture
def three(empty_database_url: str, trains: Trains) -> str:
    """A database whose workspace has three migrations."""
    for number in (2, 3):
        trains.add(
            "workspace",
            f"000{number}.add",
            f"create table t{number} (id int);",
            f"drop table t{number};",
        )
    migrations.up(empty_database_url, folder=trains.folder)
    return empty_database_url


def test_down_takes_the_newest_back(three: str, trains: Trains) -> None:
    steps = migrations.down(three, folder=trains.folder)

    assert ran(steps) == [("workspace", "down", "0003.add")]
    assert tables(three) == {"notes", "t2"}


@pytest.mark.parametrize(
    ("to", "left"),
    [
        ("3", {"notes", "t2", "t3"}),
        ("0002", {"notes", "t2"}),
        ("1", {"notes"}),
        ("0001.create-notes", {"notes"}),
        ("0", set[str]()),
    ],
)
def test_down_to_a_revision_leaves_that_one(
    three: str, trains: Trains, to: str, left: set[str]
) -> None:
    migrations.down(three, to, folder=trains.folder)

    assert tables(three) == left


def test_down_with_nothing_applied_does_nothing(empty_database_url: str, trains: Trains) -> None:
    assert migrations.down(empty_database_url, folder=trains.folder) == []


def test_down_refuses_a_revision_that_is_not_there(three: str, trains: Trains) -> None:
    with pytest.raises(MigrationError, match="no migration '7'"):
        migrations.down(three, "7", folder=trains.folder)
    migrations.down(three, "1", folder=trains.folder)
    with pytest.raises(MigrationError, match="does not have 2"):
        migrations.down(three, "2", folder=trains.folder)


def test_shared_goes_back_only_behind_what_no_workspace_stands_on(
    empty_database_url: str, trains: Trains
) -> None:
    migrations.up(empty_database_url, folder=trains.folder)
    trains.add("shared", "0002.add", "create table a (id int);", "drop table a;")
    migrations.up(empty_database_url, folder=trains.folder)

    # The workspace was made when shared had 0001 only.
    steps = migrations.down(empty_database_url, shared=True, folder=trains.folder)
    assert ran(steps) == [("shared", "down", "0002.add")]
    with pytest.raises(
        DatabaseError, match=r"workspace taskdb stands on migration 0001\.create-mood"
    ):
        migrations.down(empty_database_url, shared=True, folder=trains.folder)
    with pytest.raises(DatabaseError, match="workspace taskdb stands on"):
        migrations.stamp(empty_database_url, "0", shared=True, folder=trains.folder)

    migrations.down(empty_database_url, folder=trains.folder)
    assert len(migrations.down(empty_database_url, shared=True, folder=trains.folder)) == 1


# Stamp, status, history


def test_stamp_notes_and_runs_nothing(empty_database_url: str, trains: Trains) -> None:
    trains.add("workspace", "0002.add", "create table a (id int);", "drop table a;")

    marked = migrations.stamp(empty_database_url, "2", folder=trains.folder)
    unmarked = migrations.stamp(empty_database_url, "1", folder=trains.folder)

    assert ran(marked) == [
        ("workspace", "mark", "0001.create-notes"),
        ("workspace", "mark", "0002.add"),
    ]
    assert ran(unmarked) == [("workspace", "unmark", "0002.add")]
    assert tables(empty_database_url) == set()
    assert [row.state for row in migrations.status(empty_database_url, folder=trains.folder)] == [
        "pending",
        "applied",
        "pending",
    ]


def test_stamp_accepts_an_edited_file_as_it_is_now(empty_database_url: str, trains: Trains) -> None:
    migrations.up(empty_database_url, folder=trains.folder)
    path = trains.path("workspace", "0001.create-notes")
    path.write_text(path.read_text() + "create view one as select 1;\n")

    migrations.stamp(empty_database_url, "1", folder=trains.folder)

    assert migrations.up(empty_database_url, folder=trains.folder) == []


def test_history_tells_everything_newest_first(empty_database_url: str, trains: Trains) -> None:
    migrations.up(empty_database_url, folder=trains.folder)
    migrations.down(empty_database_url, folder=trains.folder)
    migrations.stamp(empty_database_url, "1", folder=trains.folder)

    happenings = migrations.history(empty_database_url)

    assert [(row.train, row.operation, row.id) for row in happenings] == [
        ("workspace", "mark", "0001.create-notes"),
        ("workspace", "rollback", "0001.create-notes"),
        ("workspace", "apply", "0001.create-notes"),
        ("shared", "apply", "0001.create-mood"),
    ]
    assert len(migrations.history(empty_database_url, limit=2)) == 2
    assert all(row.at.tzinfo is not None and row.hostname for row in happenings)


def test_status_of_an_untouched_database_is_all_pending_and_leaves_it_untouched(
    empty_database_url: str, trains: Trains
) -> None:
    rows = migrations.status(empty_database_url, folder=trains.folder)

    assert [(row.id, row.title, row.state, row.applied_at) for row in rows] == [
        ("0001.create-mood", "create-mood", "pending", None),
        ("0001.create-notes", "create-notes", "pending", None),
    ]
    assert query(empty_database_url, "select 1 from pg_namespace where nspname = 'shared'") == []


def test_check_answers_by_exit_status(empty_database_url: str, trains: Trains) -> None:
    behind = migrations.check(empty_database_url, folder=trains.folder)
    migrations.up(empty_database_url, folder=trains.folder)
    current = migrations.check(empty_database_url, folder=trains.folder)
    unreachable = migrations.check("host=/nowhere/at/all", folder=trains.folder)

    assert (behind.exit_status, current.exit_status, unreachable.exit_status) == (1, 0, 2)
    assert len(behind.findings) == 2
    assert current.findings == ()
    assert "/nowhere/at/all" in unreachable.findings[0]


# What a service needs of a database


def test_a_service_is_refused_a_database_without_its_schema(
    empty_database_url: str, trains: Trains
) -> None:
    with connect(empty_database_url) as conn:
        with pytest.raises(SchemaVersionMismatchError, match="this database has no taskdb schema"):
            migrations.require(conn, folder=trains.folder)
        assert migrations.version(conn) == migrations.SchemaVersion(None, None)

    migrations.up(empty_database_url, folder=trains.folder)

    with connect(empty_database_url, workspace="team_b") as conn:
        with pytest.raises(
            SchemaVersionMismatchError, match=r"workspace team_b has no .*up --workspace team_b"
        ):
            migrations.require(conn, folder=trains.folder)
        assert migrations.version(conn) == migrations.SchemaVersion(None, None)


def test_the_remedy_names_the_workspace_unless_it_is_the_default(
    empty_database_url: str, trains: Trains
) -> None:
    for workspace in ("team_b", "taskdb"):
        migrations.up(empty_database_url, workspace=workspace, folder=trains.folder)
    trains.add("workspace", "0002.add", "create table a (id int);")

    said = []
    for workspace in ("team_b", "taskdb"):
        with (
            connect(empty_database_url, workspace=workspace) as conn,
            pytest.raises(SchemaVersionMismatchError) as refused,
        ):
            migrations.require(conn, folder=trains.folder)
        said.append(str(refused.value))

    assert said[0].endswith("Run: taskdb migrate up --workspace team_b")
    assert said[1].endswith("Run: taskdb migrate up")


async def test_a_service_is_refused_an_older_schema_and_given_a_newer_one(
    empty_database_url: str, trains: Trains
) -> None:
    migrations.up(empty_database_url, folder=trains.folder)
    trains.add("workspace", "0002.add", "create table a (id int);")
    async with await connect_async(empty_database_url) as aconn:
        with pytest.raises(
            SchemaVersionMismatchError, match=r"lacks workspace migration 0002\.add"
        ):
            await migrations.require(aconn, folder=trains.folder)

    migrations.up(empty_database_url, folder=trains.folder)
    trains.remove("workspace", "0002.add")

    async with await connect_async(empty_database_url) as aconn:
        await migrations.require(aconn, folder=trains.folder)
        version = await migrations.version(aconn)
    assert version == migrations.SchemaVersion("0001.create-mood", "0002.add")
    assert str(version) == "0002.add on 0001.create-mood"


@pytest.mark.parametrize(
    ("package", "works"),
    [
        ("1.3.9", False),
        ("1.4.0.dev3", False),
        ("1.4.0rc1", False),
        ("1.4", True),
        ("1.4.0", True),
        ("1.4.0.post1", True),
        ("1.10", True),
        ("2.0.0a1", True),
    ],
)
def test_a_breaking_migration_refuses_older_packages(
    empty_database_url: str,
    trains: Trains,
    monkeypatch: pytest.MonkeyPatch,
    package: str,
    works: bool,
) -> None:
    trains.add("shared", "0002.break", "create table a (id int);", extra="-- breaking: 1.4.0")
    monkeypatch.setattr(migrations, "PACKAGE", "1.4.0")
    monkeypatch.setattr(versions, "PACKAGE", "1.4.0")
    migrations.up(empty_database_url, folder=trains.folder)
    # The older package does not have the file.
    trains.remove("shared", "0002.break")
    monkeypatch.setattr(versions, "PACKAGE", package)

    with connect(empty_database_url) as conn:
        if works:
            migrations.require(conn, folder=trains.folder)
        else:
            with pytest.raises(
                SchemaVersionMismatchError, match=r"0002\.break, which needs taskdb 1\.4\.0"
            ):
                migrations.require(conn, folder=trains.folder)


def test_a_breaking_line_that_nobody_understands_refuses_every_package(
    empty_database_url: str, trains: Trains
) -> None:
    migrations.up(empty_database_url, folder=trains.folder)
    query(empty_database_url, "update taskdb._taskdb_migration set breaking = 'next'")

    with (
        connect(empty_database_url) as conn,
        pytest.raises(SchemaVersionMismatchError, match="'next' is no version"),
    ):
        migrations.require(conn, folder=trains.folder)


# New


def test_new_writes_the_next_number_and_its_rollback_to_be_filled_in(trains: Trains) -> None:
    path, rollback = migrations.new("add-due-date", folder=trains.folder)

    assert path == trains.path("workspace", "0002.add-due-date")
    assert rollback == trains.rollback("workspace", "0002.add-due-date")
    assert path.read_text().startswith("-- 0002: add due date.\n-- Locks:")
    with pytest.raises(MigrationError, match="is empty"):
        migrations.up("host=/nowhere", folder=trains.folder)


def test_new_begins_a_train_and_knows_the_other(tmp_path: Path) -> None:
    path, _ = migrations.new("create-types", shared=True, folder=tmp_path)

    assert path == tmp_path / "shared" / "0001.create-types.sql"


@pytest.mark.parametrize("name", ["Add due date", "add_due_date", "", "add.due", "../etc"])
def test_new_refuses_a_name_that_does_not_fit(trains: Trains, name: str) -> None:
    with pytest.raises(MigrationError, match="is not a migration's name"):
        migrations.new(name, folder=trains.folder)


def test_a_newer_schema_is_dropped_with_its_workspace(
    empty_database_url: str, trains: Trains
) -> None:
    migrations.up(empty_database_url, folder=trains.folder)

    with psycopg.connect(empty_database_url, autocommit=True) as conn:
        assert workspaces.drop(conn, "taskdb") is True

    assert ran(migrations.up(empty_database_url, folder=trains.folder)) == [
        ("workspace", "up", "0001.create-notes")
    ]
