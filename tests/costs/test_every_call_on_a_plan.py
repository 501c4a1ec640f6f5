"""Every call on a plan costs about twice as much on a plan of twice the size, or is bounded.

The plans are of extreme shapes. A call is made at the first, the middle and the last task of each;
its cost is the rows that the executor handles, those of triggers and functions too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest

from taskdb.models import NewDependency, NewTask, TaskStatus
from taskdb.queries import (
    briefs,
    claims,
    dependencies,
    epics,
    events,
    exchange,
    features,
    flow,
    graph,
    history,
    outgoing,
    pauses,
    planning,
    report,
    search,
    selection,
    tasks,
)
from tests.executed import rows_handled
from tests.shapes import EPIC, FEATURE, SHAPES, Connection, Shape, keys

SMALL = 200
# Growth with the square of the plan is at 4, and above 40,000 rows. A planner that changes from one
# way to the other on small tables stays below.
GROWTH = 2.5
SLACK = 1_500
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass
class At:
    """A task of a plan, and the plan around it; notes whether a call asks for the task."""

    conn: Connection
    task: tuple[str, UUID]
    ids: list[UUID]
    keys: list[str]
    epic_id: UUID
    feature_id: UUID
    is_asked: bool = False

    @property
    def key(self) -> str:
        self.is_asked = True
        return self.task[0]

    @property
    def id(self) -> UUID:
        self.is_asked = True
        return self.task[1]


def held(at: At) -> Any:
    """Claim the task, whatever it waits for."""
    at.conn.execute(b"delete from task_dependencies where task_id = $1", (at.id,))
    claim = claims.claim(at.conn, key=at.key, agent="ann")
    assert claim
    return claim


def named(claim: Any) -> dict[str, Any]:
    return {"task_id": claim.task_id, "token": claim.token}


def listed(claim: Any) -> dict[str, Any]:
    return {"task_ids": [claim.task_id], "tokens": [claim.token]}


CALLS: dict[str, Callable[[At], object]] = {
    "briefs.get": lambda at: briefs.get(at.conn, at.key),
    "claims.claim": held,
    "claims.claim_batch": lambda at: claims.claim_batch(at.conn, agent="ann", limit=10),
    "claims.claim_next": lambda at: claims.claim_next(at.conn, agent="ann"),
    "claims.complete": lambda at: claims.complete(at.conn, **named(held(at))),
    "claims.complete_and_claim_next": lambda at: claims.complete_and_claim_next(
        at.conn, agent="ann", **named(held(at))
    ),
    "claims.complete_many": lambda at: claims.complete_many(at.conn, **listed(held(at))),
    "claims.fail": lambda at: claims.fail(at.conn, error="no", retry_in=None, **named(held(at))),
    "claims.fail_many": lambda at: claims.fail_many(at.conn, error="no", **listed(held(at))),
    "claims.heartbeat": lambda at: claims.heartbeat(at.conn, **named(held(at))),
    "claims.heartbeat_many": lambda at: claims.heartbeat_many(at.conn, **listed(held(at))),
    "claims.list_for_task": lambda at: claims.list_for_task(at.conn, at.key),
    "claims.list_live": lambda at: claims.list_live(at.conn),
    "claims.release": lambda at: claims.release(at.conn, **named(held(at))),
    "claims.release_many": lambda at: claims.release_many(at.conn, **listed(held(at))),
    "claims.submit": lambda at: claims.submit(at.conn, **named(held(at))),
    "dependencies.add_dependencies": lambda at: dependencies.add_dependencies(
        at.conn, [NewDependency(key, "fresh") for key in at.keys]
    ),
    "dependencies.add_dependency": lambda at: dependencies.add_dependency(
        at.conn, task="fresh", depends_on=at.key
    ),
    "dependencies.all_dependencies_of": lambda at: dependencies.all_dependencies_of(
        at.conn, at.key
    ),
    "dependencies.all_dependents_of": lambda at: dependencies.all_dependents_of(at.conn, at.key),
    "dependencies.blocking_reasons": lambda at: dependencies.blocking_reasons(at.conn, at.key),
    "dependencies.dependencies_of": lambda at: dependencies.dependencies_of(at.conn, at.key),
    "dependencies.dependents_of": lambda at: dependencies.dependents_of(at.conn, at.key),
    "dependencies.list_stuck": lambda at: dependencies.list_stuck(at.conn),
    "dependencies.remove_dependency": lambda at: [
        dependencies.remove_dependency(at.conn, task=at.key, depends_on=edge.key)
        for edge in dependencies.dependencies_of(at.conn, at.key)[:1]
    ],
    "dependencies.why_not_ready": lambda at: dependencies.why_not_ready(at.conn, at.key),
    "epics.delete": lambda at: epics.delete(at.conn, EPIC),
    "epics.list_progress": lambda at: epics.list_progress(at.conn),
    "epics.progress": lambda at: epics.progress(at.conn, EPIC),
    "events.task_events": lambda at: events.task_events(at.conn, since=LONG_AGO),
    "exchange.edges_of": lambda at: exchange.edges_of(at.conn, task_ids=at.ids),
    "exchange.lapsed_tasks": lambda at: exchange.lapsed_tasks(at.conn, task_ids=at.ids),
    "exchange.parts_of": lambda at: exchange.parts_of(at.conn, task_ids=[at.id]),
    "exchange.tasks_by_key": lambda at: exchange.tasks_by_key(at.conn, keys=at.keys),
    "features.delete": lambda at: features.delete(at.conn, FEATURE),
    "features.list_progress": lambda at: features.list_progress(at.conn),
    "features.progress": lambda at: features.progress(at.conn, FEATURE),
    "features.update_progress": lambda at: features.update_progress(at.conn, FEATURE),
    "flow.ageing": lambda at: flow.ageing(at.conn),
    "flow.burn_up": lambda at: flow.burn_up(at.conn, epic=EPIC),
    "flow.by_agent": lambda at: flow.by_agent(at.conn),
    "flow.by_agent_type": lambda at: flow.by_agent_type(at.conn),
    "flow.of_task": lambda at: flow.of_task(at.conn, at.key),
    "flow.reopenings": lambda at: flow.reopenings(at.conn, since=LONG_AGO),
    "flow.stays_of_task": lambda at: flow.stays_of_task(at.conn, at.key),
    "flow.summary": lambda at: flow.summary(at.conn),
    "flow.throughput": lambda at: flow.throughput(
        at.conn, since=datetime.now(UTC) - timedelta(days=9), until=datetime.now(UTC)
    ),
    "flow.time_in_status": lambda at: flow.time_in_status(at.conn),
    "graph.edges": lambda at: graph.edges(at.conn, epic=EPIC),
    "graph.feature_edges": lambda at: graph.feature_edges(at.conn, epic=EPIC),
    "graph.feature_nodes": lambda at: graph.feature_nodes(at.conn, epic=EPIC),
    "graph.features_of": lambda at: graph.features_of(at.conn, at.ids),
    "graph.nodes": lambda at: graph.nodes(at.conn, epic=EPIC),
    "graph.size": lambda at: graph.size(at.conn, epic=EPIC),
    "history.list_by_agent": lambda at: history.list_by_agent(at.conn, agent="ann"),
    "history.list_for_task": lambda at: history.list_for_task(at.conn, at.key),
    "history.recent": lambda at: history.recent(at.conn),
    "outgoing.count_beside": lambda at: outgoing.count_beside(at.conn),
    "outgoing.list_plan": lambda at: outgoing.list_plan(at.conn),
    "pauses.list_pauses": lambda at: pauses.list_pauses(at.conn),
    "pauses.pause": lambda at: pauses.pause(at.conn, epic=EPIC),
    "pauses.resume": lambda at: (
        pauses.pause(at.conn, feature=FEATURE),
        pauses.resume(at.conn, feature=FEATURE),
    ),
    "planning.critical_path": lambda at: planning.critical_path(at.conn, epic=EPIC),
    "planning.execution_waves": lambda at: planning.execution_waves(at.conn, epic=EPIC),
    "planning.ready_by_unblocks": lambda at: planning.ready_by_unblocks(at.conn),
    "planning.schedule": lambda at: planning.schedule(at.conn, task_ids=at.ids),
    "planning.unblocks": lambda at: planning.unblocks(at.conn, at.key),
    "planning.unblocks_of": lambda at: planning.unblocks_of(at.conn, at.keys[:20]),
    "report.blocking_reasons": lambda at: report.blocking_reasons(at.conn, task_ids=at.ids),
    "report.durations": lambda at: report.durations(at.conn),
    "report.reported": lambda at: report.reported(at.conn, task_ids=at.ids),
    "report.transitions": lambda at: report.transitions(at.conn, task_ids=at.ids, since=LONG_AGO),
    "report.waits": lambda at: report.waits(at.conn, task_ids=at.ids),
    "search.find_tasks": lambda at: search.find_tasks(at.conn, words=at.key),
    "selection.around": lambda at: selection.around(at.conn, key=at.key, steps=100),
    "selection.chosen": lambda at: selection.chosen(at.conn, epic=EPIC),
    "selection.list_among": lambda at: selection.list_among(at.conn, task_ids=at.ids),
    "selection.ready_among": lambda at: selection.ready_among(at.conn, task_ids=at.ids),
    "tasks.count_by_status": lambda at: tasks.count_by_status(at.conn),
    "tasks.count_ready": lambda at: tasks.count_ready(at.conn),
    "tasks.create": lambda at: tasks.create(at.conn, title="More", parent_id=at.id),
    "tasks.create_many": lambda at: tasks.create_many(
        at.conn,
        [NewTask(key=f"more-{key}", title=key, parent=key) for key in at.keys],
        [NewDependency(f"more-{key}", key) for key in at.keys],
    ),
    "tasks.delete": lambda at: tasks.delete(at.conn, at.key),
    "tasks.execution_order": lambda at: tasks.execution_order(at.conn, epic=EPIC),
    "tasks.find_similar": lambda at: tasks.find_similar(at.conn, title=at.key),
    "tasks.get": lambda at: tasks.get(at.conn, at.id),
    "tasks.get_by_key": lambda at: tasks.get_by_key(at.conn, at.key),
    "selection.under": lambda at: selection.under(at.conn, key=at.key),
    "tasks.hierarchy": lambda at: tasks.hierarchy(at.conn, at.key),
    "tasks.ids_by_key": lambda at: tasks.ids_by_key(at.conn, keys=at.keys),
    "tasks.list_blocked": lambda at: tasks.list_blocked(at.conn),
    "tasks.list_failed": lambda at: tasks.list_failed(at.conn),
    "tasks.list_ready": lambda at: tasks.list_ready(at.conn),
    "tasks.list_tasks": lambda at: tasks.list_tasks(at.conn, epic_id=at.epic_id),
    "tasks.requeue": lambda at: (
        tasks.update_status(at.conn, at.key, status=TaskStatus.FAILED, force=True),
        tasks.requeue(at.conn, keys=[at.key]),
    ),
    "tasks.update": lambda at: tasks.update(at.conn, at.key, priority=1),
    "tasks.update_status": lambda at: tasks.update_status(
        at.conn, at.key, status=TaskStatus.COMPLETED, force=True
    ),
}
MODULES = (
    *(briefs, claims, dependencies, epics, events, exchange, features, flow, graph, history),
    *(outgoing, pauses, planning, report, search, selection, tasks),
)
# Calls on one row, found by its key or id, or on a page of them, and COPY of what comes in.
ONE_ROW = {
    *("epics.create", "epics.get", "epics.get_by_key", "epics.list_epics", "epics.update"),
    *("features.create", "features.get", "features.get_by_key", "features.list_features"),
    *("features.update", "exchange.epics_by_key", "exchange.features_by_key"),
    *("exchange.copy_edges", "exchange.copy_epics", "exchange.copy_features"),
    *("exchange.copy_imported", "exchange.files_of", "exchange.import_history"),
    *("exchange.import_transition", "exchange.live_claims", "exchange.imported_before"),
    *("exchange.update_imported", "exchange.specs_by_file", "exchange.reported_until"),
    *("tasks.copy_details", "tasks.copy_tasks", "tasks.transaction_time"),
    *("dependencies.copy_dependencies", "events.ended_executions", "events.position"),
    *("events.prove_waiting", "events.start_waiting", "events.stop_waiting", "events.wake"),
}


def public(module: ModuleType) -> list[str]:
    """The typed functions of an area, as area.function."""
    area = module.__name__.rpartition(".")[2]
    return [
        f"{area}.{name}"
        for name, value in vars(module).items()
        if not name.startswith("_")
        and callable(value)
        and getattr(value, "__module__", None) == module.__name__
        and not isinstance(value, type)
    ]


def test_every_function_of_these_areas_is_called_or_is_about_one_row() -> None:
    names = {name for module in MODULES for name in public(module)}

    assert names - {"tasks.known_ids"} == CALLS.keys() | ONE_ROW
    assert not CALLS.keys() & ONE_ROW


def costs(conn: Connection, shape: Shape, size: int) -> dict[str, int]:
    """Return the most that each call costs at a task of a plan, which it leaves as it was."""
    shape(conn, size)
    tasks.create(conn, key="fresh", title="Fresh")
    known = tasks.ids_by_key(conn, keys=keys(size))
    ids = {row.key: row.id for row in known}
    there = sorted(ids)
    conn.execute(b"analyze tasks, task_details, task_dependencies, task_history")
    plan = (
        [ids[key] for key in there],
        there,
        epics.get_by_key(conn, EPIC).id,
        features.get_by_key(conn, FEATURE).id,
    )
    most: dict[str, int] = {}
    everywhere: set[str] = set()  # Calls that cost the same at each task, for they name none.
    for key in (there[0], there[len(there) // 2], there[-1]):
        for name, call in CALLS.items():
            if name in everywhere:
                continue
            at = At(conn, (key, ids[key]), *plan)
            with conn.transaction(force_rollback=True), rows_handled(conn) as handled:
                call(at)
            most[name] = max(most.get(name, 0), handled.total())
            if not at.is_asked:
                everywhere.add(name)
    conn.rollback()
    return most


# All shapes take a minute or two.
SOME = [
    pytest.param(shape, id=name, marks=[] if name == "fan_out" else pytest.mark.slow)
    for name, shape in SHAPES.items()
]


@pytest.mark.slow
@pytest.mark.parametrize("shape", SOME)
def test_each_call_costs_twice_as_much_on_twice_the_plan(
    superuser: Connection, shape: Shape
) -> None:
    once = costs(superuser, shape, SMALL)
    twice = costs(superuser, shape, 2 * SMALL)

    assert {
        name: (once[name], cost)
        for name, cost in twice.items()
        if cost > GROWTH * once[name] + SLACK
    } == {}
