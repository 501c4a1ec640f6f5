"""The demo: four agents, one killed, and checks that find what is wrong."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from collections.abc import Generator
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console

from taskdb import demo as shipped
from taskdb.database import connect
from taskdb.demo import ROADMAP, WORKSPACE, closing, play
from taskdb.errors import DatabaseError, TaskdbError
from taskdb.exchange import import_plan
from taskdb.models.types import ClaimOutcome, TaskStatus
from taskdb.queries import tasks
from tests.command_line import Outcome, command, environment, interrupt, run, run_on_terminal

QUICK = play.Pace(
    total=timedelta(seconds=1), longest=timedelta(milliseconds=60), lease=timedelta(seconds=1)
)


# The whole, as a person meets it.


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """A folder with an embedded server of its own."""
    path = tmp_path_factory.mktemp("demo")
    yield path
    run("db", "stop", folder=path)
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def played(folder: Path) -> Outcome:
    """The demo, once from the beginning."""
    return run("demo", folder=folder, more={"DATABASE_URL": "postgresql://nowhere.invalid/x"})


def test_the_demo_works_the_roadmap_off(played: Outcome) -> None:
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
@pytest.mark.usefixtures("played")
def test_again_on_a_terminal_it_is_a_live_picture(folder: Path) -> None:
    again = run_on_terminal("demo", folder=folder, columns=80)

    assert again.status == 0
    assert "what an earlier run left is gone" in again.text
    assert "━" in again.text
    assert "57 of 60 done, 0 in progress, 0 ready, 3 blocked" in again.text
    assert "looking for work" in again.text
    assert again.text.count("  ok ") == 7


@pytest.mark.slow
@pytest.mark.usefixtures("played")
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


@pytest.mark.slow
def test_a_plan_that_is_none_is_refused_in_one_line(folder: Path) -> None:
    refused = run("demo", "--plan", folder, folder=folder)

    assert refused.status == 1
    assert refused.err.count("\n") == 1
    assert "tasks.jsonl" in refused.err


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_preparing_again_begins_anew(stage: str) -> None:
    assert play.prepare(stage, lambda _: None) is True

    with connect(stage, workspace=WORKSPACE) as conn:
        assert tasks.count_by_status(conn) == []


@pytest.mark.slow
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


@pytest.mark.slow
def test_an_agent_that_fails_ends_the_demo_with_its_words(
    stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(play, "CREW", ("agent-1", ""))

    with pytest.raises(TaskdbError, match=r"^ ended with status 1: .*agent"):
        play.work_off(stage, console=Console(file=io.StringIO()), pace=QUICK)


@pytest.mark.slow
def test_time_is_shared_among_the_tasks_within_bounds() -> None:
    pace = play.Pace()

    assert pace.seconds_a_task(0) == pace.seconds_a_task(60) == 0.15
    assert pace.seconds_a_task(400) == pytest.approx(0.04)
    assert pace.seconds_a_task(1_000_000) == 0.002


@pytest.mark.slow
def test_the_roadmap_is_in_the_package() -> None:
    assert ROADMAP.is_relative_to(Path(shipped.__file__).parent.parent.parent)
    assert (ROADMAP / "tasks.jsonl").is_file()
