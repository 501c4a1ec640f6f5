"""Effects of an import on the database, and rows it leaves alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from taskdb.errors import ValidationError
from taskdb.exchange import OnConflict, import_plan
from taskdb.models.types import ClaimOutcome, ReasonCode, TaskStatus
from taskdb.queries import claims, dependencies, epics, features, history, tasks
from tests.exchange.loading import Conn, dump, on, refusals


def test_a_plan_arrives_whole(conn: Conn, shark: Path) -> None:
    report = import_plan(conn, "shark", shark)

    assert report.taken == {
        "epics": 1,
        "features": 1,
        "tasks": 4,
        "dependencies": 2,
        "history": 2,
        "history from moments": 2,
        "claims": 1,
        "source_history": 2,
    }
    assert report.findings == []
    base, later = tasks.get_by_key(conn, key="T-1"), tasks.get_by_key(conn, key="T-3")
    feature = features.get_by_key(conn, key="E04-F01")
    assert base.feature_id == feature.id
    assert feature.epic_id == epics.get_by_key(conn, key="E04").id
    assert base.created_at == datetime(2025, 12, 20, 17, 45, 4, tzinfo=UTC)
    assert base.completed_at == datetime(2025, 12, 26, 3, 25, 56, 162784, tzinfo=UTC)
    assert base.metadata is not None
    assert base.metadata["source"]["status"] == "completed"
    assert later.status is TaskStatus.BLOCKED
    assert [row.key for row in dependencies.dependencies_of(conn, key="T-3")] == ["T-2"]


def test_the_cached_progress_of_imported_features_is_true(conn: Conn, shark: Path) -> None:
    import_plan(conn, "shark", shark)

    assert features.get_by_key(conn, key="E04-F01").progress_pct == 25


def test_imported_history_keeps_its_times_and_names_its_source(conn: Conn, shark: Path) -> None:
    import_plan(conn, "shark", shark)

    first, second, own = history.list_for_task(conn, key="T-1")
    assert [row.source for row in (first, second, own)] == ["shark", "shark", None]
    assert [row.seq for row in (first, second, own)] == [0, -1, 1]
    assert first.created_at == datetime(2025, 12, 20, 17, 45, 4, tzinfo=UTC)
    assert (second.old_status, second.new_status) == (TaskStatus.IN_REVIEW, TaskStatus.COMPLETED)
    assert (second.agent, second.note, second.forced) == ("unknown", "fine", True)
    assert (own.old_status, own.new_status) == (None, TaskStatus.COMPLETED)


def test_work_in_progress_may_be_taken_over_by_anyone(conn: Conn, shark: Path) -> None:
    import_plan(conn, "shark", shark)

    claim = claims.claim(conn, key="T-4", agent="bob")

    assert claim is not None
    assert claim.token == 2
    former, mine = sorted(claims.list_for_task(conn, key="T-4"), key=lambda row: row.token)
    assert (former.token, former.agent, former.outcome) == (1, "ann", ClaimOutcome.LAPSED)
    assert former.claimed_at == datetime(2025, 12, 26, 10, tzinfo=UTC)
    assert mine.agent == "bob"


def test_a_claim_from_a_clock_that_was_ahead_has_lapsed_too(
    conn: Conn, beads: Callable[..., Path]
) -> None:
    path = beads({"id": "bd-1", "status": "in_progress", "updated_at": "2999-01-01T00:00:00Z"})

    import_plan(conn, "beads", path)

    assert tasks.count_ready(conn) == 1


def test_importing_twice_changes_nothing(conn: Conn, shark: Path) -> None:
    import_plan(conn, "shark", shark)
    before = dump(conn)

    report = import_plan(conn, "shark", shark)

    assert dump(conn) == before
    assert report.taken == {}
    assert report.unchanged == {"epics": 1, "features": 1, "tasks": 4, "dependencies": 2}
    assert report.findings == []


def test_importing_again_takes_what_is_new_and_refuses_a_cycle_with_what_is_there(
    conn: Conn, beads: Callable[..., Path]
) -> None:
    import_plan(conn, "beads", beads({"id": "bd-1"}, {"id": "bd-2", "dependencies": on("bd-1")}))
    tasks.update_status(conn, key="bd-1", status=TaskStatus.CANCELLED)

    report = import_plan(
        conn,
        "beads",
        beads(
            {"id": "bd-1", "title": "changed", "dependencies": on("bd-3")},
            {"id": "bd-2", "dependencies": on("bd-1")},
            {"id": "bd-3", "dependencies": [*on("bd-2"), *on("bd-1", kind="parent-child")]},
        ),
        on_conflict=OnConflict.OURS,
    )

    assert report.taken == {"tasks": 1, "parents": 1, "dependencies": 1}
    assert report.unchanged == {"tasks": 1, "dependencies": 1}
    task = tasks.get_by_key(conn, key="bd-1")
    assert (task.title, task.status) == ("changed", TaskStatus.CANCELLED)
    assert [row.key for row in dependencies.dependencies_of(conn, key="bd-3")] == ["bd-2"]
    assert [row.key for row in dependencies.dependencies_of(conn, key="bd-2")] == ["bd-1"]
    assert refusals(report) == [
        "dependency bd-1: on bd-3 (blocks): closes a cycle with edges that were imported before"
    ]


def test_keys_of_another_import_are_refused_and_a_prefix_keeps_them_apart(
    conn: Conn, beads: Callable[..., Path]
) -> None:
    one = beads({"id": "bd-1"}, name="one.jsonl")
    two = beads(
        {"id": "bd-1", "title": "Other"},
        {"id": "bd-2", "dependencies": [*on("bd-1"), *on("bd-1", kind="parent-child")]},
        name="two.jsonl",
    )
    import_plan(conn, "beads", one)

    report = import_plan(conn, "beads", two)
    prefixed = import_plan(conn, "beads", two, prefix="b-")

    owner = f"its key is taken by a row of another import, beads {one}"
    assert refusals(report) == [
        f"task bd-1: {owner}",
        "parent bd-2: its parent bd-1 was refused",
        "dependency bd-2: on bd-1 (blocks): bd-1 was refused",
    ]
    assert tasks.get_by_key(conn, key="bd-1").title == "Issue bd-1"
    metadata = tasks.get_by_key(conn, key="bd-2").metadata
    assert metadata is not None
    assert [relation["type"] for relation in metadata["relations"]] == ["parent", "blocks"]
    assert prefixed.taken == {"tasks": 2, "parents": 1, "dependencies": 1}


def test_a_key_that_a_person_made_is_refused(conn: Conn, beads: Callable[..., Path]) -> None:
    tasks.create(conn, key="bd-1", title="Mine")

    report = import_plan(
        conn, "beads", beads({"id": "bd-1", "dependencies": on("bd-2")}, {"id": "bd-2"})
    )

    assert refusals(report) == [
        "task bd-1: its key is taken by a row that no import made",
        "dependency bd-1: on bd-2: its task was refused",
    ]
    assert tasks.get_by_key(conn, key="bd-1").title == "Mine"


def test_a_foreign_epic_keeps_its_features_out_and_tasks_come_without(
    conn: Conn, shark: Path
) -> None:
    epics.create(conn, key="E04", title="Mine")

    report = import_plan(conn, "shark", shark)

    assert refusals(report) == [
        "epic E04: its key is taken by a row that no import made",
        "feature E04-F01: its epic E04 was refused",
    ]
    assert [finding.reason for finding in report.changed] == [
        "its feature E04-F01 was refused; taken without one"
    ] * 4
    assert tasks.get_by_key(conn, key="T-1").feature_id is None


def test_reset_takes_every_task_as_pending(conn: Conn, shark: Path) -> None:
    report = import_plan(conn, "shark", shark, reset=True)

    assert report.taken == {
        "epics": 1,
        "features": 1,
        "tasks": 4,
        "dependencies": 2,
        "source_history": 2,
    }
    assert report.remarks == ["reset: 2 rows of history were left out"]
    statuses = {row.status: row.task_count for row in tasks.count_by_status(conn)}
    assert statuses == {TaskStatus.PENDING: 2, TaskStatus.BLOCKED: 2}
    base = tasks.get_by_key(conn, key="T-1")
    assert (base.completed_at, base.started_at) == (None, None)
    assert [row.source for row in history.list_for_task(conn, key="T-1")] == [None]
    assert claims.list_live(conn) == []


def test_reset_lifts_every_hold(conn: Conn, beads: Callable[..., Path]) -> None:
    path = beads(
        {"id": "bd-1", "status": "deferred"},
        {"id": "bd-2", "status": "deferred", "defer_until": "2999-01-01"},
        {"id": "bd-3", "status": "blocked"},
    )

    import_plan(conn, "beads", path, reset=True)

    assert tasks.count_ready(conn) == 3


def test_a_blocked_task_gets_a_reason_only_if_nothing_gates_it(
    conn: Conn, beads: Callable[..., Path]
) -> None:
    path = beads(
        {"id": "bd-open"},
        {"id": "bd-done", "status": "closed"},
        {"id": "bd-gated", "status": "blocked", "dependencies": on("bd-open")},
        {"id": "bd-free", "status": "blocked", "dependencies": on("bd-done")},
    )

    import_plan(conn, "beads", path)

    gated, free = (tasks.get_by_key(conn, key=f"bd-{name}") for name in ("gated", "free"))
    assert (gated.status, gated.blocked_reason) == (TaskStatus.BLOCKED, None)
    assert (free.status, free.blocked_reason) == (TaskStatus.BLOCKED, "blocked in beads")
    (reason,) = dependencies.why_not_ready(conn, key="bd-free")
    assert reason.reason is ReasonCode.ON_HOLD


def test_an_import_that_fails_leaves_the_callers_work(
    conn: Conn, beads: Callable[..., Path]
) -> None:
    tasks.create(conn, key="mine", title="Mine")
    stages: list[str] = []

    def fail(stage: str, done: int, total: int) -> None:
        stages.append(stage)
        if stage == "history":
            raise RuntimeError("the screen is gone")

    with pytest.raises(RuntimeError):
        import_plan(conn, "beads", beads({"id": "bd-1"}), progress=fail)

    assert stages[-1] == "history"
    assert [task.key for task in tasks.list_tasks(conn)] == ["mine"]


def test_progress_is_told_stage_by_stage(conn: Conn, shark: Path) -> None:
    told: list[tuple[str, int, int]] = []

    import_plan(conn, "shark", shark, progress=lambda *step: told.append(step))

    assert told == [
        ("epics", 0, 1),
        ("epics", 1, 1),
        ("features", 0, 1),
        ("features", 1, 1),
        ("tasks", 0, 4),
        ("tasks", 4, 4),
        ("dependencies", 0, 2),
        ("dependencies", 2, 2),
        ("history", 0, 4),
        ("history", 4, 4),
    ]


@pytest.mark.slow
def test_hostile_texts_are_stored_exactly_or_reported(
    conn: Conn, beads: Callable[..., Path]
) -> None:
    sql = "'; drop table tasks; --"
    words = " ".join(f"w{number:x}" for number in range(700_000))
    path = beads(
        {"id": sql, "title": "\\N\t\\.\r\n$$", "description": words},
        {"id": "bd-2", "title": "t" * 10_000_000, "labels": ["\x00", "\\", '"']},
        {"id": "bd-3", "description": "a\x00b", "assignee": "x" * 5000, "status": "in_progress"},
        {"id": "bd-4", "created_by": "x" * 201, "x\x00y": {"deep": [1e308, 2**70, True]}},
    )

    report = import_plan(conn, "beads", path)

    assert report.taken["tasks"] == 4
    first = tasks.get_by_key(conn, key=sql)
    assert (first.title, first.description) == ("\\N\t\\.\r\n$$", words)
    second = tasks.get_by_key(conn, key="bd-2")
    assert len(second.title) == 500
    assert second.description == "t" * 10_000_000
    assert second.metadata is not None
    assert second.metadata["labels"] == ["\ufffd", "\\", '"']
    assert tasks.get_by_key(conn, key="bd-3").description == "a\ufffdb"
    assert [claim.agent for claim in claims.list_for_task(conn, key="bd-3")] == ["unknown"]
    fourth = tasks.get_by_key(conn, key="bd-4")
    assert fourth.created_by is None
    assert fourth.metadata is not None
    assert fourth.metadata["x\ufffdy"] == {"deep": [1e308, str(2**70), True]}
    assert {finding.key for finding in report.changed} >= {"bd-2", "bd-3", "bd-4"}


@pytest.mark.parametrize("prefix", ["a\x00", "\n", "x" * 101])
def test_a_prefix_that_no_key_can_have_is_refused(
    conn: Conn, beads: Callable[..., Path], prefix: str
) -> None:
    with pytest.raises(ValidationError, match=r"^prefix must "):
        import_plan(conn, "beads", beads({"id": "bd-1"}), prefix=prefix)


def test_a_report_reads_as_text_and_as_json(conn: Conn, beads: Callable[..., Path]) -> None:
    path = beads(
        {"id": "bd-1", "status": "closed", "labels": ["x", "y"], "owner": "ann"},
        {"id": "bd-2", "dependencies": on("bd-2")},
    )

    report = import_plan(conn, "beads", path)
    again = import_plan(conn, "beads", path)

    assert report.as_text().split("\n") == [
        f"beads plan {path}",
        "  taken      2 tasks, 2 labels, 1 relation",
        "  metadata   1 owner",
        "  note       1 completed tasks name no time; this import's time is used",
        "  changed    none",
        "  refused    1: 1 dependency",
        "issues.jsonl:2: refused dependency bd-2: on bd-2 (blocks): closes the cycle bd-2 -> bd-2",
    ]
    assert json.loads(report.as_json())["findings"] == [
        {
            "action": "refused",
            "what": "dependency",
            "where": "issues.jsonl:2",
            "key": "bd-2",
            "reason": "on bd-2 (blocks): closes the cycle bd-2 -> bd-2",
            "path": ["bd-2", "bd-2"],
        }
    ]
    assert "  taken      nothing\n  unchanged  2 tasks" in again.as_text()
