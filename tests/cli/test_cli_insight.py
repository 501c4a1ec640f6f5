"""Questions about a plan as a whole: its critical path, its waves, a diagram."""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from taskdb.admin import diagrams
from taskdb.cli.insight import span
from taskdb.database import connect
from taskdb.models.dependencies import NewDependency
from taskdb.models.tasks import NewTask
from taskdb.models.types import TaskStatus
from taskdb.queries import claims, tasks
from taskdb.testing.databases import Databases
from tests.command_line import Caller
from tests.plans import Plan, make_plan
from tests.warm import run_on_terminal

PLAN = Plan()


@pytest.fixture(scope="module")
def planned(databases: Databases, template: str) -> Generator[str]:
    """A database with the small plan; `docs` takes four hours, all else one."""
    url = databases.clone(template)
    with connect(url) as conn:
        make_plan(conn)
        tasks.update(conn, key=PLAN.docs, estimated_hours=Decimal(4))
    yield url
    databases.drop(url)


@pytest.fixture
def taskdb(capsys: pytest.CaptureFixture[str], planned: str) -> Caller:
    return Caller(capsys, planned)


def column(printed: str, place: int) -> list[str]:
    return [line.split()[place] for line in printed.splitlines()[1:]]


def test_critical_path_is_listed_step_by_step(taskdb: Caller) -> None:
    path = taskdb("critical-path")

    assert path.status == 0
    assert column(path.out, 0) == ["1", "2", "3", "4"]
    assert column(path.out, 1) == [PLAN.design, PLAN.build, PLAN.docs, PLAN.release]
    assert path.err == "7.00 hours of work, one after the other, at the least.\n"


def test_critical_path_of_a_feature_marks_what_lies_outside(taskdb: Caller) -> None:
    rows = taskdb("critical-path", "--feature", PLAN.features[1], "--json").data
    shown = taskdb("critical-path", "--feature", PLAN.features[1]).out

    assert [row["in_scope"] for row in rows] == [False, False, True, True]
    assert shown.count("outside") == 2


def test_all_tasks_are_listed_with_their_slack(taskdb: Caller) -> None:
    rows = taskdb("critical-path", "--all", "--json").data

    slack = {row["key"]: row["slack_hours"] for row in rows}
    assert slack[PLAN.test] == "3.00"
    assert slack[PLAN.chore] == "6.00"


def test_waves_say_how_many_agents_they_feed(taskdb: Caller) -> None:
    shown = taskdb("waves", "--epic", PLAN.epic)

    assert shown.status == 0
    assert column(shown.out, 1) == ["1", "1", "2", "1"]
    rows = taskdb("waves", "--json").data
    assert [row["task_count"] for row in rows] == [2, 1, 2, 1]
    assert rows[2]["keys"] == [PLAN.test, PLAN.docs]


def test_flow_shows_what_was_done_and_what_goes_on(
    capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    taskdb = Caller(capsys, database_url)
    with connect(database_url) as conn:
        for key in ("first", "second"):
            tasks.create(conn, key=key, title=key, agent_type="coder")
            claims.claim(conn, key=key, agent="ann")
        tasks.update_status(conn, key="first", status=TaskStatus.COMPLETED, agent="ann")

    shown = taskdb("flow", "--days", "2").out
    data = taskdb("flow", "--type", "coder", "--json").data

    assert shown.splitlines()[1].split()[:3] == ["2", "days", "1"]
    assert "0.5 a day; 0 reopenings." in shown
    assert [line.split()[:2] for line in shown.splitlines() if line.startswith("ann")] == [
        ["ann", "1"]
    ]
    assert "Growing old" in shown
    assert "Reopened" not in shown
    assert data["summary"]["done_count"] == 1
    assert sum(day["completed_count"] for day in data["throughput"]) == 1
    assert [row["key"] for row in data["ageing"]] == ["second"]
    assert {row["status"] for row in data["time_in_status"]} == {"pending", "in_progress"}


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, ""), (0, "0 s"), (119, "119 s"), (120, "2.0 min"), (9000, "2.5 h"), (216_000, "2.5 d")],
)
def test_spans_are_told_in_a_unit_of_which_there_are_two(seconds: int | None, shown: str) -> None:
    assert span(None if seconds is None else timedelta(seconds=seconds)) == shown


def test_graph_is_mermaid_or_dot(taskdb: Caller) -> None:
    mermaid = taskdb("graph")
    dot = taskdb("graph", "--epic", PLAN.epic, "--format", "dot")

    assert (mermaid.status, mermaid.err) == (0, "")
    assert mermaid.out.startswith("flowchart LR\n")
    assert PLAN.chore in mermaid.out
    assert dot.out.startswith("digraph plan {\n")
    assert PLAN.chore not in dot.out


def test_a_large_plan_is_drawn_by_feature_and_says_so(
    taskdb: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagrams, "LARGE", 5)

    drawn = taskdb("graph")

    assert PLAN.design not in drawn.out
    assert PLAN.features[0] in drawn.out
    assert drawn.err == (
        "6 tasks, drawn by feature; --by task draws each.\n"
        "1 tasks are not in the diagram: of no feature.\n"
    )
    assert PLAN.design in taskdb("graph", "--by", "task").out


def test_a_picture_of_too_many_tasks_says_what_is_missing(
    taskdb: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagrams, "MOST", 4)

    assert taskdb("graph").err == "2 tasks are not in the diagram: too many.\n"


def test_a_large_plan_of_tasks_without_features_is_drawn_by_task(
    databases: Databases,
    template: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(diagrams, "LARGE", 5)
    url = databases.clone(template)
    with connect(url) as conn:
        tasks.create_many(conn, [NewTask(key=f"lone-{n}", title="Alone") for n in range(7)])

    drawn = Caller(capsys, url)("graph")

    assert "lone-6" in drawn.out
    assert drawn.err == ""
    databases.drop(url)


@pytest.mark.parametrize("limit", ["MERMAID_EDGES", "MERMAID_CHARACTERS"])
def test_a_picture_that_mermaid_would_refuse_is_told(
    taskdb: Caller, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(diagrams, limit, 3)

    assert "--format dot has no such limit" in taskdb("graph").err
    assert taskdb("graph", "--format", "dot").err == ""


@pytest.mark.parametrize("command", ["critical-path", "waves", "graph"])
def test_an_unknown_epic_is_refused_in_one_line(taskdb: Caller, command: str) -> None:
    refused = taskdb(command, "--epic", "E77")

    assert (refused.status, refused.out) == (1, "")
    assert "E77" in refused.err
    assert refused.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("waves", "--epic", "E77"), "epic E77"),
        (("waves", "--feature", "E77-F01"), "feature E77-F01"),
        (("waves", "--workflow", str(UUID(int=7))), f"workflow {UUID(int=7)}"),
        (("spec", "show", "SPEC-77"), "specification SPEC-77"),
    ],
)
def test_who_names_what_is_not_there_is_told_how_to_list_what_is(
    taskdb: Caller, conn: psycopg.Connection, arguments: tuple[str, ...], what: str
) -> None:
    refused = taskdb(*arguments)

    assert refused.status == 1
    assert f"There is no {what} in workspace taskdb. `taskdb db psql -c '" in refused.err
    conn.execute(refused.err.split("'")[1].encode())


def test_where_nothing_is_open_that_is_said(
    capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    taskdb = Caller(capsys, database_url)
    with connect(database_url) as conn:
        tasks.create(conn, key="done", title="Done", status=TaskStatus.COMPLETED)

    assert taskdb("critical-path").err == "Nothing is open.\n"
    assert taskdb("waves").err == "Nothing is open.\n"
    assert taskdb("graph").err == "No task is chosen; --all draws finished ones too.\n"
    assert taskdb("graph", "--all").out.count("done") == 1


@pytest.fixture(scope="module")
def filtered(databases: Databases, template: str) -> Generator[str]:
    """Forty finished tasks around three open ones, and a part of one of those."""
    url = databases.clone(template)
    with connect(url) as conn:
        old = [
            NewTask(key=f"old-{n}", title=f"Old {n}", status=TaskStatus.COMPLETED)
            for n in range(40)
        ]
        new = [
            NewTask(key="api", title="The API", agent_type="backend"),
            NewTask(key="api.1", title="A part", parent="api", labels=["ui", "x"]),
            NewTask(key="docs", title="Docs", agent_type="writer"),
        ]
        edges = [NewDependency(task=f"old-{n + 1}", depends_on=f"old-{n}") for n in range(39)]
        edges += [
            NewDependency(task="api", depends_on="old-39"),
            NewDependency(task="docs", depends_on="api"),
        ]
        tasks.create_many(conn, [*old, *new], edges)
    yield url
    databases.drop(url)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], {"api", "api.1", "docs"}),
        (["--under", "api"], {"api.1"}),
        (["--label", "ui"], {"api.1"}),
        (["--label", "u"], set()),
        (["--type", "backend"], {"api"}),
        (["--near", "api.1", "--steps", "1"], {"api", "api.1"}),
        (["--near", "api.1", "--steps", "0"], {"api.1"}),
        (["--near", "api.1", "--type", "writer"], {"docs"}),
        (["--under", "api", "--near", "docs", "--steps", "1"], set()),
    ],
)
def test_lists_and_pictures_take_the_same_filters(
    capsys: pytest.CaptureFixture[str], filtered: str, options: list[str], expected: set[str]
) -> None:
    taskdb = Caller(capsys, filtered)

    listed = {row["key"] for row in taskdb("tasks", *options, "--json").data}
    drawn = taskdb("graph", *options, "--format", "dot").out
    planned = taskdb("critical-path", "--all", *options, "--json").data
    waves = taskdb("waves", *options, "--json").data

    assert listed == expected
    assert {key for key in ("api", "api.1", "docs") if f"{key} (" in drawn} >= expected
    assert "old-" not in drawn
    assert {row["key"] for row in planned if row["in_scope"]} == expected
    assert expected <= {key for wave in waves for key in wave["keys"]}


def test_ready_takes_them_too(capsys: pytest.CaptureFixture[str], filtered: str) -> None:
    taskdb = Caller(capsys, filtered)

    def ready(*options: str) -> list[str]:
        return [row["key"] for row in taskdb("ready", *options, "--json").data]

    assert ready() == ["api", "api.1"]
    assert ready("--under", "api") == ["api.1"]
    assert ready("--label", "ui", "--type", "writer") == ["api.1"]
    assert ready("--near", "docs", "--steps", "1") == ["api"]
    assert ready("--label", "nobody") == []


def test_finished_tasks_are_drawn_and_listed_on_demand_only(
    capsys: pytest.CaptureFixture[str], filtered: str
) -> None:
    taskdb = Caller(capsys, filtered)

    everything = taskdb("graph", "--all", "--format", "dot").out
    listed = taskdb("tasks", "--all", "--limit", "10")

    assert everything.count("old-") == 40
    assert len(listed.out.splitlines()) == 11
    assert listed.err == "10 of 43 tasks; --limit shows more.\n"
    assert len(taskdb("tasks", "--status", "completed", "--json").data) == 40


@pytest.mark.parametrize(
    ("options", "named"),
    [(["--under", "T-404"], "T-404"), (["--near", "T-404"], "T-404"), (["--epic", "E99"], "E99")],
)
@pytest.mark.parametrize("command", ["ready", "tasks", "graph", "waves", "critical-path"])
def test_a_filter_that_names_nothing_is_refused(
    capsys: pytest.CaptureFixture[str], filtered: str, command: str, options: list[str], named: str
) -> None:
    refused = Caller(capsys, filtered)(command, *options)

    assert refused.status == 1
    assert named in refused.err


@pytest.mark.parametrize("command", ["ready", "tasks"])
def test_a_long_key_leaves_room_for_the_titles(
    databases: Databases, template: str, tmp_path: Path, command: str
) -> None:
    url = databases.clone(template)
    with connect(url) as conn:
        tasks.create(conn, key="T-1", title="A title that goes on " * 10)
        tasks.create(conn, key="K" * 100, title="Another")

    screen = run_on_terminal("--url", url, command, folder=tmp_path, columns=80)

    databases.drop(url)
    assert max(map(len, screen.text.splitlines())) <= 80
    assert "A title th…" in screen.text
    assert "pending" in screen.text or command == "ready"


@pytest.mark.parametrize("command", ["ready", "tasks", "critical-path", "waves"])
def test_on_a_terminal_of_80_columns_a_task_is_one_line(
    databases: Databases, template: str, tmp_path: Path, command: str
) -> None:
    url = databases.clone(template)
    with connect(url) as conn:
        tasks.create(conn, key="T-E01-F01-001", title="A title that goes on " * 10)
        tasks.create(conn, key="short", title="short")

    screen = run_on_terminal("--url", url, command, folder=tmp_path, columns=80)

    lines = [line for line in screen.text.splitlines() if line.strip()]
    databases.drop(url)
    assert max(map(len, lines)) <= 80
    if command != "waves":
        (line,) = [line for line in lines if "T-E01-F01-001" in line]
        assert "A title" in line
        assert line.rstrip().endswith("…")
    assert not [line for line in lines if "goes on" in line and "T-E01" not in line]
