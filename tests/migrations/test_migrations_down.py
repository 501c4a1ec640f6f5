"""The way down, stamps and history, and what a service needs of a database."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from taskdb import migrations
from taskdb.database import connect, connect_async, versions, workspaces
from taskdb.errors import (
    DatabaseError,
    MigrationError,
    SchemaVersionMismatchError,
    ValidationError,
)
from tests.migrations.test_migrations import query, ran, tables
from tests.tracks import Tracks

# Down


@pytest.fixture
def three(empty_database_url: str, tracks: Tracks) -> str:
    """A database whose workspace has three migrations."""
    for number in (2, 3):
        tracks.add(
            "workspace",
            f"000{number}.add",
            f"create table t{number} (id int);",
            f"drop table t{number};",
        )
    migrations.up(empty_database_url, folder=tracks.folder)
    return empty_database_url


def test_down_takes_the_newest_back(three: str, tracks: Tracks) -> None:
    steps = migrations.down(three, folder=tracks.folder)

    assert ran(steps) == [("workspace", "down", "0003.add")]
    assert tables(three) == {"notes", "t2"}


@pytest.mark.slow
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
    three: str, tracks: Tracks, to: str, left: set[str]
) -> None:
    migrations.down(three, to, folder=tracks.folder)

    assert tables(three) == left


def test_down_with_nothing_applied_does_nothing(empty_database_url: str, tracks: Tracks) -> None:
    assert migrations.down(empty_database_url, folder=tracks.folder) == []


def test_down_refuses_a_revision_that_is_not_there(three: str, tracks: Tracks) -> None:
    with pytest.raises(MigrationError, match="no migration '7'"):
        migrations.down(three, "7", folder=tracks.folder)
    migrations.down(three, "1", folder=tracks.folder)
    with pytest.raises(MigrationError, match="does not have 2"):
        migrations.down(three, "2", folder=tracks.folder)


@pytest.mark.slow
def test_shared_goes_back_only_behind_what_no_workspace_stands_on(
    empty_database_url: str, tracks: Tracks
) -> None:
    migrations.up(empty_database_url, folder=tracks.folder)
    tracks.add("shared", "0002.add", "create table a (id int);", "drop table a;")
    migrations.up(empty_database_url, folder=tracks.folder)

    # The workspace was made when shared had 0001 only.
    steps = migrations.down(empty_database_url, shared=True, folder=tracks.folder)
    assert ran(steps) == [("shared", "down", "0002.add")]
    with pytest.raises(
        DatabaseError, match=r"workspace taskdb depends on migration 0001\.create-mood"
    ):
        migrations.down(empty_database_url, shared=True, folder=tracks.folder)
    with pytest.raises(DatabaseError, match="workspace taskdb depends on"):
        migrations.stamp(empty_database_url, "0", shared=True, folder=tracks.folder)

    migrations.down(empty_database_url, folder=tracks.folder)
    assert len(migrations.down(empty_database_url, shared=True, folder=tracks.folder)) == 1


# Stamp, status, history


def test_stamp_notes_and_runs_nothing(empty_database_url: str, tracks: Tracks) -> None:
    tracks.add("workspace", "0002.add", "create table a (id int);", "drop table a;")

    marked = migrations.stamp(empty_database_url, "2", folder=tracks.folder)
    unmarked = migrations.stamp(empty_database_url, "1", folder=tracks.folder)

    assert ran(marked) == [
        ("workspace", "mark", "0001.create-notes"),
        ("workspace", "mark", "0002.add"),
    ]
    assert ran(unmarked) == [("workspace", "unmark", "0002.add")]
    assert tables(empty_database_url) == set()
    assert [row.state for row in migrations.status(empty_database_url, folder=tracks.folder)] == [
        "pending",
        "applied",
        "pending",
    ]


def test_stamp_accepts_an_edited_file_as_it_is_now(empty_database_url: str, tracks: Tracks) -> None:
    migrations.up(empty_database_url, folder=tracks.folder)
    path = tracks.path("workspace", "0001.create-notes")
    path.write_text(path.read_text() + "create view one as select 1;\n")

    migrations.stamp(empty_database_url, "1", folder=tracks.folder)

    assert migrations.up(empty_database_url, folder=tracks.folder) == []


def test_history_tells_everything_newest_first(empty_database_url: str, tracks: Tracks) -> None:
    migrations.up(empty_database_url, folder=tracks.folder)
    migrations.down(empty_database_url, folder=tracks.folder)
    migrations.stamp(empty_database_url, "1", folder=tracks.folder)

    happenings = migrations.history(empty_database_url)

    assert [(row.track, row.operation, row.id) for row in happenings] == [
        ("workspace", "mark", "0001.create-notes"),
        ("workspace", "rollback", "0001.create-notes"),
        ("workspace", "apply", "0001.create-notes"),
        ("shared", "apply", "0001.create-mood"),
    ]
    assert len(migrations.history(empty_database_url, limit=2)) == 2
    assert all(row.at.tzinfo is not None and row.hostname for row in happenings)


def test_status_of_an_untouched_database_is_all_pending_and_leaves_it_untouched(
    empty_database_url: str, tracks: Tracks
) -> None:
    rows = migrations.status(empty_database_url, folder=tracks.folder)

    assert [(row.id, row.title, row.state, row.applied_at) for row in rows] == [
        ("0001.create-mood", "create-mood", "pending", None),
        ("0001.create-notes", "create-notes", "pending", None),
    ]
    assert query(empty_database_url, "select 1 from pg_namespace where nspname = 'shared'") == []


def test_check_answers_by_exit_status(empty_database_url: str, tracks: Tracks) -> None:
    behind = migrations.check(empty_database_url, folder=tracks.folder)
    migrations.up(empty_database_url, folder=tracks.folder)
    current = migrations.check(empty_database_url, folder=tracks.folder)
    unreachable = migrations.check("host=/nowhere/at/all", folder=tracks.folder)

    assert (behind.exit_status, current.exit_status, unreachable.exit_status) == (1, 0, 2)
    assert len(behind.findings) == 2
    assert current.findings == ()
    assert "/nowhere/at/all" in unreachable.findings[0]


# A service's needs of a database


def test_a_service_is_refused_a_database_without_its_schema(
    empty_database_url: str, tracks: Tracks
) -> None:
    with connect(empty_database_url) as conn:
        with pytest.raises(SchemaVersionMismatchError, match="this database has no taskdb schema"):
            migrations.require(conn, folder=tracks.folder)
        assert migrations.version(conn) == migrations.SchemaVersion(None, None)

    migrations.up(empty_database_url, folder=tracks.folder)

    with connect(empty_database_url, workspace="team_b") as conn:
        with pytest.raises(
            SchemaVersionMismatchError, match=r"workspace team_b has no .*up --workspace team_b"
        ):
            migrations.require(conn, folder=tracks.folder)
        assert migrations.version(conn) == migrations.SchemaVersion(None, None)


def test_the_remedy_names_the_workspace_unless_it_is_the_default(
    empty_database_url: str, tracks: Tracks
) -> None:
    for workspace in ("team_b", "taskdb"):
        migrations.up(empty_database_url, workspace=workspace, folder=tracks.folder)
    tracks.add("workspace", "0002.add", "create table a (id int);")

    said = []
    for workspace in ("team_b", "taskdb"):
        with (
            connect(empty_database_url, workspace=workspace) as conn,
            pytest.raises(SchemaVersionMismatchError) as refused,
        ):
            migrations.require(conn, folder=tracks.folder)
        said.append(str(refused.value))

    assert said[0].endswith("Run: taskdb migrate up --workspace team_b")
    assert said[1].endswith("Run: taskdb migrate up")


async def test_a_service_is_refused_an_older_schema_and_given_a_newer_one(
    empty_database_url: str, tracks: Tracks
) -> None:
    migrations.up(empty_database_url, folder=tracks.folder)
    tracks.add("workspace", "0002.add", "create table a (id int);")
    async with await connect_async(empty_database_url) as aconn:
        with pytest.raises(
            SchemaVersionMismatchError, match=r"lacks workspace migration 0002\.add"
        ):
            await migrations.require(aconn, folder=tracks.folder)

    migrations.up(empty_database_url, folder=tracks.folder)
    tracks.remove("workspace", "0002.add")

    async with await connect_async(empty_database_url) as aconn:
        await migrations.require(aconn, folder=tracks.folder)
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
    tracks: Tracks,
    monkeypatch: pytest.MonkeyPatch,
    package: str,
    works: bool,
) -> None:
    tracks.add("shared", "0002.break", "create table a (id int);", extra="-- breaking: 1.4.0")
    monkeypatch.setattr(migrations, "PACKAGE", "1.4.0")
    monkeypatch.setattr(versions, "PACKAGE", "1.4.0")
    migrations.up(empty_database_url, folder=tracks.folder)
    # The older package does not have the file.
    tracks.remove("shared", "0002.break")
    monkeypatch.setattr(versions, "PACKAGE", package)

    with connect(empty_database_url) as conn:
        if works:
            migrations.require(conn, folder=tracks.folder)
        else:
            with pytest.raises(
                SchemaVersionMismatchError, match=r"0002\.break, which needs taskdb 1\.4\.0"
            ):
                migrations.require(conn, folder=tracks.folder)


def test_a_breaking_line_that_nobody_understands_refuses_every_package(
    empty_database_url: str, tracks: Tracks
) -> None:
    migrations.up(empty_database_url, folder=tracks.folder)
    query(empty_database_url, "update taskdb._taskdb_migration set breaking = 'next'")

    with (
        connect(empty_database_url) as conn,
        pytest.raises(SchemaVersionMismatchError, match="'next' is no version"),
    ):
        migrations.require(conn, folder=tracks.folder)


# New


def test_new_writes_the_next_number_and_its_rollback_to_be_filled_in(tracks: Tracks) -> None:
    path, rollback = migrations.new("add-due-date", folder=tracks.folder)

    assert path == tracks.path("workspace", "0002.add-due-date")
    assert rollback == tracks.rollback("workspace", "0002.add-due-date")
    assert path.read_text().startswith("-- 0002: add due date.\n-- Locks:")
    with pytest.raises(MigrationError, match="is empty"):
        migrations.up("host=/nowhere", folder=tracks.folder)


def test_new_begins_a_train_and_knows_the_other(tmp_path: Path) -> None:
    path, _ = migrations.new("create-types", shared=True, folder=tmp_path)

    assert path == tmp_path / "shared" / "0001.create-types.sql"


@pytest.mark.parametrize("name", ["Add due date", "add_due_date", "add.due", "../etc"])
def test_new_refuses_a_name_that_does_not_fit(tracks: Tracks, name: str) -> None:
    with pytest.raises(MigrationError, match="is not a migration's name"):
        migrations.new(name, folder=tracks.folder)
    with pytest.raises(ValidationError, match="name must not be empty"):
        migrations.new("", folder=tracks.folder)


def test_a_newer_schema_is_dropped_with_its_workspace(
    empty_database_url: str, tracks: Tracks
) -> None:
    migrations.up(empty_database_url, folder=tracks.folder)

    with psycopg.connect(empty_database_url, autocommit=True) as conn:
        assert workspaces.drop(conn, "taskdb") is True

    assert ran(migrations.up(empty_database_url, folder=tracks.folder)) == [
        ("workspace", "up", "0001.create-notes")
    ]
