"""`taskdb import`: the report for people, for programs, and the bars."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from taskdb.demo import ROADMAP
from taskdb.exchange import KINDS, specfile
from tests.command_line import Caller
from tests.warm import run, run_on_terminal


@pytest.fixture
def taskdb(capsys: pytest.CaptureFixture[str], database_url: str) -> Caller:
    return Caller(capsys, database_url)


@pytest.fixture
def dirty(tmp_path: Path) -> Path:
    """The roadmap, with a dependency on a task that is not there."""
    folder = tmp_path / "dirty"
    shutil.copytree(ROADMAP, folder)
    tasks = folder / "tasks.jsonl"
    lines = tasks.read_text().replace('T-E01-F01-001\\"]', 'T-E99-F99-999\\"]', 1)
    tasks.write_text(lines)
    return folder


def test_the_report_counts_what_was_taken(taskdb: Caller) -> None:
    report = taskdb("import", "shark", ROADMAP)

    assert (report.status, report.err) == (0, "")
    assert "7 epics, 20 features, 60 tasks, 86 dependencies" in report.out


def test_a_second_import_changes_nothing(taskdb: Caller) -> None:
    taskdb("import", "shark", ROADMAP)

    again = taskdb("import", "shark", ROADMAP, "--json").data

    assert sum(again["taken"].values()) == 0
    assert again["unchanged"]["tasks"] == 60


def test_a_prefix_goes_before_the_keys(taskdb: Caller) -> None:
    taskdb("import", "shark", ROADMAP, "--prefix", "web-")

    assert taskdb("ready", "--json", "--limit", "1").data[0]["key"].startswith("web-T-E0")


def test_what_is_refused_is_named_with_file_and_line(taskdb: Caller, dirty: Path) -> None:
    report = taskdb("import", "shark", dirty)

    assert report.status == 0
    assert "tasks.jsonl:2: refused dependency T-E01-F01-002: " in report.out


def test_strict_refuses_the_whole_and_imports_nothing(taskdb: Caller, dirty: Path) -> None:
    refused = taskdb("import", "shark", dirty, "--strict")

    assert refused.status == 1
    assert "tasks.jsonl:2: refused dependency T-E01-F01-002: " in refused.out
    assert refused.err == (
        "taskdb: Nothing was imported: --strict, and 0 rows to change, 1 to refuse. "
        "Repair the file, or leave --strict out\n"
    )
    assert taskdb("ready", "--json").data == []


def test_a_file_that_cannot_be_read_is_refused_in_one_line(taskdb: Caller, tmp_path: Path) -> None:
    broken = tmp_path / "tasks.json"
    broken.write_text('{"tasks": [\n  {"id": 1,}\n]}')

    refused = taskdb("import", "taskmaster", broken)

    assert (refused.status, refused.out) == (1, "")
    assert refused.err.count("\n") == 1
    assert f"{broken}:2:" in refused.err


def test_help_has_an_example_of_each_kind(taskdb: Caller) -> None:
    shown = taskdb("import", "--help").out

    assert all(f"taskdb import {kind} " in shown for kind in KINDS)


@pytest.mark.slow
def test_bars_are_for_terminals_only(database_url: str, tmp_path: Path) -> None:
    screen = run_on_terminal("--url", database_url, "import", "shark", ROADMAP, folder=tmp_path)
    again = run("--url", database_url, "import", "shark", ROADMAP, folder=tmp_path)

    assert screen.status == 0
    assert "60/60" in screen.text
    assert again.err == ""
    assert "\x1b" not in again.out


@pytest.mark.parametrize("kind", ["pipe", "device", "large"])
def test_specification_that_is_no_regular_file_is_refused(
    taskdb: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A pipe would be waited for, and a device read without an end."""
    path = tmp_path / "spec.md"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.write_text("# Title\n" + "x" * 200)
        monkeypatch.setattr(specfile, "LARGEST", 100)

    refused = taskdb("spec", "import", path)

    assert refused.status == 1
    assert ("too large" if kind == "large" else "not a regular file") in refused.err
