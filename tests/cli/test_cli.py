"""Promises of every command: help, one line for a failure, exit statuses, no garbage."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import psycopg
import pytest

from taskdb import cli
from taskdb.cli import main
from taskdb.cli.common import Target, print_json, print_table
from taskdb.errors import ValidationError
from taskdb.text import clean, shorten
from tests.command_line import Caller, command, environment, interrupt, run


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        member = group.get_command(context, name)
        assert member is not None
        assert member.name == name
        yield (*path, name)
        if isinstance(member, click.Group):
            yield from commands(member, (*path, name))


ALL = sorted(commands(cli.cli))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_has_help_with_an_example_of_itself(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*path, "--help"]) == 0

    printed = capsys.readouterr()
    assert "Example: " in printed.out
    example = printed.out.partition("Example: ")[2]
    assert f"taskdb {' '.join(path)}" in " ".join(example.split())
    assert "..." not in printed.out.partition("Commands:")[2]


def test_a_bare_call_prints_help_and_counts_as_a_wrong_call(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 2

    assert "Commands:" in capsys.readouterr().err


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0

    assert capsys.readouterr().out.startswith("taskdb 0.")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["raedy"], "No such command 'raedy'. Did you mean 'ready'? `taskdb --help`"),
        (["ready", "--limit", "0"], "--limit"),
        (["why"], "KEY"),
        (["import", "trello", "."], "trello"),
        (["import", "shark", "/nowhere"], "/nowhere"),
        (["--workspace", "team_a", "demo"], "a workspace of its own"),
    ],
)
def test_a_wrong_call_is_one_line_that_names_the_help(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2

    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert printed.err.startswith("taskdb: ")
    assert words in printed.err
    assert "--help` shows how" in printed.err


def test_options_before_and_after_the_command_mean_the_same(
    capsys: pytest.CaptureFixture[str], shared_database_url: str
) -> None:
    assert main(["ready", "--json", "--url", shared_database_url, "--workspace", "taskdb"]) == 0
    after = capsys.readouterr().out
    assert main(["--database-url", shared_database_url, "ready", "--json"]) == 0

    assert capsys.readouterr().out == after == "[]\n"


def test_an_unreachable_database_is_one_line_without_the_password(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    refused = Caller(capsys, f"postgresql://ann:s3cret@/plans?host={tmp_path}")("ready")

    assert refused.status == 1
    assert refused.err.count("\n") == 1
    assert "s3cret" not in refused.err


def test_a_schema_that_is_behind_is_refused_with_the_remedy(
    capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    taskdb = Caller(capsys, database_url)
    assert taskdb("migrate", "down", "--yes").status == 0

    refused = taskdb("ready")

    assert (refused.status, refused.out) == (1, "")
    assert refused.err.count("\n") == 1
    assert "migrate up" in refused.err


def test_a_long_import_or_examination_is_given_its_time(
    shared_database_url: str,
) -> None:
    with Target(shared_database_url, "taskdb").connect() as usual:
        assert usual.execute("show statement_timeout").fetchone() == ("1min",)
    with Target(shared_database_url, "taskdb").connect(patient=True) as patient:
        assert patient.execute("show statement_timeout").fetchone() == ("0",)
        assert patient.execute("show search_path").fetchone() == ('"taskdb",shared,pg_temp',)


def test_a_bad_workspace_name_is_one_line(
    capsys: pytest.CaptureFixture[str], shared_database_url: str
) -> None:
    refused = Caller(capsys, shared_database_url)("ready", "--workspace", "Team A")

    assert refused.status == 1
    assert refused.err.startswith("taskdb: workspace")
    assert refused.err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (ValidationError("priority", "must be between 1 and 10"), 1, "priority must be"),
        (psycopg.errors.DiskFull("no space left"), 1, "no space left"),
        (PermissionError(13, "Permission denied", ".taskdb"), 1, "Permission denied"),
        (KeyboardInterrupt(), 130, "Interrupted"),
        (click.FileError("plan.json", "is a folder"), 1, "plan.json"),
    ],
)
def test_each_failure_is_one_line_and_a_status(
    error: BaseException,
    status: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("taskdb.cli.tasks.tasks.list_ready", fail)
    monkeypatch.setattr("taskdb.cli.common.Target.connect", fail)

    assert main(["ready"]) == status

    printed = capsys.readouterr()
    assert printed.err.strip().count("\n") == 0
    assert printed.err.strip().startswith("taskdb: ")
    assert words in printed.err


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("taskdb.cli.common.Target.connect", fail)

    with pytest.raises(ZeroDivisionError):
        main(["ready"])


@pytest.mark.slow
def test_a_reader_that_leaves_is_no_reason_to_complain(shared_database_url: str) -> None:
    with subprocess.Popen(
        command("--url", shared_database_url, "migrate", "status"),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        complaints = process.stderr.read()

    assert complaints == ""
    assert process.returncode == 1


def test_interrupted_it_ends_with_130_and_one_line(database_url: str) -> None:
    locked = psycopg.connect(database_url)
    with (
        locked,
        subprocess.Popen(
            command("--url", database_url, "why", "T-1"),
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        locked.execute("lock table taskdb.tasks in access exclusive mode")
        wait_until_blocked_by(locked, database_url)
        out, err = interrupt(process)

    # The empty line ends the one on which a terminal shows ^C.
    assert (process.returncode, out, err) == (130, "", "\ntaskdb: Interrupted\n")


@pytest.mark.slow
def test_interrupted_while_it_is_imported_it_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt\n")

    done = run("--version", folder=tmp_path, more={"PYTHONPATH": str(tmp_path)})

    assert (done.status, done.out, done.err) == (130, "", "\ntaskdb: Interrupted\n")


def wait_until_blocked_by(holder: psycopg.Connection, url: str) -> None:
    """Wait until a session really waits for what *holder* has locked; half a minute at most."""
    asked = "select exists (select from pg_stat_activity where %s = any(pg_blocking_pids(pid)))"
    deadline = time.monotonic() + 30
    with psycopg.connect(url, autocommit=True) as conn:
        while conn.execute(asked, (holder.info.backend_pid,)).fetchone() == (False,):
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.mark.slow
def test_without_any_setting_the_embedded_server_is_started(tmp_path: Path) -> None:
    try:
        up = run("migrate", "up", folder=tmp_path)
        ready = run("ready", folder=tmp_path, more={"TASKDB_WORKSPACE": "taskdb"})
        url = run("db", "url", folder=tmp_path)
        status = run("db", "status", folder=tmp_path)
        # There is no psql on the path: it is the wheel's.
        more = {"PATH": str(tmp_path)}
        psql = run("db", "psql", "-Atc", "show search_path", folder=tmp_path, more=more)
    finally:
        stopped = run("db", "stop", folder=tmp_path)
    again, after = (run("db", word, folder=tmp_path) for word in ("stop", "status"))

    assert up.status == ready.status == 0
    assert f"server {tmp_path}/.taskdb" in up.err
    assert url.out.startswith("postgresql://")
    assert (url.out.count("\n"), url.err) == (1, "")
    assert (status.status, "running as process" in status.out) == (0, True)
    assert psql.out == "taskdb,shared,pg_temp\n"
    assert (stopped.status, stopped.out) == (0, "Stopped.\n")
    assert (again.status, again.out) == (0, f"It was not running, in {tmp_path}/.taskdb.\n")
    assert (after.status, after.out) == (
        1,
        f"The embedded server is stopped, in {tmp_path}/.taskdb.\n",
    )


def test_starting_tells_where_and_status_is_json_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        assert main(["db", "start"]) == 0
        assert "running as process" in capsys.readouterr().out
        assert main(["db", "url"]) == 0
        assert capsys.readouterr().out.startswith("postgresql://")
        assert main(["db", "status", "--json"]) == 0
        assert '"running": true' in capsys.readouterr().out
        assert main(["ready"]) == 1
        assert "migrate up" in capsys.readouterr().err
    finally:
        assert main(["db", "stop"]) == 0
    assert main(["db", "status"]) == 1


def test_psql_gets_the_password_where_nobody_sees_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    called: list[object] = []
    monkeypatch.setattr("os.execve", lambda *arguments: called.extend(arguments))
    monkeypatch.setattr("shutil.which", lambda _: "/opt/pg/bin/psql")

    main(["db", "psql", "--url", "postgresql://ann:s3cret@db.example/plans", "-l"])

    program, arguments, variables = called
    assert str(program) == "/opt/pg/bin/psql"
    # A name alone psql would look for on PATH, where the embedded server's is not.
    assert arguments == ["/opt/pg/bin/psql", "-l"]
    assert isinstance(variables, dict)
    assert variables["PGPASSWORD"] == "s3cret"
    assert variables["PGDATABASE"] == "plans"
    assert variables["PGOPTIONS"] == "-c search_path=taskdb,shared,pg_temp"


@pytest.mark.slow
def test_python_m_taskdb_is_the_command() -> None:
    version = subprocess.run(
        [sys.executable, "-m", "taskdb", "--version"], capture_output=True, text=True, check=True
    )

    assert version.stdout.startswith("taskdb ")


def test_columns_stay_apart_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["key", "title"], [("T-1", "x" * 300), ("日本", None)])

    lines = capsys.readouterr().out.splitlines()
    assert lines == ["key   title", f"T-1   {'x' * 300}", "日本"]


def test_json_writes_spans_as_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    from datetime import timedelta

    print_json({"lease": timedelta(minutes=1), "path": Path("/tmp")})

    assert capsys.readouterr().out == '{\n  "lease": 60.0,\n  "path": "/tmp"\n}\n'


def test_text_from_elsewhere_cannot_steer_the_terminal() -> None:
    assert clean("a\x1b]0;title\x07b\u202ec\nd") == r"a\x1b]0;title\x07b\u202ec\nd"
    assert clean(None) == ""
    assert clean(7) == "7"


def test_shortened_text_ends_in_an_ellipsis() -> None:
    assert shorten("four words are here", 11) == "four words…"
    assert shorten("short", 11) == "short"
