"""The migration runner: what it does, and what it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from taskdb import migrations
from taskdb.errors import (
    DatabaseNotFoundError,
    MigrationError,
    SchemaVersionMismatchError,
    ValidationError,
)
from taskdb.migrations import files
from taskdb.testing.databases import Databases, make_url
from tests.tracks import Tracks


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
    return [(step.track, step.direction, step.id) for step in steps]


# Up


def test_up_runs_shared_first_and_then_the_workspace_and_the_second_time_nothing(
    empty_database_url: str, tracks: Tracks
) -> None:
    lines: list[str] = []

    first = migrations.up(empty_database_url, folder=tracks.folder, show=lines.append)
    second = migrations.up(empty_database_url, folder=tracks.folder)

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


def test_two_workspaces_live_side_by_side(empty_database_url: str, tracks: Tracks) -> None:
    migrations.up(empty_database_url, folder=tracks.folder)
    steps = migrations.up(empty_database_url, workspace="team_b", folder=tracks.folder)

    assert ran(steps) == [("workspace", "up", "0001.create-notes")]
    assert tables(empty_database_url, "team_b") == {"notes"}


def test_a_workspace_needs_a_name_that_fits(empty_database_url: str, tracks: Tracks) -> None:
    with pytest.raises(ValidationError, match="workspace"):
        migrations.up(empty_database_url, workspace="Team B", folder=tracks.folder)


@pytest.mark.slow
def test_a_role_that_owns_nothing_but_may_create_schemas_can_migrate(
    databases: Databases, empty_database_url: str, tracks: Tracks
) -> None:
    tracks.add(
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
        migrations.up(url, folder=tracks.folder)
        migrations.down(url, folder=tracks.folder)
        migrations.down(url, "0", shared=True, folder=tracks.folder)
        migrations.up(url, folder=tracks.folder)

        assert tables(url) == {"notes"}
        assert query(url, "select usesuper from pg_user where usename = current_user") == [(False,)]
    finally:
        with databases.admin(database) as admin:
            admin.execute(sql.SQL("drop owned by {}").format(sql.Identifier(role)))
            admin.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))


@pytest.mark.slow
def test_every_form_of_conninfo_is_taken(empty_database_url: str, tracks: Tracks) -> None:
    parts = conninfo_to_dict(empty_database_url)
    odd = "p@:/%25 'x"
    forms = [
        make_url(empty_database_url, password=odd),
        make_url(empty_database_url, password=odd).replace("postgresql://", "postgres://"),
        make_conninfo("", **{**parts, "password": odd}),
        make_conninfo("", **{**parts, "options": "-c search_path=public"}),
    ]
    for form in forms:
        migrations.up(form, folder=tracks.folder)
        assert migrations.check(form, folder=tracks.folder).exit_status == 0


def test_a_conninfo_that_cannot_be_read_is_refused_without_being_shown(tracks: Tracks) -> None:
    with pytest.raises(ValidationError) as caught:
        migrations.up("host=db password=s3cret s3cret", folder=tracks.folder)

    assert "s3cret" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_where_nothing_answers_the_error_says_so_and_tells_no_password(tracks: Tracks) -> None:
    with pytest.raises(DatabaseNotFoundError) as caught:
        migrations.up("postgresql://u:s3cret@/d?host=/nowhere/at/all", folder=tracks.folder)

    assert "/nowhere/at/all" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("error", [KeyError("uid 123"), OSError("No username set")])
def test_a_user_without_a_name_is_logged_by_number(
    empty_database_url: str, tracks: Tracks, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def nameless() -> str:
        raise error

    monkeypatch.setattr("getpass.getuser", nameless)

    migrations.up(empty_database_url, folder=tracks.folder)

    assert migrations.history(empty_database_url)[0].username == f"uid {os.getuid()}"


def test_the_first_migrations_cause_no_notice(empty_database_url: str) -> None:
    lines: list[str] = []

    migrations.up(empty_database_url, show=lines.append)

    assert lines
    assert [line for line in lines if "NOTICE" in line] == []


def test_notices_of_the_server_are_shown(empty_database_url: str, tracks: Tracks) -> None:
    tracks.add("workspace", "0002.say-hello", "do $$ begin raise notice 'hello %', 1; end $$;")
    lines: list[str] = []

    migrations.up(empty_database_url, folder=tracks.folder, show=lines.append)

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


@pytest.mark.slow
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
    empty_database_url: str, tracks: Tracks, up: str, line: int, says: str
) -> None:
    path = tracks.add("workspace", "0002.fail", up)

    with pytest.raises(MigrationError, match=says) as caught:
        migrations.up(empty_database_url, folder=tracks.folder)

    assert caught.value.where == f"{path.resolve()}:{line}"
    assert isinstance(caught.value.__cause__, psycopg.Error)
    assert tables(empty_database_url) == {"notes"}
    assert migrations.check(empty_database_url, folder=tracks.folder).findings == (
        "workspace: 0002.fail: pending",
    )


def test_a_failing_rollback_keeps_everything(empty_database_url: str, tracks: Tracks) -> None:
    tracks.add("workspace", "0002.add", "create table a (id int);", "drop table a;\ndrop table b;")
    migrations.up(empty_database_url, folder=tracks.folder)

    with pytest.raises(MigrationError, match='table "b" does not exist') as caught:
        migrations.down(empty_database_url, folder=tracks.folder)

    assert caught.value.where is not None
    assert caught.value.where.endswith("0002.add.rollback.sql:4")
    assert tables(empty_database_url) == {"notes", "a"}
    assert migrations.check(empty_database_url, folder=tracks.folder).exit_status == 0


@pytest.mark.slow
def test_a_lock_that_is_not_had_in_time_says_that_nothing_was_kept(
    empty_database_url: str, tracks: Tracks
) -> None:
    migrations.up(empty_database_url, folder=tracks.folder)
    tracks.add(
        "workspace",
        "0002.widen-notes",
        "create table a (id int);\nalter table notes add column text text;",
        locks="access exclusive on notes, for milliseconds.",
        timeout="set local lock_timeout = '50ms';",
    )
    with psycopg.connect(empty_database_url) as holder:
        holder.execute("lock table taskdb.notes in access share mode")

        with pytest.raises(MigrationError, match="lock timeout") as caught:
            migrations.up(empty_database_url, folder=tracks.folder)

    assert caught.value.hint is not None
    assert "nothing of this file was kept" in caught.value.hint
    assert tables(empty_database_url) == {"notes"}
    assert len(migrations.up(empty_database_url, folder=tracks.folder)) == 1


def test_a_server_that_ends_the_session_is_reported_by_file_and_line(
    empty_database_url: str, tracks: Tracks
) -> None:
    path = tracks.add("workspace", "0002.die", "select pg_terminate_backend(pg_backend_pid());")

    with pytest.raises(MigrationError, match="terminating connection") as caught:
        migrations.up(empty_database_url, folder=tracks.folder)

    assert caught.value.where == f"{path.resolve()}:5"


# A file's session settings stay with it


def test_each_file_finds_the_same_session_and_the_log_stays_ours(
    databases: Databases, empty_database_url: str, tracks: Tracks
) -> None:
    tracks.add(
        "workspace",
        "0002.make-a-mess",
        "create table first (id int);\nset search_path = public;\nset timezone = 'Asia/Tokyo';\n"
        "create temp table second (id int);\nset role pg_read_all_data;",
    )
    tracks.add(
        "workspace",
        "0003.find-none-of-it",
        "create table second as select current_setting('search_path') as path,"
        " current_setting('timezone') as zone, current_user = session_user as ours;",
    )
    user = conninfo_to_dict(empty_database_url)["user"]
    with databases.admin() as admin:
        admin.execute(sql.SQL("grant pg_read_all_data to {}").format(sql.Identifier(str(user))))

    migrations.up(empty_database_url, folder=tracks.folder)

    assert tables(empty_database_url) == {"notes", "first", "second"}
    assert query(empty_database_url, "select * from taskdb.second") == [
        ("taskdb, shared, pg_temp", "UTC", True)
    ]
    assert query(empty_database_url, "select count(*) from taskdb._taskdb_migration") == [(3,)]


@pytest.mark.slow
def test_yoyos_own_command_line_can_read_the_log(empty_database_url: str, tracks: Tracks) -> None:
    migrations.up(empty_database_url, folder=tracks.folder)
    tracks.add("workspace", "0002.wait", "select 1;")
    url = empty_database_url.replace("postgresql://", "postgresql+psycopg://")
    options = "options=-c%20search_path%3Dtaskdb,shared"
    command = [str(Path(sys.executable).parent / "yoyo"), "list", "--batch", "--no-config-file"]

    listed = subprocess.run(
        [*command, "--database", f"{url}&{options}", str(tracks.folder / "workspace")],
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    states = [line.split()[:2] for line in listed.splitlines()[2:]]
    assert states == [["A", "0001.create-notes"], ["U", "0002.wait"]]


# Files and log that disagree


@pytest.mark.slow
def test_an_applied_file_that_was_edited_is_refused(
    empty_database_url: str, tracks: Tracks
) -> None:
    migrations.up(empty_database_url, folder=tracks.folder)
    tracks.add("workspace", "0002.come-later", "create table a (id int);")
    path = tracks.path("workspace", "0001.create-notes")
    path.write_text(path.read_text().replace("mood mood", "temper mood"))

    for act in (migrations.up, migrations.down):
        with pytest.raises(MigrationError, match="edited after it was applied") as caught:
            act(empty_database_url, folder=tracks.folder)
        assert caught.value.where == f"{path.resolve()}:1"

    assert tables(empty_database_url) == {"notes"}
    assert migrations.check(empty_database_url, folder=tracks.folder) == migrations.Check(
        1, ("workspace: 0001.create-notes: edited", "workspace: 0002.come-later: pending")
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("create table notes (", "create table notes ( -- what people write\n"),
        ("create table notes (id", "create  table /* of notes */ notes\n(id"),
        ("-- Check: select 1;  -- expect 1", "-- Check: select 1;  -- expect 1, no more"),
    ],
)
def test_a_corrected_comment_or_space_is_no_edit(
    empty_database_url: str, tracks: Tracks, old: str, new: str
) -> None:
    migrations.up(empty_database_url, folder=tracks.folder)
    path = tracks.path("workspace", "0001.create-notes")
    text = path.read_text()
    path.write_text(text.replace(old, new))

    assert path.read_text() != text
    assert migrations.up(empty_database_url, folder=tracks.folder) == []
    assert migrations.check(empty_database_url, folder=tracks.folder).exit_status == 0


def test_a_directive_and_a_word_in_a_body_are_edits(tracks: Tracks) -> None:
    path = tracks.add("workspace", "0002.say", "do $$ begin /* one */ end $$;")
    text = path.read_text()
    sums = set()
    for edited in (
        text,
        text.replace("/* one", "/* two"),
        text.replace("-- Check", "-- breaking: 0.2.0\n-- Check"),
    ):
        path.write_text(edited)
        sums.add(files.read_track(path.parent)[-1].checksum)

    assert len(sums) == 3


def test_an_edit_in_the_workspace_keeps_shared_from_being_migrated_too(
    empty_database_url: str, tracks: Tracks
) -> None:
    migrations.up(empty_database_url, folder=tracks.folder)
    tracks.add("shared", "0002.add-table", "create table a (id int);")
    path = tracks.path("workspace", "0001.create-notes")
    path.write_text(path.read_text() + "create view one as select 1;\n")

    with pytest.raises(MigrationError, match="edited"):
        migrations.up(empty_database_url, folder=tracks.folder)

    assert tables(empty_database_url, "shared") == set()


def test_other_line_endings_are_no_edit(empty_database_url: str, tracks: Tracks) -> None:
    migrations.up(empty_database_url, folder=tracks.folder)
    path = tracks.path("workspace", "0001.create-notes")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    assert migrations.up(empty_database_url, folder=tracks.folder) == []


@pytest.mark.slow
def test_a_database_with_a_migration_of_which_there_is_no_file_is_refused(
    empty_database_url: str, tracks: Tracks
) -> None:
    tracks.add("workspace", "0002.come-from-the-future", "create table a (id int);")
    migrations.up(empty_database_url, folder=tracks.folder)
    tracks.remove("workspace", "0002.come-from-the-future")

    for act in (migrations.up, migrations.down):
        with pytest.raises(SchemaVersionMismatchError, match=r"0002\.come-from-the-future"):
            act(empty_database_url, folder=tracks.folder)

    assert [row.state for row in migrations.status(empty_database_url, folder=tracks.folder)] == [
        "applied",
        "applied",
        "no file",
    ]
    assert migrations.check(empty_database_url, folder=tracks.folder).exit_status == 1


def test_a_file_numbered_before_an_applied_one_is_refused(
    empty_database_url: str, tracks: Tracks
) -> None:
    tracks.add("workspace", "0003.be-early", "create table a (id int);")
    migrations.up(empty_database_url, folder=tracks.folder)
    path = tracks.add("workspace", "0002.be-late", "create table b (id int);")

    with pytest.raises(MigrationError, match=r"before 0003\.be-early") as caught:
        migrations.up(empty_database_url, folder=tracks.folder)

    assert caught.value.where == f"{path.resolve()}:1"


@pytest.mark.slow
def test_what_another_tool_did_to_yoyos_log_is_noticed_and_stamp_mends_it(
    empty_database_url: str, tracks: Tracks
) -> None:
    migrations.up(empty_database_url, folder=tracks.folder)
    query(empty_database_url, "delete from _yoyo_migration")

    with pytest.raises(MigrationError, match=r"disagree about 0001\.create-notes"):
        migrations.up(empty_database_url, folder=tracks.folder)
    assert migrations.check(empty_database_url, folder=tracks.folder).findings == (
        "workspace: 0001.create-notes: disputed",
    )

    migrations.stamp(empty_database_url, "1", folder=tracks.folder)

    assert migrations.check(empty_database_url, folder=tracks.folder).exit_status == 0
