"""Critical path, slack, waves, and what a task unblocks: by hand, by networkx, on real plans."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import networkx as nx  # type: ignore[import-untyped]
import psycopg
import pytest

from taskdb.errors import NotFoundError
from taskdb.exchange import detect, import_plan
from taskdb.models.dependencies import NewDependency
from taskdb.models.planning import HoursFrom, PlannedTask
from taskdb.models.tasks import NewTask
from taskdb.models.types import DependencyType, TaskStatus
from taskdb.models.workflows import NewWorkflow
from taskdb.queries import dependencies, epics, features, planning, tasks, workflows
from tests.exchange_files import DATA, needs_data, stats

Conn = psycopg.Connection[Any]

PLANS = [
    name
    for name, known in stats().items()
    if name.startswith(("shark/db/", "beads/")) or known.get("format") in ("flat", "tagged")
]
OPEN = {TaskStatus.PENDING, TaskStatus.BLOCKED, TaskStatus.IN_PROGRESS, TaskStatus.IN_REVIEW}

# Kelley and Walker's example, small: hours, and what each task waits for.
#
#   A 3 ─┬─ B 4 ── D 5 ─┬─ F 2
#        └─ C 2 ── E 1 ─┘
EXAMPLE: dict[str, tuple[int, str]] = {
    "A": (3, ""),
    "B": (4, "A"),
    "C": (2, "A"),
    "D": (5, "B"),
    "E": (1, "C"),
    "F": (2, "DE"),
}


def make_hours(conn: Conn, plan: Mapping[str, tuple[int, str]], **more: Any) -> None:
    """Make tasks of one-letter keys with their hours and what they wait for."""
    tasks.create_many(
        conn,
        [
            NewTask(key=key, title=key, estimated_hours=Decimal(hours), **more)
            for key, (hours, _) in plan.items()
        ],
        [
            NewDependency(key, blocker)
            for key, (_, blockers) in plan.items()
            for blocker in blockers
        ],
    )


def by_key(rows: list[PlannedTask]) -> dict[str, PlannedTask]:
    return {row.key: row for row in rows}


def finish(conn: Conn, key: str) -> None:
    tasks.update_status(conn, key=key, status=TaskStatus.COMPLETED, force=True)


# By hand


def test_schedule_of_the_example_is_as_worked_out_by_hand(conn: Conn) -> None:
    make_hours(conn, EXAMPLE)

    planned: dict[str, Any] = {
        row.key: (
            row.earliest_start_hours,
            row.earliest_finish_hours,
            row.latest_start_hours,
            row.latest_finish_hours,
            row.slack_hours,
            row.wave,
        )
        for row in planning.schedule(conn)
    }

    assert planned == {
        "A": (0, 3, 0, 3, 0, 1),
        "B": (3, 7, 3, 7, 0, 2),
        "C": (3, 5, 9, 11, 6, 2),
        "D": (7, 12, 7, 12, 0, 3),
        "E": (5, 6, 11, 12, 6, 3),
        "F": (12, 14, 12, 14, 0, 4),
    }


def test_critical_path_of_the_example_is_as_worked_out_by_hand(conn: Conn) -> None:
    make_hours(conn, EXAMPLE)

    path = planning.critical_path(conn)

    assert [(row.key, row.path_step) for row in path] == [("A", 1), ("B", 2), ("D", 3), ("F", 4)]
    assert path[-1].earliest_finish_hours == 14


def test_waves_of_the_example_are_as_worked_out_by_hand(conn: Conn) -> None:
    make_hours(conn, EXAMPLE)
    tasks.update(conn, key="C", agent_type="writer")

    waves = planning.execution_waves(conn)

    shown: list[Any] = [(row.wave, row.keys, row.longest_hours, row.total_hours) for row in waves]
    assert shown == [
        (1, ["A"], 3, 3),
        (2, ["B", "C"], 4, 6),
        (3, ["D", "E"], 5, 6),
        (4, ["F"], 2, 2),
    ]
    assert [row.task_count for row in waves] == [1, 2, 2, 1]
    assert waves[1].agent_types == {"": 1, "writer": 1}


def test_unblocks_of_the_example_is_as_worked_out_by_hand(conn: Conn) -> None:
    make_hours(conn, EXAMPLE)

    assert {key: planning.unblocks(conn, key) for key in EXAMPLE} == {
        "A": 5,
        "B": 2,
        "C": 2,
        "D": 1,
        "E": 1,
        "F": 0,
    }
    listed = planning.unblocks_of(conn, ["F", "C", "A", "unknown"])
    assert [(row.key, row.unblocked_count) for row in listed] == [("A", 5), ("C", 2), ("F", 0)]


def test_what_is_finished_takes_no_time_and_holds_nothing(conn: Conn) -> None:
    make_hours(conn, EXAMPLE)
    finish(conn, "A")
    finish(conn, "B")

    planned = by_key(planning.schedule(conn))

    assert {key: row.earliest_start_hours for key, row in planned.items()} == {
        "C": 0,
        "D": 0,
        "E": 2,
        "F": 5,
    }
    assert [row.key for row in planning.critical_path(conn)] == ["D", "F"]
    assert planning.unblocks(conn, "A") == 0
    assert planning.unblocks(conn, "C") == 2


def test_a_suggestion_holds_nothing(conn: Conn) -> None:
    make_hours(conn, {"A": (3, ""), "B": (1, "")})
    dependencies.add_dependency(
        conn, task="B", depends_on="A", dependency_type=DependencyType.SUGGESTS
    )

    assert by_key(planning.schedule(conn))["B"].earliest_start_hours == 0
    assert planning.unblocks(conn, "A") == 0


def test_of_two_longest_paths_one_is_told_and_neither_has_slack(conn: Conn) -> None:
    make_hours(conn, {"A": (1, ""), "B": (2, "A"), "C": (2, "A"), "D": (1, "BC")})

    assert [row.slack_hours for row in planning.schedule(conn)] == [0, 0, 0, 0]
    assert [row.key for row in planning.critical_path(conn)] == ["A", "B", "D"]


def test_a_task_that_takes_no_time_has_its_place_on_the_path(conn: Conn) -> None:
    make_hours(conn, {"A": (0, ""), "B": (2, "A"), "C": (0, "AB"), "D": (2, "")})

    assert [row.key for row in planning.critical_path(conn)] == ["A", "B", "C"]


def test_hours_are_the_estimate_else_the_median_of_the_type_else_one(conn: Conn) -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    worked = [("coder", "1.5", None), ("coder", "9", None), ("coder", None, 4), ("coder", None, -1)]
    tasks.create_many(
        conn,
        [
            NewTask(
                title="Done",
                status=TaskStatus.COMPLETED,
                agent_type=agent_type,
                actual_hours=None if actual is None else Decimal(actual),
                started_at=None if hours is None else began,
                completed_at=began + timedelta(hours=hours or 0),
            )
            for agent_type, actual, hours in worked
        ],
    )
    open_tasks = {"estimated": ("coder", "0.25"), "typed": ("coder", None), "new": ("tester", None)}
    for key, (agent_type, estimate) in open_tasks.items():
        hours = None if estimate is None else Decimal(estimate)
        tasks.create(conn, key=key, title=key, agent_type=agent_type, estimated_hours=hours)

    planned = by_key(planning.schedule(conn))

    assert {key: (row.hours, row.hours_from) for key, row in planned.items()} == {
        "estimated": (Decimal("0.25"), HoursFrom.ESTIMATE),
        # The median of 1.5, 4 and 9: a completion before the start does not count.
        "typed": (Decimal(4), HoursFrom.MEDIAN),
        "new": (Decimal(1), HoursFrom.DEFAULT),
    }


def test_tasks_of_no_type_have_a_median_of_their_own(conn: Conn) -> None:
    done = NewTask(title="Done", status=TaskStatus.COMPLETED, actual_hours=Decimal(6))
    tasks.create_many(conn, [done])
    tasks.create(conn, key="A", title="Of no type")
    tasks.create(conn, key="B", title="Of a type", agent_type="coder")

    planned = by_key(planning.schedule(conn))

    assert [planned[key].hours for key in "AB"] == [6, 1]


# Scopes


@pytest.fixture
def two_epics(conn: Conn) -> Conn:
    """E01-F01 has A and C, E01-F02 B; E02-F01 has X, which C waits for, and Y."""
    ids = {}
    for epic, parts in (("E01", ["F01", "F02"]), ("E02", ["F01"])):
        made = epics.create(conn, key=epic, title=epic)
        for part in parts:
            key = f"{epic}-{part}"
            ids[key] = features.create(conn, epic_id=made.id, key=key, title=key).id
    where = {"A": "E01-F01", "C": "E01-F01", "B": "E01-F02", "X": "E02-F01", "Y": "E02-F01"}
    hours = {"A": 1, "B": 2, "C": 1, "X": 5, "Y": 50}
    tasks.create_many(
        conn,
        [
            NewTask(
                key=key, title=key, feature_id=ids[feature], estimated_hours=Decimal(hours[key])
            )
            for key, feature in where.items()
        ],
        [NewDependency("C", "X"), NewDependency("C", "A"), NewDependency("Y", "C")],
    )
    return conn


def test_an_epic_counts_what_its_tasks_wait_for_outside(two_epics: Conn) -> None:
    planned = by_key(planning.schedule(two_epics, epic="E01"))

    assert {key: row.in_scope for key, row in planned.items()} == {
        "A": True,
        "B": True,
        "C": True,
        "X": False,
    }
    assert {key: row.slack_hours for key, row in planned.items()} == {
        "A": 4,
        "B": 4,
        "C": 0,
        "X": 0,
    }
    assert [row.key for row in planning.critical_path(two_epics, epic="E01")] == ["X", "C"]


def test_a_workflow_has_a_path_of_its_own(two_epics: Conn) -> None:
    flow = workflows.create(two_epics, NewWorkflow(name="Release"))
    for key in ("A", "C"):
        tasks.update(two_epics, key=key, workflow_id=flow.id)

    path = planning.critical_path(two_epics, workflow_id=flow.id)
    waves = planning.execution_waves(two_epics, workflow_id=flow.id)

    assert [(row.key, row.in_scope) for row in path] == [("X", False), ("C", True)]
    assert [row.keys for row in waves] == [["A", "X"], ["C"]]


def test_a_feature_and_the_whole_plan_have_paths_of_their_own(two_epics: Conn) -> None:
    assert [row.key for row in planning.critical_path(two_epics, feature="E01-F02")] == ["B"]
    assert [row.key for row in planning.critical_path(two_epics)] == ["X", "C", "Y"]
    assert planning.critical_path(two_epics, epic="E02", feature="E01-F02") == []


@pytest.mark.parametrize("scope", [{"epic": "E77"}, {"feature": "E77-F01"}, {}])
def test_where_nothing_is_open_nothing_is_planned(conn: Conn, scope: dict[str, Any]) -> None:
    assert planning.schedule(conn, **scope) == []
    assert planning.critical_path(conn, **scope) == []
    assert planning.execution_waves(conn, **scope) == []


def test_what_waits_for_a_dead_task_is_stuck_and_in_no_wave(conn: Conn) -> None:
    make_hours(conn, {"A": (1, ""), "B": (1, "A"), "C": (1, "B"), "D": (1, "")})
    tasks.update_status(conn, key="A", status=TaskStatus.CANCELLED)

    planned = by_key(planning.schedule(conn))
    waves = planning.execution_waves(conn)

    assert {key: row.stuck for key, row in planned.items()} == {"B": True, "C": True, "D": False}
    assert [(row.wave, row.keys, row.stuck_count) for row in waves] == [(1, ["D"], 1), (2, [], 1)]
    assert planning.unblocks(conn, "A") == 2


def test_ready_tasks_are_listed_by_what_they_hold_up(conn: Conn) -> None:
    make_hours(conn, EXAMPLE)
    make_hours(conn, {"P": (1, ""), "Q": (1, "P")})
    tasks.create(conn, key="Z", title="Least urgent", priority=9)

    listed = planning.ready_by_unblocks(conn)

    assert [(row.key, row.unblocked_count) for row in listed] == [("A", 5), ("P", 1), ("Z", 0)]
    assert len(planning.ready_by_unblocks(conn, limit=2)) == 2


def test_unblocks_of_an_unknown_task_is_refused(conn: Conn) -> None:
    with pytest.raises(NotFoundError):
        planning.unblocks(conn, "nothing")


async def test_schedules_are_asynchronous_too(aconn: psycopg.AsyncConnection[Any]) -> None:
    await tasks.create(aconn, key="A", title="A")

    assert [row.key for row in await planning.critical_path(aconn)] == ["A"]


# Against networkx


def random_plan(conn: Conn, count: int, seed: int) -> None:
    """Make tasks with edges of every type to earlier ones, and finish some of them."""
    dice = random.Random(seed)
    keys = [f"r-{number:04}" for number in range(count)]
    statuses = dice.choices(list(TaskStatus), k=count)
    new = [
        NewTask(
            key=key,
            title=key,
            # A task is blocked by its edges or by hand.
            status=TaskStatus.PENDING if status is TaskStatus.BLOCKED else status,
            agent_type=dice.choice([None, "coder", "tester"]),
            estimated_hours=dice.choice([None, Decimal(dice.randrange(0, 999)) / 4]),
            actual_hours=dice.choice([None, Decimal(dice.randrange(0, 99))]),
        )
        for key, status in zip(keys, statuses, strict=True)
    ]
    shown = dice.sample(keys, count)
    pairs = {
        (waiting, dice.randrange(max(0, waiting - 60), waiting))
        for waiting in range(1, count)
        for _ in range(dice.randrange(0, 4))
    }
    edges = [
        NewDependency(shown[waiting], shown[blocker], dice.choice(list(DependencyType)))
        for waiting, blocker in sorted(pairs)
    ]
    tasks.create_many(conn, dice.sample(new, count), edges)


def open_graph(conn: Conn) -> Any:
    """Return the open tasks and the edges that hold them, with hours, by other code than SQL's."""
    rows = conn.execute(
        "select key, status::text, completed_at is not null, agent_type, estimated_hours,"
        " actual_hours, started_at, completed_at from full_tasks"
    ).fetchall()
    spent: dict[str | None, list[Decimal]] = {}
    for _, status, completed, agent_type, _, actual, started, ended in rows:
        if status in ("completed", "archived") and completed:
            if actual is not None:
                spent.setdefault(agent_type, []).append(actual)
            elif started is not None and ended >= started:
                seconds = Decimal((ended - started) / timedelta(microseconds=1)) / 1_000_000
                spent.setdefault(agent_type, []).append(seconds / 3600)
    graph = nx.DiGraph()
    completed_keys = {row[0] for row in rows if row[1] in ("completed", "archived") and row[2]}
    status_of = {row[0]: TaskStatus(row[1]) for row in rows}
    for key, status, _, agent_type, estimate, *_ in rows:
        if status in OPEN:
            hours = estimate
            if hours is None:
                hours = median(spent[agent_type]) if agent_type in spent else Decimal(1)
            graph.add_node(key, hours=hours)
    edges = conn.execute(
        "select waiting.key, blocker.key, dependency_type::text from task_dependencies"
        " join tasks as waiting on waiting.id = task_id"
        " join tasks as blocker on blocker.id = depends_on_id"
    )
    dead: set[str] = set()
    for waiting, blocker, kind in edges:
        if waiting not in graph or kind == "suggests":
            continue
        if blocker in graph:
            graph.add_edge(blocker, waiting)
        elif not satisfies(kind, status_of[blocker], blocker in completed_keys):
            dead.add(waiting)
    graph.graph["dead"] = dead
    return graph


def satisfies(kind: str, ended: TaskStatus, is_completed: bool) -> bool:
    if kind == "compensates":
        return ended is TaskStatus.FAILED
    given_up = ended in (TaskStatus.CANCELLED, TaskStatus.ARCHIVED)
    return is_completed or (kind == "blocks" and given_up)


def median(values: list[Decimal]) -> Decimal:
    ordered = sorted(values)
    middle = len(ordered) // 2
    exact = (ordered[middle] + ordered[~middle]) / 2
    return exact.quantize(Decimal("0.01"), rounding="ROUND_HALF_UP")


def assert_planned_as_networkx_has_it(conn: Conn) -> Any:
    graph = open_graph(conn)
    hours = nx.get_node_attributes(graph, "hours")
    before = dict.fromkeys(graph, Decimal(0))
    after = dict.fromkeys(graph, Decimal(0))
    order = list(nx.topological_sort(graph))
    for key in order:
        for blocker in graph.predecessors(key):
            before[key] = max(before[key], before[blocker] + hours[blocker])
    for key in reversed(order):
        for waiting in graph.successors(key):
            after[key] = max(after[key], hours[waiting] + after[waiting])
    whole = max((before[key] + hours[key] for key in graph), default=Decimal(0))

    planned = by_key(planning.schedule(conn))
    path = [row.key for row in planning.critical_path(conn)]
    waves = planning.execution_waves(conn)

    assert {key: (row.hours, row.earliest_start_hours) for key, row in planned.items()} == {
        key: (hours[key], before[key]) for key in graph
    }
    assert {key: row.slack_hours for key, row in planned.items()} == {
        key: whole - before[key] - hours[key] - after[key] for key in graph
    }
    generations = list(nx.topological_generations(graph))
    assert {key: row.wave for key, row in planned.items()} == {
        key: wave for wave, keys in enumerate(generations, start=1) for key in keys
    }
    dead = graph.graph["dead"]
    stuck = dead.union(*(nx.descendants(graph, key) for key in dead))
    assert {key for key, row in planned.items() if row.stuck} == stuck
    assert [row.keys for row in waves] == [sorted(set(keys) - stuck) for keys in generations]
    if graph:
        assert nx.is_path(graph, path)
        assert sum(hours[key] for key in path) == whole
    return graph


@pytest.mark.parametrize("seed", range(8))
def test_random_plans_are_scheduled_as_networkx_has_it(conn: Conn, seed: int) -> None:
    random_plan(conn, random.Random(seed).randrange(2, 120), seed)

    graph = assert_planned_as_networkx_has_it(conn)

    listed = planning.unblocks_of(conn, sorted(graph))
    assert {row.key: row.unblocked_count for row in listed} == {
        key: len(nx.descendants(graph, key)) for key in graph
    }


@pytest.mark.slow
def test_a_random_plan_of_2000_tasks_is_scheduled_as_networkx_has_it(conn: Conn) -> None:
    random_plan(conn, 2000, seed=77)

    graph = assert_planned_as_networkx_has_it(conn)

    assert graph.number_of_edges() > 400
    some = random.Random(77).sample(sorted(graph), 40)
    assert {row.key: row.unblocked_count for row in planning.unblocks_of(conn, some)} == {
        key: len(nx.descendants(graph, key)) for key in some
    }


# On real plans


@pytest.mark.slow
@needs_data
@pytest.mark.parametrize("name", PLANS)
def test_real_plans_are_scheduled_as_networkx_has_it(conn: Conn, name: str) -> None:
    kind = detect(DATA / name)
    import_plan(conn, kind, DATA / name)

    graph = assert_planned_as_networkx_has_it(conn)

    listed = planning.unblocks_of(conn, sorted(graph)[:1000])
    assert {row.key: row.unblocked_count for row in listed} == {
        key: len(nx.descendants(graph, key)) for key in sorted(graph)[:1000]
    }
