"""The commands that an operator brings a database up to date with."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tests.command_line import Caller


@pytest.fixture
def taskdb(capsys: pytest.CaptureFixture[str], empty_database_url: str) -> Caller:
    return Caller(capsys, empty_database_url)


@pytest.fixture
def migrated(capsys: pytest.CaptureFixture[str], database_url: str) -> Caller:
    return Caller(capsys, database_url)


def test_up_says_first_what_it_is_about_to_change(taskdb: Caller) -> None:
    up = taskdb("migrate", "up", "--workspace", "team_a")

    assert up.status == 0
    assert up.err.startswith("On server ")
    assert ", workspace team_a, as " in up.err.splitlines()[0]
    assert "schema team_a created" in up.err
    assert "migrations, " in up.out


def test_up_twice_has_nothing_to_do(migrated: Caller) -> None:
    up = migrated("migrate", "up")

    assert (up.status, up.out) == (0, "Up to date; nothing to do.\n")


def test_status_lists_both_tracks(migrated: Caller) -> None:
    status = migrated("migrate", "status")
    rows = migrated("migrate", "status", "--json").data

    assert status.out.splitlines()[0].startswith("track")
    assert {row["track"] for row in rows} == {"shared", "workspace"}
    assert {row["state"] for row in rows} == {"applied"}
    assert all(row["id"] in status.out for row in rows)


def test_history_is_the_newest_first(migrated: Caller) -> None:
    rows = migrated("migrate", "history", "--json").data
    history = migrated("migrate", "history", "--limit", "1")

    assert rows[0]["id"] > rows[1]["id"]
    assert len(history.out.splitlines()) == 2
    assert rows[0]["id"] in history.out


def test_down_takes_the_newest_back_and_up_brings_it_again(migrated: Caller) -> None:
    newest = migrated("migrate", "history", "--json", "--limit", "1").data[0]["id"]

    down = migrated("migrate", "down", "--yes")

    assert (down.status, down.out.split(",")[0]) == (0, "1 migration")
    assert f"down {newest}" in down.err
    assert migrated("migrate", "check").out == f"workspace: {newest}: pending\n"
    assert f"up {newest}" in migrated("migrate", "up").err


def test_down_in_a_script_wants_to_be_told_that_data_may_go(migrated: Caller) -> None:
    refused = migrated("migrate", "down", "0")

    assert (refused.status, refused.out) == (1, "")
    assert refused.err.endswith("This may delete data, and nobody can be asked. Add --yes\n")
    assert migrated("migrate", "check").out == "Current.\n"


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "status"), [("n\n", 1), ("y\n", 0)])
def test_down_asks_who_sits_at_a_terminal(
    migrated: Caller, monkeypatch: pytest.MonkeyPatch, answer: str, status: int
) -> None:
    terminal = io.StringIO(answer)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)

    asked = migrated("migrate", "down")

    assert "Data may be deleted. Go on? [y/N]" in asked.err
    assert asked.status == status
    assert (migrated("migrate", "check").out == "Current.\n") is (status != 0)


@pytest.mark.slow
def test_down_with_nothing_left_says_so(migrated: Caller) -> None:
    assert migrated("migrate", "down", "0", "--yes").status == 0

    assert migrated("migrate", "down", "--yes").out == "There is nothing to take back.\n"


def test_check_tells_current_behind_and_unreachable_apart(
    capsys: pytest.CaptureFixture[str], migrated: Caller, taskdb: Caller, tmp_path: Path
) -> None:
    nowhere = Caller(capsys, f"postgresql://somebody:s3cret@/nothing?host={tmp_path}")

    current, behind, unreachable = (
        caller("migrate", "check") for caller in (migrated, taskdb, nowhere)
    )

    assert (current.status, current.out) == (0, "Current.\n")
    assert behind.status == 1
    assert behind.out.splitlines()[0].endswith(": pending")
    assert (unreachable.status, unreachable.out) == (2, "")
    assert unreachable.err.count("\n") == 1
    assert "s3cret" not in unreachable.err
    assert nowhere("migrate", "check", "--json").data["exit_status"] == 2


@pytest.mark.slow
def test_stamp_notes_and_runs_nothing(taskdb: Caller) -> None:
    stamped = taskdb("migrate", "stamp", "1", "--shared")

    assert stamped.status == 0
    assert taskdb("migrate", "status", "--json").data[0]["state"] == "applied"
    assert taskdb("migrate", "stamp", "1", "--shared").out == "It was noted so already.\n"


def test_a_revision_that_is_not_there_is_refused_in_one_line(migrated: Caller) -> None:
    refused = migrated("migrate", "down", "4711", "--yes")

    assert (refused.status, refused.out) == (1, "")
    *_, last = refused.err.splitlines()
    assert last.startswith("taskdb: ")
    assert "4711" in last


def test_new_writes_a_migration_and_its_rollback(taskdb: Caller, tmp_path: Path) -> None:
    for track in ("shared", "workspace"):
        (tmp_path / track).mkdir()

    new = taskdb("migrate", "new", "add-due-date", "--folder", tmp_path)

    assert new.status == 0
    assert [Path(line).name for line in new.out.splitlines()] == [
        "0001.add-due-date.sql",
        "0001.add-due-date.rollback.sql",
    ]
    assert all(Path(line).is_file() for line in new.out.splitlines())
