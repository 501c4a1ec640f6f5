"""Rules for a folder of migrations: each fault is reported with file, line and remedy."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from taskdb.database.versions import ids
from taskdb.errors import MigrationError
from taskdb.migrations.files import Migration, lint, new_files, read_track
from taskdb.migrations.header import Lock
from tests.tracks import Tracks

NAME = "0001.create-notes"
HEAD = "-- 0001: create notes.\n-- Locks: none beyond new objects.\n-- Check: select 1;\n"
TIMEOUT = "set local lock_timeout = '2s';\n"
BODY = "create table notes (id int);\n"
BACK = "-- 0001 back: create notes.\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write the one migration of a folder, and its rollback; returns the folder."""

    def write_files(up: str, down: str = BACK) -> Path:
        (tmp_path / f"{NAME}.sql").write_bytes(up.encode())
        (tmp_path / f"{NAME}.rollback.sql").write_bytes(down.encode())
        return tmp_path

    return write_files


def read(write: Callable[[str, str], Path], up: str) -> Migration:
    (migration,) = read_track(write(up, BACK))
    return migration


def test_a_whole_file_is_read_with_its_head(write: Callable[[str, str], Path]) -> None:
    migration = read(
        write,
        "-- 0001: payloads must be objects.\n"
        "-- A line of prose.\n"
        "-- Locks: access exclusive on tasks and shared.jobs, for milliseconds (not valid: no\n"
        "--     scan here; 0008 validates); row exclusive on epics, for a second.\n"
        "-- Check: select count(*) from tasks\n"
        "--     where context is null;  -- expect 0\n"
        "-- breaking: 1.4.0 (it stops writing the old column)\n\n" + TIMEOUT + BODY,
    )

    assert migration.id == NAME
    assert migration.number == "0001"
    assert migration.head.title == "payloads must be objects"
    assert migration.head.locks == (
        Lock("access exclusive", "tasks"),
        Lock("access exclusive", "shared.jobs"),
        Lock("row exclusive", "epics"),
    )
    assert migration.head.check == (
        "select count(*) from tasks where context is null;  -- expect 0"
    )
    assert migration.head.breaking == "1.4.0"
    assert migration.head.transactional
    assert [statement.line for statement in migration.up.statements] == [9, 10]


FAULTS = {
    "byte order mark": ("\ufeff" + HEAD + TIMEOUT + BODY, 1, "byte order mark"),
    "no head": (TIMEOUT + BODY, 1, "the head is missing"),
    "another number": (HEAD.replace("0001", "0002") + TIMEOUT + BODY, 1, "begin with 0001"),
    "no locks": (HEAD.replace("Locks", "Looks") + TIMEOUT + BODY, 1, "no line 'Locks:'"),
    "no check": (HEAD.replace("Check", "Cheque") + TIMEOUT + BODY, 1, "no line 'Check:'"),
    "empty check": (HEAD.replace(" select 1;", "") + TIMEOUT + BODY, 3, "'Check:' is empty"),
    "two checks": (HEAD + "-- Check: again\n" + TIMEOUT + BODY, 4, "second line 'Check:'"),
    "a lock without a mode": (
        HEAD.replace("none beyond new objects", "exclusive lock on notes, for long"),
        2,
        "names no lock",
    ),
    "a lock without a duration": (
        HEAD.replace("none beyond new objects", "share on notes") + TIMEOUT + BODY,
        2,
        "names no lock",
    ),
    "no release": (HEAD + "-- breaking: next\n" + TIMEOUT + BODY, 4, "'next' is not a release"),
    "half a release": (HEAD + "-- breaking: 1.4\n" + TIMEOUT + BODY, 4, "'1.4' is not a release"),
    "odd transactional": (HEAD + "-- transactional: no\n" + TIMEOUT + BODY, 4, "transactional: no"),
    "depends": (HEAD + "-- depends: 0000.x\n" + TIMEOUT + BODY, 4, "depends: is not used"),
    "a directive in capitals": (
        HEAD + "-- Transactional: false\n" + TIMEOUT + BODY,
        4,
        "directive 'Transactional'",
    ),
    "a directive below SQL": (
        HEAD + TIMEOUT + "-- transactional: false\n" + BODY,
        5,
        "'transactional:' is below the head",
    ),
    "a directive below a block comment": (
        HEAD + "/* why */\n-- breaking: 1.0.0\n" + TIMEOUT + BODY,
        5,
        "'breaking:' is below the head",
    ),
    "a directive below an empty line": (
        HEAD + "\n-- breaking: 1.0.0\n" + TIMEOUT + BODY,
        5,
        "'breaking:' is below the head",
    ),
    "begin": (HEAD + TIMEOUT + "begin;\n" + BODY, 5, "begin: a migration may not"),
    "commit": (HEAD + TIMEOUT + BODY + "\n  COMMIT;\n", 7, "commit: a migration may not"),
    "end": (HEAD + TIMEOUT + BODY + "end;\n", 6, "end: a migration may not"),
    "savepoint": (HEAD + TIMEOUT + "savepoint a;\n" + BODY, 5, "savepoint: a migration may not"),
    "start transaction": (
        HEAD + TIMEOUT + "start\ntransaction;\n" + BODY,
        5,
        "may not control its transaction",
    ),
    "nested comments": (
        HEAD + TIMEOUT + BODY + "/* a\n /* b; */ c; */ select 1;\n",
        7,
        "a comment within a comment",
    ),
    "an open quote": (HEAD + TIMEOUT + "select 'a;\n", 5, "not closed"),
    "no statement": (HEAD, 1, "no statement"),
    "no lock_timeout": (HEAD + BODY, 4, "lock_timeout is not set first"),
    "a late lock_timeout": (HEAD + BODY + TIMEOUT, 4, "lock_timeout is not set first"),
    "a lock_timeout of none": (
        HEAD + TIMEOUT.replace("2s", "0") + BODY,
        4,
        "lock_timeout is not set first",
    ),
    "a lock_timeout for the session": (
        HEAD + TIMEOUT.replace("local ", "") + BODY,
        4,
        "not set as this file needs it",
    ),
    "a local lock_timeout without a transaction": (
        HEAD + "-- transactional: false\n" + TIMEOUT + BODY,
        5,
        "not set as this file needs it",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_with_its_line_and_a_remedy(
    write: Callable[[str, str], Path], fault: str
) -> None:
    text, line, message = FAULTS[fault]

    problems = lint(write(text, BACK))

    told = [problem for problem in problems if message in problem.message]
    assert len(told) == 1, problems
    assert told[0].line == line
    assert told[0].path.name == f"{NAME}.sql"
    assert told[0].remedy
    assert str(told[0]).endswith(f"{NAME}.sql:{line}: {told[0].message}; {told[0].remedy}")


ROLLBACK_FAULTS = {
    "no head": (TIMEOUT + "drop table notes;\n", 1, "does not begin with '-- 0001'"),
    "another number": ("-- 0002 back\n" + TIMEOUT, 1, "does not begin with '-- 0001'"),
    "no lock_timeout": (BACK + "drop table notes;\n", 2, "lock_timeout is not set first"),
    "commit": (BACK + TIMEOUT + "commit;\n", 3, "commit: a migration may not"),
    "a directive": (BACK + "-- transactional: false\n" + TIMEOUT, 2, "has no effect"),
}


@pytest.mark.parametrize("fault", ROLLBACK_FAULTS)
def test_a_fault_of_a_rollback_is_told_as_well(
    write: Callable[[str, str], Path], fault: str
) -> None:
    text, line, message = ROLLBACK_FAULTS[fault]

    (problem,) = lint(write(HEAD + TIMEOUT + BODY, text))

    assert message in problem.message
    assert (problem.path.name, problem.line) == (f"{NAME}.rollback.sql", line)


def test_a_rollback_without_a_transaction_must_be_repeatable(
    write: Callable[[str, str], Path],
) -> None:
    timeout = TIMEOUT.replace("local ", "")
    up = HEAD + "-- transactional: false\n" + timeout + "create index concurrently i on notes (id);"

    (problem,) = lint(write(up, BACK + timeout + "drop index concurrently i;\n"))

    assert problem.line == 3
    assert "must be repeatable" in problem.message
    assert lint(write(up, BACK + timeout + "drop index concurrently if exists i;\n")) == []


def test_bytes_that_are_no_utf8_are_told_with_their_line(
    write: Callable[[str, str], Path], tmp_path: Path
) -> None:
    write(HEAD, BACK)
    (tmp_path / f"{NAME}.sql").write_bytes((HEAD + TIMEOUT).encode() + b"select '\xe9';\n")

    assert [(p.line, p.message) for p in lint(tmp_path) if "UTF-8" in p.message] == [
        (5, "not UTF-8")
    ]


def test_a_folder_without_migrations_is_an_error(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(MigrationError, match="no migrations in this folder"):
            read_track(folder)


def test_a_migration_without_a_rollback_is_an_error(tmp_path: Path) -> None:
    tracks = Tracks(tmp_path)
    tracks.rollback("shared", "0001.create-mood").unlink()

    with pytest.raises(MigrationError, match=r"0001\.create-mood\.rollback\.sql is missing"):
        read_track(tmp_path / "shared")


def test_a_rollback_without_its_migration_is_an_error(tmp_path: Path) -> None:
    tracks = Tracks(tmp_path)
    tracks.add("shared", "0002.add", "select 1;")
    tracks.path("shared", "0002.add").unlink()

    with pytest.raises(MigrationError, match=r"without its migration 0002\.add\.sql"):
        read_track(tmp_path / "shared")


def test_two_files_of_one_number_are_an_error(tmp_path: Path) -> None:
    tracks = Tracks(tmp_path)
    tracks.add("shared", "0001.zap", "select 1;")

    with pytest.raises(MigrationError, match=r"number 0001 is taken by 0001\.create-mood\.sql"):
        read_track(tmp_path / "shared")


def test_number_0000_is_an_error(tmp_path: Path) -> None:
    tracks = Tracks(tmp_path)
    tracks.add("shared", "0000.begin", "select 1;")

    with pytest.raises(MigrationError, match="0000 means before the first"):
        read_track(tmp_path / "shared")


@pytest.mark.parametrize("name", ["1.add.sql", "0002_add.sql", "0002.Add.sql", "post-apply.sql"])
def test_a_file_of_another_name_is_an_error(tmp_path: Path, name: str) -> None:
    Tracks(tmp_path)
    (tmp_path / "shared" / name).write_text("select 1;")

    with pytest.raises(MigrationError, match="not the name of a migration"):
        read_track(tmp_path / "shared")


def test_a_python_migration_is_an_error_and_a_readme_is_not(tmp_path: Path) -> None:
    Tracks(tmp_path)
    (tmp_path / "shared" / "README.md").write_text("About.")
    assert lint(tmp_path / "shared") == []

    (tmp_path / "shared" / "0002.add.py").write_text("step('select 1')")
    assert [problem.path.name for problem in lint(tmp_path / "shared")] == ["0002.add.py"]


def test_all_problems_of_a_folder_come_at_once(tmp_path: Path) -> None:
    tracks = Tracks(tmp_path)
    tracks.add("shared", "0002.add", "commit;\nbegin;")

    with pytest.raises(MigrationError) as caught:
        read_track(tmp_path / "shared")

    text = str(caught.value)
    assert text.startswith("2 problems in migrations:\n")
    _, first, second = text.splitlines()[:3]
    assert re.match(r"\(1\) .*0002\.add\.sql:5: commit", first)
    assert re.match(r"\(2\) .*0002\.add\.sql:6: begin", second)


def test_a_new_file_that_is_not_filled_in_is_refused_line_by_line_once(tmp_path: Path) -> None:
    Tracks(tmp_path)
    new_files(tmp_path / "shared", "add-mood")

    assert [problem.message for problem in lint(tmp_path / "shared")] == [
        "'Locks:' is empty",
        "'Check:' is empty",
    ]


def test_ids_come_in_order_without_reading_a_file(tmp_path: Path) -> None:
    tracks = Tracks(tmp_path)
    tracks.add("shared", "0010.later", "not even SQL")
    tracks.add("shared", "0002.add", "''''")

    assert ids(tmp_path / "shared") == ["0001.create-mood", "0002.add", "0010.later"]
    assert ids(tmp_path / "nowhere") == []


def test_the_shipped_migrations_have_no_fault() -> None:
    from taskdb.migrations import FOLDER

    assert [lint(FOLDER / track) for track in ("shared", "workspace")] == [[], []]
