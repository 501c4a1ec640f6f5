"""The demo: four agents, one killed, and checks that find what is wrong."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Generator
from dataclasses import replace
from datetime import timedelta
from itertools import chain, repeat
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from rich.console import Console

from taskdb import demo as shipped
from taskdb.database import connect
from taskdb.demo import ROADMAP, WORKSPACE, agent, closing, display, play
from taskdb.demo.crew import Crew
from taskdb.demo.display import LiveDisplay, Picture, PlainDisplay
from taskdb.demo.summary import DemoCheck, Summary
from taskdb.errors import DatabaseError, TaskdbError
from taskdb.exchange import import_plan
from taskdb.models.admin.demo import AgentAtWork, LeftOpen, Takeover, Violation
from taskdb.models.types import ClaimOutcome, TaskStatus
from taskdb.queries import claims, dependencies, history, tasks
from taskdb.queries.admin import demo
from tests.command_line import command, environment, interrupt, run, run_on_terminal
from tests.plans import Plan, make_plan

QUICK = play.Pace(
    total=timedelta(seconds=1), longest=timedelta(milliseconds=60), lease=timedelta(seconds=1)
)


def shift(url: str, **changes: object) -> agent.Shift:
    quick = agent.Shift(url, "taskdb", "ann", ("ann",), lease_seconds=30, work_seconds=0)
    return replace(quick, **changes)  # type: ignore[arg-type]


# The whole, as a person meets it.


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """A folder with an embedded server of its own."""
    path = tmp_path_factory.mktemp("demo")
    yield path
    run("db", "stop", folder=path)
    shutil.rmtree(path)


def test_the_demo_works_the_roadmap_off(folder: Path) -> None:
    played = run("demo", folder=folder, more={"DATABASE_URL": "postgresql://nowhere.invalid/x"})

    assert (played.status, played.err) == (0, "")
    assert "\x1b" not in played.out
    assert "60 tasks, 86 dependencies" in played.out
    assert re.search(r"agent-\d is killed \(SIGKILL\) in the middle of T-E0", played.out)
    assert re.search(r"57 of 60 open tasks done in \d+\.\d s", played.out)
    assert re.search(r"agent-\d took T-\S+ over when the lease of agent-\d had lapsed", played.out)
    assert "T-E07-F03-003, blocked: waits for people to choose a name" in played.out
    assert played.out.count("  ok ") == 7
    assert "BROKEN" not in played.out


@pytest.mark.slow
def test_again_on_a_terminal_it_is_a_live_picture(folder: Path) -> None:
    played = run_on_terminal("demo", folder=folder, columns=80)

    assert played.status == 0
    assert "what an earlier run left is gone" in played.text
    assert "━" in played.text
    assert "57 of 60 done, 0 in progress, 0 ready, 3 blocked" in played.text
    assert "looking for work" in played.text
    assert played.text.count("  ok ") == 7


def test_the_queries_to_try_next_run_in_psql(folder: Path) -> None:
    for query in closing.QUERIES:
        answered = run("db", "psql", "--workspace", "demo", "-Atc", query, folder=folder)

        assert (answered.status, answered.err) == (0, "")
        assert answered.out


@pytest.mark.slow
def test_interrupted_it_leaves_no_agent_behind(folder: Path) -> None:
    with subprocess.Popen(
        command("demo"),
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        while "done, " not in process.stdout.readline():
            pass
        _, err = interrupt(process)

    assert (process.returncode, err) == (130, "\ntaskdb: Interrupted\n")
    left = run(
        *("db", "psql", "--workspace", "demo", "-Atc"),
        "select count(*) from pg_stat_activity where application_name like 'taskdb demo agent%'",
        folder=folder,
    )
    assert left.out == "0\n"


def test_a_plan_that_is_none_is_refused_in_one_line(folder: Path) -> None:
    refused = run("demo", "--plan", folder, folder=folder)

    assert refused.status == 1
    assert refused.err.count("\n") == 1
    assert "tasks.jsonl" in refused.err


# The parts, in a database of the tests.


@pytest.fixture
def stage(empty_database_url: str) -> str:
    """A database with the roadmap in the workspace `demo`."""
    play.prepare(empty_database_url, lambda _: None)
    with connect(empty_database_url, workspace=WORKSPACE) as conn:
        import_plan(conn, "shark", ROADMAP)
    return empty_database_url


def test_a_crew_does_everything_that_is_open(stage: str) -> None:
    said = io.StringIO()

    summary = play.work_off(stage, console=Console(file=said), pace=QUICK)

    assert summary.holds
    assert summary.end.counts == {TaskStatus.COMPLETED: 57, TaskStatus.BLOCKED: 3}
    assert sum(row.completed_count for row in summary.agents) == 57
    assert summary.killed is not None
    assert [(row.key, row.lost_by, row.outcome) for row in summary.takeovers] == [
        (summary.killed.killed_at, summary.killed.name, ClaimOutcome.COMPLETED)
    ]
    assert summary.work.claim_count == 58
    assert "is killed (SIGKILL)" in said.getvalue()


def test_work_in_progress_elsewhere_is_taken_over_and_review_stays(
    empty_database_url: str, tmp_path: Path
) -> None:
    plan = tmp_path / "plan"
    shutil.copytree(ROADMAP, plan)
    lines = (plan / "tasks.jsonl").read_text().splitlines()
    lines[0] = (
        lines[0]
        .replace('"todo"', '"in_progress"')
        .replace('"assigned_agent": null', '"assigned_agent": "bea"')
    )
    lines[1] = lines[1].replace('"todo"', '"in_review"').replace("in_review", "in_code_review")
    (plan / "tasks.jsonl").write_text("\n".join(lines))
    play.prepare(empty_database_url, lambda _: None)
    with connect(empty_database_url, workspace=WORKSPACE) as conn:
        import_plan(conn, "shark", plan)

    summary = play.work_off(empty_database_url, console=Console(file=io.StringIO()), pace=QUICK)

    assert summary.holds
    assert ("T-E01-F01-001", "bea") in {(row.key, row.lost_by) for row in summary.takeovers}
    left = {row.key: (row.status, row.details) for row in summary.left_open}
    assert left["T-E01-F01-002"] == (TaskStatus.IN_REVIEW, ["its work is under review"])


def test_preparing_again_begins_anew(stage: str) -> None:
    assert play.prepare(stage, lambda _: None) is True

    with connect(stage, workspace=WORKSPACE) as conn:
        assert tasks.count_by_status(conn) == []


def test_a_session_that_holds_the_workspace_is_named(
    stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(play, "LOCK_TIMEOUT", "50ms")
    with connect(stage, workspace=WORKSPACE) as conn:
        tasks.count_ready(conn)

        with pytest.raises(DatabaseError, match="has a transaction open in workspace demo"):
            play.prepare(stage, lambda _: None)


def test_two_demos_at_once_are_refused(stage: str) -> None:
    with connect(stage, workspace=WORKSPACE) as one, connect(stage, workspace=WORKSPACE) as two:
        play.reserve(one)

        with pytest.raises(DatabaseError, match="Another demo is running"):
            play.reserve(two)


def test_an_agent_that_fails_ends_the_demo_with_its_words(
    stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(play, "CREW", ("agent-1", ""))

    with pytest.raises(TaskdbError, match=r"^ ended with status 1: .*agent"):
        play.work_off(stage, console=Console(file=io.StringIO()), pace=QUICK)


def test_time_is_shared_among_the_tasks_within_bounds() -> None:
    pace = play.Pace()

    assert pace.seconds_a_task(0) == pace.seconds_a_task(60) == 0.15
    assert pace.seconds_a_task(400) == pytest.approx(0.04)
    assert pace.seconds_a_task(1_000_000) == 0.002


def test_the_roadmap_is_in_the_package() -> None:
    assert ROADMAP.is_relative_to(Path(shipped.__file__).parent.parent.parent)
    assert (ROADMAP / "tasks.jsonl").is_file()


# One agent.


def test_an_agent_works_until_nothing_is_left(database_url: str) -> None:
    with connect(database_url) as conn:
        make_plan(conn)

    assert agent.run(shift(database_url)) == 6

    with connect(database_url) as conn:
        assert [row.status for row in tasks.list_tasks(conn)] == [TaskStatus.COMPLETED] * 6
        assert {row.agent for row in history.list_for_task(conn, key=Plan.design)} >= {"ann"}


def test_an_agent_does_what_is_reserved_for_its_crew_and_leaves_the_rest(
    database_url: str,
) -> None:
    with connect(database_url) as conn:
        tasks.create(conn, key="ours", title="Ours", assigned_agent="ann")
        tasks.create(conn, key="theirs", title="Theirs", assigned_agent="bob")

    assert agent.run(shift(database_url)) == 1

    with connect(database_url) as conn:
        assert tasks.get_by_key(conn, key="theirs").status is TaskStatus.PENDING


def test_long_work_renews_the_lease(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.Random.uniform", lambda *_: 1.0)
    with connect(database_url) as conn:
        tasks.create(conn, key="T", title="Long")

    assert agent.run(shift(database_url, lease_seconds=0.6, work_seconds=1)) == 1

    with connect(database_url) as conn:
        outcomes = [attempt.outcome for attempt in claims.list_for_task(conn, key="T")]
    assert outcomes == [ClaimOutcome.COMPLETED]


def test_an_agent_ends_when_its_parent_has(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parents = chain([1], repeat(2))
    monkeypatch.setattr("taskdb.demo.agent.os.getppid", lambda: next(parents))
    with connect(database_url) as conn:
        make_plan(conn)

    assert agent.run(shift(database_url)) == 0

    with connect(database_url) as conn:
        assert {task.status for task in tasks.list_tasks(conn)} <= {
            TaskStatus.PENDING,
            TaskStatus.BLOCKED,
        }


def test_nobody_is_killed_between_two_tasks(database_url: str) -> None:
    with Crew([shift(database_url)]) as crew:
        (member,) = crew.members

        assert crew.kill_one_at_work(lambda _: None) is None

        # It was let go on, and ends by itself: there is nothing to do.
        assert member.process.wait(30) == 0
        assert crew.kill_one_at_work(lambda _: "T") is None


def test_a_crew_that_is_left_is_gone(stage: str) -> None:
    slow = shift(stage, workspace=WORKSPACE, work_seconds=600)
    with Crew([slow]) as crew:
        (member,) = crew.members
        os.kill(member.process.pid, signal.SIGSTOP)

    assert not member.lives


def test_a_claim_in_hand_is_one_whose_holder_has_said_all(database_url: str) -> None:
    name = agent.application_name("ann")
    busy = psycopg.conninfo.make_conninfo(database_url, application_name=name)
    with connect(database_url) as conn, connect(busy, autocommit=True) as ann:
        tasks.create(conn, key="T", title="In hand")
        claims.claim(conn, key="T", agent="ann")
        conn.commit()

        assert demo.claim_in_hand(conn, agent="ann", application_name=name) == "T"
        with ann.transaction():
            ann.execute("select")
            conn.commit()
            assert demo.claim_in_hand(conn, agent="ann", application_name=name) is None


# The checks: each finds what breaks its rule, and nothing else.


@pytest.fixture
def done(conn: psycopg.Connection) -> psycopg.Connection:
    """The small plan, all of it done by ann, and the triggers then switched off."""
    plan = make_plan(conn)
    for key in plan.tasks:
        claim = claims.claim(conn, key=key, agent="ann")
        assert claim is not None
        claims.complete(conn, task_id=claim.task_id, token=claim.token)
    for table in ("tasks", "task_history", "task_dependencies"):
        conn.execute(f"alter table {table} disable trigger user")
    return conn


def found(conn: psycopg.Connection) -> dict[str, list[str]]:
    checks = {
        "started": demo.started_too_early,
        "once": demo.not_completed_once,
        "another": demo.completed_by_another,
        "two": demo.held_by_two,
    }
    rows = {name: [row.key for row in check(conn)] for name, check in checks.items()}
    return {name: keys for name, keys in rows.items() if keys}


def test_what_was_done_in_order_passes_every_check(done: psycopg.Connection) -> None:
    assert found(done) == {}
    count = demo.count_work(done, agents=["ann"])
    assert (count.claim_count, count.completed_count, count.gate_count) == (6, 6, 6)


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (
            "update task_history set created_at = created_at - interval '1 hour'"
            " where new_status = 'in_progress'"
            " and task_id = (select id from tasks where key = 'T-E01-F01-003')",
            {"started": ["T-E01-F01-003"]},
        ),
        (
            "insert into task_history (task_id, seq, old_status, new_status, agent)"
            " select id, 9, 'in_review', 'completed', 'ann' from tasks where key = 'chore'",
            {"once": ["chore"]},
        ),
        (
            "update task_history set outcome = 'failed' where outcome = 'completed'"
            " and task_id = (select id from tasks where key = 'chore')",
            {"once": ["chore"], "another": ["chore"]},
        ),
        (
            "update tasks set claim_token = claim_token + 1 where key = 'chore'",
            {"another": ["chore"]},
        ),
        (
            "insert into task_history (task_id, seq, new_status, token, outcome, agent, created_at)"
            " select task_id, seq - 3, new_status, 0,"
            " case seq when 3 then 'released'::claim_outcome end, 'bob',"
            " created_at + interval '1 minute' * (2 * seq - 5)"
            " from task_history where seq in (2, 3)"
            " and task_id = (select id from tasks where key = 'chore')",
            {"two": ["chore"]},
        ),
    ],
    ids=["started early", "twice in history", "not by claim", "old token", "held by two"],
)
def test_each_check_finds_its_damage(
    done: psycopg.Connection, damage: LiteralString, expected: dict[str, list[str]]
) -> None:
    done.execute(damage)

    assert found(done) == expected


def test_work_is_left_while_a_claim_lives(conn: psycopg.Connection) -> None:
    assert not demo.work_is_left(conn, agents=["ann"])
    tasks.create(conn, key="T", title="Something to do", assigned_agent="bob")
    assert not demo.work_is_left(conn, agents=["ann"])
    assert demo.work_is_left(conn, agents=["ann", "bob"])
    claim = claims.claim(conn, key="T", agent="bob")
    assert claim is not None
    assert demo.work_is_left(conn, agents=["ann"])
    claims.complete(conn, task_id=claim.task_id, token=claim.token)

    assert not demo.work_is_left(conn, agents=["ann", "bob"])


def test_what_is_left_open_comes_with_its_reasons(conn: psycopg.Connection) -> None:
    plan = make_plan(conn)
    tasks.update_status(conn, key=plan.design, status=TaskStatus.CANCELLED)
    tasks.create(conn, key="mine", title="Mine", assigned_agent="bob")

    left = {row.key: row for row in demo.left_open(conn)}

    assert plan.design not in left
    assert left[plan.build].reasons == ["dependency"]
    assert left[plan.build].details == [f"requires {plan.design}, which is cancelled"]
    assert left["mine"].assigned_agent == "bob"
    assert dependencies.why_not_ready(conn, key="mine") == []


# The screen


def picture(done: int, **changes: object) -> Picture:
    agents = [
        AgentAtWork("agent-1", 3, "T-1", "Lex \x1b[31m everything"),
        AgentAtWork("agent-2", 0, None, None),
        AgentAtWork("agent-3", 1, "T-3", "Held when it was killed"),
    ]
    counts = {TaskStatus.PENDING: 4, TaskStatus.BLOCKED: 2, TaskStatus.IN_PROGRESS: 2}
    shown = Picture(20, done, counts, agents, {"agent-3": "T-3"})
    return replace(shown, **changes)  # type: ignore[arg-type]


def console(terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=80, _environ={})


def printed(on: Console) -> str:
    assert isinstance(on.file, io.StringIO)
    return on.file.getvalue()


def test_without_a_terminal_there_is_a_line_for_each_tenth() -> None:
    on = console(terminal=False)
    with display.for_console(on) as screen:
        assert isinstance(screen, PlainDisplay)
        for done in range(5):
            screen.show(picture(done))
        screen.tell("something \x1bhappened")

    assert printed(on).splitlines() == [
        "  2 of 20 done, 2 in progress, 4 ready, 2 blocked",
        "  4 of 20 done, 2 in progress, 4 ready, 2 blocked",
        r"  something \x1bhappened",
    ]


def test_on_a_terminal_each_agent_has_a_line() -> None:
    on = console(terminal=True)
    with display.for_console(on) as screen:
        assert isinstance(screen, LiveDisplay)
        screen.show(picture(5))
        screen.tell("something happened")

    text = printed(on)
    assert r"T-1  Lex \x1b[31m everything" in text
    assert "looking for work" in text
    assert "killed at T-3" in text
    assert "something happened" in text


def summary(**changes: object) -> Summary:
    from taskdb.demo.watch import Standing
    from taskdb.models.admin.demo import WorkCount

    usual = Summary(
        elapsed=timedelta(seconds=4.21),
        start=Standing({TaskStatus.PENDING: 20}),
        end=Standing({TaskStatus.COMPLETED: 12, TaskStatus.PENDING: 8}),
        work=WorkCount(13, 12, 5),
        agents=[AgentAtWork("agent-1", 12, None, None)],
        killed=None,
        takeovers=[],
        checks=[],
        left_open=[],
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def told(shown: Summary) -> str:
    on = console(terminal=False)
    closing.tell(on, shown, command="bin/taskdb", workspace="demo")
    return printed(on)


def test_the_last_page_has_the_count_and_what_to_try_next() -> None:
    page = told(summary())

    assert "12 of 20 open tasks done in 4.2 s" in page
    assert "No agent was killed" in page
    assert "bin/taskdb db psql --workspace demo" in page
    assert "Left open" not in page


def test_a_broken_rule_is_shown_with_its_first_rows() -> None:
    rows = [Violation(f"T-{number}", "went wrong") for number in range(12)]
    broken = summary(checks=[DemoCheck("nothing goes wrong", "12 tasks", rows)])

    page = told(broken)

    assert not broken.holds
    assert "BROKEN nothing goes wrong (12 tasks)" in page
    assert "T-9: went wrong" in page
    assert "T-10" not in page
    assert "and 2 more" in page


def test_what_stays_open_is_grouped_by_its_reason() -> None:
    review = [
        LeftOpen(f"R-{number}", "Reviewed", TaskStatus.IN_REVIEW, None, ["in_review"], ["reviewed"])
        for number in range(5)
    ]
    single = [
        LeftOpen(f"B-{number}", "Blocked", TaskStatus.BLOCKED, None, ["held"], [f"word {number}"])
        for number in range(9)
    ]
    mine = LeftOpen("M-1", "Mine", TaskStatus.PENDING, "bob", [], [])
    free = LeftOpen("F-1", "Free", TaskStatus.PENDING, None, [], [])
    many = LeftOpen("D-1", "Deep", TaskStatus.BLOCKED, None, ["held"] * 4, ["a", "b", "c", "d"])

    page = told(summary(left_open=[*review, mine, free, many, *single]))

    assert "  5 in review: reviewed (R-0, R-1, R-2 and 2 more)" in page
    assert "  M-1, pending: reserved for bob" in page
    assert "  F-1, pending: it can be claimed" in page
    assert "  D-1, blocked: a, b and 2 more" in page
    assert "  and 5 more, for 5 other reasons" in page
    assert "bin/taskdb why 'B-8' --workspace demo" in page


def test_many_takeovers_are_counted() -> None:
    over = [
        Takeover(f"T-{n}", "ann", "bob", timedelta(seconds=2), ClaimOutcome.COMPLETED)
        for n in range(6)
    ]

    page = told(summary(takeovers=over))

    assert "  bob took T-0 over when the lease of ann had lapsed: completed" in page
    assert "  and 2 more taken over in the same way" in page
