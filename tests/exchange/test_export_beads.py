"""A beads file goes in and comes out: the same issues, edges, texts, labels and statuses."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from taskdb.database import connect
from taskdb.exchange import OnConflict, import_plan
from taskdb.models.types import DependencyType, TaskStatus
from taskdb.queries import claims, dependencies, tasks
from taskdb.testing.databases import Databases
from tests.command_line import Caller, Outcome
from tests.exchange_files import CASES, DATA, needs_data, write_lines
from tests.plans import Plan, make_plan

BEADS = DATA / "beads"
FILES = [
    "steveyegge+beads/2025-10-12_8issues_849aa56e.jsonl",
    "steveyegge+beads/2025-11-24_75issues_5ce97960.jsonl",
    "steveyegge+beads/2025-11-26_56issues_302115fe.jsonl",
    "steveyegge+beads/2025-12-30_58issues_0dc5d821.jsonl",
    "fullofcaffeine+hxhx/2026-01-23_83issues_2939dc08.jsonl",
    "fullofcaffeine+hxhx/2026-02-06_269issues_bb054954.jsonl",
]
CASE_FILES = ["beads-not-work.jsonl", "beads-other-edge-words.jsonl", "beads-after.jsonl"]
# Fields that taskdb or beads writes again, and empty ones, which may be left out.
ANEW = ("updated_at", "source_repo", "content_hash", "_type")
DAY = "2026-09-01T00:00:00Z"
PLAN = Plan()
# A task in progress began at some time: at its latest change, if the file does not say when.
DIFFERENCES = {
    "2026-02-06_269issues_bb054954.jsonl": {
        "started_at": {"haxe.ocaml-xgv.2.91", "haxe.ocaml-xgv.2.91.6"}
    }
}


@pytest.fixture
def other_url(databases: Databases, template: str) -> Generator[str]:
    url = databases.clone(template)
    yield url
    databases.drop(url)


def export(capsys: pytest.CaptureFixture[str], url: str, path: Path) -> Outcome:
    return Caller(capsys, url)("export", "--format", "beads", "-o", path)


def issue(key: str, **more: Any) -> dict[str, Any]:
    return {"id": key, "title": key, "status": "open", "priority": 2, "created_at": DAY, **more}


def issues(path: Path) -> dict[str, dict[str, Any]]:
    """Return each issue of a file; its edges as a sorted list, without their moments."""
    lines = [json.loads(line) for line in path.read_bytes().splitlines() if line.strip()]
    return {line["id"]: _plain(line) for line in lines if line.get("_type", "issue") == "issue"}


def _plain(line: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in line.items() if name not in ANEW and value != ""}
    # The database keeps the microseconds of nanoseconds.
    kept |= {name: name for name in kept if name.endswith("_at") or name == "defer_until"}
    edges = kept.pop("dependencies", [])
    kept["edges"] = sorted((edge["depends_on_id"], edge["type"]) for edge in edges)
    kept["priority"] = line.get("priority", 0)
    kept.setdefault("issue_type", "task")
    return kept


def differences(path: Path, back: Path) -> dict[str, set[str]]:
    """The ids of the issues that differ, by the name of the field."""
    before, after = issues(path), issues(back)
    assert list(before.keys() ^ after.keys()) == []
    found: dict[str, set[str]] = {}
    for key, issue in before.items():
        for name in issue.keys() | after[key].keys():
            if issue.get(name) != after[key].get(name):
                found.setdefault(name, set()).add(key)
    return found


@pytest.mark.slow
@needs_data
@pytest.mark.parametrize(
    "path",
    [*(BEADS / name for name in FILES), *(CASES / name for name in CASE_FILES)],
    ids=lambda p: p.name,
)
def test_a_file_comes_back_with_the_same_issues_edges_texts_labels_and_statuses(
    database_url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, path: Path
) -> None:
    with connect(database_url) as conn:
        import_plan(conn, "beads", path)

    wrote = export(capsys, database_url, tmp_path / "back.jsonl")

    assert wrote.status == 0
    assert differences(path, tmp_path / "back.jsonl") == DIFFERENCES.get(path.name, {})


@pytest.mark.slow
def test_cycles_flags_memories_and_unknown_words_come_back_and_again(
    database_url: str,
    other_url: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    path = tmp_path / "issues.jsonl"
    loop = [{"depends_on_id": "b", "type": "blocks"}, {"depends_on_id": "gone", "type": "blocks"}]
    write_lines(
        path,
        {"_type": "memory", "key": "k", "value": "remember"},
        issue("a", dependencies=loop, labels=["ui"], pinned=True, notes="n", created_by="ann"),
        issue("b", dependencies=[{"depends_on_id": "a", "type": "blocks"}], source="kept"),
        issue("c", status="awaiting", estimated_minutes=100, priority=0, relations=["mine"]),
        issue("c.1", dependencies=[{"depends_on_id": "c", "type": "parent-child"}]),
        issue("d", status="tombstone", closed_at=DAY, deleted_at=DAY),
        issue("e", status="deferred", defer_until="2099-01-01T00:00:00Z"),
    )
    with connect(database_url) as conn:
        import_plan(conn, "beads", path)
    export(capsys, database_url, tmp_path / "one.jsonl")
    with connect(other_url) as conn:
        import_plan(conn, "beads", tmp_path / "one.jsonl")
    export(capsys, other_url, tmp_path / "two.jsonl")

    assert differences(path, tmp_path / "one.jsonl") == {}
    assert differences(tmp_path / "one.jsonl", tmp_path / "two.jsonl") == {}
    for name in ("one.jsonl", "two.jsonl"):
        assert '"_type":"memory"' in (tmp_path / name).read_text()


@pytest.mark.slow
def test_changed_on_both_sides_it_is_imported_again_and_exported(
    database_url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "issues.jsonl"
    with connect(database_url) as conn:
        import_plan(conn, "beads", write_lines(path, *map(issue, "abcd")))
        tasks.update(conn, key="a", title="Ours", labels=["here"])
        tasks.update_status(conn, key="b", status=TaskStatus.BLOCKED, blocked_reason="ask ann")
        assert claims.claim(conn, key="c", agent="bob") is not None
        dependencies.add_dependency(
            conn, task="d", depends_on="a", dependency_type=DependencyType.BLOCKS
        )
    changed = [issue("a", title="Theirs"), issue("b", description="New"), issue("c", priority=0)]
    write_lines(path, *changed, issue("d", status="closed", closed_at=DAY), issue("e"))

    with connect(database_url) as conn:
        import_plan(conn, "beads", path, on_conflict=OnConflict.OURS)
    export(capsys, database_url, tmp_path / "back.jsonl")

    back = issues(tmp_path / "back.jsonl")
    assert (back["a"]["title"], back["a"]["labels"]) == ("Ours", ["here"])
    assert (back["b"]["description"], back["b"]["status"]) == ("New", "deferred")
    assert (back["c"]["priority"], back["c"]["status"], back["c"]["assignee"]) == (
        0,
        "in_progress",
        "bob",
    )
    assert (back["d"]["status"], back["d"]["edges"]) == ("closed", [("a", "blocks")])
    assert back["e"]["status"] == "open"


def test_a_task_that_moved_on_leaves_the_words_of_its_end_behind(
    database_url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = write_lines(
        tmp_path / "issues.jsonl",
        issue("a", status="closed", closed_at=DAY, close_reason="done"),
        issue("b"),
    )
    with connect(database_url) as conn:
        import_plan(conn, "beads", path)
        tasks.update_status(conn, key="a", status=TaskStatus.PENDING, force=True)
        tasks.update_status(conn, key="b", status=TaskStatus.CANCELLED)

    export(capsys, database_url, tmp_path / "back.jsonl")

    back = issues(tmp_path / "back.jsonl")
    assert issues(path)["a"].keys() - back["a"].keys() == {"closed_at", "close_reason"}
    assert back["a"]["status"] == "open"
    assert (back["b"]["status"], "deleted_at" in back["b"]) == ("tombstone", True)


@pytest.mark.slow
def test_a_plan_made_here_becomes_issues_and_what_they_cannot_hold_is_named(
    database_url: str, other_url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "issues.jsonl"
    with connect(database_url) as conn:
        make_plan(conn)
        tasks.update(
            conn, PLAN.docs, requirements={"design": "How", "size": 3}, priority=6, labels=["api"]
        )
        tasks.update_status(conn, PLAN.chore, status=TaskStatus.BLOCKED, blocked_reason="ask")

    wrote = export(capsys, database_url, path)
    with connect(other_url) as conn:
        import_plan(conn, "beads", path)
        chore = tasks.get_by_key(conn, key=PLAN.chore)
        docs = tasks.get_by_key(conn, key=PLAN.docs)
        blockers = {row.key for row in dependencies.dependencies_of(conn, key=PLAN.release)}

    named = {line.split(": ", 1)[1] for line in wrote.err.splitlines() if "not in the" in line}
    assert named >= {
        "5 requires, which become blocks",
        "1 suggestions, which become related",
        "1 reasons of holds, which become deferred",
        "1 requirements beyond design and acceptance criteria",
    }
    assert (chore.status, chore.blocked_reason) == (TaskStatus.BLOCKED, "deferred")
    assert (docs.requirements, docs.labels) == ({"design": "How"}, ["api"])
    assert blockers == {PLAN.test, PLAN.docs}


def test_a_wait_for_children_goes_back_as_it_came(
    database_url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    gate = {"depends_on_id": "b-1", "type": "waits-for", "metadata": '{"gate":"all-children"}'}
    path, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    write_lines(
        path,
        issue("b-1", status="closed"),
        issue("b-1.1", dependencies=[{"depends_on_id": "b-1", "type": "parent-child"}]),
        issue("b-2", dependencies=[gate]),
    )
    with connect(database_url) as conn:
        import_plan(conn, "beads", path)
        assert [task.key for task in tasks.list_ready(conn)] == ["b-1.1"]
    export(capsys, database_url, out)

    lines = {line["id"]: line for line in map(json.loads, out.read_text().splitlines())}
    assert lines["b-2"]["dependencies"] == [{"issue_id": "b-2", **gate}]


@pytest.mark.slow
def test_a_hold_for_what_could_not_be_read_comes_back_as_one(
    capsys: pytest.CaptureFixture[str], database_url: str, other_url: str, tmp_path: Path
) -> None:
    path = write_lines(
        tmp_path / "issues.jsonl", issue("bd-1", dependencies=["bd-2"]), issue("bd-2")
    )
    with connect(database_url) as conn:
        import_plan(conn, "beads", path)

    wrote = export(capsys, database_url, path)

    assert "1 reasons of holds" in wrote.err
    with connect(other_url) as conn:
        import_plan(conn, "beads", path)
        assert tasks.get_by_key(conn, key="bd-1").blocked_reason == "deferred"
        assert tasks.get_by_key(conn, key="bd-2").status is TaskStatus.PENDING
