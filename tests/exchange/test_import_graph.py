"""Cycles are found before anything is loaded: all of them, each by its path, in linear time."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import networkx as nx  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskdb.exchange.graph import normalize
from taskdb.exchange.plan import Plan, PlanEdge, PlanParent, PlanTask
from taskdb.models.types import DependencyType, TaskStatus
from taskdb.queries.cycles import closing_edges
from tests.exchange_files import by_key, changed, edges_of, refused

NODES = [str(number) for number in range(12)]
Edges = dict[str, list[str]]


def make_plan(*edges: tuple[str, str] | tuple[str, str, DependencyType]) -> Plan:
    """Return a plan of the tasks A to E with these edges, a line each."""
    plan = Plan("test", "/plan")
    plan.tasks = [PlanTask(key, key, f"plan:{n}") for n, key in enumerate("ABCDE", start=1)]
    for line, (task, blocker, *kind) in enumerate(edges, start=1):
        of_kind = kind[0] if kind else DependencyType.REQUIRES
        plan.edges.append(PlanEdge(task, blocker, of_kind, str(of_kind), f"edges:{line}"))
    return plan


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from(NODES), st.lists(st.sampled_from(NODES), unique=True)))
def test_without_the_closing_edges_no_cycle_is_left_and_with_any_one_there_is_one(
    edges: Edges,
) -> None:
    cycles = list(closing_edges(NODES, edges))

    every = [(node, blocker) for node, blockers in edges.items() for blocker in blockers]
    closing = {cycle[-2:] for cycle in cycles}
    rest = nx.DiGraph([edge for edge in every if edge not in closing])
    assert len(closing) == len(cycles)
    assert nx.is_directed_acyclic_graph(rest)
    for edge in closing:
        assert not nx.is_directed_acyclic_graph(nx.DiGraph([*rest.edges, edge]))


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from(NODES), st.lists(st.sampled_from(NODES), unique=True)))
def test_each_cycle_is_a_path_of_the_graph_back_to_its_beginning(edges: Edges) -> None:
    for cycle in closing_edges(NODES, edges):
        assert cycle[0] == cycle[-1]
        assert len(set(cycle)) == len(cycle) - 1
        assert all(blocker in edges[node] for node, blocker in pairwise(cycle))


@pytest.mark.slow
def test_a_long_chain_that_closes_is_one_cycle_with_its_middle_left_out() -> None:
    nodes = [str(number) for number in range(50_000)]
    edges = {node: [blocker] for node, blocker in pairwise([*nodes, nodes[0]])}

    (cycle,) = closing_edges(nodes, edges)

    assert cycle[:2] == ("0", "1")
    assert cycle[-2:] == ("49999", "0")
    assert len(cycle) == 201


class Counted(dict[str, list[str]]):
    """Edges that count how often a node is asked for them."""

    lookups = 0

    def __getitem__(self, node: str) -> list[str]:
        self.lookups += 1
        return super().__getitem__(node)

    def get(self, node: str, default: Any = None) -> Any:
        self.lookups += 1
        return super().get(node, default)


@pytest.mark.slow
def test_many_cycles_of_a_long_chain_take_linear_time() -> None:
    nodes = [str(number) for number in range(20_000)]
    edges = Counted({node: [blocker, "0"] for node, blocker in pairwise(nodes)})

    cycles = list(closing_edges(nodes, edges))

    # The first node waits for itself, and each of the others for it. A walk for each of
    # the edges would take 200 million steps.
    assert len(cycles) == 19_999
    assert edges.lookups <= len(nodes)


def test_of_a_cycle_the_closing_edge_is_refused_with_its_path() -> None:
    plan = make_plan(("A", "B"), ("B", "C"), ("C", "A"), ("D", "A"))

    normalize(plan)

    assert edges_of(plan) == [("A", "B"), ("B", "C"), ("D", "A")]
    assert refused(plan.findings) == [
        "edges:3: refused dependency C: on A (requires): closes the cycle A -> B -> C -> A"
    ]
    assert plan.findings.rows[0].path == ("A", "B", "C", "A")
    assert by_key(plan)["C"].metadata["relations"] == [
        {"type": "requires", "key": "A", "refused": "closes the cycle A -> B -> C -> A"}
    ]


def test_the_task_whose_closing_edge_is_refused_is_on_hold() -> None:
    plan = make_plan(("A", "B"), ("B", "C"), ("C", "A"))

    normalize(plan)

    task = by_key(plan)["C"]
    assert (task.status, task.blocked_reason) == (
        TaskStatus.BLOCKED,
        "waits for A, which waits for it",
    )


@pytest.mark.parametrize("status", [TaskStatus.COMPLETED, TaskStatus.IN_PROGRESS])
def test_a_task_under_way_or_done_is_not_put_on_hold_by_a_cycle(status: TaskStatus) -> None:
    plan = make_plan(("A", "B"), ("B", "A"))
    by_key(plan)["B"].status = status

    normalize(plan)

    assert by_key(plan)["B"].status is status


def test_a_refused_edge_to_a_task_that_is_done_holds_nothing_back() -> None:
    plan = make_plan(("A", "B"), ("B", "A"))
    by_key(plan)["A"].status = TaskStatus.COMPLETED

    normalize(plan)

    assert by_key(plan)["B"].status is TaskStatus.PENDING


def test_of_a_long_cycle_the_reason_shows_the_beginning() -> None:
    plan = Plan("test", "/plan")
    keys = [f"T{number}" for number in range(50)]
    plan.tasks = [PlanTask(key, key, "plan:1") for key in keys]
    plan.edges = [
        PlanEdge(task, blocker, DependencyType.REQUIRES, "waits", "edges:1")
        for task, blocker in pairwise([*keys, keys[0]])
    ]

    normalize(plan)

    (finding,) = plan.findings
    assert "T18 -> ... -> T0" in finding.reason
    assert finding.path == (*keys, "T0")


def test_a_task_that_waits_for_itself_is_a_cycle() -> None:
    plan = make_plan(("A", "A"))

    normalize(plan)

    assert plan.edges == []
    assert plan.findings.rows[0].path == ("A", "A")


def test_advice_may_run_in_circles() -> None:
    plan = make_plan(("A", "B"), ("B", "A", DependencyType.SUGGESTS))

    normalize(plan)

    assert edges_of(plan) == [("A", "B"), ("B", "A")]
    assert not len(plan.findings)


def test_an_edge_to_a_task_that_the_file_lacks_is_refused_and_stays_readable() -> None:
    plan = make_plan(("A", "GHOST"))

    normalize(plan)

    assert plan.edges == []
    assert refused(plan.findings) == [
        "edges:1: refused dependency A: on GHOST (requires): GHOST is no task of this file"
    ]
    assert by_key(plan)["A"].metadata["relations"][0]["key"] == "GHOST"


def test_of_two_edges_of_a_pair_the_stronger_stays() -> None:
    plan = make_plan(
        ("A", "B", DependencyType.SUGGESTS),
        ("A", "B", DependencyType.BLOCKS),
        ("A", "C"),
        ("A", "B", DependencyType.REQUIRES),
        ("B", "C", DependencyType.BLOCKS),
        ("C", "A", DependencyType.SUGGESTS),
    )

    normalize(plan)

    assert [(e.task, e.depends_on, e.dependency_type) for e in plan.edges] == [
        ("A", "B", DependencyType.REQUIRES),
        ("A", "C", DependencyType.REQUIRES),
        ("B", "C", DependencyType.BLOCKS),
        ("C", "A", DependencyType.SUGGESTS),
    ]
    assert [line.split(":")[1] for line in changed(plan.findings)] == ["1", "2"]
    assert "requires at edges:4; the stronger stays" in changed(plan.findings)[0]


def test_a_second_parent_is_refused_and_the_same_twice_is_one() -> None:
    plan = make_plan()
    plan.parents = [
        PlanParent("B", "A", "plan:1"),
        PlanParent("B", "A", "plan:2"),
        PlanParent("B", "C", "plan:3"),
        PlanParent("D", "GHOST", "plan:4"),
        PlanParent("D", "C", "plan:5"),
    ]

    normalize(plan)

    assert {key: task.parent for key, task in by_key(plan).items() if task.parent} == {
        "B": "A",
        "D": "C",
    }
    assert refused(plan.findings) == [
        "plan:3: refused parent B: C would be a second parent; A is one already",
        "plan:4: refused parent D: GHOST is no task of this file",
    ]


def test_parents_in_a_circle_lose_the_link_that_closes_it() -> None:
    plan = make_plan()
    plan.parents = [
        PlanParent("A", "B", "plan:1"),
        PlanParent("B", "C", "plan:2"),
        PlanParent("C", "A", "plan:3"),
        PlanParent("D", "D", "plan:4"),
    ]

    normalize(plan)

    assert {key: task.parent for key, task in by_key(plan).items() if task.parent} == {
        "A": "B",
        "B": "C",
    }
    assert [finding.path for finding in plan.findings] == [("A", "B", "C", "A"), ("D", "D")]


def test_edges_and_parents_are_judged_apart() -> None:
    plan = make_plan(("A", "B"))
    plan.parents = [PlanParent("B", "A", "plan:1")]

    normalize(plan)

    assert not len(plan.findings)
