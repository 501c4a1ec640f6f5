"""Questions about a plan's tasks: ready, why, task, search."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path

import pytest

from taskdb.database import connect
from taskdb.models import TaskStatus
from taskdb.queries import claims, tasks
from taskdb.testing.databases import Databases
from tests.command_line import Caller
from tests.plans import Plan, make_graph, make_plan
from tests.warm import run_on_terminal

PLAN = Plan()


@pytest.fixture(scope="module")
def planned(databases: Databases, template: str) -> Generator[str]:
    """A database with the small plan: `design` is claimed by ann, `chore` waits for words."""
    url = databases.clone(template)
    with connect(url) as conn:
        make_plan(conn)
        claim = claims.claim(conn, key=PLAN.design, agent="ann")
        assert claim is not None
        tasks.create(
            conn,
            key="typed",
            title="Lex \x1b[31mnested\x1b[0m comments",
            description="Strings, dollar quotes and nested comments.",
            agent_type="backend",
            priority=1,
        )
        tasks.create(conn, key="mine", title="Reserved", assigned_agent="bob")
    yield url
    databases.drop(url)


@pytest.fixture
def taskdb(capsys: pytest.CaptureFixture[str], planned: str) -> Caller:
    return Caller(capsys, planned)


def keys(printed: str) -> list[str]:
    return [line.split()[0] for line in printed.splitlines()[1:]]


def test_ready_lists_the_most_urgent_first(taskdb: Caller) -> None:
    ready = taskdb("ready")

    assert (ready.status, ready.err) == (0, "")
    assert ready.out.splitlines()[0].split() == [
        "key",
        "priority",
        "type",
        "reserved",
        "for",
        "title",
    ]
    assert keys(ready.out) == ["typed", "chore", "mine"]


def test_ready_for_an_agent_leaves_out_what_others_are_to_do(taskdb: Caller) -> None:
    assert keys(taskdb("ready", "--agent", "eve").out) == ["typed", "chore"]
    assert keys(taskdb("ready", "--type", "docs").out) == ["chore", "mine"]


def test_ready_says_how_many_there_are_besides(taskdb: Caller) -> None:
    ready = taskdb("ready", "--limit", "1")

    assert keys(ready.out) == ["typed"]
    assert ready.err == "1 of 3 that are ready; --limit shows more.\n"


def test_ready_as_json_is_a_list(taskdb: Caller) -> None:
    rows = taskdb("ready", "--json").data

    assert [row["key"] for row in rows] == ["typed", "chore", "mine"]
    assert rows[0]["status"] == "pending"


def test_nothing_ready_says_what_to_ask_next(
    capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    ready = Caller(capsys, database_url)("ready")

    assert ready.status == 0
    assert ready.err == "Nothing can be claimed now; `taskdb why KEY` shows what blocks a task.\n"


def test_why_names_each_reason(taskdb: Caller) -> None:
    why = taskdb("why", PLAN.release)

    assert why.status == 0
    assert why.out.splitlines()[0] == f"{PLAN.release} (blocked) can't be claimed now:"
    assert f"requires {PLAN.docs}, which is blocked" in why.out
    assert f"requires {PLAN.test}, which is blocked" in why.out


def test_why_says_so_if_nothing_is_in_the_way(taskdb: Caller) -> None:
    assert taskdb("why", "chore").out == "chore can be claimed now.\n"
    assert taskdb("why", "mine").out == "mine can be claimed now, by bob only.\n"


def test_why_as_an_agent_names_reservation_and_type(taskdb: Caller) -> None:
    assert "reserved for bob" in taskdb("why", "mine", "--agent", "eve").out
    assert "for agents of type backend" in taskdb("why", "typed", "--type", "docs").out


def test_why_as_json_is_the_list_of_reasons(taskdb: Caller) -> None:
    rows = taskdb("why", PLAN.design, "--json").data

    assert [row["reason"] for row in rows] == ["claimed"]


def test_stuck_names_what_is_waited_for_in_vain(
    capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    taskdb = Caller(capsys, database_url)
    assert taskdb("stuck").err == "Every task that waits can start some day.\n"
    with connect(database_url) as conn:
        make_graph(conn, "test>build", "ship>test", keys=["build", "test", "ship"])
        tasks.update_status(conn, "build", status=TaskStatus.FAILED, force=True)

    stuck = taskdb("stuck")

    assert [line.split()[:3] for line in stuck.out.splitlines()[1:]] == [
        ["ship", "5", "test"],
        ["test", "5", "build"],
    ]
    assert [row["dead_blockers"] for row in taskdb("stuck", "--json").data] == [["test"], ["build"]]


@pytest.mark.parametrize("command", ["why", "task"])
def test_unknown_key_is_refused_in_one_line(taskdb: Caller, command: str) -> None:
    refused = taskdb(command, "T-404")

    assert (refused.status, refused.out) == (1, "")
    assert refused.err.startswith("taskdb: ")
    assert refused.err.count("\n") == 1
    assert "There is no task T-404 in workspace taskdb. `taskdb search WORDS`" in refused.err


def test_task_shows_dependencies_claims_and_history(taskdb: Caller) -> None:
    shown = taskdb("task", PLAN.design).out

    assert shown.startswith(f"{PLAN.design}  Task {PLAN.design}\n")
    assert "in_progress" in shown
    assert "Waited for by" in shown
    assert PLAN.build in shown
    assert "Claims" in shown
    assert "ann" in shown
    assert "live" in shown
    assert "History" in shown


def test_task_as_json_has_everything(taskdb: Caller) -> None:
    task = taskdb("task", PLAN.build, "--json").data

    assert task["key"] == PLAN.build
    assert [edge["key"] for edge in task["depends_on"]] == [PLAN.design]
    assert {edge["key"] for edge in task["dependents"]} == {PLAN.test, PLAN.docs}
    assert [row["reason"] for row in task["blocking_reasons"]] == ["dependency"]
    assert task["claims"] == []
    assert [entry["new_status"] for entry in task["history"]] == ["pending", "blocked"]


def test_control_characters_do_not_reach_the_terminal(taskdb: Caller) -> None:
    shown = taskdb("task", "typed").out + taskdb("ready").out

    assert "\x1b" not in shown
    assert r"Lex \x1b[31mnested\x1b[0m comments" in shown


def test_search_finds_words_phrases_and_beginnings(taskdb: Caller) -> None:
    assert keys(taskdb("search", "nested", "comments").out) == ["typed"]
    assert keys(taskdb("search", '"dollar quotes"').out) == ["typed"]
    assert keys(taskdb("search", "doll*").out) == ["typed"]
    assert keys(taskdb("search", "reserved", "or", "dollar").out) == ["mine", "typed"]
    assert keys(taskdb("search", "comments", "-dollar").out) == []


def test_search_shows_what_it_found_in_the_description(taskdb: Caller) -> None:
    found = taskdb("search", "dollar", "--json").data

    assert found[0]["excerpt"] == "Strings, \ue000dollar\ue001 quotes and nested comments"
    assert "Strings, dollar quotes and nested" in taskdb("search", "dollar").out


def test_search_without_a_match_says_so(taskdb: Caller) -> None:
    nothing = taskdb("search", "unheard")

    assert nothing.status == 0
    assert nothing.err == "No task has these words.\n"


def test_unknown_workspace_names_those_there_are(taskdb: Caller) -> None:
    refused = taskdb("ready", "--workspace", "team_a")

    assert refused.status == 1
    assert refused.err == (
        "taskdb: There is no workspace team_a in this database, but: taskdb. Name one with "
        "--workspace, or run `taskdb migrate up --workspace team_a`\n"
    )


def test_where_no_workspace_is_the_remedy_makes_one(
    empty_database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = Caller(capsys, empty_database_url)("ready")

    assert refused.status == 1
    assert refused.err == (
        "taskdb: This database has no workspace yet. Run `taskdb migrate up --workspace taskdb`\n"
    )


def test_tables_fit_the_terminal(planned: str, tmp_path: Path) -> None:
    screen = run_on_terminal("--url", planned, "ready", folder=tmp_path, columns=60)

    assert screen.status == 0
    lines = screen.text.splitlines()
    assert max(map(len, lines)) <= 60
    assert any("─" in line for line in lines)


def test_an_excerpt_stands_beneath_its_title_where_the_terminal_is_narrow(
    planned: str, tmp_path: Path
) -> None:
    arguments = ("--url", planned, "search", "dollar")
    narrow = run_on_terminal(*arguments, folder=tmp_path, columns=60)
    wide = run_on_terminal(*arguments, folder=tmp_path, columns=160)

    lines = narrow.text.splitlines()
    assert max(map(len, lines)) <= 60
    title, excerpt = (
        next(place for place, line in enumerate(lines) if words in line)
        for words in ("Lex", "Strings, dollar")
    )
    assert title < excerpt
    assert any("Lex" in line and "Strings, dollar" in line for line in wide.text.splitlines())


def test_no_color_is_heeded(planned: str, tmp_path: Path) -> None:
    coloured = run_on_terminal("--url", planned, "why", "T-404", folder=tmp_path)
    plain = run_on_terminal(
        "--url", planned, "why", "T-404", folder=tmp_path, more={"NO_COLOR": "1"}
    )

    assert "\x1b[31m" in coloured.sent
    assert "\x1b[3" not in plain.sent


def test_a_task_shows_all_that_was_imported(
    capsys: pytest.CaptureFixture[str], database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "issues.jsonl"
    rows = [
        {"id": "bd-1", "title": "Parent", "status": "open"},
        {
            "id": "bd-2",
            "title": "Middle",
            "status": "open",
            "description": "What",
            "acceptance_criteria": "It works",
            "priority": 0,
            "labels": ["ui", "p:1"],
            "comments": [{"id": 1, "author": "ann", "text": "Why?", "created_at": "2026-01-01"}],
            "created_by": "bob",
            "created_at": "2026-01-01T00:00:00Z",
            "external_ref": "gh-9",
            "dependencies": [
                {"depends_on_id": "bd-1", "type": "parent-child"},
                {"depends_on_id": "bd-1", "type": "discovered-from"},
                {"depends_on_id": "bd-9", "type": "blocks"},
            ],
        },
        {"id": "bd-3", "title": "Child", "parent": "bd-2", "status": "open"},
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    taskdb = Caller(capsys, database_url)
    taskdb("import", "beads", path)

    shown = taskdb("task", "bd-2").out
    data = taskdb("task", "bd-2", "--json").data

    lines = [" ".join(line.split()) for line in shown.splitlines()]
    for line in (
        "labels ui, p:1",
        "created by bob",
        f"imported from beads {path}, issues.jsonl:2",
        "It works",
        "Comment by ann 2026-01-01",
        "Why?",
        "bd-1 pending Parent",
        "bd-3 pending Child",
        "discovered-from bd-1",
        "blocks bd-9 bd-9 is no task of this file",
        "external_ref gh-9",
    ):
        assert line in lines
    assert data["parent"] == {"key": "bd-1", "title": "Parent"}
    assert [row["key"] for row in data["children"]] == ["bd-3"]
