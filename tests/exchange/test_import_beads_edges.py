"""Edges and parents of a beads plan."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from taskdb.errors import ValidationError
from taskdb.exchange import ReadOptions, read_plan
from taskdb.models.types import DependencyType, TaskStatus
from tests.exchange.beads_lines import Read, child, issue, on, waits
from tests.exchange_files import by_key, changed, edges_of, refused, write_lines


def test_children_of_a_blocked_parent_wait_for_what_blocks_it(read: Read) -> None:
    plan = read(
        issue(1),
        issue(2, issue_type="epic", dependencies=[on("bd-1")]),
        child(3, 2),
        child(4, 3),
        child(5, 2, status="closed"),
        issue(6),
    )

    assert waits(plan) == [("bd-3", "bd-1"), ("bd-4", "bd-1")]
    assert all(edge.derived for edge in plan.waits)
    assert [(edge.task, edge.depends_on) for edge in plan.edges] == [("bd-2", "bd-1")]


def test_a_closed_blocker_or_parent_holds_no_child_back(read: Read) -> None:
    plan = read(
        issue(1, status="closed"),
        issue(2, dependencies=[on("bd-1")]),
        child(3, 2),
        issue(4, status="closed", dependencies=[on("bd-3")]),
        child(5, 4),
    )

    assert waits(plan) == []


def test_children_of_a_deferred_parent_wait_for_its_time_or_its_release(read: Read) -> None:
    dated, undated, below = (
        by_key(
            read(
                issue(1, status="deferred", defer_until="2099-01-01T00:00:00Z"),
                child("1.1", 1),
                issue(2, status="deferred"),
                child("2.1", 2),
                child("2.1.1", "2.1"),
            )
        ),
        "bd-2.1",
        "bd-2.1.1",
    )

    assert dated["bd-1.1"].scheduled_at == datetime(2099, 1, 1, tzinfo=UTC)
    assert dated[undated].blocked_reason == "its parent bd-2 is on hold: deferred"
    assert dated[below].blocked_reason == "its parent bd-2.1 is on hold: deferred"


def test_children_of_a_pinned_parent_are_work(read: Read) -> None:
    plan = read(issue(1, pinned=True), child(2, 1), issue(3, issue_type="molecule"), child(4, 3))

    tasks = by_key(plan)
    assert tasks["bd-2"].status is tasks["bd-4"].status is TaskStatus.PENDING


def test_a_child_that_its_parent_waits_for_is_on_hold_and_closes_no_cycle(read: Read) -> None:
    plan = read(
        issue(1, dependencies=[on("bd-2")]), issue(2, dependencies=[on("bd-3")]), child(3, 1)
    )

    assert waits(plan) == []
    assert by_key(plan)["bd-3"].blocked_reason == (
        "its parent bd-1 waits for bd-2, which waits for it"
    )


def test_children_beyond_the_limit_of_derived_edges_are_on_hold(read: Read) -> None:
    blockers = [issue(f"b{n}") for n in range(60)]
    parent = issue("p", dependencies=[on(f"bd-b{n}") for n in range(60)])
    children = [child(f"c{n}", "p") for n in range(60)]

    plan = read(*blockers, parent, *children)

    rows = len(plan.tasks) + len(plan.edges)
    assert len(plan.waits) <= 8 * rows
    held = [task for task in plan.tasks if task.blocked_reason == "its parent bd-p is blocked"]
    assert len(plan.waits) == 60 * (60 - len(held))
    assert len(held) > 0


@pytest.mark.parametrize(
    ("kind", "edge", "parent"),
    [
        ("requires", ("bd-2", "bd-1"), None),
        ("blocks", ("bd-2", "bd-1"), None),
        ("requires-reversed", ("bd-1", "bd-2"), None),
        ("parent", None, ("bd-2", "bd-1")),
        ("parent-reversed", None, ("bd-1", "bd-2")),
    ],
)
def test_edges_by_other_words_can_be_taken(
    tmp_path: Path, kind: str, edge: tuple[str, str] | None, parent: tuple[str, str] | None
) -> None:
    path = write_lines(
        tmp_path / "issues.jsonl", issue(1), issue(2, dependencies=[on("bd-1", "needs")])
    )

    plan = read_plan("beads", path, options=ReadOptions(edges={"needs": kind}))

    assert [(e.task, e.depends_on) for e in plan.edges] == ([edge] if edge else [])
    parents = [(task.key, task.parent) for task in plan.tasks if task.parent]
    assert parents == ([parent] if parent else [])
    assert plan.remarks == []


def test_edges_by_other_words_are_named_with_number_direction_and_option(read: Read) -> None:
    plan = read(
        issue(1),
        issue(2, dependencies=[on("bd-1", "depends-on"), on("bd-3", "subtask-of")]),
        issue(3, dependencies=[on("bd-1", "depends-on"), on("bd-1", "related")]),
    )

    assert plan.remarks == [
        "2 edges of type depends-on and 1 of subtask-of hold nothing back "
        "(depends-on: bd-2 -> bd-1; subtask-of: bd-2 -> bd-3); "
        "take them with --edge depends-on=requires --edge subtask-of=parent"
    ]


def test_of_many_words_for_edges_the_most_frequent_are_named(read: Read) -> None:
    words = [on("bd-1", f"word-{number}") for number in range(30)]

    (remark,) = read(issue(1), issue(2, dependencies=[*words, on("bd-1", "word-7")])).remarks

    assert remark.startswith("2 edges of type word-7, 1 of word-0, ")
    assert "and others of 20 more types hold nothing back" in remark


def test_a_kind_of_edge_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "issues.jsonl", issue(1))

    with pytest.raises(ValidationError, match=r"edges must be requires, .*and not 'maybe'"):
        read_plan("beads", path, options=ReadOptions(edges={"x": "maybe"}))


def test_edges_become_gates_parents_or_relations(read: Read) -> None:
    plan = read(
        issue(1),
        issue(2, dependencies=[on("bd-1", created_by="ann", created_at="2025-10-16T00:00:00Z")]),
        issue(3, dependencies=[on("bd-1", "conditional-blocks"), on("bd-2", "waits-for")]),
        issue(4, dependencies=[on("bd-1", "parent-child"), on("bd-2", "discovered-from", x="y")]),
        issue(5, dependencies=[on("bd-1", "parent"), on("external:web:3", "related")]),
    )

    tasks = by_key(plan)
    assert [(e.task, e.depends_on, e.dependency_type) for e in plan.edges] == [
        ("bd-2", "bd-1", DependencyType.BLOCKS),
        ("bd-3", "bd-1", DependencyType.BLOCKS),
    ]
    assert plan.edges[0].created_by == "ann"
    assert plan.edges[0].created_at == datetime(2025, 10, 16, tzinfo=UTC)
    assert tasks["bd-4"].parent == "bd-1"
    assert tasks["bd-4"].metadata["relations"] == [
        {"type": "discovered-from", "key": "bd-2", "x": "y"}
    ]
    assert tasks["bd-5"].metadata["relations"] == [
        {"type": "parent", "key": "bd-1"},
        {"type": "related", "key": "external:web:3"},
    ]
    assert not len(plan.findings)


def test_the_field_parent_is_a_parent_too(read: Read) -> None:
    plan = read(issue(1), issue(2, parent="bd-1", dependencies=[on("bd-1", "parent-child")]))

    assert by_key(plan)["bd-2"].parent == "bd-1"
    assert not len(plan.findings)


def test_a_second_parent_is_refused(read: Read) -> None:
    plan = read(
        issue(1),
        issue(2),
        issue(3, dependencies=[on("bd-1", "parent-child"), on("bd-2", "parent-child")]),
    )

    assert by_key(plan)["bd-3"].parent == "bd-1"
    assert refused(plan.findings) == [
        "issues.jsonl:3: refused parent bd-3: bd-2 would be a second parent; bd-1 is one already"
    ]


def test_edges_that_cannot_be_taken_are_refused_one_by_one(read: Read) -> None:
    plan = read(
        issue(1),
        issue(2, dependencies=[on("bd-9"), on("external:web:3"), on("", "related")]),
        issue(3, dependencies=[on("bd-1", owner="bd-2"), on("bd-1", owner="bd-3")]),
        issue(4, dependencies="bd-1", parent=7),
    )

    assert [(e.task, e.depends_on) for e in plan.edges] == [("bd-3", "bd-1")]
    assert sorted(line.split(" refused ")[1] for line in refused(plan.findings)) == [
        "dependency bd-2: on bd-9 (blocks): bd-9 is no task of this file",
        "dependency bd-2: related: names no issue that it depends on",
        "dependency bd-3: blocks bd-1: belongs to bd-2, not to the issue of its line",
    ]
    assert [line.split(": ")[2] for line in changed(plan.findings)] == [
        "dependencies 'bd-1' is not a list of objects; left out",
        "parent 7 is not an id; left out",
    ]


def test_nothing_waits_for_an_issue_that_is_pinned_by_its_status(read: Read) -> None:
    """`bd ready` counts such a blocker as a closed one."""
    plan = read(
        {"id": "b-1", "status": "pinned"},
        {"id": "b-2", "dependencies": [{"depends_on_id": "b-1", "type": "blocks"}]},
        {"id": "b-3", "dependencies": [{"depends_on_id": "b-4", "type": "blocks"}]},
        {"id": "b-4", "pinned": True},
    )

    assert edges_of(plan) == [("b-3", "b-4")]
    assert by_key(plan)["b-2"].metadata["relations"] == [{"type": "blocks", "key": "b-1"}]
    assert plan.remarks == []


def gate(target: str, kind: str = "all-children") -> dict[str, Any]:
    return on(target, "waits-for", metadata=f'{{"gate":"{kind}"}}')


def test_waits_for_means_the_children_whatever_the_issue_itself_is(read: Read) -> None:
    """`bd ready` looks at the children alone: none of them may be open."""
    plan = read(
        issue(1, status="closed"),
        child("1.1", 1),
        child("1.2", 1, status="closed"),
        child("1.3", 1, status="pinned"),
        issue(2, dependencies=[gate("bd-1")]),
        issue(3, dependencies=[on("bd-1", "waits-for")]),
        issue(4),
        issue(5, dependencies=[gate("bd-4"), gate("bd-99")]),
        child("2.1", 2),
    )

    assert plan.edges == []
    assert waits(plan) == [("bd-2", "bd-1.1"), ("bd-3", "bd-1.1"), ("bd-2.1", "bd-1.1")]
    assert by_key(plan)["bd-2"].metadata["relations"] == [
        {"type": "waits-for", "key": "bd-1", "metadata": '{"gate":"all-children"}'}
    ]
    assert by_key(plan)["bd-5"].status is TaskStatus.PENDING
    assert not len(plan.findings)
    assert plan.remarks == []


def test_the_first_child_that_is_closed_opens_a_gate_for_any(read: Read) -> None:
    plan = read(
        issue(1),
        child("1.1", 1),
        child("1.2", 1),
        issue(2, dependencies=[gate("bd-1", "any-children")]),
        issue(3),
        child("3.1", 3),
        child("3.2", 3, status="closed"),
        issue(4, dependencies=[on("bd-3", "waits-for", metadata={"gate": "any-children"})]),
    )

    assert waits(plan) == [("bd-2", "bd-1.1"), ("bd-2", "bd-1.2")]
    assert plan.remarks == [
        "bd-2 waits for all children of bd-1: in the file the first that is closed is enough"
    ]


def test_a_child_that_waits_for_its_own_siblings_and_itself_is_on_hold(read: Read) -> None:
    """`bd ready` never lists it."""
    plan = read(issue(1), child("1.1", 1), child("1.2", 1, dependencies=[gate("bd-1")]))

    assert waits(plan) == [("bd-1.2", "bd-1.1")]
    assert by_key(plan)["bd-1.2"].blocked_reason == (
        "waits for bd-1.2, a child of bd-1, which waits for it"
    )


def test_many_that_wait_for_the_children_of_one_issue_are_read_in_time(read: Read) -> None:
    children = [child(f"1.{n}", 1) for n in range(300)]
    waiting = [issue(f"w{n}", dependencies=[gate("bd-1")]) for n in range(300)]
    plan = read(issue(1), *children, *waiting)

    assert len(plan.waits) <= 8 * (len(plan.tasks) + 300)
    assert by_key(plan)["bd-w299"].blocked_reason == "waits for the children of bd-1"
