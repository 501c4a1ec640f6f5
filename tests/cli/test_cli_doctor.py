"""`taskdb doctor` for operators: what it says, and how it ends."""

from __future__ import annotations

import pytest

from taskdb.database import connect
from taskdb.queries import claims
from tests.command_line import Caller
from tests.plans import Plan, make_plan


@pytest.fixture
def healthy(database_url: str) -> str:
    with connect(database_url) as conn:
        make_plan(conn)
    return database_url


@pytest.fixture
def ill(healthy: str) -> str:
    """A database in which one count is wrong, and one task's history has an end missing."""
    with connect(healthy) as conn:
        for table in ("tasks", "task_history"):
            conn.execute(f"alter table {table} disable trigger user")
        conn.execute("update tasks set open_dependencies = 5 where key = $1", [Plan.build])
        conn.execute(
            "delete from task_history where task_id = (select id from tasks where key = $1)",
            [Plan.chore],
        )
        for table in ("tasks", "task_history"):
            conn.execute(f"alter table {table} enable trigger user")
    return healthy


@pytest.mark.slow
def test_a_healthy_database_is_said_to_be_one(
    capsys: pytest.CaptureFixture[str], healthy: str
) -> None:
    taskdb = Caller(capsys, healthy)

    doctor = taskdb("doctor")

    assert (doctor.status, doctor.out, doctor.err) == (0, "Everything holds.\n", "")
    assert taskdb("doctor", "--json").data == {"findings": [], "overdue": []}


@pytest.mark.slow
def test_findings_are_rows_and_the_status_is_1(
    capsys: pytest.CaptureFixture[str], ill: str
) -> None:
    taskdb = Caller(capsys, ill)

    doctor = taskdb("doctor")
    subjects = {row["subject"] for row in taskdb("doctor", "--json").data["findings"]}

    assert doctor.status == 1
    assert Plan.build in doctor.out
    assert Plan.chore in doctor.out
    assert "--repair" in doctor.err
    assert subjects == {Plan.build, Plan.chore}


def test_repair_says_what_it_changed_and_what_is_left(
    capsys: pytest.CaptureFixture[str], ill: str
) -> None:
    taskdb = Caller(capsys, ill)

    repaired = taskdb("doctor", "--repair")
    again = taskdb("doctor", "--repair", "--json")

    assert repaired.status == 1
    done, _, left = repaired.out.partition("\nLeft\n")
    assert done.startswith("Repaired\n")
    assert Plan.build in done
    assert "5 open dependencies became blocked with 1" in done
    assert Plan.build not in left
    assert Plan.chore in left
    assert again.status == 1
    assert again.data["repairs"] == []


@pytest.mark.slow
def test_nothing_to_repair_is_said(capsys: pytest.CaptureFixture[str], healthy: str) -> None:
    doctor = Caller(capsys, healthy)("doctor", "--repair")

    assert (doctor.status, doctor.out) == (0, "Nothing had to be repaired.\nEverything holds.\n")


@pytest.mark.slow
def test_what_nobody_claims_is_listed_and_no_fault(
    capsys: pytest.CaptureFixture[str], healthy: str
) -> None:
    with connect(healthy) as conn:
        claims.claim(conn, key=Plan.chore, agent="ada")
        conn.execute(
            "update tasks set lease_expires_at = now() - interval '2 hours'"
            " where claim_agent is not null"
        )
    taskdb = Caller(capsys, healthy)

    doctor = taskdb("doctor")
    (overdue,) = taskdb("doctor", "--json").data["overdue"]

    assert doctor.status == 0
    assert doctor.out.startswith("Everything holds.\n\nOverdue: no agent claims\n")
    assert (overdue["key"], overdue["reason"]) == (Plan.chore, "the lease of ada lapsed")
