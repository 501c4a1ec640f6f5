"""Real trackers' files, imported; what comes out agrees with figures that other code worked out.

Three definitions differ from those of the answer keys, and all show here:

- `ready_tasks` has work in progress under a lapsed claim too; the keys count open tasks only.
- beads itself does not list the children of blocked issues, nor what is no work; the keys do.
- A task with a refused edge (it dangles, or closes a cycle) is left out: what holds it back here
  is a hold, and none in beads where the blocker is not in the file.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import networkx as nx  # type: ignore[import-untyped]
import psycopg
import pytest

from taskdb.admin import doctor
from taskdb.database import connect
from taskdb.errors import CircularDependencyError, ValidationError
from taskdb.exchange import Action, Report, detect, import_plan, read_plan
from taskdb.models.types import TaskStatus
from taskdb.queries import dependencies, features, tasks
from taskdb.testing.databases import Databases
from tests.exchange_files import DATA, needs_data, refused, stats

Conn = psycopg.Connection[Any]
pytestmark = needs_data

STATS = stats()
SHARK = [name for name in STATS if name.startswith("shark/db/")]
TASKMASTER = [name for name, known in STATS.items() if known["format"] in ("flat", "tagged")]
BEADS = [name for name in STATS if name.startswith("beads/")]
EVERY = [*SHARK, *TASKMASTER, *BEADS]
INVALID = "taskmaster/eyaltoledano+claude-task-master/2025-06-13_INVALID_516bc928.json"

# The types of issues that nobody works on.
NO_WORK = {"merge-request", "gate", "molecule", "message", "agent", "role", "rig", "event"}

# The tasks that may be claimed, but for work in progress, and the edges refused to them.
READY = """
    select
        split_part(task.key, '.', 1),
        count(*) filter (where not coalesce(relation.refused, false))
    from ready_tasks as ready
    inner join full_tasks as task on task.id = ready.id
    left join lateral (
        select bool_or(entry ? 'refused' and entry ->> 'type' <> 'parent') as refused
        from jsonb_array_elements(task.metadata -> 'relations') as entry
    ) as relation on true
    where ready.status = 'pending' and task.metadata -> 'source' ->> 'status' = any($1)
        and (task.parent_id is null or not $2)
    group by 1
"""


def import_file(conn: Conn, name: str, **options: Any) -> Report:
    return import_plan(conn, detect(DATA / name), DATA / name, **options)


@dataclass(frozen=True)
class Imported:
    """A file, what its import told, and the transaction that it was imported in."""

    name: str
    report: Report
    conn: Conn


@pytest.fixture(scope="module")
def own_url(databases: Databases, template: str) -> Generator[str]:
    url = databases.clone(template)
    yield url
    databases.drop(url)


@pytest.fixture(scope="module")
def imported(own_url: str, request: pytest.FixtureRequest) -> Generator[Imported]:
    """Import a file once for all tests that only look at it."""
    with connect(own_url) as conn, conn.transaction(force_rollback=True):
        yield Imported(request.param, import_file(conn, request.param), conn)


# One import of each file, of all, of beads' or of taskmaster's, or of shark's.
each = {
    kind: pytest.mark.parametrize("imported", names, indirect=True)
    for kind, names in {
        "file": EVERY,
        "beads": BEADS,
        "taskmaster": TASKMASTER,
        "shark": SHARK,
    }.items()
}


def count_ready(conn: Conn, word: str, *, top_level: bool) -> dict[str, int]:
    """Count the ready tasks that were `word` in the file, by the first part of their keys."""
    return dict(conn.execute(READY, [[word], top_level]).fetchall())


def lines_of(name: str) -> list[dict[str, Any]]:
    """Return the objects of a JSON Lines file, by other code than the importers'."""
    rows = []
    for line in (DATA / name).read_text().split("\n"):
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return rows


def test_every_kind_of_file_is_there() -> None:
    assert (len(SHARK), len(TASKMASTER), len(BEADS)) == (2, 8, 11)


@each["file"]
def test_every_task_of_the_file_arrives(imported: Imported) -> None:
    known = STATS[imported.name]

    report = imported.report

    expected = (
        known["tables"]["tasks"]
        if imported.name in SHARK
        else known["tasks"] + known["subtasks"]
        if imported.name in TASKMASTER
        else known["answer"]["unique_issues"]
    )
    assert report.taken["tasks"] == expected
    assert sum(row.task_count for row in tasks.count_by_status(imported.conn)) == expected


@pytest.mark.slow
@each["file"]
def test_a_second_import_takes_nothing(imported: Imported) -> None:
    second = import_file(imported.conn, imported.name)

    first = imported.report
    assert second.taken == {}
    assert second.unchanged["tasks"] == first.taken["tasks"]
    assert second.unchanged.get("dependencies") == first.taken.get("dependencies")


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_reset_leaves_nothing_but_pending_and_gated_tasks(conn: Conn, name: str) -> None:
    report = import_file(conn, name, reset=True)

    statuses = {row.status for row in tasks.count_by_status(conn)}
    assert statuses <= {TaskStatus.PENDING, TaskStatus.BLOCKED, TaskStatus.CANCELLED}
    assert not {"history", "claims"} & report.taken.keys()
    # Deleted tasks stay deleted, and what is no work stays on hold.
    held = conn.execute(
        "select metadata ->> 'issue_type' from full_tasks where blocked_reason is not null"
    ).fetchall()
    assert {kind for (kind,) in held} <= NO_WORK
    cancelled = conn.execute(
        "select metadata -> 'source' ->> 'status' from full_tasks where status = 'cancelled'"
    ).fetchall()
    assert {word for (word,) in cancelled} <= {"tombstone", "cancelled"}
    assert doctor.run(conn) == []
    # In dependency order the whole plan can be worked off: no task waits for a later one.
    assert nx.is_directed_acyclic_graph(
        nx.DiGraph(conn.execute("select task_id, depends_on_id from task_dependencies").fetchall())
    )


@pytest.mark.slow
@each["file"]
def test_the_doctor_finds_nothing_in_an_imported_plan(imported: Imported) -> None:
    assert doctor.run(imported.conn) == []


@each["beads"]
def test_issues_statuses_and_priorities_agree(imported: Imported) -> None:
    last = {row["id"]: row for row in lines_of(imported.name)}
    meaning = {
        "open": "pending",
        "closed": "completed",
        "tombstone": "cancelled",
        "hooked": "in_progress",
        "in_progress": "in_progress",
        "blocked": "blocked",
    }

    rows = imported.conn.execute("select key, status::text, priority from tasks").fetchall()
    for key, status, priority in rows:
        issue = last[key]
        if issue["issue_type"] in NO_WORK and status == "blocked":
            continue
        # A pending task with an open dependency is blocked.
        assert status in (meaning[issue["status"]], "blocked")
        assert (status == "blocked") <= (issue["status"] in ("open", "blocked"))
        assert priority == 1 + 2 * (issue.get("priority") or 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", BEADS)
def test_issues_edges_agree(name: str) -> None:
    known = STATS[name]
    plan = read_plan("beads", DATA / name)

    cycles = [finding for finding in plan.findings if finding.path]
    graph = nx.DiGraph([cycle.path[-2:] for cycle in cycles])
    graph.add_edges_from((edge.task, edge.depends_on) for edge in plan.edges)
    # The figures count the edges of every line; of lines with the same id only the last counts.
    rows = lines_of(name)
    lost = blocking_edges(rows) - blocking_edges({row["id"]: row for row in rows}.values())
    assert len(plan.edges) + len(cycles) == known["blocks"]["edges"] - len(lost)
    groups = [group for group in nx.strongly_connected_components(graph) if len(group) > 1]
    assert len(groups) == known["blocks"]["cycles"]
    assert sum(map(len, groups)) == known["blocks"]["cyc_nodes"]
    assert all(closes_one(graph, cycle.path) for cycle in cycles)
    assert (
        len([line for line in refused(plan.findings) if ": refused line: " in line])
        == (known["bad_lines"])
    )
    assert (
        len([line for line in refused(plan.findings) if "has the same id" in line])
        == (known["dup_ids"])
    )


def blocking_edges(rows: Iterable[dict[str, Any]]) -> set[tuple[str, str]]:
    """Return the edges that block, between issues of these rows."""
    rows = list(rows)
    there = {row["id"] for row in rows}
    return {
        (row["id"], edge["depends_on_id"])
        for row in rows
        for edge in row.get("dependencies") or []
        if edge["type"] == "blocks" and edge["depends_on_id"] in there
    }


def closes_one(graph: nx.DiGraph[str], path: tuple[str, ...]) -> bool:
    return path[0] == path[-1] and nx.is_path(graph, path)


def ready_by_beads_own_rule(rows: Iterable[dict[str, Any]]) -> set[str]:
    """Return the open issues that `bd ready` lists, as beads' documentation and source say.

    Not those of a type that is no work, nor pinned or ephemeral ones, and none that waits for
    an open issue or has a parent that does.
    """
    last = {row["id"]: row for row in rows}
    edges = [(key, edge) for key, row in last.items() for edge in row.get("dependencies") or []]
    unfinished = {key for key, row in last.items() if row["status"] not in ("closed", "tombstone")}
    blocked = {
        key
        for key, edge in edges
        if edge["type"] in ("blocks", "conditional-blocks")
        and {key, edge["depends_on_id"]} <= unfinished
    }
    with_open_children = {
        edge["depends_on_id"]
        for key, edge in edges
        if edge["type"] == "parent-child" and key in unfinished
    }
    blocked |= {
        key
        for key, edge in edges
        if edge["type"] == "waits-for" and edge["depends_on_id"] in with_open_children
    }
    while True:
        below = {
            key
            for key, edge in edges
            if edge["type"] == "parent-child" and edge["depends_on_id"] in blocked
        } & unfinished
        if below <= blocked:
            break
        blocked |= below
    return {
        key
        for key, row in last.items()
        if row["status"] == "open"
        and key not in blocked
        and row["issue_type"] not in NO_WORK
        and not row.get("pinned")
        and not row.get("ephemeral")
    }


@each["beads"]
def test_ready_issues_are_those_of_beads_own_list(imported: Imported) -> None:
    ready = {
        key
        for (key,) in imported.conn.execute("select key from ready_tasks where status = 'pending'")
    }
    assert ready == ready_by_beads_own_rule(lines_of(imported.name))


@each["taskmaster"]
def test_ready_top_level_tasks_agree_by_tag(imported: Imported) -> None:
    ready = count_ready(imported.conn, "pending", top_level=True)
    for tag, known in STATS[imported.name]["answer"]["per_tag"].items():
        assert ready.get(tag.replace("(flat)", "master"), 0) == known["ready"]


@pytest.mark.parametrize("name", TASKMASTER)
def test_tasks_edges_and_cycles_agree(name: str) -> None:
    known = STATS[name]
    plan = read_plan("taskmaster", DATA / name)

    cycles = [finding for finding in plan.findings if finding.path]
    dangling = [line for line in refused(plan.findings) if "is no task of this file" in line]
    assert len(plan.edges) + len(cycles) == known["graph"]["edges"]
    # The figures count a top-level task's dangling edge, and a subtask's, under either name.
    assert len(dangling) == max(known["dangling"], known["sub_dangling"])
    assert {frozenset(cycle.path) for cycle in cycles} == {
        frozenset(f"master.{number}" for _, number in group) for group in known["sccs"]
    }
    assert len(plan.parents) == known["subtasks"]


def test_five_cycles_of_a_real_plan_are_named(conn: Conn) -> None:
    (name,) = (name for name in TASKMASTER if "2025-03-22" in name)

    report = import_file(conn, name)

    assert [finding.path for finding in report.refused if finding.path] == [
        ("master.7.2", "master.7.5", "master.7.2"),
        ("master.12.2", "master.12.3", "master.12.2"),
        ("master.12.1", "master.12.4", "master.12.1"),
        ("master.14.3", "master.14.5", "master.14.3"),
        ("master.20.1", "master.20.5", "master.20.3", "master.20.1"),
    ]


@pytest.mark.slow
def test_the_database_refuses_what_the_importer_refused(conn: Conn) -> None:
    (name,) = (name for name in TASKMASTER if "2025-03-22" in name)
    import_file(conn, name)

    with pytest.raises(CircularDependencyError) as refusal, conn.transaction():
        dependencies.add_dependency(conn, task="master.20.3", depends_on="master.20.1")

    assert set(refusal.value.path) == {"master.20.1", "master.20.3", "master.20.5"}


def test_a_file_that_is_not_json_is_refused_with_line_and_column(conn: Conn) -> None:
    with pytest.raises(ValidationError, match="line 5877 column 1") as refusal:
        import_file(conn, INVALID)

    assert refusal.value.where == f"{(DATA / INVALID).resolve()}:5877:1"
    assert "line 5877 column 1" in STATS[INVALID]["error"]


@each["shark"]
def test_every_table_of_a_tracker_is_taken_or_accounted_for(imported: Imported) -> None:
    known = STATS[imported.name]

    report = imported.report

    tables = known["tables"]
    assert report.taken["epics"] == tables["epics"]
    assert report.taken["features"] == tables["features"]
    assert report.taken["dependencies"] == known["graph"]["edges"]
    assert report.taken["work_sessions"] == tables["work_sessions"]
    assert report.taken["notes"] == tables["task_notes"]
    findings = Counter((finding.action, finding.what) for finding in report.findings)
    assert findings[Action.REFUSED, "history"] == known["history_orphans"]
    assert report.taken.get("ideas", 0) == tables.get("ideas", 0)
    linked = report.taken.get("documents", 0)
    assert linked == tables["feature_documents"]
    assert findings[Action.REFUSED, "document"] == tables["documents"] - linked
    # One edge stands in both places.
    twice = known["depends_on_edges"] + known["relationship_edges"] - known["graph"]["edges"]
    assert findings[Action.CHANGED, "dependency"] == twice == 1


@each["shark"]
def test_every_row_of_history_is_taken_kept_or_refused(imported: Imported) -> None:
    known = STATS[imported.name]
    there = {row["id"] for row in lines_of(f"{imported.name}/tasks.jsonl")}
    rows = lines_of(f"{imported.name}/task_history.jsonl")
    nameless = sum(not row["new_status"] and row["task_id"] in there for row in rows)

    report = imported.report

    kept = [finding for finding in report.changed if "names no status" in finding.reason]
    assert len(kept) == nameless
    assert (
        report.taken["history"] + len(kept) + known["history_orphans"]
        == known["tables"]["task_history"]
    )
    taken = imported.conn.execute(
        "select count(*) from task_history where source = 'shark'"
    ).fetchone()
    assert taken == (report.taken["history"] + report.taken["history from moments"],)


@each["shark"]
def test_statuses_of_a_tracker_agree(imported: Imported) -> None:
    meaning = {
        "completed": "completed",
        "todo": "pending",
        "draft": "pending",
        "in_development": "in_progress",
        "ready_for_approval": "in_review",
        "ready_for_code_review": "in_review",
    }
    expected: Counter[str] = Counter()
    for word, count in STATS[imported.name]["statuses"].items():
        expected[meaning[word]] += count

    found = Counter(
        {row.status.value: row.task_count for row in tasks.count_by_status(imported.conn)}
    )
    found["pending"] += found.pop("blocked", 0)
    assert found == expected


@each["shark"]
def test_ready_tasks_of_a_tracker_agree(imported: Imported) -> None:
    rows = {row["id"]: row for row in lines_of(f"{imported.name}/tasks.jsonl")}
    done = {row["key"] for row in rows.values() if row["status"] == "completed"}
    waits_for = {row["key"]: set(json.loads(row["depends_on"] or "[]")) for row in rows.values()}
    for edge in lines_of(f"{imported.name}/task_relationships.jsonl"):
        waits_for[rows[edge["from_task_id"]]["key"]].add(rows[edge["to_task_id"]]["key"])

    ready = {
        key
        for (key,) in imported.conn.execute("select key from ready_tasks where status = 'pending'")
    }
    assert ready == {
        row["key"]
        for row in rows.values()
        if row["status"] in ("todo", "draft") and waits_for[row["key"]] <= done
    }


@pytest.mark.slow
def test_progress_agrees_with_what_the_tracker_had_computed(conn: Conn) -> None:
    name = SHARK[0]
    stored = {row["key"]: row["progress_pct"] for row in lines_of(f"{name}/features.jsonl")}

    import_file(conn, name)

    computed = {row.key: float(row.progress_pct) for row in features.list_progress(conn)}
    cached = {row.key: float(row.progress_pct) for row in features.list_features(conn)}
    assert cached == computed
    different = {key for key, pct in stored.items() if abs(pct - computed[key]) > 0.01}
    assert len(different) <= 1


@pytest.mark.slow
def test_two_snapshots_of_one_tracker_do_not_mix(conn: Conn) -> None:
    older, newer = sorted(SHARK)
    before = import_file(conn, older)

    report = import_file(conn, newer)

    refusals = Counter(finding.what for finding in report.refused)
    in_both = {row["key"] for row in lines_of(f"{older}/tasks.jsonl")} & {
        row["key"] for row in lines_of(f"{newer}/tasks.jsonl")
    }
    assert refusals["task"] == len(in_both)
    assert report.taken["tasks"] == 385 - len(in_both)
    assert before.taken["tasks"] == 153


@pytest.mark.slow
def test_two_files_with_the_same_keys_live_side_by_side_with_a_prefix(conn: Conn) -> None:
    october = [name for name in BEADS if "2025-10-16" in name]

    for number, name in enumerate(october):
        report = import_file(conn, name, prefix=f"{number}:")
        assert report.taken["tasks"] == STATS[name]["answer"]["unique_issues"]

    assert Path(october[0]).name != Path(october[1]).name
