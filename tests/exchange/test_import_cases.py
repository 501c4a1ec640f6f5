"""Small files that show a kind of fault each, with the answers that their author expects."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import psycopg
import pytest

from taskdb.exchange import ReadOptions, Report, detect, import_plan
from taskdb.exchange.markdown import read_markdown
from taskdb.exchange.phases import divide
from taskdb.queries import claims
from tests.exchange_files import CASES

Conn = psycopg.Connection[Any]
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason=f"the cases are not here: {CASES}")

EXPECTED: dict[str, dict[str, Any]] = (
    json.loads((CASES / "expected.json").read_text()) if CASES.is_dir() else {}
)


def take(conn: Conn, name: str, **options: Any) -> Report:
    path = CASES / name
    return import_plan(conn, detect(path), path, **options)


def ready(conn: Conn) -> list[str]:
    return sorted(key for (key,) in conn.execute("select key from ready_tasks"))


def statuses(conn: Conn) -> dict[str, tuple[str, str | None]]:
    rows = conn.execute("select key, status::text, blocked_reason from tasks").fetchall()
    return {key: (status, reason) for key, status, reason in rows}


def test_issues_that_are_no_work_are_not_offered(conn: Conn) -> None:
    expected = EXPECTED["beads-not-work.jsonl"]

    take(conn, "beads-not-work.jsonl")

    found = statuses(conn)
    assert ready(conn) == expected["ready"]
    assert all(found[key][0] == "completed" for key in expected["completed"])
    gated = {key for (key,) in conn.execute("select key from tasks where open_dependencies > 0")}
    later = {key for (key,) in conn.execute("select key from tasks where scheduled_at > now()")}
    for key in expected["not_ready_with_a_reason"]:
        assert found[key][1] or key in gated | later


def test_what_the_blocker_of_a_parent_held_back_is_offered_after_it(conn: Conn) -> None:
    take(conn, "beads-not-work.jsonl")

    claim = claims.claim_next(conn, agent="ann")
    assert claim is not None
    claims.complete(conn, task_id=claim.task_id, token=claim.token)

    assert ready(conn) == ["mm-aa1", "mm-aa1.1"]


def test_what_task_master_itself_writes_is_taken_strictly(conn: Conn) -> None:
    report = take(conn, "taskmaster-tagged.json", strict=True)

    assert ready(conn) == EXPECTED["taskmaster-tagged.json"]["ready"]
    assert report.findings == []
    kept = conn.execute(
        "select metadata #>> '{about_file,master,metadata,description}' from full_tasks"
    ).fetchone()
    assert kept == ("Tasks for master context",)


def test_edges_by_other_words_are_named_and_can_be_taken(conn: Conn) -> None:
    expected = EXPECTED["beads-other-edge-words.jsonl"]
    name = "beads-other-edge-words.jsonl"
    with conn.transaction(force_rollback=True):
        (remark,) = take(conn, name).remarks
        assert remark.startswith(expected["report"].removesuffix(", named with --edge"))
        assert "--edge blocked-by=requires --edge depends-on=requires" in remark

    edges = {"blocked-by": "requires", "depends-on": "requires"}
    take(conn, name, options=ReadOptions(edges=edges))

    (with_edges,) = (value for key, value in expected.items() if key.startswith("with --edge"))
    assert ready(conn) == with_edges["ready"]


def test_subtasks_may_carry_their_whole_ids(conn: Conn) -> None:
    expected = EXPECTED["taskmaster-whole-ids.json"]

    report = take(conn, "taskmaster-whole-ids.json", strict=True)

    edges = conn.execute(
        """
        select task.key, blocker.key
        from task_dependencies as edge
        inner join tasks as task on task.id = edge.task_id
        inner join tasks as blocker on blocker.id = edge.depends_on_id
        """
    ).fetchall()
    assert [list(edge) for edge in edges] == expected["edges"]
    assert not set(expected["not_ready"]) & set(ready(conn))
    assert report.taken["tasks"] == 3


def test_every_word_of_a_workflow_means_one_of_ours_or_is_a_hold(
    conn: Conn, tmp_path: Path
) -> None:
    expected = EXPECTED["shark-words.tasks.jsonl"]
    shutil.copy(CASES / "shark-words.tasks.jsonl", tmp_path / "tasks.jsonl")

    import_plan(conn, detect(tmp_path), tmp_path)

    found = statuses(conn)
    assert ready(conn) == expected["claimable"]
    assert [key for key in found if found[key][0] == "cancelled"] == expected["cancelled"]
    assert [key for key in found if found[key][0] == "completed"] == expected["completed"]
    held = [key for key in found if found[key] == ("blocked", "on_hold")]
    assert held == expected["held_with_the_word_as_reason"]
    in_review = [key for key in found if found[key][0] == "in_review"]
    assert in_review == expected["in_review_or_held"]


def test_the_rows_of_one_table_are_a_plan(conn: Conn) -> None:
    report = take(conn, "shark-words.tasks.jsonl")

    assert report.kind == "shark"
    assert report.taken["tasks"] == 4


def test_numbered_headings_are_phases() -> None:
    _, parts = divide(read_markdown(CASES / "numbered-phases.md"))

    assert [part.name for part in parts] == EXPECTED["numbered-phases.md"]["phases"]
    assert [part.number for part in parts] == [1, 2]
    # The deeper heading is a part of the second phase: of several levels the outermost counts.
    assert "### 10.3 Phase 3: more" in parts[1].content
